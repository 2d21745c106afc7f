"""`make soak`: hours of mixed load with faults on real parts, watched for what grows.

    python -m tests.soak --hours 8 --rate 100 --seed 7
    python -m tests.soak --seconds 600 --rate 100 --mode passthrough

Exit code 0 only if every law of `make faults` holds and no member that was spared grows.
"""

import argparse
import math
import os
import platform
import shutil
import sys
from pathlib import Path

from rich.console import Console

from tests import program
from tests.faults.campaign import tell
from tests.faults.plant import Broken
from tests.real_kafka.cluster import unavailable_reason
from tests.real_kafka.member import Ended
from tests.soak import figures, passthrough
from tests.soak.findings import Findings, report
from tests.soak.run import MOST_EVENTS, soak
from tests.soak.tables import show

SHORTEST_SECONDS = 300.0
"""Below that a member's start is still to be seen, and nothing can be judged."""
EVERY_SECONDS = (40.0, 180.0)
"""A strike each 40 s in short runs, each three minutes in long ones."""


def positive(text: str) -> float:
    """A number above 0, and an end to it. Raises ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 0 where all is well, 1 where it is not, 2 where it cannot run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=positive, default=1.0, help="how long (%(default)s)")
    parser.add_argument("--seconds", type=positive, help="likewise, instead of --hours")
    parser.add_argument("--rate", type=positive, default=300.0, help="events a second (%(default)s)")
    parser.add_argument(
        "--every", type=positive, help="seconds from strike to strike, about (a 20th of all, from 40 to 180)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of events and schedule (%(default)s)")
    parser.add_argument(
        "--mode", choices=("api", "passthrough"), default="api", help="of the members (%(default)s)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("build/soak"), help="of logs and report (%(default)s)"
    )
    parser.add_argument(
        "--write", action="store_true", help=f"keep the figures in {figures.SOAKED}, for docs/reliability.md"
    )
    args = parser.parse_args(arguments)
    seconds = args.seconds if args.seconds is not None else args.hours * 3_600
    if seconds < SHORTEST_SECONDS:
        parser.error(f"{seconds:g} s are too short to judge what grows: {SHORTEST_SECONDS:g} at least")
    if seconds * args.rate > MOST_EVENTS:
        parser.error(f"the account holds {MOST_EVENTS} events: {MOST_EVENTS / seconds:.0f} a second, at most")
    if args.write and args.mode != "api":
        parser.error("the page shows a soak of api mode: leave --write out")
    reason = unavailable_reason()
    if reason is not None:
        tell(f"no real Kafka can run here: {reason}")
        return 2
    folder = args.folder.resolve() / f"seed-{args.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    low, high = EVERY_SECONDS
    every = args.every or min(high, max(low, seconds / 20))
    console = Console(width=None if sys.stdout.isatty() else 140)
    facts = {
        "seed": args.seed,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "is_compiled": program.is_compiled(),
    }
    found: Findings | passthrough.Findings
    try:
        if args.mode == "passthrough":
            found = passthrough.soak(
                folder, seconds=seconds, per_second=args.rate, every_seconds=every, seed=args.seed
            )
            told = passthrough.report(found, **facts)
            passthrough.show(found, console)
        else:
            found = soak(folder, seconds=seconds, per_second=args.rate, every_seconds=every, seed=args.seed)
            told = report(found, **facts)
            show(found, console)
    except (Broken, Ended) as error:
        tell(f"BROKEN: {error}\nlogs: {folder}")
        return 1
    figures.keep(folder / "report.json", told)
    if args.write:
        figures.keep(figures.ROOT / figures.SOAKED, told)
    shutil.rmtree(folder / "kafka" / "log", ignore_errors=True)
    if found.is_good:
        shutil.rmtree(folder / "members")
    tell(f"report: {folder / 'report.json'}" + ("; write the page anew: make docs" if args.write else ""))
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
