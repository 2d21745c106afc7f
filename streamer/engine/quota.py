"""The quota of the main API: this replica's share of it, what lowers it, and the rule for 429. Pure.

What may be called a minute is the least of three: the share by partitions, what Planhat's headers say is
left, and what a 429 has left of it for some minutes. The analytics host is not metered and takes nothing.
"""

import math
from typing import Final

from streamer.engine.limits import Limits
from streamer.engine.pace import WINDOW_SECONDS, Bucket, Window

LONGEST_WAIT_SECONDS: Final = 600.0
LEAST_CALLS: Final = 1.0
"""A minute, however little is left: without a call nobody learns that there is more again."""
LEAST_PART: Final = 1 / 16
"""Of the share, however many replies were 429: so it is whole again within the time of regrowth."""
LEAST_PART_BY_HEADER: Final = 1 / 4
"""Planhat does not document these headers: one that is always 0 must not bring us to a halt. Below this
part of the share only a 429 brings us."""


class Quota:
    """What the main API lets this replica send. It starts without a share of the calls."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.share = 0.0
        """Calls a minute by the partitions read here."""
        self._had_share = False
        self._calls = Bucket(0.0, limits.burst_calls, limits.start_calls)
        self._extras = Bucket(0.0, 1.0, 1.0)
        self._window = Window()
        self._blocked_until = -math.inf
        self._throttled_at = -math.inf
        self._throttles = 0
        self._part = 1.0
        """Of the share, right after the last 429."""
        self._left = math.inf
        """Calls a minute that the newest header leaves us; no word of it after a minute."""
        self._left_at = -math.inf

    # --- what may be sent -------------------------------------------------------------------------

    def tokens(self, now: float) -> float:
        """Calls allowed now."""
        self._set_rates(now)
        return max(0.0, self._calls.tokens(now)) if self._wait(now) == 0.0 else 0.0

    def may_call(self, now: float) -> bool:
        """Whether a request may go to the main API now."""
        self._set_rates(now)
        return self.share > 0.0 and self._wait(now) == 0.0 and self._calls.has(now)

    def may_call_extra(self, now: float) -> bool:
        """Whether a request that isolates or looks again may go now by the share of such requests."""
        self._set_rates(now)
        return self._extras.has(now)

    def has_spare_call(self, now: float) -> bool:
        """Whether a call that is not made now is lost by the next turn: no more can be saved up."""
        return self.may_call(now) and self._calls.overflows_within(now, self._limits.poll_seconds)

    def seconds_until_call(self, now: float) -> float:
        """Until the next call is allowed, as far as is known now; infinite without a share."""
        self._set_rates(now)
        return max(self._wait(now), self._calls.seconds_until(now)) if self.share else math.inf

    def calls_per_minute(self, now: float) -> float:
        """Calls a minute in force: the share, or less after a 429 or by Planhat's headers."""
        regrown = max(0.0, now - self._blocked_until) / self._limits.regrow_seconds
        calls = self.share * min(1.0, self._part + regrown)
        if now - self._left_at < WINDOW_SECONDS:
            calls = min(calls, max(self._left, self.share * LEAST_PART_BY_HEADER))
        return max(calls, min(self.share, LEAST_CALLS))

    def _wait(self, now: float) -> float:
        """Seconds for a 429, or because the last minute saw all calls of the share."""
        return max(0.0, self._blocked_until - now, self._window.seconds_until(now, max(1, int(self.share))))

    def _set_rates(self, now: float) -> None:
        calls = self.calls_per_minute(now)
        self._calls.set_rate(now, calls)
        self._extras.set_rate(now, calls * self._limits.extra_calls_ratio)

    # --- what changes it --------------------------------------------------------------------------

    def set_share(self, now: float, calls_per_minute: float) -> None:
        """Partitions came or went. A lost share takes its credit along, a grown one starts without.

        Who had the partition before may have called for it a moment ago, so one call is owed too. Nothing
        is by a replica that just started: others may have lost as much as it got, or nobody was there.
        """
        self._set_rates(now)
        if calls_per_minute < self.share:
            self._calls.keep(now, calls_per_minute / self.share)
        elif calls_per_minute > self.share and self._had_share:
            self._calls.owe(now, 1.0)
        self._had_share = self._had_share or calls_per_minute > 0.0
        self.share = calls_per_minute
        self._set_rates(now)

    def called(self, now: float, calls: int = 1, *, is_extra: bool) -> None:
        """A request goes out, counted as so many calls: those that follow it unasked are owed."""
        self._calls.take(now, calls)
        for _ in range(calls):
            self._window.add(now)
        if is_extra:
            self._extras.take(now)

    def throttled(self, now: float, retry_after_seconds: float | None, sent_at: float) -> None:
        """Planhat answered 429: everything on the main API waits, as told or 15 s doubling to 120 s.

        After that half of the calls go, and all of them again some minutes later. Answers to what was sent
        before the last 429 came tell nothing new.
        """
        is_news = sent_at > self._throttled_at
        if is_news:
            self._throttles += 1
            self._part = max(LEAST_PART, self.calls_per_minute(now) / self.share / 2) if self.share else 0.5
            self._throttled_at = now
        wait = retry_after_seconds
        if wait is None:
            wait = min(
                self._limits.throttled_longest_seconds,
                self._limits.throttled_first_seconds * 2.0 ** min(self._throttles - 1, 16),
            )
        self._blocked_until = max(self._blocked_until, now + min(wait, LONGEST_WAIT_SECONDS))
        self._calls.keep(now, 0.0)

    def answered(self, now: float, sent_at: float, remaining_calls: int | None) -> None:
        """Planhat answered otherwise: the next 429 starts at the shortest wait again.

        `remaining_calls` is what a header says is left in the tenant's minute, for everybody. What we made
        ourselves in that minute will be free again, so a minute has room for that and for what is left:
        as long as others leave us our share this is no less than it, whoever of us takes it.
        """
        self._throttles = 0
        if remaining_calls is not None:
            made = self._window.since(sent_at - 60.0)
            self._left, self._left_at = float(made + remaining_calls), now
