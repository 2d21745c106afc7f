"""Answers: what each reply means for the operations of its batch, and what follows.

Planhat's reply is read at the edge into one of four treatments (`outcomes.Answer`); here they become
deliveries, retries, second looks, isolation, dead letters or hold. Poison is told from outage by
evidence: age alone never makes a dead letter.
"""

from collections import Counter
from collections.abc import Callable
from typing import assert_never

from streamer.engine.dispatch import Dice, Dispatch, Flight
from streamer.engine.hold import Hold
from streamer.engine.isolation import Finding, Isolation
from streamer.engine.lanes import Place, Ticket
from streamer.engine.ledger import Entry
from streamer.engine.limits import Limits
from streamer.engine.outbox import Kind, Outbox
from streamer.engine.ports import Clock, Delivery, HoldReason, Observer, OperationFate
from streamer.outcomes import (
    Answered,
    Endpoint,
    Fate,
    Host,
    InvalidReason,
    Misconfigured,
    RefusedWhole,
    SkipReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.transform.operations import UpsertCompany, UpsertEnduser

TOO_MUCH = frozenset({TransientReason.TIMEOUT, TransientReason.GATEWAY_TIMEOUT, TransientReason.TOO_LARGE})
"""Evidence that a bulk is too large."""
SUSPICIOUS = frozenset({TransientReason.SERVER_ERROR, *TOO_MUCH})
"""Failures that one bad operation can cause (a 413 only alone: before that it is a matter of size)."""


class Answers:
    """Applies deliveries. `settled` is called with a record when its last operation is answered for."""

    def __init__(
        self,
        limits: Limits,
        dispatch: Dispatch,
        observer: Observer,
        clock: Clock,
        dice: Dice,
        settled: Callable[[Entry], None],
        enter_hold: Callable[[HoldReason, Endpoint], None],
        hold: Hold,
    ) -> None:
        self._limits = limits
        self._dispatch = dispatch
        self._observer = observer
        self._clock = clock
        self._dice = dice
        self._settled = settled
        self._enter_hold = enter_hold
        self._hold = hold
        self.accepted: Counter[Host] = Counter()
        """Operations each host has accepted since the start: the evidence that it works."""
        self._refused_alone: dict[Endpoint, set[int]] = {endpoint: set() for endpoint in Endpoint}
        """Tickets refused alone since the endpoint last accepted anything."""

    def apply(self, delivery: Delivery, now: float) -> bool:
        """Act on one delivery; True when Planhat works: it answered, and not against everything."""
        flight = self._dispatch.landed(delivery.batch.number)
        outbox = self._dispatch.outboxes[delivery.batch.endpoint]
        self._observer.delivered(delivery)
        for ticket in flight.tickets:
            ticket.entry.attempts += 1
            ticket.entry.http_status = delivery.status
        match delivery.answer:
            case Answered(verdicts):
                return self._answered(outbox, flight, verdicts, now)
            case Transient(reason, retry_after):
                self._transient(outbox, flight, reason, retry_after, now)
            case RefusedWhole():
                self._refused_whole(outbox, flight, now)
            case Misconfigured(reason):
                outbox.gate.is_probing = False
                self._dispatch.put_back(outbox, flight.kind, self._ours(flight, now), now)
                self._enter_hold(HoldReason(reason.value), outbox.endpoint)
            case _:
                assert_never(delivery.answer)
        return False

    # --- the four treatments ----------------------------------------------------------------------

    def _answered(self, outbox: Outbox, flight: Flight, verdicts: tuple[Verdict, ...], now: float) -> bool:
        outbox.gate.answered()
        self._dispatch.quota.answered()
        if flight.kind is Kind.BULK:
            outbox.size.answered(len(flight.tickets))
        # A few refused say nothing, unless everything was refused before and this is the probe.
        most = 1 if self._hold.reason is HoldReason.EVERYTHING_REFUSED else self._limits.sample_operations
        everything_refused = len(verdicts) >= most and all(verdict is Verdict.REFUSED for verdict in verdicts)
        if everything_refused:
            # A field made mandatory at Planhat refuses every create: the records are not at fault.
            self._dispatch.put_back(outbox, flight.kind, self._ours(flight, now), now)
            self._enter_hold(HoldReason.EVERYTHING_REFUSED, outbox.endpoint)
            return False
        if Verdict.ACCEPTED in verdicts:
            self.accepted[outbox.endpoint.host] += verdicts.count(Verdict.ACCEPTED)
            self._refused_alone[outbox.endpoint].clear()
        for ticket, verdict in zip(flight.tickets, verdicts, strict=True):
            self._judge(outbox, ticket, verdict, len(verdicts), now)
        if flight.kind is Kind.ISOLATE:
            self._found(outbox, outbox.isolations[0].answered(is_refused=False), now)
        return True

    def _transient(
        self,
        outbox: Outbox,
        flight: Flight,
        reason: TransientReason,
        retry_after: float | None,
        now: float,
    ) -> None:
        host = outbox.endpoint.host
        if reason is TransientReason.THROTTLED and host is Host.MAIN:
            self._dispatch.quota.throttled(now, retry_after)
            outbox.gate.is_probing = False
        elif reason is TransientReason.TOO_LARGE:
            outbox.gate.is_probing = False
        else:
            outbox.gate.failed(now, self._dice(), flight.sent_at, retry_after)
        if reason in TOO_MUCH:
            outbox.size.too_much(len(flight.tickets))
        tickets = self._ours(flight, now)
        self._observer.retried(outbox.endpoint, reason.value, len(tickets))
        if not tickets:
            self._settle_empty_isolation(outbox, flight)
            return
        if reason not in SUSPICIOUS:
            self._dispatch.put_back(outbox, flight.kind, tickets, now)
            return
        if reason is not TransientReason.TOO_LARGE:
            self._suspect(tickets, host)
        if flight.kind is Kind.ISOLATE:
            self._park(tickets)
            self._found(outbox, outbox.isolations[0].answered(is_refused=True), now)
        elif flight.kind is Kind.ALONE or (len(tickets) == 1 and reason is TransientReason.TOO_LARGE):
            self._refuse_alone(outbox, tickets[0], now)
        elif self._is_suspect(tickets, host):
            self._isolate(outbox, tickets, is_refusal=False, now=now)
        else:
            self._dispatch.put_back(outbox, flight.kind, tickets, now)

    def _suspect(self, tickets: list[Ticket], host: Host) -> None:
        for ticket in tickets:
            if not ticket.failures:
                ticket.accepted_mark = self.accepted[host]
            ticket.failures += 1

    def _is_suspect(self, tickets: list[Ticket], host: Host) -> bool:
        """Failed three times while others on that host succeeded: it is not an outage."""
        accepted = self.accepted[host]
        return any(
            t.failures >= self._limits.suspect_failures and accepted > t.accepted_mark for t in tickets
        )

    def _refused_whole(self, outbox: Outbox, flight: Flight, now: float) -> None:
        outbox.gate.answered()
        self._dispatch.quota.answered()
        tickets = self._ours(flight, now)
        if not tickets:
            self._settle_empty_isolation(outbox, flight)
        elif flight.kind is Kind.ISOLATE:
            self._park(tickets)
            self._found(outbox, outbox.isolations[0].answered(is_refused=True), now)
        elif len(tickets) == 1:
            self._refuse_alone(outbox, tickets[0], now)
        else:
            self._isolate(outbox, tickets, is_refusal=True, now=now)

    # --- one operation ----------------------------------------------------------------------------

    def _judge(self, outbox: Outbox, ticket: Ticket, verdict: Verdict, sent: int, now: float) -> None:
        if verdict is Verdict.ACCEPTED:
            self._finish(ticket, OperationFate.DELIVERED, now)
        elif verdict is Verdict.REFUSED:
            self._refuse(ticket, InvalidReason.REFUSED, now)
        elif self._goes_back(ticket, now):
            return
        elif verdict is Verdict.DUPLICATED:
            self._duplicated(outbox, ticket, now)
        elif verdict is Verdict.NAME_MISSING:
            self._name_missing(outbox, ticket, now)
        else:
            self._second_look(outbox, ticket, sent, is_missing=verdict is Verdict.MISSING, now=now)

    def _duplicated(self, outbox: Outbox, ticket: Ticket, now: float) -> None:
        """Another replica's bulk was at the same object: again in later bulks, for a while."""
        if not ticket.duplicates:
            ticket.first_duplicate_at = now
        ticket.duplicates += 1
        span = now - ticket.first_duplicate_at
        if ticket.duplicates > self._limits.duplicated_tries and span >= self._limits.duplicated_seconds:
            self._refuse(ticket, InvalidReason.DUPLICATED, now)
            return
        pause = self._limits.duplicated_seconds / self._limits.duplicated_tries
        self._retry(outbox, ticket, now + pause * (0.5 + self._dice()), Kind.BULK, Verdict.DUPLICATED)

    def _name_missing(self, outbox: Outbox, ticket: Ticket, now: float) -> None:
        """Only now a name may be made up: the reply proves there is none to overwrite."""
        if ticket.is_named or not isinstance(ticket.operation, UpsertEnduser | UpsertCompany):
            self._refuse(ticket, InvalidReason.REFUSED, now)
            return
        ticket.is_named = True
        self._dispatch.replace(ticket, ticket.operation.named_by_id())
        self._retry(outbox, ticket, now, Kind.BULK, Verdict.NAME_MISSING)

    def _second_look(
        self, outbox: Outbox, ticket: Ticket, sent: int, *, is_missing: bool, now: float
    ) -> None:
        """Not saved, or perhaps not: ask once more among fewer; what stays missing has no company."""
        holding = self._limits.unassigned_company
        verdict = Verdict.MISSING if is_missing else Verdict.UNCLEAR
        ticket.looks += 1
        ticket.group_limit = sent if ticket.looks == 1 else max(1, sent // 2)
        if ticket.looks == 1 or (not is_missing and ticket.looks <= self._limits.second_looks):
            due = now + self._limits.second_look_seconds * (0.5 + self._dice())
            self._retry(outbox, ticket, due, Kind.LOOK, verdict)
        elif not is_missing:
            self._skip(ticket, SkipReason.UNCONFIRMED, now)
        elif holding is not None and not ticket.is_reassigned and isinstance(ticket.operation, UpsertEnduser):
            ticket.is_reassigned = True
            self._dispatch.replace(ticket, ticket.operation.with_company(holding))
            self._retry(outbox, ticket, now, Kind.BULK, verdict)
        else:
            self._skip(ticket, SkipReason.NO_COMPANY, now)

    def _refuse_alone(self, outbox: Outbox, ticket: Ticket, now: float) -> None:
        """Refused on its own: its own fault only when others succeed, several times over minutes."""
        host = outbox.endpoint.host
        if not ticket.refusals:
            ticket.refused_at = now
            ticket.refused_mark = self.accepted[host]
        ticket.refusals += 1
        limits = self._limits
        if (
            ticket.refusals >= limits.alone_refusals
            and now - ticket.refused_at >= limits.alone_seconds
            and self.accepted[host] - ticket.refused_mark >= limits.alone_others
        ):
            self._refuse(ticket, InvalidReason.REFUSED_ALONE, now)
            return
        # One more gap than needed would do; a little more than the share keeps the last one past the end.
        pause = limits.alone_seconds / (limits.alone_refusals - 1) * (1.0 + 0.1 * self._dice())
        self._retry(outbox, ticket, now + pause, Kind.ALONE, InvalidReason.REFUSED_ALONE)
        alone = self._refused_alone[outbox.endpoint]
        alone.add(ticket.number)
        if len(alone) >= limits.sample_operations:
            self._enter_hold(HoldReason.EVERYTHING_REFUSED, outbox.endpoint)

    # --- isolation --------------------------------------------------------------------------------

    def _isolate(self, outbox: Outbox, tickets: list[Ticket], *, is_refusal: bool, now: float) -> None:
        if len(tickets) == 1:
            self._refuse_alone(outbox, tickets[0], now)
            return
        self._park(tickets)
        sample = self._sample(tickets) if is_refusal else []
        size = self._limits.sample_operations
        outbox.isolations.append(Isolation(tickets, sample, self._limits.isolation_calls, size))
        self._observer.retried(outbox.endpoint, "isolated", len(tickets))

    def _sample(self, tickets: list[Ticket]) -> list[Ticket]:
        """Random tickets that wait for none: an activity must not be sent before an earlier one."""
        free = [ticket for ticket in tickets if not ticket.waits_for]
        for i in range(min(len(free), self._limits.sample_operations)):
            j = i + int(self._dice() * (len(free) - i))
            free[i], free[j] = free[j], free[i]
        return free[: self._limits.sample_operations]

    def _found(self, outbox: Outbox, finding: Finding, now: float) -> None:
        if outbox.isolations and outbox.isolations[0].is_over:
            outbox.isolations.popleft()
        outbox.pool.put_back(finding.freed, at_head=True)
        if finding.is_everything:
            self._enter_hold(HoldReason.EVERYTHING_REFUSED, outbox.endpoint)
        for ticket in finding.culprits:
            if not self._goes_back(ticket, now):
                self._refuse_alone(outbox, ticket, now)

    def _settle_empty_isolation(self, outbox: Outbox, flight: Flight) -> None:
        """Every ticket of the group went back to Kafka meanwhile: nothing was learned."""
        if flight.kind is Kind.ISOLATE:
            outbox.isolations[0].unanswered()

    @staticmethod
    def _park(tickets: list[Ticket]) -> None:
        for ticket in tickets:
            ticket.place = Place.PARKED

    # --- the ends ---------------------------------------------------------------------------------

    def _ours(self, flight: Flight, now: float) -> list[Ticket]:
        """The flight's tickets that may be tried again; the others are finished as released."""
        return [ticket for ticket in flight.tickets if not self._goes_back(ticket, now)]

    def _goes_back(self, ticket: Ticket, now: float) -> bool:
        """Of a partition that is leaving or gone: no more tries, the record goes back to Kafka."""
        book = ticket.entry.book
        if not (book.is_draining or book.is_closed):
            return False
        ticket.entry.worsen(Fate.RELEASED, "")
        self._finish(ticket, OperationFate.RELEASED, now)
        return True

    def _retry(self, outbox: Outbox, ticket: Ticket, due: float, kind: Kind, why: str) -> None:
        self._failed(ticket.entry)
        outbox.park(ticket, due, kind)
        self._observer.retried(outbox.endpoint, why, 1)

    def _refuse(self, ticket: Ticket, reason: InvalidReason, now: float) -> None:
        self._failed(ticket.entry)
        ticket.entry.worsen(Fate.DEAD_LETTERED, reason)
        self._finish(ticket, OperationFate.REFUSED, now)

    def _skip(self, ticket: Ticket, reason: SkipReason, now: float) -> None:
        ticket.entry.worsen(Fate.SKIPPED, reason)
        self._finish(ticket, OperationFate.UNSAVED, now)

    def _failed(self, entry: Entry) -> None:
        if entry.failed_at is None:
            entry.failed_at = self._clock.time()

    def _finish(self, ticket: Ticket, fate: OperationFate, now: float) -> None:
        self._dispatch.finish(ticket, fate, now)
        entry = ticket.entry
        if not entry.tickets and not entry.book.is_closed:
            self._settled(entry)
