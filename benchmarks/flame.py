"""Flame graphs of the pipeline by py-spy: as it was before the hot path was gone through, and as it is now.

    python -m benchmarks.flame                            # the table of both
    python -m benchmarks.flame --write                    # the results file, docs/performance.md, its picture
    python -m benchmarks.flame --before HEAD --write      # beside another commit

`benchmarks/profile_run.py` of each does the work, in one process without broker and Planhat, and always as
Python: the compiled wheel is never asked. py-spy must be allowed to look at its child: on Linux any user is,
but in some containers it wants the capability SYS_PTRACE; on macOS it wants root.
"""

import argparse
import io
import json
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import flame_graph, performance_page

BEFORE = "de1d48b"
RESULTS = performance_page.ROOT / performance_page.FLAMES
ROOT_FUNCTION = "run (benchmarks/profile_run.py)"
SET_UP = "(streamer/app/garbage.py)"
"""Looks once at what was made for the measurement: none of an event's cost."""
COST = re.compile(r"us/event (?P<us>[0-9.]+)")
REFUSED = re.compile(r"permission denied|not permitted|requires root|not implemented", re.IGNORECASE)


class Unseen(RuntimeError):
    """The profile could not be taken; the text holds what was said, and what to do."""

    def __init__(self, text: str, *, is_refused: bool = False) -> None:
        """`is_refused`: py-spy may not look at its own child here."""
        super().__init__(text)
        self.is_refused = is_refused


def _ended(command: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, check=False)
    except OSError as error:
        raise Unseen(f"{command[0]} could not be started: {error}. Install it (`make setup`).") from None


def tree_of(commit: str, folder: Path) -> None:
    """The files of a commit, into a folder. Raises Unseen."""
    made = _ended(["git", "archive", commit], performance_page.ROOT)
    if made.returncode:
        said = made.stderr.decode(errors="replace").strip()
        raise Unseen(f"No files of {commit}: {said}. Fetch the whole history, or name another by --before.")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as files:
        files.extractall(folder, filter="data")


def head() -> str:
    """The newest commit here, short. Raises Unseen."""
    return _ended(["git", "rev-parse", "--short", "HEAD"], performance_page.ROOT).stdout.decode().strip()


def seen(tree: Path, events: int, rate: int) -> tuple[float, Counter[flame_graph.Stack]]:
    """Microseconds an event of a tree's pipeline, and its stacks. `rate`: looks a second. Raises Unseen."""
    with tempfile.TemporaryDirectory() as directory:
        folded = Path(directory) / "folded.txt"
        program = [sys.executable, "-m", "benchmarks.profile_run", "--no-floor", "--events", str(events)]
        spy = str(Path(sys.executable).with_name("py-spy"))
        options = ["--function", "--format", "raw", "--rate", str(rate), "--output", str(folded)]
        ran = _ended([spy, "record", *options, "--", *program], tree)
        said = (ran.stdout + ran.stderr).decode(errors="replace")
        cost = COST.search(said)
        stacks = flame_graph.stacks_of(folded.read_text(), ROOT_FUNCTION) if folded.exists() else Counter()
    work = Counter({stack: samples for stack, samples in stacks.items() if SET_UP not in " ".join(stack)})
    if cost is None or not work:
        what = f"py-spy saw nothing of {tree} and ended with {ran.returncode}; it said: {said.strip()}"
        advice = "It must be allowed to look at its child: SYS_PTRACE in a container, root on macOS."
        raise Unseen(f"{what}\n{advice}", is_refused=REFUSED.search(said) is not None)
    return float(cost["us"]) * work.total() / stacks.total(), work


def profiles(trees: dict[str, Path], events: int, rate: int, turns: int) -> list[dict[str, Any]]:
    """Of each tree by turns: what an event costs in the mean, and all that was seen. Raises Unseen."""
    us = dict.fromkeys(trees, 0.0)
    stacks: dict[str, Counter[flame_graph.Stack]] = {name: Counter() for name in trees}
    for _ in range(turns):
        for name, tree in trees.items():
            cost, found = seen(tree, events, rate)
            us[name] += cost / turns
            stacks[name] += found
    return [flame_graph.profile(name, us[name], stacks[name]) for name in trees]


def main() -> int:
    """Profile both, show, and write where asked; 1 where one could not be profiled."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=250, help="looks a second")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="the results file, the page and its picture")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as directory:
            tree_of(arguments.before, Path(directory))
            trees = {arguments.before: Path(directory), "now": performance_page.ROOT}
            found = profiles(trees, arguments.events, arguments.rate, arguments.turns)
        told = {"events": arguments.events, "rate": arguments.rate, "turns": arguments.turns}
        results = told | {"python": platform.python_version(), "head": head(), "profiles": found}
    except Unseen as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if arguments.write:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        performance_page.write(performance_page.ROOT, *performance_page.read(performance_page.ROOT))
    sys.stdout.write(flame_graph.table(*found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
