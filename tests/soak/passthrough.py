"""A soak in passthrough mode: calls forwarded one by one under the same strikes, watched and judged alike.

There is less to account for than in `api` mode: each call arrives, a user's for the first time in their
order, and what comes again does so only where something was struck. No call is ever refused.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from rich.console import Console

from streamer.outcomes import CallType, Fate
from streamer.standins.bad_records import JsonValue
from streamer.standins.composer import MadeEvent
from streamer.standins.demo_topic import read_letters
from streamer.standins.expectations import Expectation
from streamer.standins.planhat.rows import CallRow
from tests.faults.campaign import PARTITIONS, Tell, tell
from tests.faults.load import Handed, Load
from tests.faults.plant import STEADY, plant
from tests.faults.strikes import Struck
from tests.soak.findings import Judged, growing, judge, levels
from tests.soak.mixed import mixed
from tests.soak.plan import Plan, plan
from tests.soak.run import ended_in_order, span_seconds, spared_of, under_load
from tests.soak.tables import members
from tests.soak.watch import Span, spans

USERS: Final = 500
_KINDS: Final = ("track", "page", "identify", "track", "group")
_EXAMPLES: Final = 10


class Arrived(NamedTuple):
    """What Planhat's endpoint was sent, held against what was produced."""

    produced: int
    lost: int
    again: int
    """Calls that came once more: activities among them count twice."""
    broken: list[str]
    """What was passed over or was never produced, in words."""


class Findings(NamedTuple):
    """All of it."""

    plan: Plan
    per_second: float
    struck: Sequence[Struck]
    spans: Mapping[str, Sequence[Span]]
    judged: Mapping[str, Judged]
    arrived: Arrived
    letters: int
    holds_left: Sequence[str]
    ended_in_order: int

    @property
    def broken(self) -> list[str]:
        """What must hold whatever the length of the run."""
        unstruck = self.arrived.again and not self.struck
        return [
            *self.arrived.broken,
            *([f"{self.arrived.lost} calls never came"] if self.arrived.lost else []),
            *([f"{self.letters} dead letters of calls that nobody refused"] if self.letters else []),
            *([f"{self.arrived.again} calls came again, and nothing was struck"] if unstruck else []),
            *(f"{name} still holds at the end" for name in self.holds_left),
        ]

    @property
    def growing(self) -> list[str]:
        """Figures that do not keep their level."""
        return growing(self.plan, self.spans, self.judged)

    @property
    def is_good(self) -> bool:
        """Nothing is broken, nothing grows."""
        return not self.broken and not self.growing


class Calls(Load):
    """The load without those whom Planhat's main API refuses."""

    def _extras(self) -> Iterator[Handed]:
        return iter(())


def calls(seed: int) -> Iterator[MadeEvent]:
    """Without end: each user's numbered from 0, users at random."""
    rng, next_of = Random(seed), [0] * USERS
    while True:
        who = rng.randrange(USERS)
        user, number = f"u-{who}", next_of[who]
        next_of[who] += 1
        kind = _KINDS[number % len(_KINDS)]
        event = {
            "type": kind,
            "messageId": f"{user}:{number}",
            "userId": user,
            "context": {},
            **_said(kind, user, number),
        }
        yield MadeEvent(user.encode(), JsonValue(event), Expectation(CallType(kind), Fate.DELIVERED))


def _said(kind: str, user: str, number: int) -> dict[str, Any]:
    match kind:
        case "track":
            return {"event": "Report Exported", "properties": {"number": number}}
        case "group":
            return {"groupId": "acme", "traits": {"seats": number}}
        case "identify":
            return {"traits": {"email": f"{user}@acme.example"}}
        case _:
            return {"name": "Home", "properties": {}}


def arrived(rows: Iterable[CallRow], produced: int) -> Arrived:
    """The account; a start's own question, an alias without a messageId, is none of the calls."""
    again = 0
    seen: set[str] = set()
    next_of: dict[str, int] = defaultdict(int)
    broken: list[str] = []
    for row in rows:
        if row.message_id is None:
            continue
        if row.message_id in seen:
            again += 1
            continue
        seen.add(row.message_id)
        user, _, text = row.message_id.partition(":")
        number = int(text)
        if number != next_of[user]:
            broken.append(f"{user}: {number} came for the first time where {next_of[user]} was to come")
        next_of[user] = number + 1
    if len(seen) > produced:
        broken.append(f"{len(seen)} calls came, and {produced} were produced")
    return Arrived(produced, max(0, produced - len(seen)), again, broken[:_EXAMPLES])


def soak(
    folder: Path, *, seconds: float, per_second: float, every_seconds: float, seed: int, say: Tell = tell
) -> Findings:
    """Run it. Raises Broken or Ended where a part fails outright, an exit code that is not 0 included."""
    planned = plan(seed, seconds, every_seconds)
    say(
        f"seed {seed}, passthrough: {seconds:g} s at {per_second:g} calls a second, {len(planned.due)} "
        f"strikes, {STEADY} members; warm-up {planned.warm_up_seconds:g} s"
    )
    settings = {
        "planhat_mode": "passthrough",
        "duplicates_window": str(max(1_000, int(per_second * planned.warm_up_seconds / STEADY / 2))),
    }
    with plant(folder, PARTITIONS, ("planhat_segment_url",), **settings) as parts:
        parts.begin()
        load = Calls(parts.pipeline, mixed(calls(seed), seed), per_second)
        ran = under_load(parts, load, planned, per_second, say)
        pipeline = parts.pipeline
        came = arrived(parts.sandbox.calls(), load.handed)
        letters = read_letters(pipeline.kafka.bootstrap, pipeline.letter_topic, pipeline.topic)
        spared, ended = spared_of(parts), ended_in_order(parts)
    found = spans(ran.looks, span_seconds(seconds))
    return Findings(
        plan=planned,
        per_second=per_second,
        struck=ran.struck,
        spans=found,
        judged={name: judge(found[name], planned, ran.faults) for name in spared},
        arrived=came,
        letters=len(letters),
        holds_left=ran.holds_left,
        ended_in_order=ended,
    )


def report(found: Findings, **facts: object) -> dict[str, Any]:
    """For a file."""
    return {
        **facts,
        "mode": "passthrough",
        "seconds": found.plan.seconds,
        "per_second": found.per_second,
        "strikes": [each.strike.kind.value for each in found.struck],
        "arrived": found.arrived._asdict(),
        "dead_letters": found.letters,
        "ended_in_order": found.ended_in_order,
        "broken": found.broken,
        "growing": found.growing,
        **levels(found.spans, found.judged),
    }


def show(found: Findings, console: Console) -> None:
    """What came, a line for each member, then what is wrong."""
    came = found.arrived
    console.print(
        f"{came.produced} calls, {len(found.struck)} strikes: {came.lost} lost, {came.again} came again, "
        f"{found.letters} dead letters, {found.ended_in_order} members ended in order",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    console.print(members(found.spans, found.judged))
    for words in [*found.growing, *found.broken]:
        console.print(f"NOT GOOD: {words}", markup=False, highlight=False, soft_wrap=True)
    if found.is_good:
        console.print("nothing is lost, nothing grows")
