"""How an operation's way ends, or starts over: delivered, refused, skipped, tried again, given back."""

from collections.abc import Callable

from streamer.engine.dispatch import Dispatch, Flight
from streamer.engine.lanes import Ticket
from streamer.engine.ledger import Entry
from streamer.engine.outbox import Kind, Outbox
from streamer.engine.ports import Clock, OperationFate
from streamer.outcomes import Fate, InvalidReason, SkipReason


class Endings:
    """`settled` is called with a record when its last operation is answered for."""

    def __init__(self, dispatch: Dispatch, clock: Clock, settled: Callable[[Entry], None]) -> None:
        self._dispatch = dispatch
        self._clock = clock
        self._settled = settled

    def deliver(self, ticket: Ticket, now: float) -> None:
        """Planhat has it."""
        self._finish(ticket, OperationFate.DELIVERED, now)

    def refuse(self, ticket: Ticket, reason: InvalidReason, now: float) -> None:
        """Planhat will never take it: its record becomes a dead letter."""
        self._failed(ticket.entry)
        ticket.entry.worsen(Fate.DEAD_LETTERED, reason)
        self._finish(ticket, OperationFate.REFUSED, now)

    def skip(self, ticket: Ticket, reason: SkipReason, now: float) -> None:
        """Planhat did not save it, and that is nobody's fault."""
        ticket.entry.worsen(Fate.SKIPPED, reason)
        self._finish(ticket, OperationFate.UNSAVED, now)

    def retry(self, outbox: Outbox, ticket: Ticket, due: float, kind: Kind) -> None:
        """Again from `due` on, as `kind`."""
        self._failed(ticket.entry)
        outbox.park(ticket, due, kind)

    def ours(self, flight: Flight, now: float) -> list[Ticket]:
        """The flight's tickets that may be tried again; the others are given back."""
        return [ticket for ticket in flight.tickets if not self.goes_back(ticket, now)]

    def goes_back(self, ticket: Ticket, now: float) -> bool:
        """Of a partition that is leaving or gone: no more tries, the record goes back to Kafka."""
        book = ticket.entry.book
        if not (book.is_draining or book.is_closed):
            return False
        ticket.entry.worsen(Fate.RELEASED, "")
        self._finish(ticket, OperationFate.RELEASED, now)
        return True

    def _failed(self, entry: Entry) -> None:
        if entry.failed_at is None:
            entry.failed_at = self._clock.time()

    def _finish(self, ticket: Ticket, fate: OperationFate, now: float) -> None:
        self._dispatch.finish(ticket, fate, now)
        entry = ticket.entry
        if not entry.tickets and not entry.book.is_closed:
            self._settled(entry)
