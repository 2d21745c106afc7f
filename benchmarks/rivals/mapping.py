"""One record to the bulk items it becomes, for the Python rivals: fastavro, then `streamer`'s own mapping.

Records are read by fastavro alone, without our decoder's guards. The mapping is the pure part of `streamer`
(parse, transform, encode), so that all send the same bytes and what differs is the engine around it.
Somebody's own mapping would do less and cost less: no copy of the consent rules, say.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.outcomes import Endpoint
from streamer.planhat.requests import encode_operation
from streamer.transform import Rules, Skipped, transform

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
HEADER_BYTES = 10
JSON_FIELDS = ("context", "integrations", "traits", "properties")

REFUSED = (InvalidEvent, ArithmeticError, EOFError, LookupError, RecursionError, TypeError, ValueError)

Item = tuple[Endpoint, bytes]


class Unreadable(Exception):
    """The record is for the dead letters; the text says why."""


class Mapping:
    """Reads and maps; holds the parsed schemas by fingerprint."""

    def __init__(self) -> None:
        self._schemas: dict[bytes, Any] = {}
        self._rules = Rules()
        for path in SCHEMAS.glob("*.avsc"):
            schema = msgspec.json.decode(path.read_bytes())
            canonical = fastavro.schema.to_parsing_canonical_form(schema)
            mark = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
            self._schemas[mark] = fastavro.parse_schema(schema)

    def items(self, value: bytes) -> list[Item]:
        """What to send, in order; nothing for calls that must not go. Raises Unreadable."""
        try:
            outcome = transform(parse(self._read(value)), self._rules)
        except REFUSED as error:
            raise Unreadable(type(error).__name__) from None
        if isinstance(outcome, Skipped):
            return []
        return [(each.endpoint, encode_operation(each)) for each in outcome.operations]

    def _read(self, value: bytes) -> object:
        if not value.startswith(b"\xc3\x01"):
            return msgspec.json.decode(value)
        schema = self._schemas[value[2:HEADER_BYTES]]
        event: Any = fastavro.schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema, None)
        for name in JSON_FIELDS:
            if isinstance(event.get(name), str):
                event[name] = msgspec.json.decode(event[name])
        extra = event.pop("extra", None)
        if extra is not None:
            event.update(msgspec.json.decode(extra))
        return event
