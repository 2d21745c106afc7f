"""Answers: what each reply means for the operations of its batch, and what follows.

Planhat's reply is read at the edge into one of four treatments (`outcomes.Answer`); here they become
deliveries, retries, second looks, isolation, dead letters or hold.
"""

from collections.abc import Callable
from itertools import zip_longest
from typing import Final, assert_never

from streamer.engine.dispatch import Dice, Dispatch, Flight
from streamer.engine.endings import Endings
from streamer.engine.hold import Hold
from streamer.engine.lanes import Ticket
from streamer.engine.limits import Limits
from streamer.engine.outbox import Kind, Outbox
from streamer.engine.ports import Clock, Delivery, HoldReason, Observer
from streamer.engine.settlement import Settlement
from streamer.engine.suspects import Suspects, park
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    InvalidReason,
    Misconfigured,
    RefusedWhole,
    SkipReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.transform.operations import UpsertEnduser

TOO_MUCH: Final = frozenset(
    {TransientReason.TIMEOUT, TransientReason.GATEWAY_TIMEOUT, TransientReason.TOO_LARGE}
)
"""Evidence that a bulk is too large."""
SUSPICIOUS: Final = frozenset({TransientReason.SERVER_ERROR, TransientReason.UNREADABLE, *TOO_MUCH})
"""Failures that one bad operation can cause (a 413 only alone: before that it is a matter of size)."""
NO_OUTAGE: Final = frozenset({TransientReason.THROTTLED, TransientReason.TOO_LARGE})
"""Failures of an endpoint that does well."""
OF_SUSPECTS: Final = frozenset({Kind.ALONE, Kind.ISOLATE})
"""Requests whose failure says nothing of their endpoint."""
REFUSED_WHOLE: Final = "refused_whole"
"""Why operations are tried again, beside the words of TransientReason and Verdict."""


# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_ACCEPTED: Final = Verdict.ACCEPTED


class Answers:
    """Applies deliveries."""

    def __init__(
        self,
        limits: Limits,
        dispatch: Dispatch,
        observer: Observer,
        clock: Clock,
        dice: Dice,
        settlement: Settlement,
        enter_hold: Callable[[HoldReason, Endpoint], None],
        hold: Hold,
    ) -> None:
        self._limits = limits
        self._dispatch = dispatch
        self._observer = observer
        self._dice = dice
        self._enter_hold = enter_hold
        self._hold = hold
        self._endings = Endings(dispatch, observer, clock, settlement)
        self.suspects = Suspects(limits, self._endings, dice, enter_hold)

    def apply(self, delivery: Delivery, now: float) -> bool:
        """Act on one delivery; True when, of the probe of a hold, it leaves no reason to hold on."""
        flight = self._dispatch.landed(delivery.batch.number)
        outbox = self._dispatch.outboxes[delivery.batch.endpoint]
        self._observer.delivered(delivery)
        status = delivery.status
        for ticket in flight.tickets:
            for part in ticket.told if ticket.is_apart else ticket.parts:
                entry = part.entry
                entry.attempts += 1
                entry.http_status = status
        if outbox.endpoint is Endpoint.ENDUSERS:
            self._forget_unsure(flight, delivery.answer, now)
        if outbox.endpoint is Endpoint.DELETIONS:
            self._forget_deleted(flight, now)
        if outbox.endpoint.is_metered and isinstance(delivery.answer, Answered | RefusedWhole):
            self._dispatch.quota.answered(now, flight.sent_at, delivery.remaining_calls)
        match delivery.answer:
            case Answered(verdicts):
                return self._answered(outbox, flight, verdicts, now)
            case Transient(reason, retry_after):
                self._transient(outbox, flight, reason, retry_after, now)
                # Not refused for what the hold is about. If it is, after all, the next request is told so.
                return reason in SUSPICIOUS and self._may_end_by_failure
            case RefusedWhole():
                self._refused_whole(outbox, flight, now)
                # Who is told what is wrong with a request was let in.
                return self._may_end_by_failure
            case Misconfigured(reason):
                outbox.gate.is_probing = False
                self._dispatch.put_back(outbox, flight.kind, self._endings.ours(flight, now), now)
                self._enter_hold(HoldReason(reason.value), outbox.endpoint)
            case _:
                assert_never(delivery.answer)
        return False

    @property
    def _may_end_by_failure(self) -> bool:
        """Whether a probe that fails as one bad operation does ends the hold.

        Else one whose only probe is at fault itself would never end: nothing else is read meanwhile. Where
        everything is refused, failing is just what goes on, and something is read.
        """
        return self._hold.reason is not HoldReason.EVERYTHING_REFUSED

    def _forget_unsure(self, flight: Flight, answer: Answer, now: float) -> None:
        """What was not accepted may have been applied all the same, or in part."""
        verdicts = answer.verdicts if isinstance(answer, Answered) else ()
        for ticket, verdict in zip_longest(flight.tickets, verdicts):
            if verdict is not Verdict.ACCEPTED:
                self._dispatch.unchanged.forget(ticket.keys, now)

    def _forget_deleted(self, flight: Flight, now: float) -> None:
        """Whatever was answered they may be gone: nothing that was said of them is there, or to be told."""
        for ticket in flight.tickets:
            self._dispatch.unchanged.forget(ticket.keys, now)
            self._dispatch.revived.forget(ticket.keys)

    # --- the four treatments ----------------------------------------------------------------------

    def _answered(self, outbox: Outbox, flight: Flight, verdicts: tuple[Verdict, ...], now: float) -> bool:
        outbox.gate.answered()
        if flight.kind is Kind.BULK:
            outbox.size.answered(len(flight.tickets))
        is_all = self._is_everything_refused(flight, verdicts)
        is_probe = flight.number == self._hold.probe
        if is_all and (is_probe or self.suspects.are_too_many(outbox.endpoint, flight.tickets)):
            # A field made mandatory at Planhat refuses every create: the records are not at fault.
            kind = Kind.PROBE if flight.kind is Kind.BULK else flight.kind
            self._dispatch.put_back(outbox, kind, self._endings.ours(flight, now), now)
            self._enter_hold(HoldReason.EVERYTHING_REFUSED, outbox.endpoint)
            return False
        accepted: list[Ticket] = []
        if Verdict.ACCEPTED in verdicts:
            self.suspects.accepted(outbox.endpoint, verdicts.count(Verdict.ACCEPTED), now)
        for ticket, verdict in zip(flight.tickets, verdicts, strict=True):
            if verdict is _ACCEPTED:
                self.suspects.acquitted(ticket)
                accepted.append(ticket)
                continue
            if accepted:
                self._endings.deliver(accepted, now)
                accepted = []
            self._judge(outbox, ticket, verdict, len(verdicts), now, is_all=is_all)
        self._endings.deliver(accepted, now)
        if flight.kind is Kind.ISOLATE:
            self.suspects.answered(outbox, is_refused=False, now=now)
        return True

    def _is_everything_refused(self, flight: Flight, verdicts: tuple[Verdict, ...]) -> bool:
        """Refused throughout, in a request that was not made of suspects, or in the probe of a hold."""
        if set(verdicts) != {Verdict.REFUSED}:
            return False
        if flight.number == self._hold.probe:
            return self._hold.reason is HoldReason.EVERYTHING_REFUSED
        return flight.kind in {Kind.BULK, Kind.PROBE} and len(verdicts) >= self._limits.sample_operations

    def _transient(
        self,
        outbox: Outbox,
        flight: Flight,
        reason: TransientReason,
        retry_after: float | None,
        now: float,
    ) -> None:
        if reason is TransientReason.THROTTLED and outbox.endpoint.is_metered:
            self._dispatch.quota.throttled(now, retry_after, flight.sent_at)
            outbox.gate.is_probing = False
        elif reason is TransientReason.TOO_LARGE:
            outbox.gate.is_probing = False
        elif retry_after is not None or outbox.gate.failures or not _is_expected(outbox, flight):
            outbox.gate.failed(now, self._dice(), flight.sent_at, retry_after)
        if flight.kind not in OF_SUSPECTS and reason not in NO_OUTAGE:
            self.suspects.down(outbox.endpoint)
        tickets = self._endings.ours(flight, now)
        self._observer.retried(outbox.endpoint, reason.value, operations_in(tickets))
        is_proven = self._is_proven(outbox, tickets, reason)
        if not is_proven:
            self._shrink(outbox, flight, reason)
        if not tickets:
            self._nothing_learned(outbox, flight)
        elif reason in SUSPICIOUS and not _is_what_is_left(flight, tickets):
            self._suspicious(outbox, flight, tickets, reason, now, is_proven=is_proven)
        else:
            self._dispatch.put_back(outbox, flight.kind, tickets, now)

    def _is_proven(self, outbox: Outbox, tickets: list[Ticket], reason: TransientReason) -> bool:
        """Whether it failed for one of its operations, more likely than for its size or an outage."""
        if reason is TransientReason.TOO_LARGE:
            return self.suspects.too_large(tickets)
        return reason in SUSPICIOUS and self.suspects.failed(outbox.endpoint, tickets)

    def _shrink(self, outbox: Outbox, flight: Flight, reason: TransientReason) -> None:
        """Evidence of "too much" makes the next ones smaller: bulks, and groups of second looks.

        A few operations that time out are slow, not many: that says nothing about bulks of thousands. Nor
        does an operation alone, or a group made of suspects: it failed for what is in it.
        """
        sent = len(flight.tickets)
        is_many = sent > self._limits.probe_operations or 2 * sent >= outbox.size.operations
        is_size = reason is TransientReason.TOO_LARGE or (reason in TOO_MUCH and is_many)
        if is_size and sent > 1 and flight.kind in {Kind.BULK, Kind.PROBE}:
            outbox.size.too_much(sent)
        if flight.kind is Kind.LOOK and reason in SUSPICIOUS:
            for ticket in flight.tickets:
                ticket.note.group_limit = max(1, sent // 2)

    def _suspicious(
        self,
        outbox: Outbox,
        flight: Flight,
        tickets: list[Ticket],
        reason: TransientReason,
        now: float,
        *,
        is_proven: bool,
    ) -> None:
        is_size = reason is TransientReason.TOO_LARGE
        if flight.kind is Kind.ISOLATE:
            park(tickets)
            # A hunt for what is refused learns nothing from an outage that comes between.
            if is_size or is_proven or not outbox.isolations[0].is_refusal:
                self.suspects.answered(outbox, is_refused=True, now=now)
            else:
                outbox.isolations[0].unanswered()
        elif flight.kind is Kind.ALONE or (is_size and len(tickets) == 1):
            self.suspects.refused_alone(outbox, tickets[0], now, is_refusal=is_size)
        elif is_proven:
            self.suspects.isolate(outbox, tickets, is_refusal=is_size, now=now, samples=False)
        else:
            self._dispatch.put_back(outbox, flight.kind, tickets, now)

    def _refused_whole(self, outbox: Outbox, flight: Flight, now: float) -> None:
        outbox.gate.answered()
        tickets = self._endings.ours(flight, now)
        self._observer.retried(outbox.endpoint, REFUSED_WHOLE, operations_in(tickets))
        if not tickets:
            self._nothing_learned(outbox, flight)
        elif flight.kind is Kind.ISOLATE:
            park(tickets)
            self.suspects.answered(outbox, is_refused=True, now=now)
        elif _is_what_is_left(flight, tickets):
            self._dispatch.put_back(outbox, flight.kind, tickets, now)
        elif len(tickets) == 1:
            self.suspects.refused_alone(outbox, tickets[0], now, is_refusal=True)
        else:
            self.suspects.isolate(outbox, tickets, is_refusal=True, now=now)

    @staticmethod
    def _nothing_learned(outbox: Outbox, flight: Flight) -> None:
        """Every ticket of the group went back to Kafka meanwhile."""
        if flight.kind is Kind.ISOLATE:
            outbox.isolations[0].unanswered()

    # --- one operation that was not accepted -------------------------------------------------------

    def _judge(
        self, outbox: Outbox, ticket: Ticket, verdict: Verdict, sent: int, now: float, *, is_all: bool
    ) -> None:
        told = len(ticket.told)
        if self._endings.goes_back(ticket, now):
            return
        if len(ticket.told) < told:
            self._dispatch.resend(ticket, now)  # it was refused with what went back: perhaps for that
        elif verdict is Verdict.REFUSED:
            self.suspects.refused_by_name(outbox, ticket, sent, now, is_all=is_all)
        elif verdict is Verdict.AMBIGUOUS:
            self._endings.refuse(ticket, InvalidReason.AMBIGUOUS, now)
        elif verdict is Verdict.DUPLICATED:
            self._duplicated(outbox, ticket, now)
        elif verdict is Verdict.NAME_MISSING:
            self._name_missing(outbox, ticket, now)
        else:
            self._second_look(outbox, ticket, sent, is_missing=verdict is Verdict.MISSING, now=now)

    def _duplicated(self, outbox: Outbox, ticket: Ticket, now: float) -> None:
        """Another replica's bulk was at the same object: again in later bulks, for a while."""
        if not ticket.was.duplicates:
            ticket.note.first_duplicate_at = now
        ticket.note.duplicates += 1
        span = now - ticket.was.first_duplicate_at
        if ticket.was.duplicates > self._limits.duplicated_tries and span >= self._limits.duplicated_seconds:
            self._endings.refuse(ticket, InvalidReason.DUPLICATED, now)
            return
        # Soon at first (the other bulk takes seconds), then ever more rarely, to the end of the time.
        pause = min(2.0**ticket.was.duplicates, self._limits.duplicated_seconds / 2)
        self._again(outbox, ticket, now + pause * (0.5 + self._dice()), Kind.BULK, Verdict.DUPLICATED)

    def _name_missing(self, outbox: Outbox, ticket: Ticket, now: float) -> None:
        """Only now a name may be made up: the reply proves there is none to overwrite."""
        if ticket.was.is_named or not ticket.endpoint.is_upsert:
            self._endings.refuse(ticket, InvalidReason.REFUSED, now)
            return
        self._dispatch.say_differently(ticket, is_named=True)
        self._again(outbox, ticket, now, Kind.BULK, Verdict.NAME_MISSING)

    def _second_look(
        self, outbox: Outbox, ticket: Ticket, sent: int, *, is_missing: bool, now: float
    ) -> None:
        """Not saved, or perhaps not: once more among fewer. An enduser who stays missing has no company."""
        verdict = Verdict.MISSING if is_missing else Verdict.UNCLEAR
        ticket.note.looks += 1
        ticket.note.group_limit = sent if ticket.was.looks == 1 else max(1, sent // 2)
        if ticket.was.looks == 1 or (not is_missing and ticket.was.looks <= self._limits.second_looks):
            due = now + self._limits.second_look_seconds * (0.5 + self._dice())
            self._again(outbox, ticket, due, Kind.LOOK, verdict)
        elif not is_missing or ticket.endpoint is not Endpoint.ENDUSERS:
            self._endings.skip(ticket, SkipReason.UNCONFIRMED, now)
        elif (company := self._company_instead(ticket)) is not None:
            self._dispatch.say_differently(ticket, company=company)
            self._again(outbox, ticket, now, Kind.BULK, verdict)
        else:
            self._endings.skip(ticket, SkipReason.NO_COMPANY, now)

    def _company_instead(self, ticket: Ticket) -> str | None:
        """Where to put an enduser that Planhat has found no company for, if there is a place left to try.

        First where its call says for that case, then into the holding company.
        """
        tried, said = ticket.was.company_instead, ticket.operation
        if not isinstance(said, UpsertEnduser):
            return None
        fallback, holding = said.fallback_company, self._limits.unassigned_company
        if tried is None and fallback is not None:
            return fallback
        return holding if tried != holding else None

    def _again(self, outbox: Outbox, ticket: Ticket, due: float, kind: Kind, why: Verdict) -> None:
        self._endings.retry(outbox, ticket, due, kind)
        self._observer.retried(outbox.endpoint, why.value, len(ticket.told))


def _is_expected(outbox: Outbox, flight: Flight) -> bool:
    """Whether it was to fail if it held the one that is looked for: no reason to close the gate."""
    return flight.kind is Kind.ISOLATE and not outbox.isolations[0].is_refusal


def _is_what_is_left(flight: Flight, tickets: list[Ticket]) -> bool:
    """Whether the one ticket was not alone: the fault may be in what went back to Kafka.

    A hunt sees to that itself.
    """
    return len(tickets) == 1 < len(flight.tickets) and flight.kind is not Kind.ISOLATE


def operations_in(tickets: list[Ticket]) -> int:
    """How many operations these tell."""
    return sum(len(ticket.told) for ticket in tickets)
