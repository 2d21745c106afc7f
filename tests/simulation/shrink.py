"""The shortest script that still breaks the same law: chunks of steps are left out, then single ones."""

from tests.simulation.runs import Broken, run
from tests.simulation.script import Script

MOST_RUNS = 600


def shrunk(script: Script, broken: Broken, most_runs: int = MOST_RUNS) -> tuple[Script, Broken]:
    """A shorter script that breaks the same law, and how; the world's own line always stays."""
    head, steps = script[:1], script[1:]
    steps = steps[: broken.at]  # nothing after the step at which it was seen matters
    found = run([*head, *steps])
    if found is None or found.law != broken.law:
        steps, found = script[1:], broken
    runs, size = 0, max(1, len(steps) // 2)
    while runs < most_runs:
        place, was_cut = 0, False
        while place < len(steps) and runs < most_runs:
            shorter = steps[:place] + steps[place + size :]
            runs += 1
            again = run([*head, *shorter])
            if again is not None and again.law == broken.law:
                steps, found, was_cut = shorter, again, True
            else:
                place += size
        if size > 1:
            size = max(1, size // 2)
        elif not was_cut:
            break
    return [*head, *steps], found
