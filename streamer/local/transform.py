"""What Planhat would be told of events in a file: the requests, and nothing is sent."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.local.lines import Parse
from streamer.transform import Rules, Skipped, told_of
from streamer.transform.operations import Operation


class Outcome(StrEnum):
    """What became of one event; a contract of `streamer transform --json`."""

    OPERATIONS = "operations"
    SKIPPED = "skipped"
    INVALID = "invalid"


class ShownRequest(NamedTuple):
    """One request as it would be sent, but for the secrets in its URL."""

    method: str
    url: str
    body: bytes
    """JSON; empty where the request has none."""


Ask = Callable[[Operation], ShownRequest]
"""The request that would carry one operation; lives in planhat/, which this room may not import."""


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


def tell(texts: Iterable[bytes], read: Parse, rules: Rules, ask: Ask) -> Iterator[Told]:
    """What becomes of each event, in order; whatever an event is, there is an answer."""
    for index, text in enumerate(texts):
        yield _tell(index, text, read, rules, ask)


def _tell(index: int, text: bytes, read: Parse, rules: Rules, ask: Ask) -> Told:
    value: object = None
    try:
        value = read(text)
        call = parse(value)
    except InvalidEvent as error:
        told = (Outcome.INVALID, error.reason.value, error.detail)
        return Told(index, _text(value, "type"), _text(value, "messageId"), *told, ())
    # What could be parsed is an object.
    result = told_of(call, value if isinstance(value, dict) else {}, rules)
    kind, message_id = _text(value, "type"), _text(value, "messageId")
    if isinstance(result, Skipped):
        return Told(index, kind, message_id, Outcome.SKIPPED, result.reason.value, "", ())
    requests = tuple(ask(operation) for operation in result.operations)
    return Told(index, kind, message_id, Outcome.OPERATIONS, None, "", requests)


def as_json(told: Told) -> str:
    """One line of `--json`."""
    line = {
        "index": told.index,
        "type": told.type,
        "messageId": told.message_id,
        "outcome": told.outcome,
        "reason": told.reason,
        "requests": [
            {"method": request.method, "url": request.url, "body": msgspec.Raw(request.body or b"null")}
            for request in told.requests
        ],
    }
    return msgspec.json.encode(line).decode()


def as_text(told: Told) -> str:
    """A few lines for a person: which event, what becomes of it, and each request in full."""
    head = " ".join(word for word in (f"# event {told.index}:", told.type, told.message_id) if word)
    if told.outcome is not Outcome.OPERATIONS:
        head += f" {told.outcome} ({told.reason})" + (f": {told.detail}" if told.detail else "")
    parts = [head]
    for request in told.requests:
        parts.append(f"{request.method} {request.url}")
        if request.body:
            parts.append(msgspec.json.format(request.body, indent=2).decode())
    return "\n".join(parts)


def _text(value: object, field: str) -> str | None:
    """A field of the event, if it is an object and the field is text."""
    found = value.get(field) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
