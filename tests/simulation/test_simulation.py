"""The engine under chance: thousands of seeds, each a script, each law looked at after every step."""

from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.__main__ import first_broken, told
from tests.simulation.chance import LONGEST, script_of
from tests.simulation.runs import run
from tests.simulation.script import read, written

pytestmark = pytest.mark.long

GROUPS, SEEDS = 20, 100
FOUND = Path(__file__).parent / "found"


@pytest.mark.parametrize("first", range(0, GROUPS * SEEDS, SEEDS))
def test_every_law_holds(first: int) -> None:
    """None of these seeds breaks a law; one that does is told with its shortest script."""
    _, seed, broken = first_broken(list(range(first, first + SEEDS)))
    assert broken is None, told(seed, broken)


@pytest.mark.parametrize("file", sorted(FOUND.glob("*.txt")), ids=lambda file: file.stem)
def test_what_was_found_once_stays_mended(file: Path) -> None:
    """Scripts that broke a law before the engine, or the simulator, was mended."""
    assert run(read(file.read_text(encoding="utf-8"))) is None


def test_a_script_survives_being_printed() -> None:
    """What is printed is read back as the same steps, whatever is around them."""
    script = script_of(7)
    assert read("# found by chance\n\n" + written(script)) == script


def test_a_seed_is_always_the_same_story() -> None:
    """The same seed makes the same script, and the same script runs the same way."""
    assert script_of(11) == script_of(11)
    assert run(script_of(11)) == run(script_of(11))


def test_scripts_are_short_and_say_every_kind_of_step() -> None:
    """A few hundred seeds use every verb the world knows."""
    verbs: Counter[str] = Counter()
    for seed in range(300):
        script = script_of(seed)
        assert len(script) <= LONGEST + 18
        verbs.update(step.verb for step in script)
    assert set(verbs) == {
        "world", "feed", "copy", "gap", "turn", "flow", "time", "arrive", "answer", "crash", "fuse", "stop",
        "freeze", "thaw", "rebalance", "expire", "fault", "heal", "switch", "commit", "letters", "registry",
        "network", "sink", "token", "recreate", "cut", "start",
    }  # fmt: skip
