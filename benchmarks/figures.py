"""Medians, quantiles, paces, exponents, and what is made of one system's runs. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all is at most (0.99 is p99): one that was measured, none between two.

    Raises ValueError where there is none.
    """
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure that all runs have."""
    common = set(runs[0]).intersection(*runs)
    return {key: statistics.median(run[key] for run in runs) for key in runs[0] if key in common}


def summed_up(runs: Sequence[Mapping[str, float]], events: int) -> dict[str, float]:
    """One system's runs over a backlog of so many events; other figures of theirs as their medians.

    `to_floor`: each run's CPU for an event beside the floor that was measured around it.
    """
    middle = medians(runs)
    told = {key: runs[0][key] for key in ONCE if key in runs[0]} | middle
    net = middle["cpu_seconds"] - middle["start_cpu_seconds"]
    costs = [(run["cpu_seconds"] - run["start_cpu_seconds"]) / events * 1e6 for run in runs]
    return {
        "to_floor": statistics.median(cost / run["floor_us"] for cost, run in zip(costs, runs, strict=True)),
        "start_cpu_seconds": middle["start_cpu_seconds"],
        "events_per_second": events / middle["seconds"],
        "cpu_seconds_per_million": net / events * 1e6,
        "sink_cpu_seconds_per_million": middle["sink_cpu_seconds"] / events * 1e6,
        "peak_mib": middle["peak_mib"],
        "requests": middle["requests"],
        "items": middle["items"],
        "events_per_request": events / middle["requests"] if middle["requests"] else 0.0,
    } | {key: told[key] for key in BESIDE if key in told}


ONCE = ("drain_seconds", "refused")
"""Figures of the first run alone."""
BESIDE = ("paced", "p50", "p99", *ONCE, "again", "activities_again", "restart_seconds")
"""Figures of what is measured beside the backlog: see `scenarios`."""


class Look(NamedTuple):
    """How many records were committed at a moment."""

    at: float
    committed: int


class Done(NamedTuple):
    """How long a group took."""

    seconds: float
    pace: float
    """Records/s from the first commit that was seen to the last: start-up is no part of it."""


def done(looks: Sequence[Look]) -> Done:
    """Of looks from the start to the end. Where all came with the first commit, the pace is the whole's."""
    start, last = looks[0], looks[-1]
    first = next((look for look in looks if look.committed), last)
    if first.committed == last.committed:
        first = start
    seconds = last.at - start.at
    return Done(seconds, (last.committed - first.committed) / (last.at - first.at) if seconds else 0.0)


def slope(low: tuple[float, float], high: tuple[float, float]) -> float:
    """The exponent of growth between two points (x, cost): 1 is linear, 0 is no growth, 2 is the square."""
    return (math.log(high[1]) - math.log(low[1])) / (math.log(high[0]) - math.log(low[0]))


def steepest(points: Sequence[tuple[float, float]]) -> float:
    """The largest exponent between neighbours: where growth sets in late, the fit over all hides it.

    `points` ascend by x. Raises ValueError as `exponent` does.
    """
    _check(points)
    return max(slope(low, high) for low, high in pairwise(points))


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The exponent a of cost = c * x^a, fitted to (x, cost) by least squares of their logarithms.

    Raises ValueError for fewer than two different x, and for what is not above zero.
    """
    _check(points)
    logs = [(math.log(x), math.log(cost)) for x, cost in points]
    return statistics.linear_regression(*zip(*logs, strict=True)).slope


def _check(points: Sequence[tuple[float, float]]) -> None:
    if len({x for x, _ in points}) < 2:
        raise ValueError("growth needs two different sizes")
    if any(x <= 0 or cost <= 0 for x, cost in points):
        raise ValueError("sizes and costs are above zero")
