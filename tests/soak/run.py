"""A soak: hours of mixed load with faults on real parts, watched all along, judged at the end."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep, time
from typing import Final, NamedTuple

from streamer.standins.generator import Generator
from tests.faults.campaign import EVIDENCE, PARTITIONS, Tell, drain, tell
from tests.faults.gathering import gather
from tests.faults.load import Load
from tests.faults.plant import SLOTS, STEADY, Plant, plant
from tests.faults.strikes import Striker, Struck
from tests.faults.verdict import verdict
from tests.soak.findings import Findings, judge
from tests.soak.mixed import mixed
from tests.soak.plan import Plan, plan
from tests.soak.watch import Look, Watch, spans

SPARED: Final = (0, 1)
"""Slots whose members nothing strikes alone: they live from the start to the end, and are the ones judged."""
QUIET_PACE: Final = 0.1
LOOK_SECONDS: Final = 5.0
TELL_SECONDS: Final = 60.0
MOST_POINTS: Final = 60
"""A span is a minute, or less where the whole soak would not have so many."""
MOST_EVENTS: Final = 4_000_000
"""The account and the sandbox hold every event to the end."""
_PEOPLE_SHARE: Final = 1 / 20
"""Of the generator: people for each event."""


def remembered(planned: Plan, per_second: float) -> dict[str, str]:
    """Settings that bound what a member remembers so that it is full when the warm-up ends.

    By the defaults it is in an hour or more: what fills up is no leak, and must not look like one.
    """
    read = per_second * planned.warm_up_seconds / STEADY
    people = per_second * planned.seconds * _PEOPLE_SHARE / STEADY
    return {
        "duplicates_window": str(min(100_000, max(1_000, int(read / 2)))),
        "unchanged_endusers": str(min(100_000, max(100, int(people / 4)))),
    }


class Ran(NamedTuple):
    """What was done and seen while the load ran; all members have ended."""

    began: float
    """Seconds since 1970, when the load began."""
    looks: Sequence[Look]
    struck: Sequence[Struck]
    holds_left: Sequence[str]
    """Members that still held at the end."""

    @property
    def faults(self) -> list[float]:
        """When it was struck, in seconds from the start."""
        return [each.at - self.began for each in self.struck]


def soak(
    folder: Path, *, seconds: float, per_second: float, every_seconds: float, seed: int, say: Tell = tell
) -> Findings:
    """Run it. Raises Broken or Ended where a part fails outright, an exit code that is not 0 included."""
    planned = plan(seed, seconds, every_seconds)
    events = int(per_second * seconds)
    say(
        f"seed {seed}: {seconds:g} s at {per_second:g} events a second, {len(planned.due)} strikes, "
        f"{STEADY} members, of whom {len(SPARED)} are spared; warm-up {planned.warm_up_seconds:g} s"
    )
    with plant(folder, PARTITIONS, **remembered(planned, per_second)) as parts:
        parts.begin()
        made = parts.pipeline.open(Generator(seed, events, companyless_share=0.002))
        load = Load(parts.pipeline, mixed(made, seed), per_second)
        ran = under_load(parts, load, planned, per_second, say)
        evidence = gather(parts, ran.struck)
        spared, ended = spared_of(parts), ended_in_order(parts)
    evidence.keep(folder / EVIDENCE)
    found = spans(ran.looks, span_seconds(seconds))
    return Findings(
        plan=planned,
        per_second=per_second,
        struck=ran.struck,
        began=ran.began,
        spans=found,
        judged={name: judge(found[name], planned, ran.faults) for name in spared},
        verdict=verdict(evidence, allows_behind=False),
        activities=len(evidence.activities),
        record_bytes=load.record_bytes / max(1, load.records),
        holds_left=ran.holds_left,
        ended_in_order=ended,
    )


def under_load(parts: Plant, load: Load, planned: Plan, per_second: float, say: Tell) -> Ran:
    """Let it run to the end of the plan, until all is committed, and end the members."""
    watch = Watch(parts, _look_seconds(planned.seconds), TELL_SECONDS, lambda looks: say(_line(looks, load)))
    began = time()
    load.let(int(per_second * planned.seconds))
    load.start()
    watch.start()
    struck = _follow(planned, parts, load, per_second, say)
    load.end()
    load.join()
    load.wait_for(0)
    drain(parts, say)
    watch.end()
    holding = [life.name for life in parts.now.values() if life.member.scrape().total("streamer_hold") > 0]
    for slot in list(parts.now):
        parts.end(slot)
    say("everything is committed; the account is made up")
    return Ran(began, watch.looks, struck, holding)


def spared_of(parts: Plant) -> list[str]:
    """The members that are judged."""
    return [life.name for life in parts.lives if life.slot in SPARED]


def ended_in_order(parts: Plant) -> int:
    """Members that were told to end, and ended with 0."""
    return sum(life.member.wait(0.0) == 0 for life in parts.lives)


def span_seconds(seconds: float) -> float:
    """How long a span is in a soak of so many."""
    return min(60.0, max(seconds / MOST_POINTS, _look_seconds(seconds)))


def _look_seconds(seconds: float) -> float:
    return min(LOOK_SECONDS, seconds / MOST_POINTS)


def _follow(planned: Plan, parts: Plant, load: Load, per_second: float, say: Tell) -> list[Struck]:
    """Strike when it is due, go slowly when it is quiet, until the time is over."""
    striker, began = Striker(parts, range(len(SPARED), STEADY)), monotonic()
    struck, handed = list[Struck](), list[int]()

    def wait(until: float) -> None:
        while (now := monotonic() - began) < until:
            is_quiet = any(part.begins <= now < part.ends for part in planned.quiet)
            load.per_second = per_second * (QUIET_PACE if is_quiet else 1.0)
            load.wait_for(0)
            for life in parts.now.values():
                life.member.check()
            sleep(min(0.5, until - now))

    for due in planned.due:
        wait(due.at)
        load.per_second = per_second
        handed.append(load.handed)
        done = striker.strike(due.strike)
        struck.append(done)
        say(f"{_clock(monotonic() - began)}  strike {due.strike}: {done.until - done.at:.1f} s")
    wait(planned.seconds)
    handed.append(load.handed)
    return [
        each._replace(events=after - before)
        for each, (before, after) in zip(struck, pairwise(handed), strict=True)
    ]


def _line(looks: Sequence[Look], load: Load) -> str:
    """What there is to see at a moment."""
    members = " | ".join(
        f"{look.name} {look.vitals.resident_mib:.0f} MiB {look.vitals.handles} files "
        f"{look.vitals.threads} threads, {look.in_flight:.0f} in flight, oldest {look.oldest_seconds:.0f} s"
        for look in looks
    )
    at = looks[0].at if looks else 0.0
    return f"{_clock(at)}  {load.handed} events | {members}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"


assert len(SPARED) < STEADY < SLOTS
