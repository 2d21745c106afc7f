"""The plot of what work costs as it grows: a panel for each axis and figure, on logarithmic scales. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.growth_page import AXES

WIDTH, HEIGHT = 270, 110
LEFT, TOP = 40, 34
GAP_X, GAP_Y = 80, 70
FIGURES = (("cpu_us", "CPU µs per event", "#2f6f9f"), ("peak_mib", "peak MiB", "#7a5c99"))


def plot(results: Mapping[str, Any]) -> str:
    """SVG of all axes that were measured."""
    rows = [(name, results["axes"][name]) for name in AXES if results["axes"].get(name)]
    height = len(rows) * (HEIGHT + GAP_Y) + TOP
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" font-family="sans-serif" '
            'font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        )
    ]
    for number, (name, points) in enumerate(rows):
        for column, (figure, title, colour) in enumerate(FIGURES):
            costs = [(point["x"], point[figure]) for point in points if point.get(figure, 0) > 0]
            if len(costs) > 1:
                left, top = LEFT + column * (WIDTH + GAP_X), TOP + number * (HEIGHT + GAP_Y)
                parts += _panel(f"{title} by {AXES[name].title}", costs, left, top, colour)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(title: str, costs: Sequence[tuple[float, float]], left: int, top: int, colour: str) -> list[str]:
    """A frame, its grid by decades, the line and its points with the figures."""
    low_x, high_x = math.log10(costs[0][0]), math.log10(costs[-1][0])
    # At least a decade high, or noise would look like growth.
    middle = sum(math.log10(cost) for _, cost in costs) / len(costs)
    span = max(1.0, *(abs(math.log10(cost) - middle) * 2.4 for _, cost in costs))

    def at(x: float, cost: float) -> tuple[float, float]:
        along = (math.log10(x) - low_x) / (high_x - low_x)
        return left + along * WIDTH, top + HEIGHT * (0.5 - (math.log10(cost) - middle) / span)

    parts = [
        f'<text x="{left}" y="{top - 8}" font-weight="bold">{escape(title)}</text>',
        f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#d5dbe0"/>',
    ]
    placed = [at(x, cost) for x, cost in costs]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for (x, y), (size, cost) in zip(placed, costs, strict=True):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle" font-size="10">{cost:,.0f}</text>'
        )
        parts.append(
            f'<text x="{x:.1f}" y="{top + HEIGHT + 15}" text-anchor="middle" font-size="10" fill="#555">'
            f"{_short(size)}</text>"
        )
    return parts


def _short(number: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:g} {letter}"
    return f"{number:g}"
