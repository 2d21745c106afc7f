"""One datum of one writer schema, from bytes to a mapping in Segment's shape."""

import struct
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

import fastavro.schema

from streamer.avro import guard, json_text
from streamer.avro.hazards import AvroType, find_hazards, kind
from streamer.avro.json_ready import json_ready
from streamer.errors import InvalidEvent, SchemaError
from streamer.outcomes import InvalidReason

OPEN_FIELDS = ("context", "integrations", "properties", "traits")
"""Segment's fields that hold an object of anything; as text or bytes they hold its JSON."""
OVERFLOW_FIELD = "extra"
"""Of our own schemas: an object to lay over the record."""
JSON_LOGICAL_TYPE = "json"

# What fastavro raises at bytes or at a schema it cannot read; a test throws thousands of both at it.
FASTAVRO_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    fastavro.schema.SchemaParseException,
)


class DatumReader:
    """Reads datums written with one schema. Building it takes about a millisecond: keep it.

    Raises:
        SchemaError: the schema is none, or one fastavro cannot parse.
    """

    __slots__ = ("_named", "hazards", "json_fields", "overflows", "parsed")

    def __init__(self, schema: AvroType, referenced: Mapping[str, AvroType] | None = None) -> None:
        named: dict[str, AvroType] = dict(referenced or {})
        try:
            self.parsed: AvroType = fastavro.schema.parse_schema(schema, named)
            self.hazards = find_hazards(self.parsed, named)
            fields = dict(_top_fields(self.parsed, named))
        except FASTAVRO_ERRORS as error:
            # What fastavro says names parts of the schema, which holds no values.
            raise SchemaError(f"not an Avro schema that can be read ({error})") from None
        self._named = named
        self.json_fields = tuple(name for name, type_ in fields.items() if _holds_json_text(name, type_))
        self.overflows = OVERFLOW_FIELD in fields and _is_marked_json(fields[OVERFLOW_FIELD])

    @property
    def named(self) -> Mapping[str, AvroType]:
        """The schema's named types by full name, those it refers to included."""
        return self._named

    def read(self, value: bytes, start: int = 0) -> Any:  # noqa: ANN401 whatever the schema describes
        """The datum that fills `value` from `start` to its end, JSON-ready.

        Raises:
            InvalidEvent: UNDECODABLE where the bytes are not such a datum, or one that is nested too
                deep; BAD_JSON where a field of JSON text holds none.
        """
        return self.finished(self._read_exactly(value, start))

    def finished(self, datum: Any) -> Any:  # noqa: ANN401 whatever the schema describes
        """A datum as fastavro reads it, with its open parts opened and its leaves JSON-ready.

        Raises:
            InvalidEvent: BAD_JSON where a field of JSON text holds none.
        """
        if type(datum) is not dict:
            return json_ready(datum) if self.hazards.has_foreign_leaves else datum
        for name in self.json_fields:
            text = datum.get(name)
            if isinstance(text, str | bytes):
                datum[name] = json_text.parse(text, name)
        if self.overflows:
            extra = datum.pop(OVERFLOW_FIELD, None)
            if isinstance(extra, dict):
                datum.update(extra)
        return json_ready(datum) if self.hazards.has_foreign_leaves else datum

    def _read_exactly(self, value: bytes, start: int) -> Any:  # noqa: ANN401 whatever the schema describes
        stream = BytesIO(value)
        stream.seek(start)
        try:
            if self.hazards.needs_guard:
                guard.walk(value, start, self.parsed, self._named)
            datum = fastavro.schemaless_reader(stream, self.parsed, None)
        except guard.DatumRefused as refusal:
            raise InvalidEvent(InvalidReason.UNDECODABLE, str(refusal)) from None
        except FASTAVRO_ERRORS:
            raise InvalidEvent(InvalidReason.UNDECODABLE, "truncated, or not what its schema says") from None
        if stream.tell() != len(value):
            raise InvalidEvent(InvalidReason.UNDECODABLE, "bytes are left over after the datum")
        return datum


def _top_fields(avro_type: AvroType, named: Mapping[str, AvroType]) -> Iterator[tuple[str, AvroType]]:
    """Fields of a record, or of every record in a union."""
    for branch in avro_type if isinstance(avro_type, list) else [avro_type]:
        record = named.get(branch, branch) if isinstance(branch, str) else branch
        if kind(record) in {"record", "error"}:
            for member in record["fields"]:
                yield member["name"], member["type"]


def _holds_json_text(name: str, avro_type: AvroType) -> bool:
    return _is_marked_json(avro_type) or (
        name in OPEN_FIELDS and any(kind(branch) in {"string", "bytes"} for branch in _branches(avro_type))
    )


def _is_marked_json(avro_type: AvroType) -> bool:
    return any(
        isinstance(branch, dict) and branch.get("logicalType") == JSON_LOGICAL_TYPE
        for branch in _branches(avro_type)
    )


def _branches(avro_type: AvroType) -> list[AvroType]:
    return avro_type if isinstance(avro_type, list) else [avro_type]
