"""How many bad records are too many: the difference between bad records and a bad release.

Two windows of the last 1,000: records as they are read (unreadable or not), and records as Planhat
answers for them (refused or not). They are apart because reading runs far ahead of answers: counted
together, a few unreadable records read first would look like many, and many refusals like few.

A candidate stays unproduced until its window shows (by 100 records) that fewer than 20 % are bad;
when either shows more, the guard trips and no candidate is produced. A few letters per process need
no evidence, so that a quiet topic whose first record is bad is not held up; ten restarts on an
all-bad topic leave at most a hundred.
"""

from streamer.engine.limits import Limits


class Window:
    """The last records of one kind of judgement, each good or bad."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bad_places = bytearray(limits.dead_letter_window)
        self._judged = 0
        self._bad = 0

    def judge(self, *, is_bad: bool) -> None:
        """One more record."""
        place = self._judged % len(self._bad_places)
        self._bad += is_bad - self._bad_places[place]
        self._bad_places[place] = is_bad
        self._judged += 1

    @property
    def has_evidence(self) -> bool:
        """Enough records were judged to say anything."""
        return self._judged >= self._limits.dead_letter_evidence

    @property
    def is_tripped(self) -> bool:
        """Too many of the last records are bad."""
        known = min(self._judged, len(self._bad_places))
        return self.has_evidence and self._bad >= self._limits.dead_letter_ratio * known


class DeadLetterGuard:
    """Says whether letters may be produced."""

    def __init__(self, limits: Limits) -> None:
        self.reading = Window(limits)
        self.answers = Window(limits)
        self._free = limits.dead_letter_allowance

    @property
    def is_tripped(self) -> bool:
        """The fault is not in the records."""
        return self.reading.is_tripped or self.answers.is_tripped

    def may_produce(self, window: Window) -> bool:
        """Whether one more candidate, judged bad in this window, may be produced now."""
        return not self.is_tripped and (self._free > 0 or window.has_evidence)

    def produced(self) -> None:
        """A candidate was produced for the first time."""
        self._free = max(0, self._free - 1)
