"""The quota of the main API: a token bucket over a given clock, and the rule for 429.

Starts with one token and holds at most `burst_calls`, so a restart loop cannot overdraw. The
analytics host is not metered and takes no tokens.
"""

from streamer.engine.limits import Limits


class Bucket:
    """A token bucket. `now` never goes back."""

    def __init__(self, per_minute: float, burst: float, tokens: float = 1.0) -> None:
        self._rate = per_minute / 60.0
        self._burst = burst
        self._tokens = tokens
        self._at: float | None = None

    def tokens(self, now: float) -> float:
        """Calls allowed now."""
        if self._at is not None and now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        if self._at is None or now > self._at:
            self._at = now
        return self._tokens

    def has(self, now: float) -> bool:
        """Whether a call is allowed now."""
        # A hair below one: a token refilled in many small steps must not miss it by rounding.
        return self.tokens(now) >= 1.0 - 1e-9

    def take(self, now: float) -> None:
        """Spend one token."""
        self._tokens = max(0.0, self.tokens(now) - 1.0)

    def drain(self, now: float) -> None:
        """Start again without credit."""
        self.tokens(now)
        self._tokens = 0.0


class Quota:
    """What the main API lets this process send: its bucket, the share for extras, the 429 rule."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._calls = Bucket(limits.calls_per_minute, limits.burst_calls)
        self._extras = Bucket(limits.calls_per_minute * limits.extra_calls_ratio, 1.0)
        self._blocked_until = 0.0
        self._throttles = 0

    def tokens(self, now: float) -> float:
        """Calls allowed now."""
        return 0.0 if now < self._blocked_until else self._calls.tokens(now)

    def may_call(self, now: float) -> bool:
        """Whether a request may go to the main API now."""
        return now >= self._blocked_until and self._calls.has(now)

    def may_call_extra(self, now: float) -> bool:
        """Whether a request that isolates or looks again may go now."""
        return self._extras.has(now)

    def called(self, now: float, *, is_extra: bool, is_metered: bool = True) -> None:
        """A request goes out."""
        if is_metered:
            self._calls.take(now)
        if is_extra:
            self._extras.take(now)

    def throttled(self, now: float, retry_after_seconds: float | None) -> None:
        """Planhat answered 429: everything on the main API waits, as told or 15 s doubling to 120 s."""
        wait = retry_after_seconds
        if wait is None:
            wait = min(
                self._limits.throttled_longest_seconds,
                self._limits.throttled_first_seconds * 2.0 ** min(self._throttles, 16),
            )
        self._throttles += 1
        self._blocked_until = max(self._blocked_until, now + min(wait, 600.0))
        self._calls.drain(now)

    def answered(self) -> None:
        """Planhat answered otherwise: the next 429 starts at the shortest wait again."""
        self._throttles = 0
