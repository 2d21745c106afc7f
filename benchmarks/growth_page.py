"""The part of docs/performance.md on what work costs as it grows, and its plot, from results. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.figures import exponent, steepest

Points = Sequence[Mapping[str, float]]
TOLERANCE = 0.1
"""Of an exponent: figures of shared cores are no better."""


class Axis(NamedTuple):
    """What grows."""

    title: str
    unit: str
    may_grow: float
    """The exponent of an event's cost at which the whole is linear in what grows."""


AXES = {
    "partitions": Axis("partitions", "partitions, the same events in all", 1.0),
    "keys": Axis("keys", "users, each heard of at least once", 1.0),
    "size": Axis("event size", "bytes, about", 1.0),
    "backlog": Axis("backlog", "events of all call types", 0.0),
    "replicas": Axis("replicas", "of one simulated group with 512 partitions", 1.0),
}

_PAGE = """## Cost as work grows

`make bench-growth`, last on {cores} cores with Python {python}: `streamer` alone, one run for each row, in a
real Apache Kafka beside the counting sink. Start-up is measured for each row over a topic of one event, and
taken off CPU. events/s is between the first commit and the last.

{fits}
The exponent a is that of cost = c * x^a, fitted by least squares of logarithms over all rows: 0 is no growth,
1 is linear. Beside it stands the largest between two neighbouring rows, since growth that sets in late is
hidden in a fit over all. CPU is that of an event: of a backlog it may not grow at all, or the whole would
grow faster than the backlog; else it may grow as what grows. {tolerance} more is taken for noise.

![CPU and memory as work grows]({plot})

{tables}"""

_REPLICAS = """\
Replicas are engines under a virtual clock, without Kafka: they share one backlog and a budget of 160 calls a
minute. A process may make one call right at its start, so a group of more replicas than the budget has calls
is above it in the minute in which all start at once.
"""


def row(point: Mapping[str, float]) -> str:
    """One line of an axis's table."""
    return (
        f"| {point['x']:,.0f} | {point['events']:,.0f} | {point['event_bytes']:,.0f} "
        f"| {point['events_per_second']:,.0f} | {point['cpu_us']:.1f} | {point['start_cpu_seconds']:.1f} "
        f"| {point['peak_mib']:.0f} | {point['events_per_request']:,.0f} |"
    )


def _replicas_row(point: Mapping[str, float]) -> str:
    return (
        f"| {point['x']:,.0f} | {point['events']:,.0f} | {point['cpu_us']:.1f} "
        f"| {point['events_per_request']:,.0f} | {point['busiest_minute']:,.0f} | {point['seconds']:.1f} |"
    )


def table(name: str, points: Points) -> str:
    """Markdown of one axis."""
    title, unit, _ = AXES[name]
    if name == "replicas":
        columns = "events | CPU µs per event | events per request | calls in the busiest minute | virtual s"
        rows, note = [_replicas_row(point) for point in points], f"\n{_REPLICAS}"
    else:
        columns = (
            "events | bytes each | events/s | CPU µs per event | start-up CPU s | peak MiB | per request"
        )
        rows, note = [row(point) for point in points], ""
    rule = "|---" * (columns.count("|") + 2) + "|"
    return "\n".join([f"### {title.capitalize()}\n", f"| {unit} | {columns} |", rule, *rows]) + f"\n{note}"


def _costs(points: Points, figure: str) -> list[tuple[float, float]]:
    return [(point["x"], point[figure]) for point in points if point.get(figure, 0) > 0]


def is_superlinear(name: str, points: Points) -> bool:
    """Whether all the work of this axis costs more than in proportion to what grows."""
    costs = _costs(points, "cpu_us")
    return len(costs) > 1 and exponent(costs) > AXES[name].may_grow + TOLERANCE


def fits(results: Mapping[str, Any]) -> str:
    """Markdown: a line for each axis that was measured."""
    lines = [
        (
            "| what grows | from | to | CPU of an event: a | steepest | memory: a | steepest "
            "| faster than the work |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, points in _measured(results):
        cells = []
        for figure in ("cpu_us", "peak_mib"):
            costs = _costs(points, figure)
            cells += [f"{exponent(costs):.2f}", f"{steepest(costs):.2f}"] if len(costs) > 1 else ["", ""]
        verdict = "**yes**" if is_superlinear(name, points) else "no"
        ends = f"{points[0]['x']:,.0f} | {points[-1]['x']:,.0f}"
        lines.append(f"| {AXES[name].title} | {ends} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(lines) + "\n"


def _measured(results: Mapping[str, Any]) -> list[tuple[str, Points]]:
    return [(name, results["axes"][name]) for name in AXES if results["axes"].get(name)]


def section(results: Mapping[str, Any], plot_name: str) -> str:
    """The whole section."""
    tables = "\n".join(table(name, points) for name, points in _measured(results))
    told = {name: results[name] for name in ("cores", "python")}
    return _PAGE.format(fits=fits(results), tables=tables, plot=plot_name, tolerance=TOLERANCE, **told)
