"""Dispatch: operations get their place in line, and requests go out when quota, gates and lanes allow."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count

from streamer.engine.forecast import Loads
from streamer.engine.lanes import Lanes, Place, Ticket
from streamer.engine.ledger import Entry
from streamer.engine.limits import Limits
from streamer.engine.outbox import Kind, Outbox
from streamer.engine.ports import Batch, Encoder, Observer, OperationFate, Sink
from streamer.engine.quota import Quota
from streamer.engine.turns import Turns
from streamer.errors import LedgerError
from streamer.outcomes import Endpoint, Host
from streamer.transform.operations import Operation

FULL_POLL_SECONDS = 0.5
"""How long a full poll says that more comes: Kafka's answers may be that far apart."""


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
        self._sink = sink
        self._encode = encode
        self._observer = observer
        self.lanes = Lanes()
        self.quota = Quota(limits)
        self.outboxes = {endpoint: Outbox(endpoint, limits) for endpoint in Endpoint}
        self.loads = Loads(limits.bulks[Endpoint.ENDUSERS].operations)
        self._turns = Turns()
        self._full_poll_at = -FULL_POLL_SECONDS
        self.flights: dict[int, Flight] = {}
        self._numbers = count(1)
        self._arrivals = count(1)
        self._made = 0
        self._waiting: Counter[Endpoint] = Counter()
        self._done: Counter[OperationFate] = Counter()
        self._fenced = 0
        """Tickets still under way whose partition is no longer ours; already counted as released."""

    # --- in ---------------------------------------------------------------------------------------

    def enter(self, entry: Entry, operations: Iterable[Operation], now: float) -> None:
        """Give each operation its place in line, in order."""
        for operation in operations:
            ticket = Ticket(next(self._arrivals), operation, self._encode(operation), entry)
            entry.tickets.append(ticket)
            entry.book.grow(entry, len(ticket.encoded))
            self._made += 1
            if ticket.endpoint.host is Host.MAIN:
                self.loads.made()
            self._waiting[ticket.endpoint] += 1
            self._observer.operations_made(ticket.endpoint, 1)
            if self.lanes.add(ticket):
                self.outboxes[ticket.endpoint].pool.add(ticket, now)

    def replace(self, ticket: Ticket, operation: Operation) -> None:
        """Say it differently next time (same object, same place in line)."""
        ticket.operation = operation
        encoded = self._encode(operation)
        ticket.entry.book.grow(ticket.entry, len(encoded) - len(ticket.encoded))
        ticket.encoded = encoded

    # --- out --------------------------------------------------------------------------------------

    def send(self, now: float) -> None:
        """Hand every batch that is due and allowed to the sink."""
        sent = True
        while sent:
            sent = False
            for endpoint in self._turns.order(now, self._fills(now)):
                sent = self._send_one(self.outboxes[endpoint], now) or sent

    def full_poll(self, now: float) -> None:
        """A poll returned as much as was asked for: there is a backlog, and more comes in the next turns."""
        self._full_poll_at = now

    def _fills(self, now: float) -> dict[Endpoint, float]:
        extras = self.quota.may_call_extra(now)
        fills = {}
        for endpoint, outbox in self.outboxes.items():
            outbox.wake(now)
            outbox.more_comes = now - self._full_poll_at < FULL_POLL_SECONDS
            fills[endpoint] = outbox.fill(now, extras=extras or endpoint.host is not Host.MAIN)
        return fills

    def _send_one(self, outbox: Outbox, now: float) -> bool:
        is_metered = outbox.endpoint.host is Host.MAIN
        if is_metered and not self.quota.may_call(now):
            return False
        extras = not is_metered or self.quota.may_call_extra(now)
        number = next(self._numbers)
        chosen = outbox.choose(now, number, extras=extras)
        return chosen is not None and self._submit(outbox, number, *chosen, now)

    def probe(self, endpoint: Endpoint, most: int, now: float) -> int | None:
        """On hold: send a few operations there, to see whether things are well; their batch's number."""
        outbox = self.outboxes[endpoint]
        if outbox.flights or (endpoint.host is Host.MAIN and not self.quota.may_call(now)):
            return None
        outbox.wake(now)
        number = next(self._numbers)
        tickets = outbox.pool.take(most, number)
        chosen = (Kind.PROBE, tickets) if tickets else outbox.choose(now, number, extras=True)
        if chosen is None or not self._submit(outbox, number, *chosen, now):
            return None
        return number

    def can_be_probed(self, endpoint: Endpoint) -> bool:
        """Whether anything waits to be sent there, or is under way; what only waits for others does not."""
        outbox = self.outboxes[endpoint]
        return outbox.flights > 0 or outbox.has_ready

    def _submit(self, outbox: Outbox, number: int, kind: Kind, tickets: list[Ticket], now: float) -> bool:
        endpoint = outbox.endpoint
        batch = Batch(
            number, endpoint, tuple([t.operation for t in tickets]), tuple([t.encoded for t in tickets])
        )
        if not self._sink.submit(batch):
            outbox.gate.is_probing = False
            self.put_back(outbox, kind, tickets, now)
            return False
        for ticket in tickets:
            ticket.entry.was_sent = True
        if endpoint.host is Host.MAIN:
            self.quota.called(now, is_extra=kind.is_extra)
            if kind is Kind.BULK:
                self.loads.sent(len(tickets))
        self.flights[number] = Flight(number, kind, tickets, now)
        outbox.flights += 1
        self._turns.sent(endpoint)
        return True

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

    def finish(self, ticket: Ticket, fate: OperationFate, now: float) -> None:
        """The operation is answered for good; whoever waited only for it may go."""
        self._free(self.lanes.finish(ticket), now)
        if ticket.entry.book.is_closed:
            self._fenced -= 1
            self._observer.fenced(1)
        else:
            self._count(ticket, fate)

    def withdraw(self, tickets: list[Ticket], now: float) -> None:
        """Take unsent operations out of line: their records go back to Kafka."""
        for ticket in tickets:
            if ticket.place is Place.READY:
                self.outboxes[ticket.endpoint].pool.withdrawn(ticket)
        self._free(self.lanes.withdraw(tickets), now)
        for ticket in tickets:
            self._count(ticket, OperationFate.RELEASED)

    def fence(self, ticket: Ticket) -> None:
        """Its partition is gone while it is under way: whatever is answered will count for nothing.

        It stays in its lanes until the answer (or the time-out) comes, so that a later operation of
        the same object, read in a newer epoch, cannot overtake it.
        """
        self._count(ticket, OperationFate.RELEASED)
        self._fenced += 1

    def _count(self, ticket: Ticket, fate: OperationFate) -> None:
        ticket.entry.tickets.remove(ticket)
        self._done[fate] += 1
        self._waiting[ticket.endpoint] -= 1
        self._observer.operations_done(ticket.endpoint, fate, 1)

    def _free(self, tickets: Iterable[Ticket], now: float) -> None:
        for ticket in tickets:
            self.outboxes[ticket.endpoint].pool.add(ticket, now)

    def waiting(self) -> dict[Endpoint, int]:
        """Operations made and not finished with, by endpoint."""
        return {endpoint: self._waiting[endpoint] for endpoint in Endpoint}

    def parked(self) -> list[Ticket]:
        """Every ticket that is set aside, of all endpoints."""
        return [ticket for outbox in self.outboxes.values() for ticket in outbox.parked()]

    def check(self) -> None:
        """Raise LedgerError unless made = delivered + refused + unsaved + released + waiting."""
        waiting = self.lanes.size - self._fenced
        if self._made != sum(self._done.values()) + waiting:
            raise LedgerError(
                f"{self._made} operations made, {sum(self._done.values())} done and {waiting} waiting."
            )


Dice = Callable[[], float]
"""Uniform in [0, 1)."""
