"""How `streamer dead-letters` shows what it found: tables for people, JSON for programs."""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from streamer.cli.tables import add_row, console, printable
from streamer.errors import MASK
from streamer.letters.journal import time_of

if TYPE_CHECKING:
    from streamer.app.replay_letters import Report
    from streamer.engine.interpret import Interpreted
    from streamer.letters.history import Filed, History

MOST_GROUPS: Final = 5
"""Other groups that are named."""


def row_of(filed: "Filed", *, reveal: bool) -> dict[str, Any]:
    """One letter of `list --json`; a contract."""
    letter = filed.letter
    names = list(filed.subject.names) if reveal else [MASK for _ in filed.subject.names]
    return {
        "letter": str(letter.id),
        "written": time_of(letter.written_ms),
        "reason": filed.reason,
        "detail": filed.detail,
        "call": filed.subject.call,
        "names": names,
        "topic": letter.record.topic,
        "partition": letter.record.partition,
        "offset": letter.record.offset,
        "state": filed.state.value,
        "replays": filed.attempts,
        "copies": len(filed.ids),
        "perhaps_twice": filed.is_perhaps_twice,
        "http_status": letter.http_status,
        "schema_id": letter.schema_id,
    }


def print_table(found: Iterable["Filed"], *, reveal: bool) -> None:
    """The table of `list`."""
    from rich.table import Table  # noqa: PLC0415 - only tables need it

    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("letter", "written", "reason", "detail", "call", "who", "read from", "state"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"letter", "written", "reason"})
    for filed in found:
        row = row_of(filed, reveal=reveal)
        names, place = row["names"][:1], filed.letter.place
        state = f"{row['state']} ({row['replays']})" if row["replays"] else row["state"]
        cells = (row["letter"], row["written"], row["reason"], row["detail"], row["call"], *(names or [""]))
        add_row(table, *cells, str(place), state)
    console().print(table)


def closing_lines(found: "list[Filed]", shown: int, history: "History", *, has_all: bool) -> list[str]:
    """What stands below the table of `list`: counts, and what is not in it."""
    reasons = Counter(filed.reason for filed in found)
    counted = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
    lines = [f"{len(found):,} dead letters" + (f": {counted}" if counted else "")]
    if shown < len(found):
        lines[0] += f"; the newest {shown:,} are shown"
    if twice := sum(filed.is_perhaps_twice for filed in found):
        lines.append(f"{twice:,} of them may have been delivered twice (--json tells which)")
    settled = sum(not filed.state.is_open for filed in history)
    if settled and not has_all:
        lines.append(f"{settled:,} letters were settled by replays (--all shows those that pass the filters)")
    if history.others:
        lines.append(_of_other_groups(history.others))
    if history.foreign:
        lines.append(f"{history.foreign:,} records of the topic are no letters of streamer's")
    if history.unreadable:
        lines.append(f"{history.unreadable:,} notes of replays cannot be read: a later version wrote them")
    return lines


def _of_other_groups(others: "Counter[str]") -> str:
    """How many letters are of other groups, and under which names --group shows them."""
    named = ", ".join(printable(group) for group, _ in others.most_common(MOST_GROUPS))
    more = " and more" if len(others) > MOST_GROUPS else ""
    return f"{others.total():,} letters are of other groups, which --group shows: {named}{more}"


def history_of(filed: "Filed") -> list[dict[str, Any]]:
    """What replays made of a letter, oldest first."""
    return [
        {
            "at": time_of(each.at_ms),
            "run": each.run,
            "fate": each.settlement.fate.value if each.settlement is not None else "taken",
            "reason": each.settlement.reason if each.settlement is not None else "",
            "detail": each.settlement.detail if each.settlement is not None else "",
            "http_status": each.settlement.http_status if each.settlement is not None else None,
        }
        for each in filed.tries
    ]


def now_of(found: "Interpreted | None") -> str:
    """What a replay would make of it by the rules in force."""
    if found is None:
        return "cannot be said: its original is gone, or its schema cannot be had"
    if found.invalid is not None:
        return f"still invalid: {found.invalid}" + (f" ({found.detail})" if found.detail else "")
    if found.skipped is not None:
        return f"would be skipped: {found.skipped}"
    counted = Counter(each.endpoint.value for each in found.operations)
    return "would be sent: " + ", ".join(f"{count} to {endpoint}" for endpoint, count in counted.items())


def print_letter(told: dict[str, Any]) -> None:
    """`show`, for a person."""
    from rich.table import Table  # noqa: PLC0415 - only tables need it

    table = Table(box=None, pad_edge=False, show_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    lines = {
        "letter": ", ".join(told["ids"]),
        "written": told["written"],
        "reason": told["reason"],
        "which means": told["meaning"],
        "detail": told["detail"],
        "read from": f"{told['topic']}[{told['partition']}]@{told['offset']} by group {told['group']}",
        "attempts": str(told["attempts"]),
        "first failure": told["first_failure"] or "",
        "HTTP status": told["http_status"] or "",
        "schema": told["schema_id"] or "",
        "who": ", ".join(told["names"]),
        "value": f"{told['value_bytes']:,} bytes" + (", kept at its source only" if told["is_stub"] else ""),
        "state": told["state"],
        "replayed now": told["now"],
    }
    for name, text in lines.items():
        if text:
            add_row(table, name, text)
    for each in told["history"]:
        words = " ".join(
            str(each[name]) for name in ("at", "fate", "reason", "detail", "http_status") if each[name]
        )
        add_row(table, "replay", words)
    for name, value in told["headers"]:
        add_row(table, f"header {name}", value)
    console().print(table)
    if told["event"] is not None:
        # Escaped beyond ASCII: a key may hold what a terminal obeys.
        sys.stdout.write(json.dumps(told["event"], indent=2, default=str) + "\n")


def account_of(report: "Report") -> dict[str, Any]:
    """The closing account of `replay --json`; a contract."""
    told = report.told
    return {
        "selected": report.selected,
        "dry_run": report.is_dry,
        "stopped": report.is_stopped,
        "delivered": told.delivered,
        "skipped": dict(told.skipped),
        "failed": dict(told.failed),
        "held_back": [{"letter": str(each.letter), "later": str(each.later)} for each in told.held_back],
        "overtaken": [{"letter": str(each.letter), "later": str(each.later)} for each in told.overtaken],
        "unmended": [{"letter": str(each.letter), "later": str(each.later)} for each in told.unmended],
        "uncertain": [{"letter": str(letter), "call": call} for letter, call in report.uncertain],
        "held_back_unknown": [str(each) for each in told.unknown],
        "gone": [str(each) for each in told.gone],
        "unread": [str(each) for each in told.unread],
        "left": report.left,
        "operations": dict(report.operations),
    }


def print_account(report: "Report") -> None:
    """The closing account of `replay`, for a person."""
    told = report.told
    lines = [f"{report.selected:,} letters selected" + (", nothing sent (dry run)" if report.is_dry else "")]
    if not report.selected:
        lines = ["no dead letter is selected: nothing to replay"]
    if report.is_stopped:
        lines = [f"{report.selected:,} letters selected; the replay was told to stop before its end"]
        if not report.selected:
            lines = ["told to stop before letters were selected: nothing was sent"]
    would, fail = ("would be ", "would fail") if report.is_dry else ("", "failed")
    counts: list[tuple[str, int]] = [(f"{would}delivered", told.delivered)]
    counts += [(f"{would}skipped: {reason}", count) for reason, count in told.skipped.most_common()]
    counts += [(f"{fail} again: {reason}", count) for reason, count in told.failed.most_common()]
    counts += [
        ("held back: older than a later call of the same object (--force sends them)", len(told.held_back)),
        ("held back: what came after them is gone from its topic (--force sends them)", len(told.unknown)),
        ("perhaps over newer state", sum(not each.is_held_back for each in told.unmended)),
        ("nothing is left of them to send", len(told.gone)),
        ("their schema cannot be had now", len(told.unread)),
        ("left, and open still", report.left),
    ]
    lines += [f"{count:>9,}  {words}" for words, count in counts if count]
    lines += [f"{count:>9,}  operations to {endpoint}" for endpoint, count in report.operations.items()]
    lines += _named("held back", (f"{each.letter}, later: {each.later}" for each in told.held_back))
    lines += _named("held back, since what came after them is gone", map(str, told.unknown))
    lines += _named(
        "sent while later calls came, which then went once more behind it",
        (f"{each.letter}, later: {each.later}" for each in told.overtaken),
    )
    lines += _named(
        "perhaps over newer state: a later call did not go once more behind it (it stays taken)",
        (f"{each.letter}, later: {each.later}" for each in told.unmended),
    )
    lines += _named(
        "taken by an earlier replay that noted no end, so perhaps delivered before (activities count twice)",
        (f"{letter} {call}".strip() for letter, call in report.uncertain),
    )
    sys.stdout.write("\n".join(lines) + "\n")


def _named(title: str, each: Iterable[str]) -> list[str]:
    named = [f"  {words}" for words in each]
    return [f"{title}:", *named] if named else []
