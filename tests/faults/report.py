"""The report: a table for people, JSON for the rest."""

import json
from pathlib import Path
from typing import Any, Final

from tests.faults.laws import Why
from tests.faults.verdict import Row, Verdict

_HEADS: Final = (
    "strikes", "events", "resent", "duplicates", "a", "bound a", "b", "bound b", "behind", "bound",
    "late", "bound", "unheard", "inversions",
)  # fmt: skip


def table(found: Verdict) -> str:
    """The report as text."""
    lines = [f"{'kind of strike':<21}" + "".join(f"{head:>11}" for head in _HEADS)]
    total = Row()
    for kind, row in found.rows.items():
        if row.strikes or row.resent or any(row.bound):
            lines.append(_line(kind, row))
        total = _sum(total, row)
    lines.append(_line("all", total))
    lines += _LEGEND
    lines.append(
        f"produced {found.produced}, lost {found.lost}, overwritten late {found.overwritten}, dead letters "
        f"{found.letters} of {found.letters_due} (written twice: {found.letters_repeated})"
    )
    lines += [f"late: {each}" for each in found.inversions]
    lines += [f"BROKEN: {each}" for each in found.broken] or ["all laws hold"]
    return "\n".join(lines)


_LEGEND: Final = (
    "resent: activities and upserts that came again; duplicates: the activities among them, which were",
    "(a) unanswered, (b) answered since the member's last acknowledged commit of the partition, settled",
    "behind a record in flight, sent late by a member that did not know yet that it was out of the group, or",
    "told of by a commit that the next reader did not hear of in time; each bound: how many could have been",
)


def _line(kind: str, row: Row) -> str:
    figures = (
        row.strikes, row.events, row.resent, row.duplicates,
        row.by_why[Why.UNANSWERED], row.bound.unanswered,
        row.by_why[Why.SINCE_COMMIT], row.bound.since_commit,
        row.by_why[Why.BEHIND], row.bound.behind,
        row.by_why[Why.LATE], row.bound.late, row.by_why[Why.UNHEARD], row.inversions,
    )  # fmt: skip
    return f"{kind:<21}" + "".join(f"{figure:>11}" for figure in figures)


def _sum(one: Row, two: Row) -> Row:
    return Row(
        one.strikes + two.strikes,
        one.events + two.events,
        one.resent + two.resent,
        one.duplicates + two.duplicates,
        one.by_why + two.by_why,
        one.bound.plus(two.bound),
        one.inversions + two.inversions,
    )


def write(found: Verdict, folder: Path, **facts: object) -> None:
    """The report as files: `report.txt` and `report.json`."""
    (folder / "report.txt").write_text(table(found) + "\n")
    (folder / "report.json").write_text(json.dumps({**facts, **as_json(found)}, indent=2) + "\n")


def as_json(found: Verdict) -> dict[str, Any]:
    """The report for a file."""
    return {
        "produced": found.produced,
        "lost": found.lost,
        "overwritten": found.overwritten,
        "dead_letters": found.letters,
        "dead_letters_due": found.letters_due,
        "dead_letters_written_twice": found.letters_repeated,
        "broken": found.broken,
        "inversions": found.inversions,
        "kinds": {kind: _row_as_json(row) for kind, row in found.rows.items()},
    }


def _row_as_json(row: Row) -> dict[str, int]:
    return {
        "strikes": row.strikes,
        "events": row.events,
        "resent": row.resent,
        "duplicates": row.duplicates,
        **{f"duplicates_{why.name.lower()}": row.by_why[why] for why in Why},
        "bound_unanswered": row.bound.unanswered,
        "bound_since_commit": row.bound.since_commit,
        "bound_behind": row.bound.behind,
        "bound_late": row.bound.late,
        "inversions": row.inversions,
    }
