"""`python -m tests.simulation`: many seeds on all cores, or one script from a file.

Exit code 0 when every law held, 1 when one was broken.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Collection
from functools import partial
from pathlib import Path

from tests.simulation.chance import script_of
from tests.simulation.runs import Broken, run
from tests.simulation.script import read, written
from tests.simulation.shrink import shrunk

PROGRESS_SECONDS = 5.0
KEPT = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "simulation.json"


def told(seed: int, broken: Broken, *, is_shrunk: bool = True) -> str:
    """What a person needs to know of a seed that fails: the law, the shortest script, the command."""
    script, found = script_of(seed), broken
    if is_shrunk:
        script, found = shrunk(script, broken)
    return (
        f"seed {seed} breaks the law of {found.law}: {found.reason}\n"
        f"the {'shortest' if is_shrunk else 'whole'} script that does, "
        f"seen after step {found.at} (past the last: at rest):\n\n"
        f"{written(script)}\n\n"
        f"the seed again: make simulate SEEDS=1 FIRST={seed}\n"
        "the script again, from a file: make simulate SCRIPT=<file>"
    )


def first_broken(seeds: list[int], laws: Collection[str] = ()) -> tuple[int, int, Broken | None]:
    """Run some seeds; how many ran, and the last of them with what it broke.

    `laws`: only what breaks one of these counts; none: whatever is broken does.
    """
    for place, seed in enumerate(seeds):
        broken = run(script_of(seed))
        if broken is not None and (not laws or broken.law in laws):
            return place + 1, seed, broken
    return len(seeds), seeds[-1], None


def simulate(first: int, count: int, workers: int, *, is_shrunk: bool, laws: Collection[str] = ()) -> int:
    """Seeds from `first` on; stops at the first that breaks a law, or one of `laws`. The exit code."""
    size = max(1, min(200, count // (workers * 4) or 1))
    seeds = range(first, first + count)
    chunks = [list(seeds[place : place + size]) for place in range(0, count, size)]
    began = said = time.monotonic()
    done = 0
    with multiprocessing.Pool(workers) as pool:
        for ran, seed, broken in pool.imap_unordered(partial(first_broken, laws=laws), chunks):
            done += ran
            if broken is not None:
                pool.terminate()
                sys.stdout.write(told(seed, broken, is_shrunk=is_shrunk) + "\n")
                return 1
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                sys.stdout.write(f"{done} of {count} seeds, {done / (said - began):.0f} a second\n")
                sys.stdout.flush()
    seconds = time.monotonic() - began
    sys.stdout.write(f"{done} seeds held every law ({done / seconds:.0f} a second)\n")
    return 0


def replay(file: Path) -> int:
    """One script from a file; the exit code."""
    script = read(file.read_text(encoding="utf-8"))
    broken = run(script)
    if broken is None:
        sys.stdout.write("every law held\n")
        return 0
    sys.stdout.write(f"after step {broken.at}, the law of {broken.law}: {broken.reason}\n")
    return 1


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many (default 2000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--script", type=Path, help="run this script instead")
    parser.add_argument("--print", action="store_true", help="print the script of the first seed, and end")
    parser.add_argument("--quick", action="store_true", help="do not look for the shortest script")
    parser.add_argument("--law", action="append", default=[], help="look for seeds that break this law")
    parser.add_argument(
        "--write", action="store_true", help="keep the figures for docs/reliability.md (then: make docs)"
    )
    args = parser.parse_args()
    if args.script is not None:
        return replay(args.script)
    if args.print:
        sys.stdout.write(written(script_of(args.first)) + "\n")
        return 0
    code = simulate(args.first, args.seeds, args.workers, is_shrunk=not args.quick, laws=args.law)
    if args.write and code == 0:
        KEPT.write_text(json.dumps({"first": args.first, "seeds": args.seeds}) + "\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
