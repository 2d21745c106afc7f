"""Lanes: who waits for whom, by keys alone.

Every operation gets a ticket with an arrival number. Its only waits are:
(i) same object, same kind: first in, first out;
(ii) an activity waits for earlier upserts of its enduser and of its company;
(iii) an enduser upsert waits for earlier upserts of its company.
An upsert never waits for an activity, so there is no cycle.

A lane is the line of tickets that share a key. Only its tail is kept: because a lane is first in,
first out, a ticket that waits for the tail waits for the whole lane. So a ticket waits for at most
as many others as it has keys, and nothing is ever searched.
"""

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from streamer.outcomes import Endpoint
from streamer.transform.operations import Operation

if TYPE_CHECKING:
    from streamer.engine.ledger import Entry


class Place(Enum):
    """Where a ticket is."""

    WAITING = "waiting"
    """Behind other tickets of its lanes."""
    READY = "ready"
    """In its endpoint's pool: may be sent."""
    PARKED = "parked"
    """Set aside for a later try, a second look or isolation; may be withdrawn."""
    SENT = "sent"
    """In a request whose answer is not known yet."""
    DONE = "done"


class Ticket:
    """An operation's place in line, and the history of its tries."""

    __slots__ = (
        "accepted_mark", "duplicates", "encoded", "entry", "failures", "first_duplicate_at", "flight",
        "followers", "group_limit", "has_failed_alone", "is_named", "is_reassigned", "looks", "number",
        "operation", "parking", "place", "ready_at", "refusals", "refused_at", "refused_mark",
        "refused_mark_anywhere", "waits_for",
    )  # fmt: skip

    def __init__(self, number: int, operation: Operation, encoded: bytes, entry: "Entry") -> None:
        self.number = number
        self.operation = operation
        self.encoded = encoded
        self.entry = entry
        self.place = Place.WAITING
        self.waits_for: list[Ticket] = []
        self.followers: dict[Ticket, None] = {}
        """Who waits for this one, in arrival order (a dict for cheap removal: there may be thousands)."""
        self.parking = 0
        """How often it was set aside: an older queue entry of it is no longer meant."""
        self.flight = 0
        """Number of the batch it was last taken into."""
        self.ready_at = 0.0
        self.failures = 0
        self.accepted_mark = 0
        """What the host had accepted when this ticket first failed."""
        self.refusals = 0
        self.refused_at = 0.0
        self.refused_mark = 0
        """What the endpoint had accepted when it was first refused alone."""
        self.refused_mark_anywhere = 0
        self.has_failed_alone = False
        """Failed alone as an outage makes operations fail, not only refused by an answer."""
        self.duplicates = 0
        self.first_duplicate_at = 0.0
        self.looks = 0
        self.group_limit = 0
        self.is_named = False
        self.is_reassigned = False

    def park(self) -> None:
        """Set aside, until somebody sends it or frees it."""
        self.place = Place.PARKED
        self.parking += 1

    @property
    def endpoint(self) -> Endpoint:
        """Where the operation goes."""
        return self.operation.endpoint

    def __repr__(self) -> str:
        return f"<Ticket {self.number} {self.endpoint} {self.place.value} waits_for={len(self.waits_for)}>"


class Lanes:
    """The lanes of all keys. Methods return the tickets that have just become free to go."""

    def __init__(self) -> None:
        self._upserts: dict[str, Ticket] = {}
        self._activities: dict[str, Ticket] = {}
        self.size = 0
        """Tickets that are in line, parked or sent."""

    def _tails(self, ticket: Ticket) -> dict[str, Ticket]:
        return self._activities if ticket.endpoint is Endpoint.ACTIVITIES else self._upserts

    def add(self, ticket: Ticket) -> bool:
        """Put a ticket at the end of its lanes; True when nothing is before it."""
        self.size += 1
        operation = ticket.operation
        tails = self._tails(ticket)
        before: list[Ticket] = []
        for key in operation.keys:
            tail = tails.get(key)
            if tail is not None and tail not in before:
                before.append(tail)
            tails[key] = ticket
        upserts = self._upserts
        for key in operation.parents:
            tail = upserts.get(key)
            if tail is not None and tail not in before:
                before.append(tail)
        for earlier in before:
            earlier.followers[ticket] = None
        ticket.waits_for = before
        return not before

    def finish(self, ticket: Ticket) -> list[Ticket]:
        """The ticket is answered for good: whoever waited for nothing else may go."""
        self.size -= 1
        ticket.place = Place.DONE
        tails = self._tails(ticket)
        for key in ticket.operation.keys:
            if tails.get(key) is ticket:
                del tails[key]
        freed = []
        for follower in ticket.followers:
            follower.waits_for.remove(ticket)
            if not follower.waits_for and follower.place is Place.WAITING:
                freed.append(follower)
        ticket.followers = {}
        ticket.waits_for = []
        return freed

    def withdraw(self, tickets: Iterable[Ticket]) -> list[Ticket]:
        """Take unsent tickets out of line, all in one pass.

        Whoever waited for one of them waits for what that one waited for instead. Otherwise: A is sent,
        B waits for A, C waits for B; B is withdrawn, C goes out while A is unanswered, and A's retry
        overwrites C.
        """
        leaving = sorted(tickets, key=lambda ticket: ticket.number)
        heirs: dict[Ticket, list[Ticket]] = {}
        for ticket in leaving:  # earlier ones first: whatever it waited for is resolved already
            heirs[ticket] = _resolved(ticket.waits_for, heirs)
            for before in ticket.waits_for:
                before.followers.pop(ticket, None)
        bereaved: dict[Ticket, None] = {}
        for ticket in leaving:
            self._leave_tails(ticket, heirs[ticket])
            bereaved |= {follower: None for follower in ticket.followers if follower not in heirs}
            ticket.place = Place.DONE
            ticket.waits_for, ticket.followers = [], {}
        self.size -= len(leaving)
        for follower in bereaved:
            follower.waits_for = _resolved(follower.waits_for, heirs)
            for before in follower.waits_for:
                before.followers[follower] = None
        return [t for t in bereaved if not t.waits_for and t.place is Place.WAITING]

    def _leave_tails(self, ticket: Ticket, heirs: list[Ticket]) -> None:
        tails = self._tails(ticket)
        for key in ticket.operation.keys:
            if tails.get(key) is ticket:
                # The latest of those before it that share this key; earlier ones are behind that one.
                lane = [t for t in heirs if self._tails(t) is tails and key in t.operation.keys]
                if lane:
                    tails[key] = max(lane, key=lambda t: t.number)
                else:
                    del tails[key]


def _resolved(waits_for: list[Ticket], heirs: dict[Ticket, list[Ticket]]) -> list[Ticket]:
    """What remains to be waited for when those with heirs are gone; each once."""
    remaining: dict[Ticket, None] = {}
    for before in waits_for:
        for ticket in heirs.get(before, [before]):
            remaining[ticket] = None
    return list(remaining)
