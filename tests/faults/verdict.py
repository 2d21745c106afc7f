"""The end of a run: the evidence held against the laws."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from streamer.standins.account_books import Slots
from streamer.standins.account_findings import Audit, Fault
from tests.faults.bounds import BETWEEN, Bound, Windows, bounds
from tests.faults.evidence import COMMIT_ARRIVES_SECONDS, Asked, Careers, Commits, How, Places
from tests.faults.gathering import Evidence
from tests.faults.knowledge import Knowledge
from tests.faults.laws import Judge, Judged, Names, Why
from tests.faults.plant import ACTIVITY_WORKERS
from tests.faults.schedule import MAY_INVERT, OF_KAFKA, Kind
from tests.faults.strikes import Struck

MOST_LATE_REQUESTS: Final = ACTIVITY_WORKERS + 2
"""As many as a member can have handed to its workers: one for each, of both hosts."""
_EXAMPLES: Final = 20
_JUDGED_HERE: Final = frozenset(
    {Fault.UNEXPLAINED_DUPLICATE, Fault.UNEXPECTED_IGNORED, Fault.DISORDERED_UPSERT}
)
"""The laws judge repetitions and order one by one. The account only knows how many repetitions there may be,
and takes an upsert that came merged first, and alone when it came again, for one that came late."""
_LOST: Final = (Fault.LOST_ACTIVITY, Fault.LOST_UPSERT, Fault.LOST_IGNORED)


@dataclass
class Row:
    """One kind of strike."""

    strikes: int = 0
    events: int = 0
    resent: int = 0
    """Activities and upserts that came again."""
    duplicates: int = 0
    """Activities that came again: Planhat counts them twice."""
    by_why: Counter[Why] = field(default_factory=Counter)
    bound: Bound = field(default_factory=Bound)
    inversions: int = 0


@dataclass
class Verdict:
    """What a run came to."""

    rows: dict[str, Row]
    produced: int
    lost: int
    overwritten: int
    """Objects that do not hold their latest values because a late request, which is listed, came after."""
    letters: int
    letters_due: int
    letters_repeated: int
    broken: list[str]
    """Laws that do not hold, with examples."""
    inversions: list[str]
    """Each event that a member sent late, by strike."""

    @property
    def is_good(self) -> bool:
        """All laws hold."""
        return not self.broken


def verdict(evidence: Evidence, *, allows_behind: bool) -> Verdict:
    """Hold everything against the laws."""
    expected, struck = evidence.expected, evidence.struck
    slots = Slots(expected, {})
    places, names = Places(expected, slots), Names(slots.subjects, slots.first)
    commits = Commits(evidence.commits, evidence.topic_id)
    arrivals = (evidence.activities, evidence.upserts)
    knowledge = Knowledge(places, evidence.asked, commits, arrivals)
    judge = Judge(places, evidence.asked, knowledge, evidence.careers, names)
    of_activities = judge.judge(evidence.activities)
    of_upserts = judge.judge(evidence.upserts, evidence.unclear)
    windows = Windows(struck)
    rows = _rows(struck, windows, of_activities, of_upserts)
    most = bounds(struck, evidence.activities, evidence.asked, places, knowledge, evidence.careers)
    for at, bound in most.items():
        row = rows[_kind(struck, at)]
        row.bound = row.bound.plus(bound)
    for row in rows.values():
        row.bound = row.bound.plus(Bound(unheard=row.by_why[Why.UNHEARD]))
    account = evidence.account
    late = _late_requests(windows, of_activities, of_upserts)
    overwritten = {names.subject_of(slot) for slot, _ in of_upserts.inversions}
    is_overwritten = account.stale <= overwritten
    return Verdict(
        rows=rows,
        produced=account.produced,
        lost=sum(account.faults[fault] for fault in _LOST),
        overwritten=account.faults[Fault.STALE] if is_overwritten else 0,
        letters=len({(each.partition, each.offset) for each in evidence.letters}),
        letters_due=len(expected.letters),
        letters_repeated=account.letters_repeated,
        broken=[
            *_of_account(account, {*_JUDGED_HERE, *([Fault.STALE] if is_overwritten else [])}),
            *of_repetition(rows, of_activities, of_upserts, allows_behind=allows_behind),
            *_some("commits went back", commits.backward),
            *_of_late(struck, late),
            *of_handovers(evidence.careers, struck, windows),
        ],
        inversions=[_late(struck, at, each) for at, requests in late.items() for each in requests],
    )


def _kind(struck: Sequence[Struck], at: int) -> str:
    return "before the first" if at == BETWEEN else struck[at].strike.kind.value


def _rows(
    struck: Sequence[Struck], windows: Windows, of_activities: Judged, of_upserts: Judged
) -> dict[str, Row]:
    rows = {kind.value: Row() for kind in Kind} | {"before the first": Row()}
    for each in struck:
        row = rows[each.strike.kind.value]
        row.strikes += 1
        row.events += each.events
    for again in of_activities.again:
        row = rows[_kind(struck, windows.of_again(again))]
        row.resent += 1
        row.duplicates += 1
        row.by_why[again.why] += 1
    for again in of_upserts.again:
        rows[_kind(struck, windows.of_again(again))].resent += 1
    for judged in (of_activities, of_upserts):
        for _, request in judged.inversions:
            rows[_kind(struck, windows.of(request.until))].inversions += 1
    return rows


def _of_account(account: Audit, without: set[Fault]) -> list[str]:
    return [
        f"{count} {fault.value}: {', '.join(account.examples[fault])}"
        for fault, count in sorted(account.faults.items())
        if fault not in without
    ]


def of_repetition(
    rows: Mapping[str, Row], of_activities: Judged, of_upserts: Judged, *, allows_behind: bool
) -> list[str]:
    """What breaks the laws one by one, and kinds of strikes after which more came again than could have."""
    broken = [
        *_some("activities came again without a reason", of_activities.unexplained),
        *_some("upserts came again without a reason", of_upserts.unexplained),
        *_some("activities came out of order", of_activities.disorder),
        *_some("upserts came out of order", of_upserts.disorder),
    ]
    if not allows_behind:
        broken += _some(
            "activities came again that were settled behind a record in flight", of_activities.behind
        )
    for kind, row in rows.items():
        late = row.by_why[Why.LATE]
        if row.duplicates - late > row.bound.repeated:
            most = row.bound.repeated
            broken.append(f"{kind}: {row.duplicates - late} activities came again, at most {most} could have")
        if late > row.bound.late:
            broken.append(f"{kind}: {late} activities came late, {row.bound.late} were under way")
    return broken


def _of_late(struck: Sequence[Struck], late: Mapping[int, list[Asked]]) -> list[str]:
    broken = []
    for at, requests in late.items():
        if at == BETWEEN or struck[at].strike.kind not in MAY_INVERT:
            broken.append(f"out of order: {[_late(struck, at, each) for each in requests]}")
        elif len(requests) > MOST_LATE_REQUESTS:
            broken.append(f"strike {at + 1}: more requests came too late than could be under way")
    return broken


def of_handovers(careers: Careers, struck: Sequence[Struck], windows: Windows) -> list[str]:
    """Kafka takes the last commit of whoever hands over, unless something is done to it or to the wires.

    Such a strike excuses it until the group is whole again: then each member has joined by a wire and a
    broker that work, and gives up what it reads later like any other day.
    """
    return [
        f"{member} handed {sorted(ending.partitions)} over at {ending.at:.3f}, its last commit not taken "
        f"({_kind(struck, windows.of(ending.at))})"
        for member, endings in careers.ended.items()
        for ending in endings
        if ending.how is How.REVOKED and not _is_without_kafka(struck, windows.of(ending.at), ending.at)
    ]


def _is_without_kafka(struck: Sequence[Struck], at: int, moment: float) -> bool:
    """Whether a strike at the broker, or at a wire, was not over yet."""
    if at == BETWEEN or struck[at].strike.kind not in OF_KAFKA:
        return False
    return moment <= struck[at].until + COMMIT_ARRIVES_SECONDS


def _late(struck: Sequence[Struck], at: int, request: Asked) -> str:
    """A request that brought something out of order, in words."""
    return (
        f"strike {at + 1} ({_kind(struck, at)}): request {request.number} of {request.caller}, "
        f"sent at {request.at:.3f}"
    )


def _late_requests(windows: Windows, of_activities: Judged, of_upserts: Judged) -> dict[int, list[Asked]]:
    """By strike."""
    found: dict[int, list[Asked]] = {}
    for request in sorted({request for _, request in of_activities.inversions + of_upserts.inversions}):
        found.setdefault(windows.of(request.until), []).append(request)
    return found


def _some(what: str, cases: Sequence[str]) -> list[str]:
    return [f"{len(cases)} {what}: " + "; ".join(cases[:_EXAMPLES])] if cases else []
