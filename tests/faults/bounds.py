"""How much each strike may have made come again, from what was under way and committed when it struck."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tests.faults.evidence import Arrivals, Asked, Careers, Ending, Places, Told
from tests.faults.knowledge import SLACK_SECONDS, Knowledge, had_to_know
from tests.faults.laws import Again, Why
from tests.faults.plant import SESSION_SECONDS
from tests.faults.strikes import Struck

_LOOK_BACK_SECONDS: Final = 600.0
TAKEN_AFTER_SECONDS: Final = SESSION_SECONDS - 1.0
"""Nobody takes over what a member was cut off from before the group misses its heartbeats."""
BETWEEN: Final = -1
"""Stands for no strike: what came again of itself."""


class Bound(NamedTuple):
    """Arrivals that might have come again, or late."""

    unanswered: int = 0
    since_commit: int = 0
    behind: int = 0
    late: int = 0
    """Under way when others could take the partitions over: may arrive after they began."""
    unheard: int = 0
    """What a commit told of and the next reader did not hear: as many as came again, each by that reason."""

    @property
    def repeated(self) -> int:
        """All that its reader might have brought again."""
        return self.unanswered + self.since_commit + self.behind + self.unheard

    def plus(self, other: "Bound") -> "Bound":
        """Both together."""
        return Bound(*(one + two for one, two in zip(self, other, strict=True)))


class Windows:
    """Which strike a moment belongs to."""

    def __init__(self, struck: Sequence[Struck]) -> None:
        self._struck = struck
        self._from = [each.at - SLACK_SECONDS for each in struck]

    def of(self, moment: float) -> int:
        """The strike under way then, or the last one before: its traces may come late."""
        return bisect_right(self._from, moment) - 1

    def of_again(self, again: Again) -> int:
        """The strike that made this come again."""
        return self.of(again.ending.at if again.ending is not None else again.before.until)


def bounds(
    struck: Sequence[Struck],
    arrivals: Arrivals,
    asked: Mapping[int, Asked],
    places: Places,
    knowledge: Knowledge,
    careers: Careers,
) -> dict[int, Bound]:
    """By strike."""
    windows = Windows(struck)
    found: dict[int, Bound] = defaultdict(Bound)
    by_caller: dict[str, list[Sent]] = defaultdict(list)
    for slot, number in arrivals:
        request = asked[number]
        by_caller[request.caller].append(Sent(request.at, request, slot))
        if not request.is_answered:
            at = windows.of(request.until)
            found[at] = found[at].plus(Bound(unanswered=1))
    for sent in by_caller.values():
        sent.sort(key=lambda each: each.at)
    for caller, endings in careers.ended.items():
        for ending in endings:
            left = list(_left(by_caller.get(caller, []), caller, ending, places, careers))
            at = windows.of(ending.at)
            found[at] = found[at].plus(_bound_of(left, ending, places, knowledge))
    return found


class Sent(NamedTuple):
    """One arrival."""

    at: float
    request: Asked
    slot: int


def _left(
    sent: Sequence[Sent], caller: str, ending: Ending, places: Places, careers: Careers
) -> Iterator[Sent]:
    """What the member had sent of these partitions by then."""
    start = bisect_left(sent, ending.at - _LOOK_BACK_SECONDS, key=lambda each: each.at)
    stop = bisect_right(sent, max(ending.at + SLACK_SECONDS, ending.sends_until), key=lambda each: each.at)
    # Of what it loses after it was cut off all was counted at the cut.
    gone = {
        partition
        for partition in ending.partitions
        if ending.is_blind or careers.blind_since(caller, partition, ending.at) is None
    }
    return (each for each in sent[start:stop] if places.partition[each.slot] in gone)


def _bound_of(left: Iterable[Sent], ending: Ending, places: Places, knowledge: Knowledge) -> Bound:
    last: dict[int, Told] = {}
    counts: Counter[Why] = Counter()
    for _, request, slot in left:
        if ending.is_blind and request.until > ending.at + TAKEN_AFTER_SECONDS:
            counts[Why.LATE] += 1
        if not request.is_answered:
            continue  # counted where it was not answered
        partition = places.partition[slot]
        if partition not in last:
            last[partition] = knowledge.last_commit(partition, ending)
        if last[partition].has(places.offset[slot]):
            continue
        if request.at <= ending.at + SLACK_SECONDS and request.until > ending.at - SLACK_SECONDS:
            counts[Why.UNANSWERED] += 1
        elif had_to_know(last[partition], request.until):
            counts[Why.BEHIND] += 1
        elif not ending.is_orderly:
            counts[Why.SINCE_COMMIT] += 1
    return Bound(counts[Why.UNANSWERED], counts[Why.SINCE_COMMIT], counts[Why.BEHIND], counts[Why.LATE])
