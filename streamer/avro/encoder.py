"""A Segment call as JSON gives it, to the bytes of a record: for `publish`, the demo and tests."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro

from streamer.avro import json_text
from streamer.avro.datum import JSON_LOGICAL_TYPE, OVERFLOW_FIELD
from streamer.avro.framing import SINGLE_OBJECT_MAGIC, confluent_header
from streamer.avro.schemas import Schema, Schemas
from streamer.errors import InvalidEvent, UsageError
from streamer.outcomes import InvalidReason

SINGLE_OBJECT = "single-object"
BARE = "bare"
JSON = "json"
CONFLUENT_PREFIX = "confluent:"

_LONGS = range(-(2**63), 2**63)


class Encoder:
    """Encodes with the bundled schemas, one per call type.

    Nothing is lost: what a schema has no place for (an unknown field, a number where text
    belongs) goes to its `extra` field. `Decoder.decode` gives the event back equal, but for two things:
    a field of the schema that is absent or null comes back as None, and a lone surrogate as U+FFFD.
    """

    def __init__(self, schemas: Schemas) -> None:
        self._forms = {schema.label: _Form(schema) for schema in schemas if _is_of_a_call(schema)}

    def encode(self, event: Mapping[str, Any], framing: str = SINGLE_OBJECT) -> bytes:
        """The value of a record.

        `framing`: `single-object`, `confluent:<schema id>`, `bare` or `json`.

        Raises:
            InvalidEvent: NOT_AN_EVENT where `type` names none of the schemas; BAD_JSON where a value has
                no JSON form or is nested too deep.
            UsageError: there is no such framing.
        """
        if framing == JSON:
            return json_text.dump(dict(event)).encode()
        form = self._forms.get(event["type"]) if isinstance(event.get("type"), str) else None
        if form is None:
            raise InvalidEvent(InvalidReason.NOT_AN_EVENT, "type: none of " + ", ".join(sorted(self._forms)))
        return _header(framing, form.schema) + form.write(event)


class _Form:
    """One schema's fields, and which values fit them."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._branches: dict[str, frozenset[str]] = {
            member["name"]: frozenset(_branch(branch) for branch in _as_union(member["type"]))
            for member in schema.reader.parsed["fields"]
        }

    def write(self, event: Mapping[str, Any]) -> bytes:
        """The datum of an event of this type."""
        fields: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in event.items():
            branches = self._branches.get(name, frozenset())
            if name == OVERFLOW_FIELD:
                extra[name] = value
            elif value is None and "null" in branches:
                continue
            elif "json" in branches:
                fields[name] = json_text.dump(value, name)
            elif _fits(value, branches):
                fields[name] = value
            else:
                extra[name] = value
        if extra:
            fields[OVERFLOW_FIELD] = json_text.dump(extra, OVERFLOW_FIELD)
        stream = BytesIO()
        fastavro.schemaless_writer(stream, self.schema.reader.parsed, fields)
        return stream.getvalue()


def _is_of_a_call(schema: Schema) -> bool:
    """Whether a file is the one to write a type of call with: `track.avsc`, not `track.v1.avsc`."""
    return schema.name.rpartition(".")[2].lower() == schema.label


def _header(framing: str, schema: Schema) -> bytes:
    if framing == SINGLE_OBJECT:
        return SINGLE_OBJECT_MAGIC + schema.fingerprint
    if framing == BARE:
        return b""
    digits = framing.removeprefix(CONFLUENT_PREFIX)
    if digits == framing or not digits.isdecimal():
        raise UsageError(f"there is no framing {framing!r}; use single-object, confluent:<id>, bare or json")
    return confluent_header(int(digits))


def _as_union(avro_type: Any) -> list[Any]:  # noqa: ANN401 a schema: a name, a dict or a list
    return avro_type if isinstance(avro_type, list) else [avro_type]


def _branch(avro_type: Any) -> str:  # noqa: ANN401 a schema: a name, a dict or a list
    if isinstance(avro_type, dict):
        return "json" if avro_type.get("logicalType") == JSON_LOGICAL_TYPE else str(avro_type["type"])
    return str(avro_type)


def _fits(value: object, branches: frozenset[str]) -> bool:
    """Whether one of the types holds the value and gives back an equal one of the same type."""
    if type(value) is str:
        # An enum is the call's type, which chose this schema.
        return "enum" in branches or ("string" in branches and json_text.is_unicode(value))
    return type(value) is int and "long" in branches and value in _LONGS
