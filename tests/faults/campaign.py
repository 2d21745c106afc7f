"""A run: load and strikes to a schedule, then the verdict."""

import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from streamer.errors import SourceError
from streamer.standins.generator import Generator
from tests.faults.gathering import gather
from tests.faults.load import Load
from tests.faults.plant import STEADY, Broken, Plant, plant
from tests.faults.report import table, write
from tests.faults.schedule import schedule
from tests.faults.strikes import Striker, Struck
from tests.faults.verdict import Verdict, verdict

PARTITIONS: Final = 12
EVIDENCE: Final = "evidence.pickle"
_QUIET_SECONDS: Final = 300.0
"""How long the group may commit nothing at the end before that counts as stuck."""

Tell = Callable[[str], None]


def tell(words: str) -> None:
    """One line on the terminal, at once."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def campaign(
    folder: Path,
    *,
    events: int,
    strikes: int,
    seed: int,
    per_second: float,
    allows_behind: bool,
    say: Tell = tell,
) -> Verdict:
    """Run it; the report is in `folder`. Raises Broken or Ended where a part fails outright."""
    began = monotonic()
    planned = schedule(seed, strikes)
    say(f"seed {seed}: {events} events, {len(planned)} strikes, {PARTITIONS} partitions, {STEADY} members")
    with plant(folder, PARTITIONS) as parts:
        for slot in range(STEADY):
            parts.start(slot)
        parts.wait_until_whole()
        made = parts.pipeline.open(Generator(seed, events, companyless_share=0.002))
        load = Load(parts.pipeline, made, per_second)
        load.start()
        striker, struck = Striker(parts), list[Struck]()
        opened = parts.pipeline.expected.produced
        share = (events - opened) // (strikes + 1)
        for strike in planned:
            load.let(strike.number * share + share // 2)
            load.wait_for(strike.number * share)
            before = load.handed
            done = striker.strike(strike)
            struck.append(done._replace(events=share))
            now, took = monotonic() - began, done.until - done.at
            say(f"{now:7.1f} s  strike {strike}: {took:.1f} s, {before} events")
        load.let(events)
        load.join()
        load.wait_for(0)
        drain(parts, say)
        for slot in list(parts.now):
            parts.end(slot)
        say(f"{monotonic() - began:7.1f} s  everything is committed; the account is made up")
        evidence = gather(parts, struck)
    evidence.keep(folder / EVIDENCE)
    found = verdict(evidence, allows_behind=allows_behind)
    write(
        found, folder, seed=seed, events=events, seconds=round(monotonic() - began, 1),
        schedule=[str(strike) for strike in planned],
    )  # fmt: skip
    say(table(found))
    return found


def drain(parts: Plant, say: Tell) -> None:
    """Wait until everything is committed, as long as something is still being committed."""
    ends = parts.pipeline.expected.ends
    last, moved = -1, monotonic()
    while True:
        for life in parts.now.values():
            life.member.check()
        try:
            committed = parts.pipeline.committed()
        except SourceError:
            committed = {}
        left = sum(end - committed.get(number, 0) for number, end in ends.items())
        if not left:
            return
        if left != last:
            last, moved = left, monotonic()
        elif monotonic() - moved > _QUIET_SECONDS:
            tails = "\n".join(f"--- {life.name}\n{life.member.tail()}" for life in parts.now.values())
            raise Broken(f"{left} records stay uncommitted: {committed} of {ends}\n{tails}")
        sleep(0.5)
