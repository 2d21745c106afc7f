"""What Planhat would be told of events, wherever they come from: the requests, and nothing is sent."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from streamer.errors import InvalidEvent
from streamer.events.calls import Call, JsonDict
from streamer.events.parse import parse
from streamer.local.lines import Parse
from streamer.outcomes import SkipReason
from streamer.transform import Rules, Skipped, told_of
from streamer.transform.operations import Operation
from streamer.transform.why import Why


class Outcome(StrEnum):
    """What became of one event; a contract of `streamer transform --json`."""

    OPERATIONS = "operations"
    SKIPPED = "skipped"
    INVALID = "invalid"


class Given(NamedTuple):
    """One event as it was found: what it says, or why that cannot be read."""

    value: object = None
    problem: InvalidEvent | None = None
    place: tuple[int, int] | None = None
    """Partition and offset, of an event that was read from a topic."""
    is_tombstone: bool = False
    """A record without a value."""


class ShownRequest(NamedTuple):
    """One request as it would be sent, but for the secrets in its URL."""

    method: str
    url: str
    body: bytes
    """JSON; empty where the request has none."""


Ask = Callable[[Operation], ShownRequest]
"""The request that would carry one operation; lives in planhat/, which this room may not import."""
Explain = Callable[[Call, JsonDict, Rules], Why]
"""`why`, for whoever wants to know."""


@dataclass(frozen=True, slots=True)
class Told:
    """What becomes of one event."""

    index: int
    type: str | None
    message_id: str | None
    outcome: Outcome
    reason: str | None
    detail: str
    requests: tuple[ShownRequest, ...]
    place: tuple[int, int] | None = None
    why: Why | None = None


def given_texts(texts: Iterable[bytes], read: Parse) -> Iterator[Given]:
    """Events of their texts."""
    for text in texts:
        try:
            yield Given(read(text))
        except InvalidEvent as error:
            yield Given(problem=error)


def given_values(values: Iterable[Any | InvalidEvent]) -> Iterator[Given]:
    """Events that were decoded already."""
    for value in values:
        yield Given(problem=value) if isinstance(value, InvalidEvent) else Given(value)


def tell(events: Iterable[Given], rules: Rules, ask: Ask, explain: Explain | None = None) -> Iterator[Told]:
    """What becomes of each event, in order; whatever an event is, there is an answer."""
    for index, given in enumerate(events):
        yield _tell(index, given, rules, ask, explain)


def _tell(index: int, given: Given, rules: Rules, ask: Ask, explain: Explain | None) -> Told:
    kind, message_id = _text(given.value, "type"), _text(given.value, "messageId")
    if given.is_tombstone:
        reason = SkipReason.TOMBSTONE.value
        return Told(index, kind, message_id, Outcome.SKIPPED, reason, "", (), given.place)
    try:
        if given.problem is not None:
            raise given.problem
        call = parse(given.value)
    except InvalidEvent as error:
        told = (Outcome.INVALID, error.reason.value, error.detail)
        why = None if explain is None else Why(detail=error.detail)
        return Told(index, kind, message_id, *told, (), given.place, why)
    # What could be parsed is an object.
    event = given.value if isinstance(given.value, dict) else {}
    result = told_of(call, event, rules)
    why = None if explain is None else explain(call, event, rules)
    if isinstance(result, Skipped):
        reason = result.reason.value
        return Told(index, kind, message_id, Outcome.SKIPPED, reason, "", (), given.place, why)
    requests = tuple(ask(operation) for operation in result.operations)
    return Told(index, kind, message_id, Outcome.OPERATIONS, None, "", requests, given.place, why)


def as_json(told: Told) -> str:
    """One line of `--json`."""
    place = {} if told.place is None else {"partition": told.place[0], "offset": told.place[1]}
    line: dict[str, Any] = {
        "index": told.index,
        **place,
        "type": told.type,
        "messageId": told.message_id,
        "outcome": told.outcome,
        "reason": told.reason,
        "requests": [
            {"method": request.method, "url": request.url, "body": msgspec.Raw(request.body or b"null")}
            for request in told.requests
        ],
    }
    if told.why is not None:
        line["why"] = _why_json(told.why)
    return msgspec.json.encode(line).decode()


def _why_json(why: Why) -> dict[str, Any]:
    if why.detail:
        return {"detail": why.detail}
    if why.skipped is not None:
        return {"rule": why.rule, "from": why.sources}
    fields = [
        {"operation": each.operation, "field": _json_text(each.field), "from": _json_texts(each.sources)}
        | {"rule": _json_text(each.rule)}
        for each in why.causes
    ]
    return {"fields": fields, "unsent": _json_texts(why.unsent)}


def _json_texts(texts: Iterable[str]) -> list[str]:
    return [_json_text(text) for text in texts]


def _json_text(text: str) -> str:
    """Text that UTF-8 can hold: a key may be a lone surrogate."""
    return text.encode("utf-8", "replace").decode()


def as_text(told: Told) -> str:
    """A few lines for a person: which event, what becomes of it, and each request in full."""
    place = None if told.place is None else f"at {told.place[0]}@{told.place[1]}"
    head = " ".join(word for word in (f"# event {told.index}:", told.type, told.message_id, place) if word)
    if told.outcome is not Outcome.OPERATIONS:
        head += f" {told.outcome} ({told.reason})" + (f": {told.detail}" if told.detail else "")
    parts = [head]
    for request in told.requests:
        parts.append(f"{request.method} {request.url}")
        if request.body:
            parts.append(msgspec.json.format(request.body, indent=2).decode())
    if told.why is not None:
        parts += _why_lines(told.why, len(told.requests))
    return "\n".join(parts)


MOST_SOURCES = 3
"""Sources that are named in one line; of more, how many there are."""


def _why_lines(why: Why, requests: int) -> Iterator[str]:
    if why.skipped is not None:
        yield f"  skipped by {why.rule}" + (f" ← {_sources(why.sources)}" if why.sources else "")
        return
    for each in why.causes:
        number = f"{each.operation + 1}. " if requests > 1 else ""
        source = _sources(each.sources) if each.sources else "(nothing in the call)"
        rule = "" if each.rule == source else f"   [{each.rule}]"
        yield _json_text(f"  {number}{each.field} ← {source}{rule}")
    if why.unsent:
        yield _json_text(f"  not sent: {', '.join(why.unsent)}")


def _sources(sources: tuple[str, ...]) -> str:
    named = ", ".join(sources[:MOST_SOURCES])
    return named if len(sources) <= MOST_SOURCES else f"{named} and {len(sources) - MOST_SOURCES} more"


def _text(value: object, field: str) -> str | None:
    """A field of the event, if it is an object and the field is text."""
    found = value.get(field) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
