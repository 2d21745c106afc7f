"""The order of a subject's events, one reader's tenure of the partition at a time.

Whoever takes a partition over begins at the last commit: what came before its tenure may come once more,
from there on in order. Within one tenure an event may follow a later one of its subject only where the
later one came in a request that had the event in it too and was not answered: such a request is repeated
whole (activities), or what was merged in it is told one by one (upserts).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from tests.faults.evidence import Arrivals, Asked, Careers, Places

_EVER: Final = float("-inf")


class Overtaken(NamedTuple):
    """A later event that came too early."""

    slot: int
    by: Asked
    is_by_next: bool
    """Another brought it, whose tenure began later."""


class Order:
    """Arrivals of one kind as they come."""

    def __init__(
        self, places: Places, asked: Mapping[int, Asked], careers: Careers, asked_twice: Collection[int]
    ) -> None:
        self._places = places
        self._asked = asked
        self._careers = careers
        self._asked_twice = asked_twice
        self._newest: dict[int, int] = {}
        """Slots by subject: those of one subject are in order."""
        self._came: dict[int, Arrivals] = defaultdict(Arrivals)
        """By subject."""
        self._copies: dict[tuple[int, str, float], int] = defaultdict(int)

    def overtaken(self, slot: int, now: Asked, seen: Collection[int], *, is_again: bool) -> Overtaken | None:
        """The last of those that should not have come before this arrival; None where it is in order.

        `seen` are the requests that brought this event before. What comes again without a reason is
        judged as if it came for the first time: against all that ever came.
        """
        subject = self._places.subject[slot]
        found = None
        if slot < self._newest.get(subject, -1):
            found = self._look(slot, now, seen, is_again=is_again)
        self._newest[subject] = max(slot, self._newest.get(subject, -1))
        self._came[subject].add(slot, now.number)
        return found

    def _look(self, slot: int, now: Asked, seen: Collection[int], *, is_again: bool) -> Overtaken | None:
        partition = self._places.partition[slot]
        mine = self._careers.tenure(now.caller, partition, now.at)
        since = mine if is_again else _EVER
        for later, number in self._came[self._places.subject[slot]].latest_first():
            by = self._asked[number]
            tenure = self._careers.tenure(by.caller, partition, by.at)
            if later <= slot or tenure < since:
                continue
            is_own = by.caller == now.caller and tenure == mine
            if is_own and number in seen and self._is_open(by):
                continue
            if seen and self._is_copy(slot, now.caller, mine):
                return None
            return Overtaken(later, by, is_by_next=not is_own and tenure > mine)
        return None

    def _is_open(self, request: Asked) -> bool:
        """Whether the request that brought a later event together with this one may be repeated.

        This excuses the earlier one right behind that request, where it was applied before the later one:
        nothing was overtaken then. Where any request of its own brought the later one in between, that one is
        met first, and excuses nothing. Where the later upsert does not follow, the object is left without its
        latest values, which the account finds.
        """
        return not request.is_answered or request.number in self._asked_twice

    def _is_copy(self, slot: int, caller: str, tenure: float) -> bool:
        """A copy is a record of its own, later in the log: each may come once in a tenure.

        A repetition of the first in the copy's place cannot be told from the copy. It can hide no fault of
        reading or sending: those do not know copies, and show at the events that have none.
        """
        key = slot, caller, tenure
        self._copies[key] += 1
        return self._copies[key] < self._places.copies[slot]
