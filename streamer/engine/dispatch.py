"""Dispatch: operations get their place in line, and requests go out when quota, gates and lanes allow."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from streamer.engine.conservation import Conservation
from streamer.engine.forecast import Loads
from streamer.engine.lanes import Lanes, Part, Place, Ticket
from streamer.engine.ledger import Entry
from streamer.engine.limits import Limits
from streamer.engine.origins import origin_of, tried
from streamer.engine.outbox import Kind, Outbox
from streamer.engine.ports import Batch, Encoder, Observer, OperationFate, Sink
from streamer.engine.quota import Quota
from streamer.engine.revived import Revived
from streamer.engine.turns import Turns
from streamer.engine.unchanged import Unchanged
from streamer.outcomes import Endpoint
from streamer.records import Record
from streamer.transform.facts import calls_of, kept_bytes, keys_of, outline
from streamer.transform.operations import Operation, UpsertCompany, UpsertEnduser

TAKEN_APART: Final = "taken_apart"
"""Why operations are tried again, beside the words of the answers."""
PARENTS: Final = {
    Endpoint.COMPANIES: (),
    Endpoint.ENDUSERS: (Endpoint.COMPANIES, Endpoint.DELETIONS),
    Endpoint.ACTIVITIES: (Endpoint.COMPANIES, Endpoint.ENDUSERS, Endpoint.DELETIONS),
    Endpoint.METRICS: (Endpoint.COMPANIES, Endpoint.ENDUSERS, Endpoint.DELETIONS),
    Endpoint.DELETIONS: (Endpoint.COMPANIES, Endpoint.ENDUSERS, Endpoint.ACTIVITIES, Endpoint.METRICS),
    Endpoint.SEGMENT: (),
}
"""Where that goes which operations of an endpoint wait for."""
BACKLOG_SECONDS: Final = 0.5
"""How long a full poll of a backlog says that more comes: Kafka's answers may be that far apart."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A request under way."""

    number: int
    kind: Kind
    tickets: list[Ticket]
    sent_at: float


class Dispatch:
    """The outboxes of all endpoints, the lanes through them, and the requests under way."""

    def __init__(self, limits: Limits, sink: Sink, encode: Encoder, observer: Observer) -> None:
        self._limits = limits
        self._sink = sink
        self._encode = encode
        self._observer = observer
        self.lanes = Lanes()
        self.unchanged = Unchanged(limits, self.lanes)
        self.revived = Revived(limits)
        self.quota = Quota(limits)
        self.outboxes = {endpoint: Outbox(endpoint, limits) for endpoint in Endpoint}
        self.loads = Loads(limits.bulk(Endpoint.ENDUSERS).operations)
        self._turns = Turns()
        self._backlog_seen_at = -BACKLOG_SECONDS
        self._was_extra = False
        """The newest call of the main API."""
        self.flights: dict[int, Flight] = {}
        self._numbers = count(1)
        self._arrivals = 0
        self.operations = Conservation(observer, self.loads)

    # --- in ---------------------------------------------------------------------------------------

    def enter(self, entry: Entry, operations: Iterable[Operation], now: float) -> bool:
        """Give each operation its place in line, in order; False when Planhat has all of it already."""
        for operation in operations:
            encoded, keys = self._encode(operation), keys_of(operation)
            endpoint, host, size = operation.endpoint, None, len(encoded)
            if type(operation) is UpsertEnduser or type(operation) is UpsertCompany:
                if self.unchanged.holds(operation, keys, encoded, entry.book, now):
                    continue
                host = self._open_to(operation, keys, size)
                # Others may be told with it: what it says is kept beside its bytes.
                entry.book.grow(entry, size + kept_bytes(operation, size))
                kept: Operation = operation
            else:
                entry.book.grow(entry, size)
                kept = outline(operation)
            self.operations.made[endpoint] += 1
            if host is None:
                self._arrivals += 1
                ticket = Ticket(self._arrivals, kept, encoded, entry, keys, endpoint)
                entry.parts = (*entry.parts, *ticket.parts) if entry.parts else ticket.parts
                if self.lanes.add(ticket):
                    self.outboxes[endpoint].pool.add(ticket, now)
            else:
                entry.parts += (self.lanes.join(host, operation, encoded, entry),)
                if host.place is Place.READY:
                    self.outboxes[endpoint].pool.resized(len(encoded))
        return bool(entry.parts)

    def _open_to(self, operation: Operation, keys: tuple[str, ...], size_bytes: int) -> Ticket | None:
        """The ticket that this upsert may be told with, if there is room on it."""
        ticket = self.lanes.open_to(operation, keys)
        if (
            ticket is None
            or len(ticket.parts) >= self._limits.coalesced_parts
            or ticket.size_bytes + size_bytes > self._limits.coalesced_bytes
        ):
            return None
        return ticket

    def say_differently(self, ticket: Ticket, *, is_named: bool = False, company: str | None = None) -> None:
        """Say it with a name, or of another company, next time: same object, same place in line."""
        before = len(self._encode(ticket.operation))
        ticket.note.is_named = ticket.was.is_named or is_named
        ticket.note.company_instead = company or ticket.was.company_instead
        ticket.size_bytes += len(self._encode(ticket.operation)) - before

    # --- out --------------------------------------------------------------------------------------

    def send(self, now: float) -> None:
        """Hand every batch that is due and allowed to the sink."""
        sent = True
        while sent:
            sent = False
            for endpoint in self._turns.order(now, self._fills(now)):
                sent = self._send_one(self.outboxes[endpoint], now) or sent

    def polled(self, records: Sequence[Record], now: float, time: float, most: int) -> None:
        """What a poll for at most so many returned; `time`: seconds since 1970.

        As much as was asked for, written longer ago than to linger for company takes, is a backlog: more is
        to come. Full polls of what was written just now are a steady pace: lingering alone would be late.
        """
        self.loads.polled(len(records))
        is_full = len(records) == most
        if is_full and time - records[-1].timestamp_ms / 1000 > self._limits.backlog_linger_seconds:
            self._backlog_seen_at = now

    def _fills(self, now: float) -> dict[Endpoint, float]:
        for outbox in self.outboxes.values():
            outbox.wake(now)
            outbox.more_comes = now - self._backlog_seen_at < BACKLOG_SECONDS
        extras = self._may_call_extra(now)
        return {
            endpoint: outbox.fill(now, extras=extras or not endpoint.is_metered)
            for endpoint, outbox in self.outboxes.items()
        }

    def _may_call_extra(self, now: float) -> bool:
        """By the share of extras, in turns with bulks that are not full, or by a call that would be lost.

        A bulk that is due and not full gets fuller while an extra goes. Otherwise: small bulks take all
        calls, second looks come in groups no larger, and more is to be looked at than their share can carry.

        A bulk that lingers to be full is no reason to wait: when a call would be lost another one is saved
        up, and that is left for the bulk.
        """
        if self.quota.may_call_extra(now):
            return True
        main = [outbox for endpoint, outbox in self.outboxes.items() if endpoint.is_metered]
        if any(outbox.has_due_bulk(now) for outbox in main):
            return not self._was_extra and not any(outbox.has_full_bulk(now) for outbox in main)
        return self.quota.has_spare_call(now)

    def _send_one(self, outbox: Outbox, now: float) -> bool:
        is_metered = outbox.endpoint.is_metered
        if is_metered and not self.quota.may_call(now):
            return False
        extras = not is_metered or self._may_call_extra(now)
        number = next(self._numbers)
        chosen = outbox.choose(now, number, extras=extras)
        return chosen is not None and self._submit(outbox, number, *chosen, now)

    def probe(self, endpoint: Endpoint, most: int, now: float) -> int | None:
        """On hold: send a few operations there, to see whether things are well; their batch's number."""
        outbox = self.outboxes[endpoint]
        if outbox.flights or (endpoint.is_metered and not self.quota.may_call(now)):
            return None
        outbox.wake(now)
        number = next(self._numbers)
        if outbox.gate.failures:
            # As at any gate: of the same few, one that makes requests fail must not spoil every probe.
            most = min(most, outbox.gate.probe_size())
        tickets = outbox.pool.take(min(most, outbox.bulk.operations), number)
        chosen = (Kind.PROBE, tickets) if tickets else outbox.choose(now, number, extras=True)
        if chosen is None or not self._submit(outbox, number, *chosen, now):
            return None
        return number

    def send_parents(self, endpoint: Endpoint, most: int, now: float) -> None:
        """On hold: a few upserts, so that what waits for them can be in a later probe.

        Else such a hold need not end. Some activities are refused alone, and nothing else is sent. What
        is read to show that others pass are activities behind upserts of their users; these are not
        sent, so their activities never get ready, and every probe asks of the same few.
        """
        for parent in PARENTS[endpoint]:
            self.probe(parent, most, now)

    def can_be_probed(self, endpoint: Endpoint) -> bool:
        """Whether anything waits to be sent there, or is under way; what only waits for others does not."""
        outbox = self.outboxes[endpoint]
        return outbox.flights > 0 or outbox.has_ready

    def _submit(self, outbox: Outbox, number: int, kind: Kind, tickets: list[Ticket], now: float) -> bool:
        endpoint = outbox.endpoint
        if endpoint is Endpoint.ENDUSERS:
            self._revive(tickets, outbox.bulk.size_bytes)
        operations, items = self._said(tickets)
        origin = origin_of(kind, tickets) if self._limits.tells_origin else None
        batch = Batch(number, endpoint, operations, items, origin)
        if not self._sink.submit(batch):
            outbox.gate.is_probing = False
            self.put_back(outbox, kind, tickets, now)
            return False
        tried(origin, tickets)
        for ticket in tickets:
            for part in ticket.told if ticket.is_apart else ticket.parts:
                part.entry.was_sent = True
        if endpoint.is_metered:
            calls = calls_of(operations[0]) if endpoint.is_single else 1
            self.quota.called(now, calls, is_extra=kind.is_extra)
            self._was_extra = kind.is_extra
            if kind is Kind.BULK:
                self.loads.sent(len(tickets))
        self.flights[number] = Flight(number, kind, tickets, now)
        outbox.flights += 1
        self._turns.sent(endpoint)
        return True

    def _revive(self, tickets: list[Ticket], most_bytes: int) -> None:
        """Lay what was not saved before under those that name a company, as far as the bulk has room."""
        room = most_bytes - sum([ticket.size_bytes + 1 for ticket in tickets]) if len(self.revived) else 0
        for ticket in tickets:
            kept = self.revived.under(ticket)
            ticket.under = kept if kept is not None and kept.size_bytes <= room else None
            room -= 0 if ticket.under is None else ticket.under.size_bytes

    def _said(self, tickets: list[Ticket]) -> tuple[tuple[Operation, ...], tuple[bytes, ...]]:
        """What they tell, and the bytes of that."""
        operations: list[Operation] = []
        items: list[bytes] = []
        for ticket in tickets:
            if ticket.is_as_encoded:
                part, ticket.said = ticket.parts[0], None
                operations.append(part.operation)
                items.append(part.encoded)
            else:
                operation = ticket.said = ticket.operation
                operations.append(operation)
                items.append(self._encode(operation))
        return tuple(operations), tuple(items)

    def landed(self, number: int) -> Flight:
        """The answer of a request is here."""
        flight = self.flights.pop(number)
        self.outboxes[flight.tickets[0].endpoint].flights -= 1
        return flight

    def put_back(self, outbox: Outbox, kind: Kind, tickets: list[Ticket], now: float) -> None:
        """Nobody answered for these: they will travel again the way they did."""
        if kind is Kind.ISOLATE:
            for ticket in tickets:
                ticket.park()
            outbox.isolations[0].unanswered()
        elif kind.is_extra:
            for ticket in tickets:
                outbox.park(ticket, now, kind)
        else:
            # A probe that failed may be the fault of what was in it: the next one takes others.
            outbox.pool.put_back(tickets, at_head=kind is Kind.BULK)

    # --- done -------------------------------------------------------------------------------------

    def finish(self, ticket: Ticket, parts: Sequence[Part], fate: OperationFate, now: float) -> None:
        """These operations of the ticket are answered for good; whoever waited only for it may go.

        `parts` are what it told, or some of them. What is left of a merged one is the caller's to send again;
        of one told apart, the next goes its way.
        """
        is_all = len(parts) == len(ticket.parts)
        if not is_all:
            self.lanes.drop(parts)
        self._take_out(ticket.endpoint, parts, fate)
        if is_all:
            self._free(self.lanes.finish((ticket,)), now)
            ticket.parts = ()
        elif ticket.is_apart:
            self.resend(ticket, now)

    def finish_whole(self, tickets: list[Ticket], fate: OperationFate, now: float) -> list[Part]:
        """`finish`, of all that several tickets of one endpoint carry, which is returned."""
        parts = [part for ticket in tickets for part in ticket.parts]
        self._take_out(tickets[0].endpoint, parts, fate)
        self._free(self.lanes.finish(tickets), now)
        for ticket in tickets:
            ticket.parts = ()
        return parts

    def _take_out(self, endpoint: Endpoint, parts: Sequence[Part], fate: OperationFate) -> None:
        fenced = 0
        for part in parts:
            entry = part.entry
            if entry.book.is_closed:
                fenced += 1
            else:
                entry.done_with(part)
        self.operations.done(endpoint, fate, len(parts) - fenced, fenced)

    def take_apart(self, ticket: Ticket, now: float, *, is_suspect: bool = False) -> None:
        """What was told as one was not accepted: its parts are told one by one."""
        self._observer.retried(ticket.endpoint, TAKEN_APART, len(ticket.parts))
        ticket.take_apart()
        ticket.is_suspect = is_suspect
        self.resend(ticket, now)

    def resend(self, ticket: Ticket, now: float) -> None:
        """Send what a ticket has left to say; a suspect travels alone."""
        outbox = self.outboxes[ticket.endpoint]
        if ticket.is_suspect:
            outbox.park(ticket, now, Kind.ALONE)
        else:
            outbox.pool.add(ticket, now)

    def withdraw(self, parts: list[Part], now: float, fate: OperationFate = OperationFate.RELEASED) -> None:
        """Take unsent operations out of line, as a rule because their records go back to Kafka."""
        empty = []
        for part in parts:
            ticket = part.ticket
            is_last = len(ticket.parts) == 1
            is_ready = ticket.place is Place.READY
            pool = self.outboxes[ticket.endpoint].pool
            if is_last and is_ready:
                pool.withdrawn(ticket)
            before = ticket.size_bytes
            self.lanes.drop([part])
            if is_last:
                empty.append(ticket)
            elif is_ready:
                pool.resized(ticket.size_bytes - before)
            part.entry.done_with(part)
            self.operations.done(ticket.endpoint, fate, 1)
        self._free(self.lanes.withdraw(empty), now)
        self.operations.tell()

    def fence(self, part: Part) -> None:
        """Its partition is gone while it is under way: whatever is answered will count for nothing.

        It stays in its lanes until the answer (or the time-out) comes, so that a later operation of
        the same object, read in a newer epoch, cannot overtake it.
        """
        part.entry.done_with(part)
        self.operations.fence(part.ticket.endpoint)
        self.operations.tell()

    def _free(self, tickets: Iterable[Ticket], now: float) -> None:
        for ticket in tickets:
            self.outboxes[ticket.endpoint].pool.add(ticket, now)

    def in_trouble(self) -> list[tuple[Ticket, Kind]]:
        """Every ticket that is set aside, or on its way once more, of all endpoints; and as what it travels.

        One that is tried again is in no less trouble for the moment in which it is under way.
        """
        troubled = [pair for outbox in self.outboxes.values() for pair in outbox.parked()]
        for outbox in self.outboxes.values():
            troubled += [(ticket, Kind.BULK) for ticket in outbox.tried_again()]
        for flight in self.flights.values():
            if flight.kind.is_extra:
                troubled += [(ticket, flight.kind) for ticket in flight.tickets]
        return troubled

    @property
    def is_failing(self) -> bool:
        """Whether the last request of some endpoint failed as in an outage."""
        return any(outbox.gate.failures for outbox in self.outboxes.values())

    def check(self) -> None:
        """Raise LedgerError where an operation was lost, or counted twice."""
        self.operations.check(self.lanes.size)


Dice = Callable[[], float]
"""Uniform in [0, 1)."""
