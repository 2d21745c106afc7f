"""`make faults`: a seeded campaign of faults on real parts, or one scenario.

    python -m tests.faults --events 1000000 --strikes 100 --seed 7

Exit code 0 only if every law holds. Where one does not, the parts' logs are kept.
"""

import argparse
import shutil
import sys
from pathlib import Path

from tests.faults.campaign import EVIDENCE, campaign, tell
from tests.faults.gathering import kept
from tests.faults.plant import Broken
from tests.faults.report import table
from tests.faults.scenarios import SCENARIOS
from tests.faults.verdict import verdict
from tests.real_kafka.cluster import unavailable_reason
from tests.real_kafka.member import Ended

KEPT = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "faults.json"


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 0 where all laws hold, 1 where one does not, 2 where it cannot run."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--events", type=int, default=30_000, help="events to produce (%(default)s)")
    parser.add_argument("--strikes", type=int, default=12, help="strikes among them (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of events and schedule (%(default)s)")
    parser.add_argument("--rate", type=float, default=1_500.0, help="events a second, at most (%(default)s)")
    parser.add_argument(
        "--allow-behind", action="store_true",
        help="allow to come again what was settled behind a record in flight",
    )  # fmt: skip
    parser.add_argument(
        "--folder", type=Path, default=Path("build/faults"), help="of logs and report (%(default)s)"
    )
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), help="tell one story instead")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="how long Planhat stalls in that scenario (%(default)s)"
    )
    parser.add_argument(
        "--again", type=Path, help="judge the evidence of an earlier run in this folder again"
    )
    parser.add_argument(
        "--write", action="store_true", help="keep the figures for docs/reliability.md (then: make docs)"
    )
    args = parser.parse_args(arguments)
    if args.again is not None:
        found = verdict(kept(args.again / EVIDENCE), allows_behind=args.allow_behind)
        tell(table(found))
        return 0 if found.is_good else 1
    reason = unavailable_reason()
    if reason is not None:
        tell(f"no real Kafka can run here: {reason}")
        return 2
    folder = args.folder.resolve() / (args.scenario or f"seed-{args.seed}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if args.scenario is not None:
        return _scenario(args.scenario, folder, args.seconds)
    try:
        found = campaign(
            folder, events=args.events, strikes=args.strikes, seed=args.seed, per_second=args.rate,
            allows_behind=args.allow_behind,
        )  # fmt: skip
    except (Broken, Ended) as error:
        tell(f"BROKEN: {error}\nlogs: {folder}")
        return 1
    if args.write:
        shutil.copy(folder / "report.json", KEPT)
    shutil.rmtree(folder / "kafka" / "log", ignore_errors=True)
    if found.is_good:
        shutil.rmtree(folder / "members")
    tell(f"report: {folder / 'report.json'}")
    return 0 if found.is_good else 1


def _scenario(name: str, folder: Path, seconds: float) -> int:
    try:
        broken = SCENARIOS[name](folder, seconds, tell)
    except (Broken, Ended, AssertionError) as error:
        broken = [str(error)]
    for each in broken:
        tell(f"BROKEN: {each}")
    if broken:
        tell(f"logs: {folder}")
        return 1
    shutil.rmtree(folder)
    tell(f"{name}: all is well")
    return 0


if __name__ == "__main__":
    sys.exit(main())
