"""How many bad records are too many: the difference between bad records and a bad release.

Two judgements: of records as they are read (unreadable or not), and of records as Planhat answers for
them (refused or not). They are apart because reading runs far ahead of answers: counted together, a few
unreadable records read first would look like many, and many refusals like few.

A candidate stays unproduced until its judgement shows (by 100 records) that fewer than 20 % are bad;
when either shows more, the guard trips and no candidate is produced. A few letters per process need
no evidence, so that a quiet topic whose first record is bad is not held up; ten restarts on an
all-bad topic leave at most a hundred.
"""

from typing import Final, Protocol

from streamer.engine.limits import Limits

EVERYTHING: Final = 1.0
"""The share that an operator lets be bad where a stretch of the topic is, for good."""
MOST_COHORTS: Final = 128
"""So many of the newest are kept apart; what was read before is the oldest of them."""


class Judgement(Protocol):
    """What is known of one kind."""

    @property
    def has_evidence(self) -> bool:
        """Enough records were judged to say anything."""

    @property
    def is_tripped(self) -> bool:
        """Too many of some that belong together are bad."""


class Window:
    """The last records in the order of judgement, each good or bad; as many as the limits say."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bad_places = bytearray(limits.dead_letter_window)
        self._judged = 0
        self._bad = 0

    def judge(self, count: int = 1, *, is_bad: bool) -> None:
        """So many more records, one after another, all of them good or all bad."""
        places = self._bad_places
        left = min(count, len(places)) if is_bad or self._bad else 0  # where none is bad each place says so
        place = self._judged % len(places)
        while left:
            end = min(place + left, len(places))
            self._bad += (end - place) * is_bad - places.count(1, place, end)
            places[place:end] = bytes([is_bad]) * (end - place)
            left -= end - place
            place = 0
        self._judged += count

    @property
    def has_evidence(self) -> bool:
        """Enough records were judged to say anything."""
        return self._judged >= self._limits.dead_letter_evidence

    @property
    def is_tripped(self) -> bool:
        """Too many of the last records are bad."""
        known = min(self._judged, len(self._bad_places))
        return self.has_evidence and self._bad >= self._limits.dead_letter_ratio * known


class Cohort:
    """Records that were read one after another, and what is known of them by now."""

    __slots__ = ("bad", "judged", "read", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        """When the first of them was read."""
        self.read = self.judged = self.bad = 0


class Cohorts:
    """Records in the order of reading, each good or bad as soon as it is answered for.

    Not in the order of answers: what is refused merged is told again one by one, so after an outage with a
    backlog those refused come last, long after the good ones read beside them, and for a while would be
    most of what is answered.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cohorts = [Cohort(0.0)]
        self._judged = 0
        self._is_new = False
        """Something was judged since the last look."""
        self._is_tripped = False

    def read(self, count: int, now: float) -> None:
        """So many were read together, at this moment."""
        newest = self._cohorts[-1]
        if newest.read >= self._limits.dead_letter_window:
            newest = Cohort(now)
            self._cohorts.append(newest)
            self._forget_oldest()
        newest.read += count

    def _forget_oldest(self) -> None:
        """What of it is answered for later counts with all that was read before: good ones are among that."""
        if len(self._cohorts) > MOST_COHORTS:
            oldest = self._cohorts.pop(0)
            self._cohorts[0].judged += oldest.judged
            self._cohorts[0].bad += oldest.bad

    def judge(self, read_at: float, count: int = 1, *, is_bad: bool) -> None:
        """So many more records, read together, are answered for."""
        cohort = self._cohorts[-1]
        if read_at < cohort.since:
            cohort = self._cohort_of(read_at)
        cohort.judged += count
        cohort.bad += count * is_bad
        self._judged += count
        self._is_new = True

    def _cohort_of(self, read_at: float) -> Cohort:
        cohorts = self._cohorts
        for place in range(len(cohorts) - 1, 0, -1):
            if cohorts[place].since <= read_at:
                return cohorts[place]
        return cohorts[0]

    @property
    def has_evidence(self) -> bool:
        """Enough records were judged to say anything."""
        return self._judged >= self._limits.dead_letter_evidence

    @property
    def is_tripped(self) -> bool:
        """Too many are bad among those read together: a cohort, and before it as many as it takes."""
        if self._is_new:
            self._is_new = False
            self._is_tripped = any(map(self._is_bad, range(len(self._cohorts))))
        return self._is_tripped

    def _is_bad(self, place: int) -> bool:
        limits = self._limits
        if not self._cohorts[place].bad:
            return False
        judged = bad = 0
        while place >= 0 and judged < limits.dead_letter_window:
            judged += self._cohorts[place].judged
            bad += self._cohorts[place].bad
            place -= 1
        return judged >= limits.dead_letter_evidence and bad >= limits.dead_letter_ratio * judged


class DeadLetterGuard:
    """Says whether letters may be produced."""

    def __init__(self, limits: Limits) -> None:
        self.reading = Window(limits)
        self.answers = Cohorts(limits)
        self._free = limits.dead_letter_allowance
        self._is_on = limits.dead_letter_ratio < EVERYTHING

    @property
    def is_tripped(self) -> bool:
        """The fault is not in the records."""
        return self._is_on and (self.reading.is_tripped or self.answers.is_tripped)

    def may_produce(self, judgement: Judgement) -> bool:
        """Whether one more candidate, judged bad so, may be produced now. Where all may be, none waits."""
        may_be_good = self._free > 0 or judgement.has_evidence
        return not self._is_on or (may_be_good and not self.is_tripped)

    def produced(self) -> None:
        """A candidate was produced for the first time."""
        self._free = max(0, self._free - 1)
