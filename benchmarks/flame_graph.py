"""Profiles as flame graphs and as a table of rooms, for docs/performance.md. Pure.

A stack is its functions from the outermost to the innermost, each as `Class.method (file)`. Stacks are kept
as one text, joined by semicolons, with the samples in which they were seen.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

Stack = tuple[str, ...]
LINE = re.compile(r":\d+\)$")
OURS = re.compile(r"\(streamer/([a-z_/]+)\.py\)$")


class Room(NamedTuple):
    """What some modules of the program do of an event's way."""

    modules: tuple[str, ...]
    """Their paths within the program, or how these begin; the first room with one that fits has it."""
    colour: str


ROOMS = {
    "reads Avro": Room(("avro/",), "#7fb3d5"),
    "understands the event": Room(("events/",), "#85c1a9"),
    "encodes what is sent": Room(("planhat/", "transform/encoding"), "#c39bd3"),
    "maps it": Room(("transform/", "mapping/"), "#a9cf7f"),
    "engine: order, batches, answers, commits": Room(("engine/", "records", "outcomes"), "#f0b27a"),
    "counts and logs": Room(("metrics/", "logs/"), "#f4d35e"),
}
REST = "the rest, and what stands in for Kafka and Planhat"
REST_COLOUR = "#ccd1d4"
MADE = "(<made for a schema>)"
"""The file of a reader's code, which exists in memory alone."""
STAND_IN = "(benchmarks/"
LEAST_SAMPLES = 100
"""Of fewer no ratio is told: it would be noise."""

WIDTH, ROW, LEFT = 1000, 15, 10
LEAST_NAMED = 34
"""Pixels; a narrower function has its name only where a pointer rests on it."""

_SECTION = """## Where an event's time goes

`make flame`, last of {events:,} events on Python {python}: functions of the pipeline in one process, without
broker and Planhat, as py-spy sees them {rate} times a second, by {turns} turns. Now is `{head}`, or what
followed it; before is `{before}`. That is by default the first commit of which this can be had: of what
[0037](decisions/0037-the-hot-path.md) tells, it looks for cycles seldom already (0.80 beside its own parent).

{table}
![Flame graphs of both, on one scale]({plot})

The wider, the more CPU; what a function calls stands on it. Both are drawn on one scale. Opened by itself the
picture tells each function's name and microseconds where a pointer rests.
"""


def stacks_of(folded: str, root: str) -> Counter[Stack]:
    """Of py-spy's lines (`name (file:line);... samples`) what `root` calls, itself first; by function."""
    found: Counter[Stack] = Counter()
    for line in folded.splitlines():
        text, _, samples = line.rpartition(" ")
        stack = tuple(LINE.sub(")", frame) for frame in text.split(";"))
        if root in stack:
            found[stack[stack.index(root) :]] += int(samples)
    return found


def room_of(stack: Stack) -> str:
    """The room whose code ran, or had a library run."""
    for frame in reversed(stack):
        if frame.endswith(MADE):
            return "reads Avro"
        if STAND_IN in frame:
            return REST
        if inside := OURS.search(frame):
            return next((name for name, room in ROOMS.items() if inside[1].startswith(room.modules)), REST)
    return REST


def totals(stacks: Mapping[Stack, int]) -> Counter[Stack]:
    """Samples of each function of each stack, with all that it calls."""
    found: Counter[Stack] = Counter()
    for stack, samples in stacks.items():
        for depth in range(1, len(stack) + 1):
            found[stack[:depth]] += samples
    return found


def pruned(stacks: Mapping[Stack, int], least: float) -> Counter[Stack]:
    """The same samples; a function with fewer than `least` is taken for a part of its caller."""
    whole = totals(stacks)
    found: Counter[Stack] = Counter()
    for stack, samples in stacks.items():
        depth = len(stack)
        while depth > 1 and whole[stack[:depth]] < least:
            depth -= 1
        found[stack[:depth]] += samples
    return found


def profile(commit: str, us: float, stacks: Mapping[Stack, int], least_part: float = 0.004) -> dict[str, Any]:
    """What is kept of one profile: microseconds an event, and samples by room and by stack."""
    rooms: Counter[str] = Counter()
    for stack, samples in stacks.items():
        rooms[room_of(stack)] += samples
    kept = pruned(stacks, least_part * sum(stacks.values()))
    return {
        "commit": commit,
        "us": us,
        "rooms": {name: rooms[name] for name in [*ROOMS, REST]},
        "stacks": {";".join(stack): kept[stack] for stack in sorted(kept)},
    }


def section(results: Mapping[str, Any], plot_name: str) -> str:
    """Markdown."""
    first, last = results["profiles"][0], results["profiles"][-1]
    shown = table(first, last)
    return _SECTION.format(table=shown, plot=plot_name, before=first["commit"], **_told(results))


def _told(results: Mapping[str, Any]) -> dict[str, Any]:
    return {name: results[name] for name in ("events", "python", "rate", "turns", "head")}


def table(first: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """Markdown: microseconds an event by room, of both."""
    lines = ["| µs an event | before | now | ratio |", "|---|---|---|---|"]
    for name in first["rooms"]:
        before, now = (
            each["us"] * each["rooms"][name] / sum(each["rooms"].values()) for each in (first, last)
        )
        fewest = min(each["rooms"][name] for each in (first, last))
        ratio = f"{now / before:.2f}" if fewest >= LEAST_SAMPLES else ""
        lines.append(f"| {name} | {before:.1f} | {now:.1f} | {ratio} |")
    lines.append(f"| all | {first['us']:.1f} | {last['us']:.1f} | {last['us'] / first['us']:.2f} |")
    return "\n".join(lines) + "\n"


def plot(results: Mapping[str, Any]) -> str:
    """SVG: one flame graph under the other, a microsecond as wide in both; what each colour is."""
    most = max(each["us"] for each in results["profiles"])
    top, parts = 12, []
    for each in results["profiles"]:
        stacks = {tuple(text.split(";")): samples for text, samples in each["stacks"].items()}
        height = max(map(len, stacks)) * ROW
        parts.append(
            f'<text x="{LEFT}" y="{top + 10}" font-weight="bold">{escape(each["commit"])}: '
            f"{each['us']:.1f} µs an event</text>"
        )
        parts += _flames(stacks, WIDTH * each["us"] / most, each["us"], top + 18 + height)
        top += height + 46
    for name, colour in [*((name, room.colour) for name, room in ROOMS.items()), (REST, REST_COLOUR)]:
        parts.append(f'<rect x="{LEFT}" y="{top}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + 18}" y="{top + 10}">{escape(name)}</text>')
        top += 18
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 2 * LEFT} {top + 8}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def _flames(stacks: Mapping[Stack, int], width: float, us: float, bottom: float) -> list[str]:
    """A box for each function of each stack: callers below, side by side in the order of their names."""
    whole = totals(stacks)
    all_samples = sum(stacks.values())
    ends: dict[Stack, float] = {}
    parts = []
    for stack in sorted(whole):
        caller = stack[:-1]
        x = ends.get(caller, float(LEFT))
        wide = width * whole[stack] / all_samples
        ends[caller], ends[stack] = x + wide, x
        parts.append(_box(stack, x, wide, bottom - len(stack) * ROW, us * whole[stack] / all_samples))
    return parts


def _box(stack: Stack, x: float, wide: float, y: float, us: float) -> str:
    name = room_of(stack)
    colour = ROOMS[name].colour if name in ROOMS else REST_COLOUR
    shown = ""
    if wide >= LEAST_NAMED:
        text = _fitting(stack, int(wide / 6))
        shown = f'<text x="{x + 3:.1f}" y="{y + 11:.0f}" font-size="10">{escape(text)}</text>'
    return (
        f"<g><title>{escape(stack[-1])}: {us:.2f} µs</title>"
        f'<rect x="{x:.1f}" y="{y:.0f}" width="{wide:.1f}" height="{ROW - 1}" fill="{colour}" '
        f'stroke="#fff" stroke-width="0.5"/>{shown}</g>'
    )


def _fitting(stack: Sequence[str], letters: int) -> str:
    """The function's name without its file, cut to so many letters."""
    name = stack[-1].partition(" (")[0]
    return name if len(name) <= letters else name[: letters - 1] + "…"
