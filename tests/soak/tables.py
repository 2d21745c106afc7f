"""A soak's findings on a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.faults.report import table as laws_table
from tests.soak.findings import Findings, Judged
from tests.soak.watch import Span

_HEADS = (
    "member", "lived", "MiB at first", "MiB at the end", "an hour", "files", "threads", "CPU %", "in flight",
    "oldest s", "judged",
)  # fmt: skip


def show(found: Findings, console: Console) -> None:
    """The laws first, then a line for each member, then what is wrong."""
    console.print(laws_table(found.verdict), markup=False, highlight=False, soft_wrap=True)
    console.print(members(found.spans, found.judged))
    for words in found.growing:
        console.print(f"GROWS: {words}", markup=False, highlight=False, soft_wrap=True)
    for words in found.broken:
        console.print(f"BROKEN: {words}", markup=False, highlight=False, soft_wrap=True)
    if found.is_good:
        console.print("nothing is lost, nothing grows")


def members(by_name: Mapping[str, Sequence[Span]], all_judged: Mapping[str, Judged]) -> Table:
    """A line for each member."""
    shown = Table(*_HEADS, title="members")
    for name, spans in by_name.items():
        judged = all_judged.get(name)
        first, last = spans[0], spans[-1]
        shown.add_row(
            name,
            f"{last.at - first.at:.0f} s",
            f"{judged.memory.level if judged else first.resident_mib:.1f}",
            f"{judged.memory.end if judged else last.resident_mib:.1f}",
            f"{judged.memory.an_hour:+.1f}" if judged else "",
            f"{last.handles:.0f}",
            f"{last.threads:.0f}",
            f"{100 * sum(span.cpu_share for span in spans) / len(spans):.0f}",
            f"{max(span.in_flight for span in spans):.0f}",
            f"{max(span.oldest_seconds for span in spans):.0f}",
            ("flat" if not judged.broken(name) else "GROWS") if judged else "struck",
        )
    return shown
