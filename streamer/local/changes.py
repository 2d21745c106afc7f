"""What other rules would change: the same events under the rules of before and of after, side by side."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from streamer.errors import InvalidEvent
from streamer.events.calls import Call, JsonDict
from streamer.events.parse import call_type_of, parse
from streamer.local.transform import Given
from streamer.transform import Rules, Skipped, Transformed, told_of
from streamer.transform.why import fields_of, is_same

MOST_EXAMPLES: Final = 3
"""Events that are kept of each kind of change."""


class Kind(StrEnum):
    """What a change of rules comes to for one event; a contract of `--json`."""

    UNCHANGED = "unchanged"
    """The same requests, or skipped for the same reason."""
    DIFFERENT = "different"
    """Sent before and after, with other fields or other operations."""
    NOW_SENT = "now_sent"
    """Skipped before."""
    NOW_SKIPPED = "now_skipped"
    """Sent before."""
    OTHER_REASON = "other_reason"
    """Skipped before and after, for another reason."""
    INVALID = "invalid"
    """Neither can send it: it is no event, whatever the rules are."""


class How(StrEnum):
    """What became of one field."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class FieldChange(NamedTuple):
    """One field of one operation that is not what it was."""

    how: How
    field: str
    """With its endpoint: `endusers.custom.plan`."""
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of rules does to one event."""

    kind: Kind
    before: str | None = None
    """Why it was skipped before, if it was."""
    after: str | None = None
    fields: tuple[FieldChange, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Example:
    """An event that a change concerns."""

    index: int
    type: str
    message_id: str | None
    place: tuple[int, int] | None
    change: Change


@dataclass(slots=True)
class Changes:
    """What a change of rules does to many events."""

    events: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    calls: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    """By kind and the call's type."""
    fields: Counter[tuple[str, How]] = field(default_factory=Counter)
    """Events in which this became of this field."""
    reasons: Counter[tuple[Kind, str, str]] = field(default_factory=Counter)
    """By kind, the reason before and the one after; "" where it was, or is, sent."""
    examples: dict[Kind, list[Example]] = field(default_factory=lambda: defaultdict(list))


def compare(call: Call, decoded: JsonDict, old: Rules, new: Rules) -> Change:
    """What becomes of one call, decoded from that event, by new rules and not by the old ones. Pure."""
    before, after = told_of(call, decoded, old), told_of(call, decoded, new)
    if isinstance(before, Skipped):
        if isinstance(after, Skipped):
            kind = Kind.UNCHANGED if before.reason is after.reason else Kind.OTHER_REASON
            return Change(kind, before.reason.value, after.reason.value)
        return Change(Kind.NOW_SENT, before=before.reason.value)
    if isinstance(after, Skipped):
        return Change(Kind.NOW_SKIPPED, after=after.reason.value)
    fields = tuple(_field_changes(_flat(before), _flat(after)))
    return Change(Kind.DIFFERENT if fields else Kind.UNCHANGED, fields=fields)


def compare_all(events: Iterable[Given], old: Rules, new: Rules) -> Changes:
    """The same of many events, counted, with a few examples."""
    found = Changes()
    for index, given in enumerate(events):
        if given.is_tombstone:
            continue  # a record without a value is skipped by any rules
        found.events += 1
        kind_of_call, message_id = call_type_of(given.value).value, None
        try:
            if given.problem is not None:
                raise given.problem
            call = parse(given.value)
        except InvalidEvent as invalid:
            change = Change(Kind.INVALID, invalid.reason.value, invalid.reason.value)
        else:
            event = given.value if isinstance(given.value, dict) else {}
            change, message_id = compare(call, event, old, new), call.message_id
        _count(found, Example(index, kind_of_call, message_id, given.place, change))
    return found


def _count(found: Changes, example: Example) -> None:
    change = example.change
    found.kinds[change.kind] += 1
    found.calls[change.kind, example.type] += 1
    # In their order: of as many events each, the same fields come first every time.
    found.fields.update(list(dict.fromkeys((each.field, each.how) for each in change.fields)))
    if change.before is not None or change.after is not None:
        found.reasons[change.kind, change.before or "", change.after or ""] += 1
    kept = found.examples[change.kind]
    if change.kind is not Kind.UNCHANGED and len(kept) < MOST_EXAMPLES:
        kept.append(example)


def _flat(result: Transformed) -> dict[tuple[str, int], dict[str, Any]]:
    """The fields of each operation, by its endpoint and its number among those of that endpoint."""
    seen: Counter[str] = Counter()
    found = {}
    for operation in result.operations:
        endpoint = operation.endpoint.value
        found[endpoint, seen[endpoint]] = fields_of(operation)
        seen[endpoint] += 1
    return found


def _field_changes(
    before: Mapping[tuple[str, int], Mapping[str, Any]], after: Mapping[tuple[str, int], Mapping[str, Any]]
) -> Iterator[FieldChange]:
    for place in {**before, **after}:
        was, is_now = before.get(place, {}), after.get(place, {})
        for name in {**was, **is_now}:
            spelled = f"{place[0]}.{name}"
            if name not in was:
                yield FieldChange(How.ADDED, spelled, after=is_now[name])
            elif name not in is_now:
                yield FieldChange(How.REMOVED, spelled, before=was[name])
            elif not is_same(was[name], is_now[name]):
                yield FieldChange(How.CHANGED, spelled, was[name], is_now[name])
