"""The main API's limits: calls a minute and token, calls a second, requests in flight."""

import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from math import ceil
from typing import NamedTuple

from streamer.standins.planhat.choices import HeaderSpelling, QuotaWindow, ResetHeader, RetryAfter
from streamer.standins.planhat.switches import Board

WINDOW_SECONDS = 60.0


class Decision(NamedTuple):
    """Whether a call may be served, and what its reply says of the quota."""

    may_pass: bool
    headers: dict[str, str]


class Quota:
    """Counts calls. A call that is refused does not count (I)."""

    def __init__(
        self,
        board: Board,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._clock = clock
        self._wall_clock = wall_clock
        self._windows: dict[str, deque[float]] = {}
        self._second: deque[float] = deque()
        self.in_flight = 0
        self.refused = 0

    def enter(self, token: str) -> Decision:
        """A call arrives; where it may pass, `leave` must follow."""
        switches = self._board.now
        now = self._clock()
        window = self._window(token, now)
        while self._second and now - self._second[0] >= 1.0:
            self._second.popleft()
        minute_full = 0 < switches.calls_per_minute <= len(window)
        second_full = 0 < switches.calls_per_second <= len(self._second)
        flight_full = 0 < switches.parallel_calls <= self.in_flight
        may_pass = not (minute_full or second_full or flight_full)
        if may_pass:
            window.append(now)
            self._second.append(now)
            self.in_flight += 1
        else:
            self.refused += 1
        resets_in = max(0.0, window[0] + WINDOW_SECONDS - now) if window else WINDOW_SECONDS
        wait = resets_in if minute_full else 1.0
        return Decision(may_pass, self._headers(len(window), resets_in, None if may_pass else wait))

    def leave(self) -> None:
        """A call that passed is answered."""
        self.in_flight -= 1

    def _window(self, token: str, now: float) -> deque[float]:
        """The calls that count now: of the last minute, or of the minute that its first call opened."""
        window = self._windows.setdefault(token, deque())
        if self._board.now.quota_window is QuotaWindow.FIXED:
            if window and now - window[0] >= WINDOW_SECONDS:
                window.clear()
        else:
            while window and now - window[0] >= WINDOW_SECONDS:
                window.popleft()
        return window

    def _headers(self, used: int, resets_in: float, wait: float | None) -> dict[str, str]:
        switches = self._board.now
        headers: dict[str, str] = {}
        limit = switches.calls_per_minute
        remaining = str(max(0, limit - used))
        if limit and switches.header_spelling is HeaderSpelling.HYPHENATED:
            headers = {"X-Rate-Limit-Limit": str(limit), "X-Rate-Limit-Remaining": remaining}
        elif limit and switches.header_spelling is HeaderSpelling.JOINED:
            epoch = switches.reset_header is ResetHeader.EPOCH
            reset = ceil(resets_in + (self._wall_clock() if epoch else 0.0))
            headers = {
                "x-ratelimit-limit": str(limit),
                "x-ratelimit-remaining": remaining,
                "x-ratelimit-reset": str(reset),
            }
        if wait is not None and switches.retry_after is RetryAfter.SECONDS:
            headers["Retry-After"] = str(ceil(wait))
        elif wait is not None and switches.retry_after is RetryAfter.DATE:
            headers["Retry-After"] = formatdate(ceil(self._wall_clock() + wait), usegmt=True)
        return headers
