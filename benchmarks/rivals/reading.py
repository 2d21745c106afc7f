"""A record's bytes to the event in it: fastavro for Avro single-object bytes, msgspec for JSON.

Without the guards against hostile bytes that `streamer`'s decoder has: a loop of one's own rarely has them.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import msgspec

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
MAGIC = b"\xc3\x01"
HEADER_BYTES = 10
JSON_FIELDS = ("context", "integrations", "traits", "properties")


class Reader:
    """Holds the parsed schemas by fingerprint."""

    def __init__(self) -> None:
        self._schemas: dict[bytes, Any] = {}
        for path in SCHEMAS.glob("*.avsc"):
            schema = msgspec.json.decode(path.read_bytes())
            canonical = fastavro.schema.to_parsing_canonical_form(schema)
            mark = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
            self._schemas[mark] = fastavro.parse_schema(schema)

    def read(self, value: bytes) -> Any:  # noqa: ANN401 - whatever JSON may hold
        """The event, its open parts as objects; raises what fastavro and msgspec do, and LookupError."""
        if not value.startswith(MAGIC):
            return msgspec.json.decode(value)
        schema = self._schemas[value[2:HEADER_BYTES]]
        event: Any = fastavro.schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema, None)
        for name in JSON_FIELDS:
            text = event.get(name)
            if type(text) is str:
                event[name] = msgspec.json.decode(text)
        return event
