"""Flame graphs of the pipeline by py-spy: as it was before the hot path was gone through, and as it is now.

    python -m benchmarks.flame                            # the table of both
    python -m benchmarks.flame --write                    # the results file, docs/performance.md, its picture
    python -m benchmarks.flame --before v0.1.0 --write    # beside another commit

`benchmarks/profile_run.py` of each does the work, in one process without broker and Planhat. What is compiled
is not seen: the checkout is profiled. py-spy must be allowed to look at its child: any user is on most
machines; in a container it may want the capability SYS_PTRACE.
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
from pathlib import Path
from typing import Any

from benchmarks import flame_graph, performance_page

BEFORE = "de1d48b"
RESULTS = performance_page.ROOT / performance_page.FLAMES
ROOT_FUNCTION = "run (benchmarks/profile_run.py)"
COST = re.compile(r"us/event (?P<us>[0-9.]+)")


class Unseen(RuntimeError):
    """The profile could not be taken; the text holds what was said."""


def tree_of(commit: str, folder: Path) -> None:
    """The files of a commit, into a folder. Raises Unseen."""
    made = subprocess.run(
        ["git", "archive", commit], cwd=performance_page.ROOT, capture_output=True, check=False
    )
    if made.returncode:
        said = made.stderr.decode(errors="replace").strip()
        raise Unseen(f"No files of {commit}: {said}. Fetch the whole history, or name another by --before.")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as files:
        files.extractall(folder, filter="data")


def profiled(tree: Path, name: str, events: int, rate: int) -> dict[str, Any]:
    """The pipeline of a tree, seen so many times a second. Raises Unseen."""
    with tempfile.TemporaryDirectory() as directory:
        folded = Path(directory) / "folded.txt"
        program = [sys.executable, "-m", "benchmarks.profile_run", "--no-floor", "--events", str(events)]
        spy = str(Path(sys.executable).with_name("py-spy"))
        options = ["--function", "--format", "raw", "--rate", str(rate), "--output", str(folded)]
        ran = subprocess.run(
            [spy, "record", *options, "--", *program], cwd=tree, capture_output=True, text=True, check=False
        )
        cost = COST.search(ran.stdout)
        stacks = flame_graph.stacks_of(folded.read_text(), ROOT_FUNCTION) if folded.exists() else None
        if cost is None or not stacks:
            raise Unseen(ran.stdout + ran.stderr)
        return flame_graph.profile(name, float(cost["us"]), stacks)


def main() -> int:
    """Profile both, show, and write where asked; 1 where one could not be profiled."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=250, help="looks a second")
    parser.add_argument("--write", action="store_true", help="the results file, the page and its picture")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as directory:
            tree_of(arguments.before, Path(directory))
            before = profiled(Path(directory), arguments.before, arguments.events, arguments.rate)
        now = profiled(performance_page.ROOT, "now", arguments.events, arguments.rate)
    except Unseen as error:
        sys.stderr.write(f"{error}\n")
        return 1
    results = {
        "events": arguments.events,
        "rate": arguments.rate,
        "python": platform.python_version(),
        "profiles": [before, now],
    }
    if arguments.write:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        performance_page.write(performance_page.ROOT, *performance_page.read(performance_page.ROOT))
    sys.stdout.write(flame_graph.table(*results["profiles"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
