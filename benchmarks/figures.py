"""Medians, quantiles and what is made of one system's runs. Pure."""

import statistics
from collections.abc import Mapping, Sequence


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
    """One system's runs over a backlog of so many events; other figures of theirs as their medians."""
    middle = medians(runs)
    net = middle["cpu_seconds"] - middle["start_cpu_seconds"]
    return {
        "start_cpu_seconds": middle["start_cpu_seconds"],
        "events_per_second": events / middle["seconds"],
        "cpu_seconds_per_million": net / events * 1e6,
        "sink_cpu_seconds_per_million": middle["sink_cpu_seconds"] / events * 1e6,
        "peak_mib": middle["peak_mib"],
        "requests": middle["requests"],
        "items": middle["items"],
        "events_per_request": events / middle["requests"] if middle["requests"] else 0.0,
    } | {key: middle[key] for key in BESIDE if key in middle}


BESIDE = ("paced", "p50", "p99", "drain_seconds", "refused", "again", "activities_again", "restart_seconds")
"""Figures of what is measured beside the backlog: see `scenarios`."""
