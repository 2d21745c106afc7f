"""Suspects: telling an operation at fault from a Planhat that is.

Evidence is counted per endpoint: that companies are accepted says nothing about endusers, whose
endpoint may be down alone. Age alone never makes a dead letter.
"""

from collections import Counter
from collections.abc import Callable

from streamer.engine.dispatch import Dice
from streamer.engine.endings import Endings
from streamer.engine.isolation import Finding, Isolation
from streamer.engine.lanes import Ticket
from streamer.engine.limits import Limits
from streamer.engine.outbox import Kind, Outbox
from streamer.engine.ports import HoldReason
from streamer.outcomes import Endpoint, InvalidReason

SHORTEST_PAUSE_SECONDS = 1.0


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
        self._refused_alone: dict[Endpoint, set[int]] = {endpoint: set() for endpoint in Endpoint}
        """Tickets refused alone since the endpoint last accepted anything."""

    @property
    def has_accepted(self) -> bool:
        """Whether Planhat accepted anything since the start of this process."""
        return bool(self._accepted)

    def accepted(self, endpoint: Endpoint, count: int, now: float) -> None:
        """So many operations were accepted: the evidence that an endpoint works."""
        self._accepted[endpoint] += count
        self._accepted_at[endpoint] = now
        self._refused_alone[endpoint].clear()

    # --- bulks that keep failing ------------------------------------------------------------------

    def failed(self, endpoint: Endpoint, tickets: list[Ticket]) -> bool:
        """Their bulk failed as one bad operation can make it fail.

        True when one of them failed three times while others succeeded there: it is not an outage.
        """
        accepted = self._accepted[endpoint]
        for ticket in tickets:
            if not ticket.failures:
                ticket.accepted_mark = accepted
            ticket.failures += 1
        return any(
            t.failures >= self._limits.suspect_failures and accepted > t.accepted_mark for t in tickets
        )

    # --- hunts ------------------------------------------------------------------------------------

    def isolate(self, outbox: Outbox, tickets: list[Ticket], *, is_refusal: bool, now: float) -> None:
        """Begin to look for the one at fault."""
        if len(tickets) == 1:
            self.refused_alone(outbox, tickets[0], now, is_refusal=is_refusal)
            return
        park(tickets)
        sample = self._sample(tickets) if is_refusal else []
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
        self._found(outbox, finding, now, is_refusal=isolation.is_refusal)

    def _sample(self, tickets: list[Ticket]) -> list[Ticket]:
        """Random tickets that wait for none: an activity must not be sent before an earlier one."""
        free = [ticket for ticket in tickets if not ticket.waits_for]
        for i in range(min(len(free), self._limits.sample_operations)):
            j = i + int(self._dice() * (len(free) - i))
            free[i], free[j] = free[j], free[i]
        return free[: self._limits.sample_operations]

    def _found(self, outbox: Outbox, finding: Finding, now: float, *, is_refusal: bool) -> None:
        outbox.pool.put_back(finding.freed, at_head=True)
        for ticket in finding.culprits:
            if not self._endings.goes_back(ticket, now):
                self.refused_alone(outbox, ticket, now, is_refusal=is_refusal)
        if finding.is_everything and self._is_dry(outbox.endpoint, self._limits.hold_probe_seconds, now):
            self._enter_hold(HoldReason.EVERYTHING_REFUSED, outbox.endpoint)

    # --- one alone --------------------------------------------------------------------------------

    def refused_alone(self, outbox: Outbox, ticket: Ticket, now: float, *, is_refusal: bool) -> None:
        """Refused (a 4xx) or failed on its own: its own fault only when others pass, over minutes.

        Others at its endpoint, for a failure that an outage can cause; others anywhere, for a refusal:
        Planhat answered, so it is not down, and were its endpoint quiet the proof might never come.
        """
        limits, endpoint = self._limits, outbox.endpoint
        if ticket.is_merged:
            self._endings.refuse(ticket, InvalidReason.REFUSED_ALONE, now, is_suspect=True)
            return
        if not ticket.refusals:
            ticket.refused_at = now
            ticket.refused_mark = self._accepted[endpoint]
            ticket.refused_mark_anywhere = self._accepted.total()
        ticket.refusals += 1
        ticket.has_failed_alone = ticket.has_failed_alone or not is_refusal
        others = (
            self._accepted[endpoint] - ticket.refused_mark
            if ticket.has_failed_alone
            else self._accepted.total() - ticket.refused_mark_anywhere
        )
        if (
            ticket.refusals >= limits.alone_refusals
            and now - ticket.refused_at >= limits.alone_seconds
            and others >= limits.alone_others
        ):
            self._endings.refuse(ticket, InvalidReason.REFUSED_ALONE, now)
            return
        # A little more than an even share, so that the last try comes after the end of the time.
        gaps = max(1, limits.alone_refusals - 1)
        pause = max(SHORTEST_PAUSE_SECONDS, limits.alone_seconds / gaps * (1.0 + 0.1 * self._dice()))
        self._endings.retry(outbox, ticket, now + pause, Kind.ALONE)
        self._hold_if_all_are(endpoint, ticket, now)

    def _hold_if_all_are(self, endpoint: Endpoint, ticket: Ticket, now: float) -> None:
        """Many refused alone, and nothing accepted for as long as proof of a single one takes."""
        alone = self._refused_alone[endpoint]
        alone.add(ticket.number)
        is_dry = self._is_dry(endpoint, self._limits.alone_seconds, now)
        if is_dry and len(alone) >= self._limits.sample_operations:
            self._enter_hold(HoldReason.EVERYTHING_REFUSED, endpoint)

    def _is_dry(self, endpoint: Endpoint, seconds: float, now: float) -> bool:
        """Whether the endpoint has accepted nothing for so long."""
        last = self._accepted_at.get(endpoint)
        return last is None or now - last >= seconds


def park(tickets: list[Ticket]) -> None:
    """Set aside, in nobody's queue but a hunt's."""
    for ticket in tickets:
        ticket.park()
