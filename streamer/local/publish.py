"""Events from a file, as Avro records for a topic."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from streamer.errors import InvalidEvent
from streamer.local.lines import Parse
from streamer.outcomes import InvalidReason

FALLBACK_KEY = "anonymousId"
"""What stands for a user whom Segment does not know yet."""

Encode = Callable[[Mapping[str, Any]], bytes]
"""An event to a record's value; lives in avro/, which this room may not import."""
Send = Callable[[bytes | None, bytes], None]
"""Takes a key and a value; lives in kafka/, which this room may not import."""


class Refusal(NamedTuple):
    """An event that is no record, counted from 0, and why."""

    event: int
    reason: str


def publish(texts: Iterable[bytes], read: Parse, encode: Encode, send: Send, *, key: str) -> list[Refusal]:
    """Send every event that can be encoded, keyed by its field `key`; return those that cannot."""
    refusals = []
    for index, text in enumerate(texts):
        try:
            event = _object(read(text))
            value = encode(event)
        except InvalidEvent as error:
            refusals.append(Refusal(index, str(error)))
        else:
            send(_key(event, key), value)
    return refusals


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidEvent(InvalidReason.NOT_AN_EVENT, "not an object")
    return value


def _key(event: Mapping[str, Any], field: str) -> bytes | None:
    """The key that keeps a user's events in one partition; none where the event names nobody."""
    for name in (field, FALLBACK_KEY):
        value = event.get(name) if field else None
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value).encode(errors="replace")
    return None
