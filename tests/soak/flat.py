"""Whether a figure of a process keeps its level for hours. Pure.

Two tests together: the slope (Theil and Sen's: the median over all pairs of points, which single outliers do
not move) and the level at the end against the level at the beginning. What a fault did once is forgiven where
it levels: there is a moment, no later than two thirds through, from which on both tests hold.
"""

import statistics
from collections.abc import Sequence
from itertools import combinations
from typing import Final, NamedTuple

FEWEST: Final = 8
"""Points that a judgement needs."""
LEVEL_SHARE: Final = 0.2
"""The first and the last fifth of the points tell the levels."""
LEVELS_BY: Final = 2 / 3
"""A step later than that has not shown yet that it levels."""
HOUR: Final = 3_600.0


class Point(NamedTuple):
    """A figure at a moment."""

    at: float
    """In seconds."""
    value: float


class Bound(NamedTuple):
    """What is flat."""

    ratio: float
    """The end may be above the level by this share of it,"""
    noise: float
    """or by so much: less cannot be told from chance."""
    an_hour: float
    """The slope may be so much an hour, or `noise` over the time that was judged, if that is more."""
    step: float
    """What faults may have added, in steps that level, over the whole time."""


class Flat(NamedTuple):
    """A judgement."""

    is_flat: bool
    since: float
    """From when on it holds; where it never does, from when on it was judged."""
    level: float
    """At first, from then on."""
    end: float
    an_hour: float
    """The slope from then on."""
    visible: float
    """A slope above this would have been told."""
    forgiven: float
    """What came in a step before `since`, or fell away; 0 if judged from the beginning."""


def slope(points: Sequence[Point]) -> float:
    """Theil and Sen's estimate, an hour. Raises ValueError where no two points differ in time."""
    slopes = [
        (late.value - early.value) / (late.at - early.at) for early, late in combinations(points, 2)
        if late.at > early.at
    ]  # fmt: skip
    if not slopes:
        raise ValueError("a slope needs two moments")
    return statistics.median(slopes) * HOUR


def flat(points: Sequence[Point], bound: Bound, faults: Sequence[float] = ()) -> Flat:
    """Judge points in the order of time, those of the warm-up left out; `faults` are moments.

    Raises ValueError for fewer than `FEWEST` points.
    """
    if len(points) < FEWEST:
        raise ValueError(f"{len(points)} points tell no level: it takes {FEWEST}")
    began, ended = points[0].at, points[-1].at
    latest = began + (ended - began) * LEVELS_BY
    whole = _judged(points, bound, points[0].value)
    for since in (began, *sorted(each for each in faults if began < each <= latest)):
        later = [point for point in points if point.at >= since]
        if len(later) < FEWEST:
            break
        found = _judged(later, bound, whole.level)
        if found.is_flat and found.forgiven <= bound.step:
            return found if since > began else found._replace(forgiven=0.0)
    return whole._replace(forgiven=0.0)


def _judged(points: Sequence[Point], bound: Bound, before: float) -> Flat:
    count = max(1, int(len(points) * LEVEL_SHARE))
    level = statistics.median(point.value for point in points[:count])
    end = statistics.median(point.value for point in points[-count:])
    hours = (points[-1].at - points[0].at) / HOUR
    visible = max(bound.an_hour, bound.noise / hours)
    an_hour = slope(points)
    keeps = end - level <= max(bound.noise, bound.ratio * level)
    return Flat(keeps and an_hour <= visible, points[0].at, level, end, an_hour, visible, level - before)
