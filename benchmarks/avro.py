"""What reading an Avro datum costs per event: fastavro's path beside the reader made for the schema.

    python -m benchmarks.avro

Both end with the same mapping, open parts opened and leaves JSON-ready. Each round measures both, one event
after the other, so that both see the same machine; the best round counts, since noise only ever adds.
`wanted` passes over what no call is made of. `library` is what fastavro itself takes of its path.
"""

import argparse
import io
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import fastavro

from streamer.avro.datum import DatumReader
from streamer.avro.encoder import Encoder
from streamer.avro.generated import made_reader
from streamer.avro.schemas import load_schemas
from streamer.events.parse import FIELDS_READ

REPETITIONS = 1_000

_CONTEXT: dict[str, Any] = {
    "groupId": "acme-42",
    "ip": "203.0.113.7",
    "locale": "en-GB",
    "timezone": "Europe/Oslo",
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
    "library": {"name": "analytics.js", "version": "2.11.1"},
    "traits": {"email": "u-1@acme.example"},
    "page": {
        "path": "/invoices", "title": "Invoices", "search": "",
        "url": "https://app.acme.example/invoices", "referrer": "https://app.acme.example/",
    },
    "campaign": {"name": "spring", "source": "newsletter", "medium": "email"},
}  # fmt: skip
_ENVELOPE: dict[str, Any] = {
    "messageId": "ajs-next-1700000000000-abcdef0123456789",
    "userId": "usr_8c1f2e9b77",
    "anonymousId": "0b3f3f0e-6f1c-4f0e-9d0c-7a1f2e9b7701",
    "timestamp": "2026-03-02T09:15:30.250Z",
    "originalTimestamp": "2026-03-02T09:15:30.101Z",
    "sentAt": "2026-03-02T09:15:30.105Z",
    "receivedAt": "2026-03-02T09:15:30.254Z",
    "channel": "browser",
    "version": 2,
    "context": _CONTEXT,
    "integrations": {"All": True},
}
_PROPERTIES: dict[str, Any] = {
    "amount": 830.5, "currency": "USD", "items": 3, "total billed": 1290.0, "discount": None, "plan": "pro",
    "tags": ["a", "b"], "seats": 41, "is_trial": False, "invoice": "INV-2026-0042", "method": "card",
    "days": 30,
}  # fmt: skip
_TRAITS: dict[str, Any] = {
    "firstName": "Ada", "lastName": "Last", "email": "u-1@acme.example", "title": "CTO",
    "phone": "+1 555 0100", "plan": "pro", "seats": 12, "beta": True, "logins": 314,
    "createdAt": "2026-01-05T10:00:00.000Z",
    "address": {"city": "Bergen", "country": "Norway"}, "score": 0.75,
}  # fmt: skip
EVENTS: dict[str, dict[str, Any]] = {
    "identify": {**_ENVELOPE, "type": "identify", "traits": _TRAITS},
    "group": {**_ENVELOPE, "type": "group", "groupId": "acme-42", "traits": _TRAITS},
    "track": {**_ENVELOPE, "type": "track", "event": "Invoice Paid", "properties": _PROPERTIES},
    "page": {**_ENVELOPE, "type": "page", "name": "Invoices", "properties": _CONTEXT["page"]},
    "screen": {**_ENVELOPE, "type": "screen", "name": "Invoices", "properties": _PROPERTIES},
    "alias": {**_ENVELOPE, "type": "alias", "previousId": "usr_old"},
    "delete": {**_ENVELOPE, "type": "delete"},
}


def _text_record(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A record of nullable text, or of records of it."""
    members = []
    for field, value in fields.items():
        inner = _text_record(f"{name}_{field}", value) if isinstance(value, dict) else "string"
        members.append({"name": field, "type": ["null", inner]})
    return {"type": "record", "name": name, "fields": members}


_LEAVES: list[Any] = ["null", "string", "double", "boolean", "long"]
_FLAT = {f"context_{name}": "some text of twenty" for name in map(str, range(30))}
_TEXTS = ("type", "event", "messageId", "userId", "anonymousId")
_TIMES = ("timestamp", "sentAt", "receivedAt")
_TIME = {"type": "long", "logicalType": "timestamp-millis"}
FOREIGN: dict[str, Any] = {
    "type": "record",
    "name": "Foreign",
    "fields": [
        *({"name": name, "type": ["null", "string"]} for name in (*_TEXTS, *_FLAT)),
        *({"name": name, "type": _TIME} for name in _TIMES),
        {"name": "context", "type": _text_record("Context", _CONTEXT)},
        {"name": "properties", "type": {"type": "map", "values": _LEAVES}},
    ],
}
"""A schema as others make them: typed context, a map of scalars, and thirty columns of the warehouse's."""
FOREIGN_EVENT: dict[str, Any] = {
    "type": "track", "event": "Invoice Paid", "messageId": "m-1", "userId": "u-1", "anonymousId": None,
    "timestamp": 1_772_442_930_250, "sentAt": 1_772_442_930_105, "receivedAt": 1_772_442_930_254,
    "context": _CONTEXT, **_FLAT,
    "properties": {name: each for name, each in _PROPERTIES.items() if name != "tags"},
}  # fmt: skip


class Side(NamedTuple):
    """One event's bytes, and the ways to read it."""

    name: str
    value: bytes
    ways: tuple[Callable[[], object], ...]


def _side(name: str, datums: DatumReader, value: bytes) -> Side:
    made, sparing = made_reader(datums), made_reader(datums, wanted=FIELDS_READ)
    assert made(value, 0) == datums.read(value)
    return Side(
        name,
        value,
        (
            lambda: fastavro.schemaless_reader(io.BytesIO(value), datums.parsed, None),
            lambda: datums.read(value, 0),
            lambda: made(value, 0),
            lambda: sparing(value, 0),
        ),
    )


def sides() -> list[Side]:
    """Every type of call by the bundled schemas, and an event of a foreign one."""
    schemas = load_schemas()
    encoder = Encoder(schemas)
    made = []
    for name, event in EVENTS.items():
        schema = schemas.by_name(name)
        assert schema is not None
        made.append(_side(name, schema.reader, encoder.encode(event, "bare")))
    datums = DatumReader(FOREIGN)
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, datums.parsed, FOREIGN_EVENT)
    return [*made, _side("track, foreign schema", datums, stream.getvalue())]


def cpu_seconds(way: Callable[[], object]) -> float:
    """CPU seconds of REPETITIONS of it."""
    began = time.process_time()
    for _ in range(REPETITIONS):
        way()
    return time.process_time() - began


def main() -> None:
    """Print microseconds per event and ratios."""
    parser = argparse.ArgumentParser(description="what reading an Avro datum costs per event")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    columns = ("bytes", "library", "path", "made", "ratio", "wanted", "ratio")
    print(f"{'CPU us per event':<24}" + "".join(f"{column:>8}" for column in columns))
    totals = [0.0] * 4
    for side in sides():
        taken = [[cpu_seconds(way) for way in side.ways] for _ in range(rounds)]
        best = [min(column) * 1e6 / REPETITIONS for column in zip(*taken, strict=True)]
        totals = [total + one for total, one in zip(totals, best, strict=True)]
        print(_line(side.name, str(len(side.value)), best))
    print(_line("all", "", totals))


def _line(name: str, size: str, best: list[float]) -> str:
    library, path, made, sparing = best
    figures = (library, path, made, made / path, sparing, sparing / path)
    return f"{name:<24}{size:>8}" + "".join(f"{figure:>8.2f}" for figure in figures)


if __name__ == "__main__":
    main()
