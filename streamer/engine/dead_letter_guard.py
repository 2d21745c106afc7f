"""How many bad records are too many: the difference between bad records and a bad release.

The window holds the last 1,000 records, good or bad. A candidate stays unproduced until there is
evidence (100 records) that fewer than 20 % are bad; when more are, the guard trips and none of the
candidates is produced. A few letters per process need no evidence, so that a quiet topic whose
first record is bad is not held up; ten restarts on an all-bad topic leave at most a hundred.
"""

from streamer.engine.limits import Limits


class DeadLetterGuard:
    """Counts the last records as good or bad and says whether letters may be produced."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._window = bytearray(limits.dead_letter_window)
        self._judged = 0
        self._bad = 0
        self._free = limits.dead_letter_allowance

    def judge(self, *, is_bad: bool) -> int:
        """A record was read; returns its place, for `turned_bad`."""
        place = self._judged
        slot = place % len(self._window)
        self._bad += is_bad - self._window[slot]
        self._window[slot] = is_bad
        self._judged += 1
        return place

    def turned_bad(self, place: int) -> None:
        """A record judged good was refused by Planhat later."""
        if place < 0 or self._judged - place > len(self._window):
            self.judge(is_bad=True)
            return
        slot = place % len(self._window)
        self._bad += 1 - self._window[slot]
        self._window[slot] = 1

    @property
    def is_tripped(self) -> bool:
        """Too many of the last records are bad."""
        known = min(self._judged, len(self._window))
        return (
            known >= self._limits.dead_letter_evidence and self._bad >= self._limits.dead_letter_ratio * known
        )

    def may_produce(self) -> bool:
        """Whether one more candidate may be produced now."""
        if self.is_tripped:
            return False
        return self._free > 0 or self._judged >= self._limits.dead_letter_evidence

    def produced(self) -> None:
        """A candidate was produced for the first time."""
        self._free = max(0, self._free - 1)
