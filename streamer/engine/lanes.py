"""Lanes: who waits for whom, by keys alone.

Every operation gets a ticket with an arrival number. Its only waits are:
(i) same object, same kind: first in, first out; upserts and deletions are of one kind;
(ii) an activity or metric waits for earlier upserts and deletions of its object and of its company;
(iii) an enduser upsert waits for earlier upserts of its company;
(iv) a deletion waits for earlier activities and metrics of its enduser.
Each waits for earlier ones alone, so there is no cycle.

A lane is the line of tickets that share a key. Only its tail is kept: because a lane is first in,
first out, a ticket that waits for the tail waits for the whole lane. So a ticket waits for at most
as many others as it has keys, and nothing is ever searched.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final

from streamer.engine.coalescing import merged
from streamer.engine.kept import Kept
from streamer.engine.tries import NO_TRIES, Tries
from streamer.outcomes import Endpoint
from streamer.transform.facts import parents_of
from streamer.transform.operations import Operation, UpsertCompany, UpsertEnduser

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


# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_WAITING: Final = Place.WAITING
_SENT: Final = Place.SENT
_DONE: Final = Place.DONE
_DELETIONS: Final = Endpoint.DELETIONS


class Part:
    """One operation of one record, on the ticket that carries it."""

    __slots__ = ("encoded", "entry", "operation", "ticket")

    def __init__(self, operation: Operation, encoded: bytes, entry: "Entry", ticket: "Ticket") -> None:
        self.operation = operation
        self.encoded = encoded
        self.entry = entry
        self.ticket = ticket

    @property
    def is_sent(self) -> bool:
        """In a request whose answer is not known yet."""
        ticket = self.ticket
        return ticket.place is _SENT and (not ticket.is_apart or self is ticket.parts[0])

    @property
    def is_leaving(self) -> bool:
        """Of a partition that is leaving, or has left."""
        book = self.entry.book
        return book.is_draining or book.is_closed


class Ticket:
    """A place in line, and the history of its tries.

    It carries one operation, or several upserts of one object that came while it waited unsent (its
    parts): they are merged when the request is encoded, and one answer settles them all. An answer other
    than "accepted" says nothing of each: from then on they are told apart, the first one alone, then the
    next, on the same place in line.
    """

    __slots__ = (
        "endpoint", "flight", "followers", "is_apart", "is_suspect", "keys", "number", "parents", "parking",
        "parts", "place", "ready_at", "said", "size_bytes", "tries", "under", "waits_for", "was",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        operation: Operation,
        encoded: bytes,
        entry: "Entry",
        keys: tuple[str, ...] | None = None,
        endpoint: Endpoint | None = None,
    ) -> None:
        """Stand in line; the operation's keys and endpoint need not be asked for where they are known."""
        self.number = number
        self.parts: tuple[Part, ...] = (Part(operation, encoded, entry, self),)
        """In arrival order."""
        self.endpoint: Endpoint = operation.endpoint if endpoint is None else endpoint
        self.keys = operation.keys if keys is None else keys
        is_upsert = type(operation) is UpsertEnduser or type(operation) is UpsertCompany
        self.parents = operation.parents if is_upsert else ()
        """Of an upsert, which others may be told with: what else waits for is asked once, by `Lanes.add`."""
        self.size_bytes = len(encoded)
        """Of what would be sent, at most: merged, parts are never longer than their sum."""
        self.under: Kept | None = None
        """What is told below its parts in the next, or the present, request."""
        self.is_apart = False
        self.is_suspect = False
        """Its parts were found at fault together: each is sent alone."""
        self.place = _WAITING
        self.waits_for: tuple[Ticket, ...] = ()
        self.followers: tuple[Ticket, ...] | dict[Ticket, None] = ()
        """Who waits for this one, in arrival order. Most have one at most; of more it is a dict, for cheap
        removal: there may be thousands."""
        self.parking = self.tries = 0
        """Times it was set aside (an older queue entry is no longer meant), and sent, if origins are told."""
        self.flight = 0
        """Number of the batch it was last taken into; 0 before the first."""
        self.ready_at = 0.0
        self.said: Operation | None = None
        """What its last request told, where that is not as it came."""
        self.was = NO_TRIES
        """To be read; `note` is to be written."""

    @property
    def note(self) -> Tries:
        """What became of its tries, its own: tens of thousands wait in line, and of few there is any."""
        if self.was is NO_TRIES:
            self.was = Tries()
        return self.was

    def park(self) -> None:
        """Set aside, until somebody sends it or frees it."""
        self.place = Place.PARKED
        self.parking += 1

    def followed_by(self, ticket: "Ticket") -> None:
        """A later one waits for this one."""
        followers = self.followers
        if isinstance(followers, dict):
            followers[ticket] = None
        else:
            self.followers = {followers[0]: None, ticket: None} if followers else (ticket,)

    def left_by(self, ticket: "Ticket") -> None:
        """That one waits for this one no more."""
        followers = self.followers
        if isinstance(followers, dict):
            followers.pop(ticket, None)
        elif ticket in followers:
            self.followers = ()

    # --- parts ------------------------------------------------------------------------------------

    def join(self, operation: Operation, encoded: bytes, entry: "Entry") -> Part:
        """One more upsert of the same object is told with it."""
        part = Part(operation, encoded, entry, self)
        self.parts = (*self.parts, part)
        self.parents = self.parents or operation.parents
        self.size_bytes += len(encoded)
        return part

    def drop(self, parts: Sequence[Part]) -> None:
        """Without these parts from here on.

        What is told then starts afresh: its tries so far say nothing of it, since it was told with others or
        not at all.
        """
        is_told = not self.is_apart or self.parts[0] in parts
        self.parts = tuple([part for part in self.parts if part not in parts])
        if is_told:
            self._begin_again()

    def take_apart(self) -> None:
        """From here on its parts are told one by one."""
        self.is_apart = True
        self.under = None
        self._begin_again()

    def _begin_again(self) -> None:
        """No tries yet of what is told now."""
        self.size_bytes = sum([len(part.encoded) for part in self.told])
        self.said = None
        self.was = NO_TRIES

    @property
    def is_merged(self) -> bool:
        """More is told as one than a single record asks for."""
        return (len(self.parts) > 1 or self.under is not None) and not self.is_apart

    @property
    def is_first_look(self) -> bool:
        """Set aside for a second look, it is at its first: nothing else has become of it so far."""
        return self.was.looks == 1 and not self.was.failures and not self.is_apart

    @property
    def told(self) -> tuple[Part, ...]:
        """What the next, or the present, request says: every part, or the first of those told apart."""
        return self.parts[:1] if self.is_apart else self.parts

    @property
    def operation(self) -> Operation:
        """What Planhat is told."""
        told = [part.operation for part in self.told]
        operation = merged(told if self.under is None else [self.under.operation, *told])
        if self.was.is_named and isinstance(operation, UpsertEnduser | UpsertCompany):
            operation = operation.named_by_id()
        company = self.was.company_instead
        if company is not None and isinstance(operation, UpsertEnduser):
            operation = operation.with_company(company)
        return operation

    @property
    def is_as_encoded(self) -> bool:
        """One operation, told in the words in which it came."""
        return (
            (len(self.parts) == 1 or self.is_apart)
            and self.under is None
            and (self.was is NO_TRIES or (not self.was.is_named and self.was.company_instead is None))
        )

    def __repr__(self) -> str:
        parts, waits_for = len(self.parts), len(self.waits_for)
        return f"<Ticket {self.number} {self.endpoint} {self.place.value} {parts=} {waits_for=}>"


class Lanes:
    """The lanes of all keys. Methods return the tickets that have just become free to go."""

    def __init__(self) -> None:
        self._changes: dict[str, Ticket] = {}
        """Tails of the lanes of upserts and deletions."""
        self._tails: dict[Endpoint, dict[str, Ticket]] = {
            endpoint: self._changes if endpoint.changes_objects else {} for endpoint in Endpoint
        }
        self._others = tuple(tails for tails in self._tails.values() if tails is not self._changes)
        self.size = 0
        """Operations that are in line, parked or sent."""

    def add(self, ticket: Ticket) -> bool:
        """Put a ticket at the end of its lanes; True when nothing is before it."""
        self.size += len(ticket.parts)
        endpoint, changes = ticket.endpoint, self._changes
        tails = self._tails[endpoint]
        before: tuple[Ticket, ...] = ()
        for key in ticket.keys:
            tail = tails.get(key)
            if tail is not None and tail not in before:
                before += (tail,)
                if tail.keys == ticket.keys:
                    ticket.keys = tail.keys  # the same texts, once for all that wait in line of one object
            tails[key] = ticket
        parents = ticket.parents
        if tails is not changes:
            parents = parents_of(ticket.parts[0].operation, ticket.keys)
        for key in parents:
            tail = changes.get(key)
            if tail is not None and tail not in before:
                before += (tail,)
        if endpoint is _DELETIONS:
            before += self._said_of(ticket.keys)
        for earlier in before:
            earlier.followed_by(ticket)
        ticket.waits_for = before
        return not before

    def _said_of(self, keys: Iterable[str]) -> tuple[Ticket, ...]:
        """The last of each kind that would be said of nobody, or bring them back, after a deletion."""
        found = [tails[key] for key in keys for tails in self._others if key in tails]
        return tuple(dict.fromkeys(found))

    def open_to(self, operation: Operation, keys: tuple[str, ...]) -> Ticket | None:
        """The upsert, waiting and never sent, that this one may be told with; None when there is none.

        It has every key of the newcomer, and is the last in line for each of its own: else what came in
        between (the user's new address) would be told after the newcomer (who goes by the old one). A key
        of the newcomer's own would make it name an enduser more, perhaps another one. It is of the same
        company, or one of them names none: of two companies one would be lost. And it waits for whatever the
        newcomer has to wait for: a company that came in between would not be there yet.
        """
        tails = self._changes
        ticket = tails.get(keys[0])
        if ticket is None or ticket.flight or ticket.endpoint is not operation.endpoint:
            return None
        for key in ticket.keys:
            if tails.get(key) is not ticket:
                return None
        for key in keys:
            if key not in ticket.keys:
                return None
        parents = operation.parents
        if parents and ticket.parents and parents != ticket.parents:
            return None
        for key in parents:
            tail = tails.get(key)
            if tail is not None and tail not in ticket.waits_for:
                return None
        return ticket

    def are_free(self, keys: Iterable[str]) -> bool:
        """Whether no upsert or deletion of these is in line, parked or sent."""
        return not any(key in self._changes for key in keys)

    def join(self, ticket: Ticket, operation: Operation, encoded: bytes, entry: "Entry") -> Part:
        """Let an upsert be told with this one."""
        self.size += 1
        return ticket.join(operation, encoded, entry)

    def drop(self, parts: Sequence[Part]) -> None:
        """Some operations of one ticket leave the line; the ticket stays."""
        self.size -= len(parts)
        parts[0].ticket.drop(parts)

    def finish(self, tickets: Iterable[Ticket]) -> list[Ticket]:
        """These are answered for good, in this order: whoever waited for nothing else may go.

        Told in one request with an earlier one that stays in line, a ticket leaves that to those behind it.
        """
        freed: list[Ticket] = []
        for ticket in tickets:
            if ticket.waits_for:
                freed += self.withdraw((ticket,))
                continue
            self.size -= len(ticket.parts)
            ticket.place = _DONE
            tails = self._tails[ticket.endpoint]
            for key in ticket.keys:
                if tails.get(key) is ticket:
                    del tails[key]
            if not ticket.followers:
                continue
            for follower in ticket.followers:
                waited = follower.waits_for
                follower.waits_for = () if len(waited) == 1 else tuple([t for t in waited if t is not ticket])
                if not follower.waits_for and follower.place is _WAITING:
                    freed.append(follower)
            ticket.followers = ()
        return freed

    def withdraw(self, tickets: Iterable[Ticket]) -> list[Ticket]:
        """Take unsent tickets out of line, all in one pass.

        Whoever waited for one of them waits for what that one waited for instead. Otherwise: A is sent,
        B waits for A, C waits for B; B is withdrawn, C goes out while A is unanswered, and A's retry
        overwrites C.
        """
        leaving = sorted(tickets, key=lambda ticket: ticket.number)
        heirs: dict[Ticket, tuple[Ticket, ...]] = {}
        for ticket in leaving:  # earlier ones first: whatever it waited for is resolved already
            heirs[ticket] = _resolved(ticket.waits_for, heirs)
            for before in ticket.waits_for:
                before.left_by(ticket)
        bereaved: dict[Ticket, None] = {}
        for ticket in leaving:
            self._leave_tails(ticket, heirs[ticket])
            bereaved |= {follower: None for follower in ticket.followers if follower not in heirs}
            ticket.place = _DONE
            ticket.waits_for, ticket.followers = (), ()
        self.size -= sum(len(ticket.parts) for ticket in leaving)
        for follower in bereaved:
            follower.waits_for = _resolved(follower.waits_for, heirs)
            for before in follower.waits_for:
                before.followed_by(follower)
        return [t for t in bereaved if not t.waits_for and t.place is Place.WAITING]

    def _leave_tails(self, ticket: Ticket, heirs: tuple[Ticket, ...]) -> None:
        tails = self._tails[ticket.endpoint]
        for key in ticket.keys:
            if tails.get(key) is ticket:
                # The latest of those before it that share this key; earlier ones are behind that one.
                lane = [t for t in heirs if self._tails[t.endpoint] is tails and key in t.keys]
                if lane:
                    tails[key] = max(lane, key=lambda t: t.number)
                else:
                    del tails[key]


def _resolved(waits_for: tuple[Ticket, ...], heirs: dict[Ticket, tuple[Ticket, ...]]) -> tuple[Ticket, ...]:
    """What remains to be waited for when those with heirs are gone; each once."""
    remaining: dict[Ticket, None] = {}
    for before in waits_for:
        for ticket in heirs.get(before, (before,)):
            remaining[ticket] = None
    return tuple(remaining)
