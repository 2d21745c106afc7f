"""What was counted in the last minute: the counters now, less what they said a minute ago."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from streamer.metrics.tallies import Counts, Labels

WINDOW_SECONDS: Final = 60.0
NOTE_SECONDS: Final = 5.0
"""Between two notes; so much longer than a minute the minute may be."""


class Minute(NamedTuple):
    """How much each counter went up, and in how many seconds: fewer than a minute after a start."""

    seconds: float
    counts: Mapping[str, Mapping[Labels, int]]
    """By name of the counter, then by labels; only of those that are noted."""


class _Note(NamedTuple):
    at: float
    told: Mapping[str, Mapping[Labels, int]]


class LastMinute:
    """Notes of a few counters. The owner thread notes, any thread asks."""

    def __init__(self, counters: Iterable[Counts], monotonic: Callable[[], float]) -> None:
        self._counters = tuple(counters)
        self._monotonic = monotonic
        self._notes: tuple[_Note, ...] = (self._noted(),)
        """Oldest first; replaced, never changed."""

    def note(self) -> None:
        """Note what has been counted, unless that was done just now."""
        now = self._monotonic()
        if now - self._notes[-1].at < NOTE_SECONDS:
            return
        recent = [each for each in self._notes if now - each.at < WINDOW_SECONDS]
        before = self._notes[: len(self._notes) - len(recent)]
        self._notes = (*before[-1:], *recent, self._noted())

    def read(self) -> Minute:
        """How much more has been counted by now than a minute ago.

        Where nothing was noted for longer, as by an owner that stands still, it is by as much longer.
        """
        notes = self._notes
        now = self._noted()
        then = notes[0]
        for each in notes:
            if now.at - each.at >= WINDOW_SECONDS:
                then = each

        more = {
            name: {labels: count - then.told[name][labels] for labels, count in counts.items()}
            for name, counts in now.told.items()
        }
        return Minute(now.at - then.at, more)

    def _noted(self) -> _Note:
        at = self._monotonic()
        return _Note(at, {each.metric.name: each.read() for each in self._counters})
