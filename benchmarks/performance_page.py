"""docs/performance.md and its plot, from a results file. Pure but for `write`.

python -m benchmarks.performance_page      # writes both anew from the results file
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/performance.md"
PLOT = "docs/performance.svg"
SHOWN = {
    "streamer": "streamer",
    "careful": "careful loop (confluent-kafka)",
    "aiokafka": "loop on asyncio (aiokafka)",
    "quix": "Quix Streams, bulk sink",
}
Results = Mapping[str, Any]

_PAGE = """# Performance

Written from `benchmarks/results/compare.json` by whoever measured last, with as many events and rounds as
stand below (`make bench-full`: a million, and three); do not edit.

{table}
![CPU seconds per million events]({plot})

## Method

- {events:,} generated events of all call types, {event_bytes:.0f} bytes each in the mean, lie in 4
  partitions of a real Apache Kafka before a system starts. {cores} cores, Python {python}; broker, sink
  and system share them.
- Each of {repeats} rounds runs every system twice, each time with a group and a sink of its own: over a
  topic of one event, which warms caches and tells the CPU of start-up; then over the backlog.
  Start-up's CPU is taken off; events/s has its seconds in it, of all systems alike. Medians are shown.
  Compare ratios within this table only: another machine or another hour moves all of them.
- A run ends when the group's committed offsets reach the ends of the topic, as seen from outside. CPU
  is user and system time of the system's whole process tree; memory the peak of each process, added up.
- The sink counts items and answers that all were saved, without a quota: the sandbox judges and keeps
  each item, in Python, beside the systems on the same cores. The sink's own CPU stands apart, its
  start-up with it.
- All are at-least-once and use the same mapping. The rivals decode with fastavro alone. What each does
  not do is said at the top of its file in `benchmarks/rivals/`.
- The floor is the rivals' decode + transform + encode alone, of records in memory: best of three.

Not measured yet: latency at half load, draining under the quota, duplicates after a SIGKILL. Redpanda
Connect is not among the systems: [0035](decisions/0035-how-speed-is-measured.md).
"""


def table(results: Results) -> str:
    """Markdown: a line for each system, then the floor and who failed."""
    lines = [
        (
            "| system | events/s | CPU s per million events | to the floor | start-up CPU s | peak MiB "
            "| requests | events per request | sink's CPU s per million |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in results["systems"].items():
        cpu = found["cpu_seconds_per_million"]
        lines.append(
            f"| {SHOWN[name]} | {found['events_per_second']:,.0f} | {cpu:.1f} "
            f"| {cpu / results['floor_us']:.2f} | {found['start_cpu_seconds']:.1f} "
            f"| {found['peak_mib']:.0f} | {found['requests']:,.0f} "
            f"| {found['events_per_request']:,.0f} | {found['sink_cpu_seconds_per_million']:.1f} |"
        )
    lines += ["", f"Floor: {results['floor_us']:.1f} CPU s per million events (so many microseconds each)."]
    lines += [f"Failed: {SHOWN[name]} ({why})." for name, why in results["failed"].items()]
    return "\n".join(lines) + "\n"


def plot(results: Results) -> str:
    """SVG: CPU seconds per million events as bars, and the floor as a line."""
    systems = results["systems"]
    most = max([results["floor_us"], *(each["cpu_seconds_per_million"] for each in systems.values())])
    scale, height = 380 / most, 34 * len(systems) + 36
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" font-family="sans-serif" '
            'font-size="13"><rect width="100%" height="100%" fill="#fff"/>'
        )
    ]
    for row, (name, found) in enumerate(systems.items()):
        cpu, top = found["cpu_seconds_per_million"], 10 + 34 * row
        colour = "#2f6f9f" if name == "streamer" else "#a9b4bd"
        parts.append(f'<text x="220" y="{top + 17}" text-anchor="end">{escape(SHOWN[name])}</text>')
        parts.append(
            f'<rect x="230" y="{top}" width="{cpu * scale:.1f}" height="24" fill="{colour}"/>'
            f'<text x="{236 + cpu * scale:.1f}" y="{top + 17}">{cpu:.1f}</text>'
        )
    x = 230 + results["floor_us"] * scale
    parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{height - 22}" stroke="#b03030"/>')
    parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">floor</text></svg>')
    return "\n".join(parts) + "\n"


def page(results: Results) -> str:
    """The whole page."""
    return _PAGE.format(table=table(results), plot=Path(PLOT).name, **_told(results))


def _told(results: Results) -> dict[str, Any]:
    return {name: results[name] for name in ("events", "event_bytes", "repeats", "cores", "python")}


def write(root: Path, results: Results) -> None:
    """Both files."""
    (root / PAGE).write_text(page(results), encoding="utf-8")
    (root / PLOT).write_text(plot(results), encoding="utf-8")


if __name__ == "__main__":
    write(ROOT, json.loads((ROOT / "benchmarks" / "results" / "compare.json").read_text()))
