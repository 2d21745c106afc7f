"""docs/performance.md and its plots, from the results files. Pure but for `read` and `write`.

python -m benchmarks.performance_page      # writes them anew
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks import flame_graph, growth_page, growth_plot

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/performance.md"
PLOT = "docs/performance.svg"
GROWTH_PLOT = "docs/performance-growth.svg"
FLAME_PLOT = "docs/performance-flame.svg"
COMPARED = "benchmarks/results/compare.json"
GROWN = "benchmarks/results/growth.json"
FLAMES = "benchmarks/results/flame.json"
SHOWN = {
    "streamer": "streamer",
    "compiled": "streamer, compiled",
    "careful": "careful loop (confluent-kafka)",
    "aiokafka": "loop on asyncio (aiokafka)",
    "quix": "Quix Streams, bulk sink",
    "benthos": "Benthos, franz-go",
}
OURS = ("streamer", "compiled")
Results = Mapping[str, Any]

_PAGE = """# Performance

Written from `benchmarks/results/compare.json` by whoever measured last, with as many events and rounds as
stand below (`make bench-full`: a million, and three); do not edit.

{table}
![CPU seconds per million events]({plot})

{behaviour}
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
- `streamer, compiled` is the wheel with its engine as machine code, as the image holds it
  ([0038](decisions/0038-compiled.md)); `streamer` is Python alone. Where the first has no line, it was not
  measured.
- All are at-least-once. The rivals in Python decode with fastavro and map by hand, in plain dicts, to the
  same items as `streamer`: a test compares them, and `python -m benchmarks.agree` what each of them sends.
  What each does not do is said at the top of its file in `benchmarks/rivals/`.
- Benthos (4.60, MIT) is the open core of Redpanda Connect, in Go, with the same mapping in Bloblang. What the
  core lacks was written for this: an input by franz-go, which Connect's own is made of, and Avro by
  hamba/avro. Redpanda Connect itself could not be had ([0035](decisions/0035-how-speed-is-measured.md)).
- The floor is the rivals' decode + map + encode alone, of records in memory: best of three, right before each
  backlog and right after. `to the floor` is a run's CPU beside the floor around it, the median of all rounds;
  the floor below the table is the median of all, on a machine that changes its pace by the minute. Beside it
  stands what `streamer` does of a record in any case: its own decoder, parse, transform, encode.
- Latency is from a record's timestamp to the moment the sink has read the bulk with its item, once that is
  there for the first time. Events are produced at a steady pace, half of what the system itself reached
  between its first commit and its last over the backlog; the first record's answer is waited for before,
  and the first three tenths of the time are not judged.
- Drained is the same backlog, into the sandbox that keeps and judges every item, with Planhat's quota of
  calls a minute on. `streamer` is told the quota; the others know 429 alone. Time is from the start to the
  last commit, in the first round alone. After a limit it is given up (`--drain-seconds`, 900 by default).
- SIGKILL hits the whole system in the moment that the sink has counted the bulk that makes half of all items
  and not answered it, hence before its offsets are committed: the worst moment. The backlog has at most
  100,000 events there, and the system is started again at once. An event comes again where the sink had it
  from the same endpoint before; the events of this run hold no copies. An upsert that comes again changes
  nothing, an activity counts twice. `streamer`'s window for copies (`STREAMER_DUPLICATES_WINDOW`, 100,000
  messageIds) is in memory and ends with the process; what it remembers after a kill travels in its commits
  ([0021](decisions/0021-settled-ahead-in-metadata.md)). Until the restarted one gets its partitions the
  broker waits for the killed one's session to end: 45 s by librdkafka's and franz-go's defaults, 10 s by
  aiokafka's.

{flames}
{growth}"""


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
            f"| {found['to_floor']:.2f} | {found['start_cpu_seconds']:.1f} "
            f"| {found['peak_mib']:.0f} | {found['requests']:,.0f} "
            f"| {found['events_per_request']:,.0f} | {found['sink_cpu_seconds_per_million']:.1f} |"
        )
    own = f" `streamer`'s own: {results['own_us']:.1f}." if "own_us" in results else ""
    lines += [
        "",
        f"Floor: {results['floor_us']:.1f} CPU s per million events (so many microseconds each).{own}",
    ]
    lines += [f"Failed: {SHOWN[name]} ({why})." for name, why in results["failed"].items()]
    if results.get("is_amid_round"):
        lines.append("Cut amid a round: some systems have one run more than others, or there is one without.")
    return "\n".join(lines) + "\n"


NOTHING_BESIDE = """Latency at half load, the drain under the quota and what comes again after a SIGKILL were
not measured in this run; below stands how they are.
"""


def behaviour(results: Results) -> str:
    """Markdown: what was measured beside the backlog, or that nothing was."""
    lines = [
        (
            "| system | at events/s | p50 s | p99 s | drained in s | answered 429 "
            "| again after SIGKILL | of them activities | restart to done s |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows = [(name, found) for name, found in results["systems"].items() if BESIDE & found.keys()]
    if not rows and not results.get("missed"):
        return NOTHING_BESIDE
    for name, found in rows:
        shown = [_cell(found, figure, form) for figure, form in _COLUMNS.items()]
        lines.append(f"| {SHOWN[name]} | {' | '.join(shown)} |")
    told = {
        "paced": f"At half load for {results['latency_seconds']:.0f} s.",
        "drain_seconds": f"Drained at {results['calls_per_minute']} calls a minute of the main API.",
    }
    lines += ["", *(text for figure, text in told.items() if any(figure in found for _, found in rows))]
    for name, parts in results["missed"].items():
        lines += [f"{SHOWN[name]} {_MISSED[part].format_map(results)}." for part in parts]
    return "\n".join(lines) + "\n"


_COLUMNS = {
    "paced": ",.0f",
    "p50": ".2f",
    "p99": ".2f",
    "drain_seconds": ".0f",
    "refused": ",.0f",
    "again": ",.0f",
    "activities_again": ",.0f",
    "restart_seconds": ".0f",
}
_MISSED = {
    "latency": "did not keep up at half load",
    "drain": "did not drain within {longest_drain_seconds:.0f} s",
    "kill": "did not get done after the SIGKILL",
}
BESIDE = _COLUMNS.keys()


def _cell(found: Mapping[str, float], figure: str, form: str) -> str:
    return format(found[figure], form) if figure in found else ""


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
        colour = "#2f6f9f" if name in OURS else "#a9b4bd"
        parts.append(f'<text x="220" y="{top + 17}" text-anchor="end">{escape(SHOWN[name])}</text>')
        parts.append(
            f'<rect x="230" y="{top}" width="{cpu * scale:.1f}" height="24" fill="{colour}"/>'
            f'<text x="{236 + cpu * scale:.1f}" y="{top + 17}">{cpu:.1f}</text>'
        )
    x = 230 + results["floor_us"] * scale
    parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{height - 22}" stroke="#b03030"/>')
    parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">floor</text></svg>')
    return "\n".join(parts) + "\n"


def page(results: Results, growth: Results, flames: Results) -> str:
    """The whole page."""
    return _PAGE.format(
        table=table(results),
        behaviour=behaviour(results),
        plot=Path(PLOT).name,
        flames=flame_graph.section(flames, Path(FLAME_PLOT).name),
        growth=growth_page.section(growth, Path(GROWTH_PLOT).name),
        **{name: results[name] for name in ("events", "event_bytes", "repeats", "cores", "python")},
    )


def read(root: Path) -> tuple[Results, Results, Results]:
    """The results kept: of the comparison, of growth, and of the profiles."""
    compared, grown, flames = (json.loads((root / path).read_text()) for path in (COMPARED, GROWN, FLAMES))
    return compared, grown, flames


def made(results: Results, growth: Results, flames: Results) -> dict[str, str]:
    """Text of each file, by its path."""
    return {
        PAGE: page(results, growth, flames),
        PLOT: plot(results),
        FLAME_PLOT: flame_graph.plot(flames),
        GROWTH_PLOT: growth_plot.plot(growth),
    }


def write(root: Path, results: Results, growth: Results, flames: Results) -> None:
    """The page and its plots."""
    for path, text in made(results, growth, flames).items():
        (root / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(ROOT, *read(ROOT))
