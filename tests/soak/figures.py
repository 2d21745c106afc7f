"""Figures of the last kept soak, campaign of faults and simulation, as docs/reliability.md shows them.

Pure but for `keep` and `kept`. `make docs` writes them into the page and draws the plot.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

ROOT: Final = Path(__file__).resolve().parents[2]
SOAKED: Final = "benchmarks/results/soak.json"
STRUCK: Final = "benchmarks/results/faults.json"
SIMULATED: Final = "benchmarks/results/simulation.json"
PLOT: Final = "docs/reliability-soak.svg"

Results = Mapping[str, Any]


def keep(path: Path, results: Results) -> None:
    """Write a report, a line for each of its parts."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(part)}" for name, part in results.items())
    path.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def kept(name: str) -> Results | None:
    """A report that was kept; None before the first."""
    path = ROOT / name
    found: Results | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return found


def soak_part(results: Results) -> str:
    """Markdown: what was done, what came of it, a line for each member that was spared."""
    laws, strikes = results["laws"], results["strikes"]
    kinds = Counter(each["kind"] for each in strikes)
    lines = [
        (
            f"{_time(results['seconds'])} at {results['per_second']:g} events a second, on "
            f"{results['cores']} cores with Python {results['python']}{_compiled(results)}: "
            f"{laws['produced']:,} records of {results['record_bytes']:,} bytes in the mean, {len(strikes)} "
            f"strikes ({', '.join(f'{count} `{kind}`' for kind, count in sorted(kinds.items()))})."
        ),
        "",
        "| | found | allowed |",
        "|---|---|---|",
        f"| events lost | {laws['lost']:,} | 0 |",
        f"| dead letters | {laws['dead_letters']:,} | {laws['dead_letters_due']:,}, the bad ones |",
        (
            f"| activities that came again, of {results['activities']:,} | {results['duplicates']:,} "
            f"| {results['duplicates_bound']:,}, each with its reason |"
        ),
        f"| laws broken | {len(laws['broken'])} | 0 |",
        f"| holds left at the end | {len(results['holds_left'])} | 0 |",
        f"| members ended in order, all with exit code 0 | {results['ended_in_order']} | |",
        "",
        (
            "| member, alive throughout | MiB after the warm-up | MiB at the end | MiB an hour "
            "| would be told from | open files | threads | CPU of a core | most in flight | flat |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, judged in results["judged"].items():
        memory, spans = judged["memory"], results["spans"][name]
        share = sum(spans["cpu_share"]) / len(spans["cpu_share"])
        is_flat = all(figure["is_flat"] for figure in judged.values())
        lines.append(
            f"| {name} | {memory['level']:.1f} | {memory['end']:.1f} | {memory['an_hour']:+.1f} "
            f"| {memory['visible']:.1f} | {_levels(judged['handles'])} | {_levels(judged['threads'])} "
            f"| {share:.0%} | {max(spans['in_flight']):,.0f} | {'yes' if is_flat else 'NO'} |"
        )
    lines += _stepped(results)
    lines += [f"\nGrows: {words}." for words in results["growing"]]
    return "\n".join(lines) + f"\n\n![Memory of each member]({Path(PLOT).name})\n"


def _compiled(results: Results) -> str:
    return ", compiled" if results.get("is_compiled") else ""


def _stepped(results: Results) -> list[str]:
    return [
        f"\n{name}: {judged['memory']['forgiven']:+.1f} MiB came in a step, and level since "
        f"{_time(judged['memory']['since'])}."
        for name, judged in results["judged"].items()
        if judged["memory"]["forgiven"]
    ]


def _levels(judged: Results) -> str:
    return f"{judged['level']:.0f} → {judged['end']:.0f}"


def _time(seconds: float) -> str:
    if seconds >= 7_200:
        return f"{seconds / 3_600:g} hours"
    return f"{seconds / 60:.3g} minutes"


def faults_part(results: Results) -> str:
    """Markdown: a line for each kind of strike, and what the whole came to."""
    lines = [
        "| strike | how many | activities that came again | could have | sent too late |",
        "|---|---|---|---|---|",
    ]
    rows = [(kind, row) for kind, row in results["kinds"].items() if row["strikes"]]
    for kind, row in rows:
        could = sum(row[f"bound_{why}"] for why in ("unanswered", "since_commit", "behind", "late"))
        late = row["inversions"]
        lines.append(f"| `{kind}` | {row['strikes']} | {row['duplicates']:,} | {could:,} | {late} |")
    again = sum(row["duplicates"] for row in results["kinds"].values())
    broken = len(results["broken"])
    return "\n".join(lines) + (
        f"\n\n`make faults EVENTS={results['events']} STRIKES={sum(row['strikes'] for _, row in rows)} "
        f"SEED={results['seed']}`: of {results['produced']:,} records {results['lost']} lost, "
        f"{results['dead_letters']:,} letters of {results['dead_letters_due']:,} due, {again:,} activities "
        f"came again, {broken or 'no'} law{'s' if broken > 1 else ''} broken.\n"
    )


def simulation_part(results: Results) -> str:
    """Markdown: how many stories. Figures are kept only where every law held."""
    last = results["first"] + results["seeds"] - 1
    return (
        f"`make simulate SEEDS={results['seeds']} FIRST={results['first']}`: {results['seeds']:,} stories "
        f"(seeds {results['first']} to {last}), each held every law.\n"
    )


_COLOURS: Final = ("#2f6f9f", "#7a5c99")
_WIDTH, _HEIGHT, _LEFT, _TOP = 640, 220, 50, 30


def plot(results: Results) -> str:
    """SVG: memory of every member over time; grey are those that were struck, ticks are strikes."""
    seconds, spans = float(results["seconds"]), results["spans"]
    most = 1.1 * max(float(max(each["resident_mib"])) for each in spans.values())

    def x(at: float) -> float:
        return _LEFT + _WIDTH * min(at / seconds, 1.0)

    def y(mib: float) -> float:
        return _TOP + _HEIGHT * (1 - mib / most)

    bottom = _TOP + _HEIGHT
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {bottom + 50}" '
            'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        ),
        f'<text x="{_LEFT}" y="18" font-weight="bold">Resident MiB of each member</text>',
        (
            f'<rect x="{_LEFT}" y="{_TOP}" width="{x(results["warm_up_seconds"]) - _LEFT:.1f}" '
            f'height="{_HEIGHT}" fill="#f0f2f4"/>'
        ),
        f'<text x="{_LEFT + 4}" y="{bottom - 6}" fill="#777">warm-up</text>',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#d5dbe0"/>',
    ]
    parts += [
        f'<line x1="{x(each["at"]):.1f}" x2="{x(each["at"]):.1f}" y1="{bottom}" y2="{bottom + 7}" '
        f'stroke="#b03030"><title>{escape(each["kind"])}</title></line>'
        for each in results["strikes"]
    ]
    struck = [name for name in spans if name not in results["judged"]]
    for name in (*struck, *results["judged"]):
        colour = "#c3cad0" if name in struck else _colour(name, list(results["judged"]))
        line = " ".join(
            f"{x(at):.1f},{y(mib):.1f}"
            for at, mib in zip(spans[name]["at"], spans[name]["resident_mib"], strict=True)
        )
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    parts += _legend(results, most, x, y)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _colour(name: str, judged: Sequence[str]) -> str:
    return _COLOURS[judged.index(name) % len(_COLOURS)]


def _legend(
    results: Results, most: float, x: Callable[[float], float], y: Callable[[float], float]
) -> list[str]:
    bottom = _TOP + _HEIGHT
    step = next(step for step in (20, 50, 100, 200, 500, 1_000, 5_000) if most / step <= 6)
    parts = [
        f'<text x="{_LEFT - 6}" y="{y(mib) + 4:.1f}" text-anchor="end" fill="#555">{mib}</text>'
        for mib in range(0, int(most) + 1, step)
    ]
    parts += [
        f'<text x="{x(results["seconds"] * share):.1f}" y="{bottom + 22}" text-anchor="{anchor}" fill="#555">'
        f"{escape(_time(results['seconds'] * share) if share else '0')}</text>"
        for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    ]
    names = list(results["judged"])
    parts += [
        f'<text x="{_LEFT + 80 * place}" y="{bottom + 42}" fill="{_colour(name, names)}">'
        f"{escape(name)}</text>"
        for place, name in enumerate(names)
    ]
    at = _LEFT + 80 * len(names)
    parts.append(
        f'<text x="{at}" y="{bottom + 42}" fill="#777">grey: struck and replaced · red ticks: strikes</text>'
    )
    return parts
