"""How an operation's way ends, or starts over: delivered, refused, skipped, tried again, given back."""

from collections.abc import Sequence
from typing import Final

from streamer.engine.dispatch import Dispatch, Flight
from streamer.engine.lanes import Part, Ticket
from streamer.engine.ledger import Entry
from streamer.engine.outbox import Kind, Outbox
from streamer.engine.ports import Clock, Observer, OperationFate
from streamer.engine.settlement import Settlement
from streamer.outcomes import Endpoint, Fate, InvalidReason, SkipReason
from streamer.transform.facts import overwrites
from streamer.transform.operations import MetricModel, PushMetric

# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_ENDUSERS: Final = Endpoint.ENDUSERS
_SEGMENT: Final = Endpoint.SEGMENT
_DELIVERED: Final = OperationFate.DELIVERED


class Endings:
    """What follows for the records, too."""

    def __init__(self, dispatch: Dispatch, observer: Observer, clock: Clock, settlement: Settlement) -> None:
        self._dispatch = dispatch
        self._observer = observer
        self._clock = clock
        self._settlement = settlement

    def deliver(self, tickets: list[Ticket], now: float) -> None:
        """Planhat has what these told, in one request: every record of theirs is delivered."""
        if not tickets:
            return
        endpoint = tickets[0].endpoint
        if endpoint is _ENDUSERS:
            self._learn(tickets, now)
        if endpoint.is_upsert:
            apart = [ticket for ticket in tickets if ticket.is_apart]
            for ticket in apart:
                self._finish(ticket, ticket.told, _DELIVERED, now)
            tickets = [ticket for ticket in tickets if not ticket.is_apart] if apart else tickets
        if tickets:
            self._deliver_whole(endpoint, tickets, now)

    def _learn(self, tickets: list[Ticket], now: float) -> None:
        unchanged, revived = self._dispatch.unchanged, self._dispatch.revived
        for ticket in tickets:
            unchanged.accepted(ticket, now)
            if ticket.under is not None:
                self._observer.revived(ticket.under.operations)
            revived.forget(ticket.keys)

    def _deliver_whole(self, endpoint: Endpoint, tickets: list[Ticket], now: float) -> None:
        if endpoint is _SEGMENT or endpoint.changes_objects:
            for ticket in tickets:
                # One for all: what is told as one is of one kind, and only a forwarded call must be asked.
                if overwrites(ticket.parts[0].operation):
                    for part in ticket.parts:
                        part.entry.upserted += ticket.keys
        parts = self._dispatch.finish_whole(tickets, _DELIVERED, now)
        if len(parts) > len(tickets):
            self._observer.coalesced(endpoint, len(parts) - len(tickets))
        ended = []
        for entry in dict.fromkeys([part.entry for part in parts]):
            if entry.book.is_closed:
                continue
            if not entry.parts:
                ended.append(entry)
            elif entry.upserted:
                entry.book.would_overwrite(entry)
        self._settlement.delivered(ended)

    def refuse(self, ticket: Ticket, reason: InvalidReason, now: float, *, is_suspect: bool = False) -> None:
        """Planhat will never take it: its record becomes a dead letter.

        Of several told as one nobody knows which is at fault: each is told again, by itself.
        """
        if ticket.is_merged:
            self._dispatch.take_apart(ticket, now, is_suspect=is_suspect)
            return
        for part in ticket.told:
            self._failed(part.entry)
            part.entry.worsen(Fate.DEAD_LETTERED, reason)
        self._finish(ticket, ticket.told, OperationFate.REFUSED, now)

    def skip(self, ticket: Ticket, reason: SkipReason, now: float) -> None:
        """Planhat did not save it, and that is nobody's fault.

        Whom it cannot place by what several say together, none of which names a company, it cannot place by
        what each of them says. By fewer keys it may: where a lower one is looked up only alone.
        """
        is_by_same_keys = all(part.operation.keys == ticket.keys for part in ticket.told)
        are_alike = not ticket.parents and is_by_same_keys
        is_true_of_each = reason is SkipReason.NO_COMPANY and are_alike
        if ticket.is_merged and not is_true_of_each:
            self._dispatch.take_apart(ticket, now)
            return
        if reason is SkipReason.NO_COMPANY and ticket.was.company_instead is None:
            self._dispatch.revived.keep(ticket)
        if reason is SkipReason.NO_COMPANY:
            self._dispatch.withdraw(_orphans(ticket), now, OperationFate.UNSAVED)
        for part in ticket.told:
            part.entry.worsen(Fate.SKIPPED, reason)
        self._finish(ticket, ticket.told, OperationFate.UNSAVED, now)

    def retry(self, outbox: Outbox, ticket: Ticket, due: float, kind: Kind) -> None:
        """Again from `due` on, as `kind`."""
        for part in ticket.told:
            self._failed(part.entry)
        outbox.park(ticket, due, kind)

    def ours(self, flight: Flight, now: float) -> list[Ticket]:
        """The flight's tickets that may be tried again; the others are given back."""
        return [ticket for ticket in flight.tickets if not self.goes_back(ticket, now)]

    def goes_back(self, ticket: Ticket, now: float) -> bool:
        """Of a partition that is leaving or gone: no more tries, the record goes back to Kafka.

        True when nothing of what was told is left to try again.
        """
        told = ticket.told
        leaving = [part for part in told if part.is_leaving]
        if not leaving:
            return False
        for part in leaving:
            part.entry.worsen(Fate.RELEASED, "")
        is_all = len(leaving) == len(told)
        self._finish(ticket, leaving, OperationFate.RELEASED, now)
        return is_all

    def _failed(self, entry: Entry) -> None:
        if entry.failed_at is None:
            entry.failed_at = self._clock.time()

    def _finish(self, ticket: Ticket, parts: Sequence[Part], fate: OperationFate, now: float) -> None:
        self._dispatch.finish(ticket, parts, fate, now)
        # One for all: what is told as one is of one kind, and only a forwarded call must be asked.
        does_overwrite = overwrites(parts[0].operation)
        for part in parts:
            entry = part.entry
            if entry.book.is_closed:
                continue
            if does_overwrite:
                entry.upserted += ticket.keys
            if not entry.parts:
                self._settlement.answered(entry)
            elif entry.upserted:
                entry.book.would_overwrite(entry)


def _orphans(ticket: Ticket) -> list[Part]:
    """Metrics that the same calls push of an enduser who was not saved: Planhat would refuse them.

    They are unsent, for they wait for this upsert. Where a call has further upserts of the enduser, in other
    companies, one of these may be saved: the metrics go their way.
    """
    keys = set(ticket.keys)
    found = []
    for told in ticket.told:
        entry, others = told.entry, [part for part in told.entry.parts if part is not told]
        has_others = any(
            overwrites(part.operation) and not keys.isdisjoint(part.operation.keys) for part in others
        )
        if entry.book.is_closed or has_others or not keys.isdisjoint(entry.upserted):
            continue
        found += [part for part in others if _is_of(part, keys)]
    return found


def _is_of(part: Part, keys: set[str]) -> bool:
    pushed = part.operation
    is_enduser = isinstance(pushed, PushMetric) and pushed.model is MetricModel.ENDUSER
    return is_enduser and not keys.isdisjoint(pushed.keys)
