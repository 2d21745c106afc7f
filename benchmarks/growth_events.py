"""Records for one axis of growth at a time: so many keys, or so large. Lazily made, the same every time."""

from collections.abc import Iterator
from typing import Any

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.kafka.publish import Publisher

Record = tuple[bytes | None, bytes | None]
"""Key and value."""

IDENTIFY_EVERY = 10
USERS_OF_A_COMPANY = 50
PROPERTY_BYTES = 49
"""About what one of the properties below takes as JSON."""
BARE_BYTES = 142
"""Of a track call with but a few properties, as Avro."""


def of_users(events: int, users: int) -> Iterator[Record]:
    """Calls of so many users in turn: each tenth an identify, the others what they did."""
    encode = Encoder(load_schemas()).encode
    for number in range(events):
        # Which of a user's calls identify moves from round to round, or with ten users only one would.
        user, turn = number % users, number // users
        is_identify = (user + turn) % IDENTIFY_EVERY == 0
        company = f"acme-{user // USERS_OF_A_COMPANY}"
        event = _identify(user, company, turn) if is_identify else _track(user, {"report": turn})
        yield f"u-{user}".encode(), encode(event | {"messageId": f"growth-{number}"})


def of_size(events: int, size_bytes: int) -> Iterator[Record]:
    """What a thousand users did, told in so many bytes: many properties rather than one long one."""
    encode = Encoder(load_schemas()).encode
    count = max(0, size_bytes - BARE_BYTES) // PROPERTY_BYTES
    properties = {f"Answer {number:04}": f"what was said to question {number:06}" for number in range(count)}
    for number in range(events):
        event = _track(number % 1_000, properties | {"report": number})
        yield f"u-{number % 1_000}".encode(), encode(event | {"messageId": f"growth-{number}"})


def produce(bootstrap: str, topic: str, records: Iterator[Record]) -> tuple[int, int]:
    """All of them; returns how many, and their bytes."""
    publisher = Publisher(bootstrap, topic)
    count = size = 0
    for key, value in records:
        publisher.publish(key, value)
        count, size = count + 1, size + len(value or b"")
    if publisher.flush(300) or publisher.failed:
        raise SystemExit("the broker did not take every event")
    return count, size


def _call(kind: str, user: int) -> dict[str, Any]:
    return {
        "type": kind,
        "userId": f"u-{user}",
        "anonymousId": None,
        "timestamp": "2026-01-05T08:00:00.050Z",
        "context": {"library": {"name": "made", "version": "1.0"}},
    }


def _identify(user: int, company: str, turn: int) -> dict[str, Any]:
    traits = {"email": f"u-{user}@acme.example", "companyId": company, "plan": "pro", "visits": turn}
    return _call("identify", user) | {"traits": traits}


def _track(user: int, properties: dict[str, Any]) -> dict[str, Any]:
    return _call("track", user) | {"event": "Report Opened", "properties": properties}
