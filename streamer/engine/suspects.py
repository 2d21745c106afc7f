"""Suspects: telling an operation at fault from a Planhat that is.

Evidence is counted per endpoint: that companies are accepted says nothing about endusers, whose
endpoint may be down alone. Age alone never makes a dead letter.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from streamer.engine.dispatch import Dice
from streamer.engine.endings import Endings
from streamer.engine.isolation import Finding, Isolation
from streamer.engine.lanes import Place, Ticket
from streamer.engine.limits import Limits
from streamer.engine.outbox import Kind, Outbox
from streamer.engine.ports import HoldReason
from streamer.outcomes import Endpoint, InvalidReason

SHORTEST_PAUSE_SECONDS: Final = 1.0
MOST_LIKELY: Final = 0.25
"""How likely a failure by chance is at most, where nobody who failed alone has passed after all."""


@dataclass(slots=True)
class Standing:
    """How an endpoint does."""

    answered: int = 0
    """Requests of which something was accepted."""
    failed: int = 0
    """Requests that failed as in an outage, and were not made of suspects."""
    acquitted: int = 0
    """Operations that had failed alone, and passed after all: failures by chance, beyond doubt."""
    is_up: bool = True
    """Which of the two the last one was."""
    refused: dict[Ticket, float] = field(default_factory=dict)
    """Tickets on trial since it last accepted anything: refused alone, or with everything beside them. When
    that was first."""

    def on_trial(self) -> dict[Ticket, float]:
        """Those refused, but for what is a letter by now, or went back to Kafka."""
        for ticket in [each for each in self.refused if each.place is Place.DONE]:
            del self.refused[ticket]
        return self.refused

    def chance(self, ticket: Ticket, own: int = 0) -> float:
        """How likely a request was to fail since this one did, as far as the others' show.

        `own`: requests among those that failed meanwhile in which it was itself.
        """
        answered = self.answered - ticket.was.answered_mark
        failed = max(0, self.failed - ticket.was.failed_mark - own)
        return (failed + 1) / (answered + failed + 2)


class Suspects:
    """What was accepted where, who failed while others did not, and the hunts for those at fault."""

    def __init__(
        self, limits: Limits, endings: Endings, dice: Dice, enter_hold: Callable[[HoldReason, Endpoint], None]
    ) -> None:
        self._limits = limits
        self._endings = endings
        self._dice = dice
        self._enter_hold = enter_hold
        self._accepted: Counter[Endpoint] = Counter()
        self._accepted_at: dict[Endpoint, float] = {}
        self._standings = {endpoint: Standing() for endpoint in Endpoint}

    @property
    def has_accepted(self) -> bool:
        """Whether Planhat accepted anything since the start of this process."""
        return bool(self._accepted)

    def accepted(self, endpoint: Endpoint, count: int, now: float) -> None:
        """So many operations were accepted: the evidence that an endpoint works."""
        self._accepted[endpoint] += count
        self._accepted_at[endpoint] = now
        standing = self._standings[endpoint]
        standing.answered += 1
        standing.is_up = True
        standing.refused.clear()

    def acquitted(self, ticket: Ticket) -> None:
        """It was accepted. Had it failed alone before, then by chance."""
        if ticket.was.has_failed_alone:
            self._standings[ticket.endpoint].acquitted += 1

    def down(self, endpoint: Endpoint) -> None:
        """A request that was not made of suspects failed as in an outage."""
        standing = self._standings[endpoint]
        standing.failed += 1
        standing.is_up = False

    # --- bulks that keep failing ------------------------------------------------------------------

    def failed(self, endpoint: Endpoint, tickets: list[Ticket]) -> bool:
        """Their bulk failed as one bad operation can make it fail.

        True when one of them failed three times while others succeeded there, or more often where some of
        the others failed too: it is no outage, nor one that fails a part of all requests.
        """
        accepted, standing = self._accepted[endpoint], self._standings[endpoint]
        for ticket in tickets:
            if not ticket.was.failures:
                ticket.note.accepted_mark = accepted
                ticket.note.answered_mark, ticket.note.failed_mark = standing.answered, standing.failed
            ticket.note.failures += 1
        limits = self._limits
        return any(
            t.was.failures >= limits.suspect_failures
            and accepted > t.was.accepted_mark
            and standing.chance(t, own=t.was.failures - 1) ** t.was.failures <= limits.suspect_chance
            for t in tickets
        )

    def too_large(self, tickets: list[Ticket]) -> bool:
        """Their request was too large; True when it was for one of them three times: it may be that one."""
        for ticket in tickets:
            ticket.note.too_large += 1
        return any(ticket.was.too_large >= self._limits.suspect_failures for ticket in tickets)

    # --- hunts ------------------------------------------------------------------------------------

    def isolate(
        self, outbox: Outbox, tickets: list[Ticket], *, is_refusal: bool, now: float, samples: bool = True
    ) -> None:
        """Begin to look for the one at fault; for a refusal, by samples first."""
        if len(tickets) == 1:
            self.refused_alone(outbox, tickets[0], now, is_refusal=is_refusal)
            return
        park(tickets)
        sample = self._sample(tickets) if is_refusal and samples else []
        limits = self._limits
        outbox.isolations.append(
            Isolation(
                tickets, sample, limits.isolation_calls, limits.sample_operations, is_refusal=is_refusal
            )
        )

    def answered(self, outbox: Outbox, *, is_refused: bool, now: float) -> None:
        """The group that the present hunt asked about was refused, or else answered for."""
        isolation = outbox.isolations[0]
        finding = isolation.answered(is_refused=is_refused)
        if isolation.is_over:
            outbox.isolations.popleft()
        self._found(outbox, isolation, finding, now)

    def _sample(self, tickets: list[Ticket]) -> list[Ticket]:
        """Random tickets that wait for none: an activity must not be sent before an earlier one."""
        free = [ticket for ticket in tickets if not ticket.waits_for]
        for i in range(min(len(free), self._limits.sample_operations)):
            j = i + int(self._dice() * (len(free) - i))
            free[i], free[j] = free[j], free[i]
        return free[: self._limits.sample_operations]

    def _found(self, outbox: Outbox, isolation: Isolation, finding: Finding, now: float) -> None:
        outbox.pool.put_back(finding.freed, at_head=True)
        for ticket in finding.culprits:
            if not self._endings.goes_back(ticket, now):
                self.refused_alone(outbox, ticket, now, is_refusal=isolation.is_refusal)
        if not finding.is_everything or not self._is_dry(outbox.endpoint, now):
            return
        # Of a few, the sample is all there are: a few bad ones that came together look like that too.
        refused = max(isolation.size, len(self._standings[outbox.endpoint].on_trial()))
        if refused >= self._limits.probe_operations:
            self._enter_hold(HoldReason.EVERYTHING_REFUSED, outbox.endpoint)

    # --- one alone --------------------------------------------------------------------------------

    def refused_alone(self, outbox: Outbox, ticket: Ticket, now: float, *, is_refusal: bool) -> None:
        """Refused (a 4xx) or failed on its own: its own fault only when others pass, over minutes.

        Others at its endpoint, for a failure that an outage can cause; others anywhere, for a refusal:
        Planhat answered, so it is not down, and were its endpoint quiet the proof might never come.
        """
        if ticket.is_merged:
            self._endings.refuse(ticket, InvalidReason.REFUSED_ALONE, now, is_suspect=True)
            return
        self._note(ticket, now, is_refusal=is_refusal)
        if self._is_at_fault(ticket, now):
            self._endings.refuse(ticket, InvalidReason.REFUSED_ALONE, now)
        else:
            self._try_later(outbox, ticket, Kind.ALONE, now)

    def _note(self, ticket: Ticket, now: float, *, is_refusal: bool) -> None:
        """One more refusal; a failure only where it is no chance.

        The request before it was answered, and so was one since its last try: what fails all requests, or
        many, for a while is no evidence against the one that happened to be asked then.
        """
        standing = self._standings[ticket.endpoint]
        if not ticket.was.refusals:
            ticket.note.refused_at = now
            ticket.note.refused_mark = self._accepted[ticket.endpoint]
            ticket.note.refused_mark_anywhere = self._accepted.total()
            ticket.note.answered_mark, ticket.note.failed_mark = standing.answered, standing.failed
            ticket.note.acquitted_mark = standing.acquitted
            ticket.note.refusals = 1
        elif (
            is_refusal
            or not self._limits.alone_others
            or (standing.is_up and standing.answered > ticket.was.answered_then)
        ):
            ticket.note.refusals += 1
        ticket.note.answered_then = standing.answered
        ticket.note.has_failed_alone = ticket.was.has_failed_alone or not is_refusal

    def _is_at_fault(self, ticket: Ticket, now: float) -> bool:
        limits = self._limits
        if ticket.was.refusals < limits.alone_refusals or now - ticket.was.refused_at < limits.alone_seconds:
            return False
        if not limits.alone_others:
            return True
        if not ticket.was.has_failed_alone:
            return self._accepted.total() - ticket.was.refused_mark_anywhere >= limits.alone_others
        others = self._accepted[ticket.endpoint] - ticket.was.refused_mark
        standing = self._standings[ticket.endpoint]
        chance = standing.chance(ticket)
        if standing.acquitted == ticket.was.acquitted_mark:
            # What failed was to blame for it, then. Else a steady trickle of bad ones would be its own alibi.
            chance = min(chance, MOST_LIKELY)
        # The first counts for nothing: of all that were asked, it was chosen because it failed.
        return others >= limits.alone_others and chance ** (ticket.was.refusals - 1) <= limits.alone_chance

    def _try_later(self, outbox: Outbox, ticket: Ticket, kind: Kind, now: float) -> None:
        # A little more than an even share, so that the last try comes after the end of the time.
        limits = self._limits
        gaps = max(1, limits.alone_refusals - 1)
        pause = max(SHORTEST_PAUSE_SECONDS, limits.alone_seconds / gaps * (1.0 + 0.1 * self._dice()))
        self._endings.retry(outbox, ticket, now + pause, kind)
        if ticket.was.has_failed_alone:
            return  # an outage is no refusal: it is waited for
        refused = self._standings[outbox.endpoint].on_trial()
        refused.setdefault(ticket, now)
        # For as long as proof of a single one takes; what is accepted anywhere may still become that proof.
        since = max([min(refused.values()), *self._accepted_at.values()])
        if now - since >= limits.alone_seconds and len(refused) >= limits.sample_operations:
            self._enter_hold(HoldReason.EVERYTHING_REFUSED, outbox.endpoint)

    # --- refused by name, with everything beside it -----------------------------------------------

    def are_too_many(self, endpoint: Endpoint, tickets: list[Ticket]) -> bool:
        """Whether it is everything that is refused there, not a few bad ones that came together."""
        refused = self._standings[endpoint].on_trial().keys() | set(tickets)
        return len(refused) >= self._limits.probe_operations

    def refused_by_name(self, outbox: Outbox, ticket: Ticket, sent: int, now: float, *, is_all: bool) -> None:
        """At fault where others are accepted; where nothing was since, asked again with its like.

        Then it takes what it takes alone: minutes, and others accepted anywhere.
        """
        is_in_doubt = is_all or ticket in self._standings[outbox.endpoint].refused
        if ticket.is_merged or not is_in_doubt:
            self._endings.refuse(ticket, InvalidReason.REFUSED, now)
            return
        self._note(ticket, now, is_refusal=True)
        if self._is_at_fault(ticket, now):
            self._endings.refuse(ticket, InvalidReason.REFUSED, now)
        else:
            ticket.note.group_limit = sent
            self._try_later(outbox, ticket, Kind.LOOK, now)

    def _is_dry(self, endpoint: Endpoint, now: float) -> bool:
        """Whether the endpoint has accepted nothing for as long as a hold waits for its next probe."""
        last = self._accepted_at.get(endpoint)
        return last is None or now - last >= self._limits.hold_probe_seconds


def park(tickets: list[Ticket]) -> None:
    """Set aside, in nobody's queue but a hunt's."""
    for ticket in tickets:
        ticket.park()
