"""How `streamer explain` tells a story: a table and sentences for people, JSON for programs."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from streamer.app.story.notes import differences, notes
from streamer.app.story.values import Look, Outcome, Present, Settling, Story, ToldCall, ToldLetter
from streamer.app.story.verdict import verdict
from streamer.app.story.words import skipped_words
from streamer.cli.tables import add_row, console, printable
from streamer.letters.journal import time_of
from streamer.letters.masking import masked
from streamer.transform.operations import LogActivity, Operation
from streamer.transform.why import fields_of

_SETTLING: Final[Mapping[Settling, str]] = {
    Settling.COMMITTED: "finished with",
    Settling.AHEAD: "finished with, ahead of the commit",
    Settling.OPEN: "not finished with",
    Settling.UNKNOWN: "not known",
}
MOST_ROWS: Final = 25
"""Calls that stand in the table, the latest; and as many dead letters below it."""
_IDS: Final = frozenset({"externalId", "companyExternalId"})
_KEYS: Final = _IDS | {"email"}


# --- for a person -------------------------------------------------------------------------------------------


def print_story(story: Story, *, shows_values: bool) -> None:
    """The whole story."""
    from rich.table import Table  # noqa: PLC0415 - only tables need it

    calls = "1 call" if story.count == 1 else f"{story.count:,} calls"
    _say(
        f"{story.wanted.noun} {story.wanted.name}: {calls} among {story.records:,} records of "
        f"{story.topic}, written from {time_of(story.since_ms)} on"
    )
    if story.calls:
        table = Table(box=None, pad_edge=False, show_edge=False)
        for heading in ("written", "call", "at", "becomes", "state"):
            table.add_column(heading, overflow="fold", no_wrap=heading in {"written", "at"})
        for call in story.calls[-MOST_ROWS:]:
            what = f"{call.type} {call.event}" if call.event else call.type
            add_row(table, time_of(call.at.written_ms), what, str(call.at), _becomes(call), _state(call))
        console().print(table)
    if len(story.calls) > MOST_ROWS:
        _say(f"(the latest {MOST_ROWS} calls; --json tells {len(story.calls):,})")
    for line in _lines(story, shows_values=shows_values):
        _say(line)


def _lines(story: Story, *, shows_values: bool) -> Iterator[str]:
    met = {id(call.letter) for call in story.calls if call.letter is not None}
    others = [letter for letter in story.letters if id(letter) not in met]
    for letter in others[-MOST_ROWS:]:
        yield f"dead letter of {letter.partition}@{letter.offset} ({letter.call}): {_letter(letter)}"
    if len(others) > MOST_ROWS:
        yield f"(the latest {MOST_ROWS} of {len(others):,} dead letters without their call; --json tells all)"
    if shows_values and story.fields:
        yield "what its calls say all together:"
        yield from (f"  {name} = {value!r}" for name, value in sorted(story.fields.items()))
    yield from _planhat_lines(story, shows_values=shows_values)
    yield from (f"note: {each}" for each in notes(story))
    yield from (f"not known: {each}" for each in story.unknown)
    found = verdict(story)
    yield f"verdict: {found.text}"
    yield from (f"  to do: {each}" for each in found.todo)


def _planhat_lines(story: Story, *, shows_values: bool) -> Iterator[str]:
    if story.present is None:
        return
    yield f"Planhat, this {story.wanted.noun}: {_presence(story.present)}"
    if story.present.look is Look.FOUND and shows_values:
        yield from (f"  {name} = {value!r}" for name, value in sorted(story.present.record.items()))
    for name in differences(story):
        yield f"  differs: {name}"
    if story.present_company is not None:
        yield f"Planhat, company {story.company}: {_presence(story.present_company)}"


def _presence(present: Present) -> str:
    words = {Look.FOUND: "there", Look.ABSENT: "none", Look.UNKNOWN: "not known"}[present.look]
    return f"{words} ({present.detail})" if present.detail else words


def _becomes(call: ToldCall) -> str:
    if call.skipped is not None:
        return f"skipped ({call.skipped.value}): {skipped_words(call.skipped)[0]}"
    if call.invalid is not None:
        return f"invalid ({call.invalid.value})" + (f": {call.detail}" if call.detail else "")
    if call.outcome is Outcome.UNREAD:
        return "cannot be read: the registry does not give its schema"
    told = "; ".join(map(_operation, call.operations))
    if call.copy_of is not None:
        return f"{told}; a copy of {call.copy_of}"
    if call.says_nothing_new:
        return f"{told}; nothing new, so perhaps not sent (unchanged)"
    return told if call.overtaken_by is None else f"{told}; overtaken by {call.overtaken_by}"


def _operation(operation: Operation) -> str:
    fields = fields_of(operation)
    said = len(fields.keys() - _KEYS)
    company = fields.get("companyExternalId")
    where = "" if company is None else f" in company {company}"
    if isinstance(operation, LogActivity):
        return f"activity{where}"
    fields_said = f", {said} {'field' if said == 1 else 'fields'}" if said else ""
    return f"{operation.endpoint.value}{where}{fields_said}"


def _state(call: ToldCall) -> str:
    return _letter(call.letter) if call.letter is not None else _SETTLING[call.settling]


def _letter(letter: ToldLetter) -> str:
    return f"dead letter {letter.id}: {letter.reason}, {letter.state.value}"


def _say(line: str) -> None:
    sys.stdout.write(printable(line) + "\n")


# --- for a program ------------------------------------------------------------------------------------------


def story_json(story: Story, *, shows_values: bool) -> dict[str, Any]:
    """The story as one object; a contract."""
    found = verdict(story)
    return {
        "by": story.wanted.kind.value,
        "name": story.wanted.name,
        "topic": story.topic,
        "group": story.group,
        "since": time_of(story.since_ms),
        "records": story.records,
        "partitions": {
            str(number): {
                "from": each.read.low,
                "to": each.read.high,
                "held_from": each.held.low,
                "committed": each.committed,
            }
            for number, each in sorted(story.partitions.items())
        },
        "count": story.count,
        "outcomes": dict(story.outcomes),
        "calls": [_call_json(story, call, shows_values=shows_values) for call in story.calls],
        "dead_letters": [_letter_json(letter) for letter in story.letters],
        "unassigned": story.holding_company or "discard",
        "says": _values(story, story.fields, shows_values=shows_values),
        "company": story.company,
        "planhat": _present_json(story, story.present, shows_values=shows_values),
        "planhat_company": _present_json(story, story.present_company, shows_values=shows_values),
        "differs": differences(story),
        "notes": list(notes(story)),
        "unknown": story.unknown,
        "verdict": found.text,
        "to_do": list(found.todo),
    }


def _call_json(story: Story, call: ToldCall, *, shows_values: bool) -> dict[str, Any]:
    reason = call.skipped or call.invalid
    return {
        "written": time_of(call.at.written_ms),
        "timestamp": call.timestamp,
        "type": call.type,
        "event": call.event,
        "partition": call.at.partition,
        "offset": call.at.offset,
        "has_key": call.has_key,
        "outcome": call.outcome.value,
        "reason": None if reason is None else reason.value,
        "detail": call.detail,
        "operations": [
            {
                "endpoint": each.endpoint.value,
                "says": _values(story, fields_of(each), shows_values=shows_values),
            }
            for each in call.operations
        ],
        "company": call.company,
        "copy_of": None if call.copy_of is None else str(call.copy_of),
        "says_nothing_new": call.says_nothing_new,
        "overtaken_by": None if call.overtaken_by is None else str(call.overtaken_by),
        "state": call.settling.value,
        "dead_letter": None if call.letter is None else str(call.letter.id),
    }


def _letter_json(letter: ToldLetter) -> dict[str, Any]:
    return {
        "letter": str(letter.id),
        "written": time_of(letter.written_ms),
        "call": letter.call,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "detail": letter.detail,
        "state": letter.state.value,
        "replays": letter.replays,
    }


def _present_json(story: Story, present: Present | None, *, shows_values: bool) -> dict[str, Any] | None:
    if present is None:
        return None
    record = _values(story, present.record, shows_values=shows_values) if present.look is Look.FOUND else None
    return {"look": present.look.value, "detail": present.detail, "record": record}


def _values(story: Story, said: Mapping[str, Any], *, shows_values: bool) -> dict[str, Any]:
    """With the ids, and what the asker gave; all else masked unless it is to be shown."""
    if shows_values:
        return dict(said)
    given = story.wanted.name.casefold()

    def shown(name: str, value: object) -> object:
        is_given = isinstance(value, str) and value.casefold() == given
        return value if name in _IDS or is_given else masked(value)

    return {name: shown(name, value) for name, value in said.items()}
