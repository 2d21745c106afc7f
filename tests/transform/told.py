"""What Planhat is told of an event: the operations, as the JSON that is sent."""

import json
from typing import Any

from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.planhat.items import encode_operation
from streamer.transform import Rules, Skipped, transform

DEFAULT = Rules()


def told(event: dict[str, Any], rules: Rules = DEFAULT) -> list[dict[str, Any]]:
    """The entries that an event becomes, in order."""
    result = transform(parse(event), rules)
    assert not isinstance(result, Skipped), result
    return [json.loads(encode_operation(operation)) for operation in result.operations]


def told_one(event: dict[str, Any], rules: Rules = DEFAULT) -> dict[str, Any]:
    """The one entry that an event becomes."""
    (entry,) = told(event, rules)
    return entry


def reason(event: dict[str, Any], rules: Rules = DEFAULT) -> str | None:
    """Why Planhat is told nothing: the reason of a skip or of a dead letter; None where it is told."""
    try:
        result = transform(parse(event), rules)
    except InvalidEvent as invalid:
        return str(invalid.reason)
    return str(result.reason) if isinstance(result, Skipped) else None


def identify(**parts: Any) -> dict[str, Any]:
    """An identify call of u-1."""
    return {"type": "identify", "userId": "u-1", **parts}


def track(event: str = "Logged In", **parts: Any) -> dict[str, Any]:
    """A track call of u-1."""
    return {"type": "track", "userId": "u-1", "event": event, **parts}


def page(**parts: Any) -> dict[str, Any]:
    """A page call of u-1."""
    return {"type": "page", "userId": "u-1", **parts}


def group(**parts: Any) -> dict[str, Any]:
    """A group call that puts u-1 into acme."""
    return {"type": "group", "userId": "u-1", "groupId": "acme", **parts}
