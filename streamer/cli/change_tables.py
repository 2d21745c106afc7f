"""How `transform --mapping NEW --against OLD` shows what would change."""

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from streamer.cli.tables import printable
from streamer.letters.masking import masked
from streamer.local.changes import Change, Changes, Example, FieldChange, How, Kind

_WORDS: Final = {
    Kind.UNCHANGED: "unchanged",
    Kind.DIFFERENT: "sent otherwise",
    Kind.NOW_SENT: "now sent",
    Kind.NOW_SKIPPED: "now skipped",
    Kind.OTHER_REASON: "skipped for another reason",
    Kind.INVALID: "invalid whatever the rules are",
}
_SIGNS: Final = {How.ADDED: "+", How.REMOVED: "-", How.CHANGED: "~"}
MOST_FIELDS: Final = 40
"""Fields that are listed for a person, those that change most often."""


def changes_json(changes: Changes, *, shows_values: bool) -> dict[str, Any]:
    """The whole as one object; a contract."""
    return {
        "events": changes.events,
        "kinds": {kind.value: changes.kinds[kind] for kind in Kind},
        "calls": [
            {"kind": kind.value, "type": call, "events": count}
            for (kind, call), count in sorted(changes.calls.items())
        ],
        "fields": [
            {"field": name, "how": how.value, "events": count}
            for (name, how), count in changes.fields.most_common()
        ],
        "reasons": [
            {"kind": kind.value, "before": before or None, "after": after or None, "events": count}
            for (kind, before, after), count in changes.reasons.most_common()
        ],
        "examples": [
            _example_json(each, shows_values=shows_values)
            for examples in changes.examples.values()
            for each in examples
        ],
    }


def print_changes(changes: Changes, *, shows_values: bool) -> None:
    """The whole for a person."""
    for line in _lines(changes, shows_values=shows_values):
        sys.stdout.write(printable(line) + "\n")


def _lines(changes: Changes, *, shows_values: bool) -> Iterator[str]:
    yield f"{changes.events:,} events"
    for kind in Kind:
        if changes.kinds[kind]:
            yield f"{changes.kinds[kind]:>9,}  {_WORDS[kind]}{_by_call(changes, kind)}"
    for (kind, before, after), count in changes.reasons.most_common():
        if kind in {Kind.NOW_SENT, Kind.NOW_SKIPPED, Kind.OTHER_REASON}:
            yield f"{count:>9,}  {before or 'sent'} → {after or 'sent'}"
    fields = changes.fields.most_common()
    if fields:
        yield "fields, by events in which they change:"
    yield from (f"{count:>9,}  {_SIGNS[how]} {name}" for (name, how), count in fields[:MOST_FIELDS])
    if len(fields) > MOST_FIELDS:
        yield f"           and {len(fields) - MOST_FIELDS:,} more (--json tells all)"
    for examples in changes.examples.values():
        for each in examples:
            yield from _example_lines(each, shows_values=shows_values)


def _by_call(changes: Changes, kind: Kind) -> str:
    counts = [(call, count) for (each, call), count in changes.calls.most_common() if each is kind]
    return f" ({', '.join(f'{count:,} {call}' for call, count in counts)})"


def _example_lines(example: Example, *, shows_values: bool) -> Iterator[str]:
    place = "" if example.place is None else f" at {example.place[0]}@{example.place[1]}"
    named = "" if example.message_id is None else f" {example.message_id}"
    yield f"for example event {example.index}{place}: {example.type}{named}, {_told(example.change)}"
    for each in example.change.fields:
        before, after = (_text(value, shows_values=shows_values) for value in (each.before, each.after))
        match each.how:
            case How.ADDED:
                yield f"    + {each.field} = {after}"
            case How.REMOVED:
                yield f"    - {each.field} = {before}"
            case How.CHANGED:
                yield f"    ~ {each.field}: {before} → {after}"


def _told(change: Change) -> str:
    if change.kind in {Kind.DIFFERENT, Kind.INVALID}:
        return _WORDS[change.kind]
    return f"{change.before or 'sent'} → {change.after or 'sent'}"


def _text(value: object, *, shows_values: bool) -> str:
    return json.dumps(value if shows_values else masked(value), ensure_ascii=False, default=str)


def _example_json(example: Example, *, shows_values: bool) -> dict[str, Any]:
    place = {} if example.place is None else {"partition": example.place[0], "offset": example.place[1]}
    return {
        "kind": example.change.kind.value,
        "index": example.index,
        **place,
        "type": example.type,
        "messageId": example.message_id,
        "before": example.change.before,
        "after": example.change.after,
        "fields": [_field_json(each, shows_values=shows_values) for each in example.change.fields],
    }


def _field_json(each: FieldChange, *, shows_values: bool) -> dict[str, Any]:
    before, after = (value if shows_values else masked(value) for value in (each.before, each.after))
    return {"field": each.field, "how": each.how.value, "before": before, "after": after}
