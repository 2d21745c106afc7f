"""One line for many alike: the first at once, the others counted into the next."""

from collections.abc import Callable, Hashable

QUIET_SECONDS = 10.0
"""Between two lines about the same thing."""
MOST_KEYS = 1000
"""Beyond that all is forgotten: a key that is never the same twice must not fill the memory."""


class Quiet:
    """Remembers what was told when. For one thread at a time."""

    def __init__(self, monotonic: Callable[[], float], seconds: float = QUIET_SECONDS) -> None:
        self._monotonic = monotonic
        self._seconds = seconds
        self._told: dict[Hashable, tuple[float, int]] = {}

    def due(self, key: Hashable, count: int = 1) -> int:
        """How many a line about this key would stand for now, or 0 if it is too early for one."""
        since, silent = self._told.get(key, (float("-inf"), 0))
        now = self._monotonic()
        if now - since < self._seconds:
            self._told[key] = (since, silent + count)
            return 0
        if len(self._told) >= MOST_KEYS:
            self._told.clear()
        self._told[key] = (now, 0)
        return silent + count
