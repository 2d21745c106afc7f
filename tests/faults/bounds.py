"""How much each strike may have made come again, from what was under way and committed when it struck."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tests.faults.evidence import Arrivals, Asked, Careers, Commits, Ending, Places, Told
from tests.faults.laws import SLACK_SECONDS, Again, Why, last_commit
from tests.faults.strikes import Struck

_LOOK_BACK_SECONDS: Final = 600.0
BETWEEN: Final = -1
"""Stands for no strike: what came again of itself."""


class Bound(NamedTuple):
    """Arrivals that might have come again: unanswered, answered since the last commit, settled behind."""

    unanswered: int = 0
    since_commit: int = 0
    behind: int = 0

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
    commits: Commits,
    careers: Careers,
    again: Iterable[Again],
) -> dict[int, Bound]:
    """By strike. A partition that came back to the member that gave it away is known by what came again."""
    returned: dict[tuple[str, Ending], set[int]] = defaultdict(set)
    for each in again:
        if each.ending is not None:
            returned[each.before.caller, each.ending].add(places.partition[each.slot])
    windows = Windows(struck)
    found: dict[int, Bound] = defaultdict(Bound)
    by_caller: dict[str, list[tuple[float, Asked, int]]] = defaultdict(list)
    for slot, number in arrivals:
        request = asked[number]
        by_caller[request.caller].append((request.at, request, slot))
        if not request.is_answered:
            at = windows.of(request.until)
            found[at] = found[at].plus(Bound(unanswered=1))
    for rows in by_caller.values():
        rows.sort(key=lambda row: row[0])
    readers = _readers(arrivals, asked, places)
    for caller, endings in careers.ended.items():
        rows = by_caller.get(caller, [])
        for ending in endings:
            gone = _gone(readers, caller, ending) | returned[caller, ending]
            left = _left(rows, ending, gone, places)
            at = windows.of(ending.at)
            found[at] = found[at].plus(_bound_of(left, ending, places, commits))
    return found


Readers = Mapping[int, tuple[list[float], list[str]]]


def _readers(arrivals: Arrivals, asked: Mapping[int, Asked], places: Places) -> Readers:
    """By partition: when something of it arrived, and from whom."""
    readers: dict[int, tuple[list[float], list[str]]] = {}
    for slot, number in arrivals:
        request = asked[number]
        since, callers = readers.setdefault(places.partition[slot], ([], []))
        since.append(max(request.at, since[-1] if since else 0.0))
        callers.append(request.caller)
    return readers


def _gone(readers: Readers, caller: str, ending: Ending) -> set[int]:
    """Partitions that another read next."""
    return {
        partition
        for partition, (since, callers) in readers.items()
        if ending.is_blind or _next_reader(since, callers, ending.at) != caller
    }


def _left(
    rows: Sequence[tuple[float, Asked, int]], ending: Ending, gone: set[int], places: Places
) -> Iterator[tuple[Asked, int]]:
    """What the member had sent of these partitions by then."""
    start = bisect_left(rows, ending.at - _LOOK_BACK_SECONDS, key=lambda row: row[0])
    stop = bisect_right(rows, ending.at + SLACK_SECONDS, key=lambda row: row[0])
    for _, request, slot in rows[start:stop]:
        if places.partition[slot] in gone:
            yield request, slot


def _next_reader(since: list[float], callers: list[str], at: float) -> str | None:
    place = bisect_right(since, at)
    return callers[place] if place < len(callers) else None


def _bound_of(left: Iterable[tuple[Asked, int]], ending: Ending, places: Places, commits: Commits) -> Bound:
    last: dict[int, Told] = {}
    counts: Counter[Why] = Counter()
    for request, slot in left:
        if not request.is_answered:
            continue  # counted where it was not answered
        partition = places.partition[slot]
        if partition not in last:
            last[partition] = last_commit(commits, partition, ending)
        if last[partition].has(places.offset[slot]):
            continue
        if request.until > ending.at - SLACK_SECONDS:
            counts[Why.UNANSWERED] += 1
        elif request.until > last[partition].at:
            counts[Why.SINCE_COMMIT] += 1
        else:
            counts[Why.BEHIND] += 1
    return Bound(counts[Why.UNANSWERED], counts[Why.SINCE_COMMIT], counts[Why.BEHIND])
