"""Pace: calls evenly over the minute by a token bucket, and their count in any minute bounded. Pure.

The bucket alone would not do: a bucket of two that is refilled with n tokens a minute lets n + 1 calls
through in some minute, for each replica. So calls of the last minute are counted too.
"""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 61.0
"""A minute as Planhat counts it, and a second for requests that do not all take equally long to get there."""
LONGEST_ANSWER_SECONDS: Final = 120.0
"""How long calls are remembered past the window, for the replies to them that are still to come."""
_HAIR: Final = 1e-9
"""A token refilled in many small steps must not be missed by rounding."""


class Bucket:
    """A token bucket whose rate may change. `now` never goes back."""

    def __init__(self, per_minute: float, burst: float, tokens: float) -> None:
        self._rate = per_minute / WINDOW_SECONDS
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

    def set_rate(self, now: float, per_minute: float) -> None:
        """From now on; what was earned until now was earned at the rate before."""
        self.tokens(now)
        self._rate = per_minute / WINDOW_SECONDS

    def has(self, now: float) -> bool:
        """Whether a call is allowed now."""
        return self.tokens(now) >= 1.0 - _HAIR

    def overflows_within(self, now: float, seconds: float) -> bool:
        """Whether something of what is earned until then is lost, unless a token is spent."""
        return self.tokens(now) + seconds * self._rate >= self._burst - _HAIR

    def take(self, now: float, tokens: int = 1) -> None:
        """Spend one token, if there is one; more than one are owed until they are earned."""
        self._tokens = max(0.0, self.tokens(now) - 1.0) - (tokens - 1)

    def keep(self, now: float, ratio: float) -> None:
        """Lose all credit but this part of it."""
        self._tokens = self.tokens(now) * ratio

    def owe(self, now: float, tokens: float) -> None:
        """No credit, and so many tokens to be earned before there is any."""
        self.tokens(now)
        self._tokens = -tokens

    def seconds_until(self, now: float) -> float:
        """Until the next token; 0 when there is one, infinite when none will come."""
        missing = 1.0 - _HAIR - self.tokens(now)
        if missing <= 0.0:
            return 0.0
        return missing / self._rate if self._rate > 0.0 else float("inf")


class Window:
    """When this replica called, as far back as anybody asks."""

    def __init__(self) -> None:
        self._calls: deque[float] = deque()

    def add(self, now: float) -> None:
        """A call goes out."""
        self._calls.append(now)
        while self._calls[0] < now - WINDOW_SECONDS - LONGEST_ANSWER_SECONDS:
            self._calls.popleft()

    def since(self, moment: float) -> int:
        """Calls made after this moment."""
        return sum(call > moment for call in self._calls)

    def seconds_until(self, now: float, most: int) -> float:
        """Until one more call makes no more than `most` in any minute."""
        if len(self._calls) < most:
            return 0.0
        return max(0.0, self._calls[-most] + WINDOW_SECONDS - now)
