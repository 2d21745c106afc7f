"""Counting in plain integers: the owner thread adds, a scrape copies. No locks.

One thread writes. A reader copies a whole dict or list in one step of the interpreter, and the set
of cells never changes after the start, so a scrape sees each cell either before or after an addition.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import product

from streamer.metrics.catalogue import UNKNOWN, Metric

Labels = tuple[str, ...]


class Counts:
    """One integer for each combination of a metric's labels, all there from the start."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._cells: dict[Labels, int] = dict.fromkeys(product(*map(_words, metric.labels.values())), 0)

    def add(self, labels: Labels = (), count: int = 1) -> None:
        """Count; a word outside the label's closed set counts as `unknown`."""
        try:
            self._cells[labels] += count
        except KeyError:
            self._cells[self.known(labels)] += count

    def read(self) -> dict[Labels, int]:
        """A copy of every cell."""
        return self._cells.copy()

    def known(self, labels: Labels) -> Labels:
        """The labels under which these count."""
        allowed = self.metric.labels.values()
        return tuple(word if word in words else UNKNOWN for word, words in zip(labels, allowed, strict=True))


class Spread:
    """A histogram: how many values fell under each bound, and their sum."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        cells = product(*map(_words, metric.labels.values()))
        self._cells: dict[Labels, tuple[list[int], list[float]]] = {
            labels: ([0] * (len(metric.buckets) + 1), [0.0]) for labels in cells
        }

    def observe(self, value: float, labels: Labels = ()) -> None:
        """Count one value."""
        buckets, total = self._cells[labels]
        buckets[bisect_left(self.metric.buckets, value)] += 1
        total[0] += value

    def observe_all(self, values: Iterable[float], labels: Labels = ()) -> None:
        """Count values; what is negative, where clocks differ, counts as 0."""
        buckets, total = self._cells[labels]
        ordered = sorted(values)  # few bounds are looked for among many values, not the other way round
        below = 0
        for number, bound in enumerate(self.metric.buckets):
            within = bisect_right(ordered, bound)
            buckets[number] += within - below
            below = within
        buckets[-1] += len(ordered) - below
        total[0] += sum(ordered[bisect_right(ordered, 0.0) :])

    def read(self) -> dict[Labels, tuple[list[int], float]]:
        """By labels: values per bucket (not cumulated, the last one unbounded), and their sum."""
        return {labels: (buckets.copy(), total[0]) for labels, (buckets, total) in self._cells.items()}


def ages(written_at_ms: Iterable[int], now: float) -> list[float]:
    """Seconds from each of these moments, in milliseconds since 1970, until now, in seconds since 1970."""
    return [now - written_at / 1000 for written_at in written_at_ms]


def _words(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(str, values))
