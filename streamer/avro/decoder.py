"""A record's value, in any framing, to a mapping in Segment's shape: the one door of this room."""

from collections.abc import Callable, Collection
from typing import Final

from streamer.avro import framing, json_text
from streamer.avro.datum import DatumReader
from streamer.avro.generated import Read, Unsupported, made_reader
from streamer.avro.registry import Pending, Registry, RegistryProblem, Unknown
from streamer.avro.registry_client import JsonSchema, Unreadable
from streamer.avro.schemas import Schemas
from streamer.engine.ports import AwaitingSchema, Decoded
from streamer.errors import InvalidEvent, SchemaError
from streamer.outcomes import InvalidReason

DEFAULT_MAX_BYTES: Final = 1024 * 1024
"""As large as Kafka's own default lets a record be, and 32 times Segment's limit for an event."""

_JSON_START: Final = ord("{")
_CONFLUENT_START: Final = framing.CONFLUENT_MAGIC[0]
_SINGLE_OBJECT_START: Final = framing.SINGLE_OBJECT_MAGIC[0]
_SINGLE_OBJECT_BYTES: Final = framing.SINGLE_OBJECT_HEADER_BYTES
_BEFORE_JSON: Final = b"\xef\xbb\xbf \t\r\n"
"""A byte-order mark and white space: harmless before JSON, and the start of nothing else we know."""


class Decoder:
    """Bytes to a mapping; satisfies `engine.ports.Decoder`.

    What comes out is JSON-ready and in Segment's shape. Envelope fields that are absent from a
    datum of the bundled schemas come out as None. Schemas of others are read as they are: fields
    that bear Segment's names are found by the parser, whatever else is there.

    `makes_readers`: whether a reader is made for each schema when a record first names it; otherwise,
    and where none can be made, fastavro reads. `wanted`: the fields that somebody reads, see
    `made_reader`. `told`: hears, once for each schema, of one that none is made for, and why.

    Raises (when built):
        SchemaError: `value_format` is `bare:<name>` and there is no such schema.
        UsageError: `value_format` is neither `auto` nor `bare:<name>`.
    """

    def __init__(
        self,
        schemas: Schemas,
        *,
        registry: Registry | None = None,
        value_format: str = framing.AUTO,
        max_bytes: int = DEFAULT_MAX_BYTES,
        makes_readers: bool = True,
        wanted: Collection[str] | None = None,
        told: Callable[[str, str], None] = lambda _schema_id, _why: None,
    ) -> None:
        self._schemas = schemas
        self._registry = registry
        self._max_bytes = max_bytes
        self._makes_readers = makes_readers
        self._wanted = wanted
        self._told = told
        self._ways: dict[bytes, _Way] = {}
        """By the header of a record; as many as there are schemas in use."""
        self._bare: _Way | None = None
        name = framing.bare_schema_name(value_format)
        if name is not None:
            schema = schemas.by_name(name)
            if schema is None:
                known = ", ".join(schema.label for schema in schemas)
                raise SchemaError(f"{value_format} names no schema; there are: {known}")
            self._bare = self._way(schema.reader, schema.fingerprint.hex())

    def decode(self, value: bytes) -> Decoded | AwaitingSchema:
        """One record's value; never waits.

        Raises:
            InvalidEvent: OVERSIZE, NOT_AVRO, UNDECODABLE, BAD_JSON or UNKNOWN_SCHEMA.
        """
        if len(value) > self._max_bytes:
            raise InvalidEvent(InvalidReason.OVERSIZE, f"larger than {self._max_bytes} bytes")
        if self._bare is not None:
            read, schema_id = self._bare
            return Decoded(read(value, 0), schema_id)
        if not value:
            raise InvalidEvent(InvalidReason.NOT_AVRO, "empty")
        start = value[0]
        if start == _SINGLE_OBJECT_START:
            header = value[:_SINGLE_OBJECT_BYTES]
            way = self._ways.get(header)
            if way is None and value.startswith(framing.SINGLE_OBJECT_MAGIC):
                way = self._ways[header] = self._single_object_way(header)
            if way is not None:
                read, schema_id = way
                return Decoded(read(value, _SINGLE_OBJECT_BYTES), schema_id)
        if start == _CONFLUENT_START:
            return self._decode_confluent(value)
        if start != _JSON_START:
            value = value.lstrip(_BEFORE_JSON)
            if not value.startswith(b"{"):
                is_array = value.startswith(b"[")
                other = "starts neither like JSON nor like a framing of Avro"
                told = "a JSON array, not one event" if is_array else other
                raise InvalidEvent(InvalidReason.NOT_AVRO, told)
        return Decoded(json_text.parse(value))

    def problems(self) -> tuple[RegistryProblem, ...]:
        """Schemas that records wait for and the registry did not give, and why; empty when all is well."""
        return () if self._registry is None else self._registry.problems()

    def knows_schema(self, schema_id: int) -> bool:
        """Whether the registry has said what this id stands for."""
        return self._registry is not None and self._registry.knows(schema_id)

    def check(self) -> None:
        """Ask the registry, if there is one, whether it answers. Waits; raises SourceError."""
        if self._registry is not None:
            self._registry.check()

    def close(self) -> None:
        """Stop asking the registry."""
        if self._registry is not None:
            self._registry.close()

    def _single_object_way(self, header: bytes) -> "_Way":
        fingerprint = header[len(framing.SINGLE_OBJECT_MAGIC) :]
        if len(header) < framing.SINGLE_OBJECT_HEADER_BYTES:
            raise InvalidEvent(InvalidReason.UNDECODABLE, "truncated within the header")
        schema = self._schemas.by_fingerprint(fingerprint)
        if schema is None:
            raise InvalidEvent(
                InvalidReason.UNKNOWN_SCHEMA, f"no schema here has the fingerprint {fingerprint.hex()}"
            )
        return self._way(schema.reader, fingerprint.hex())

    def _decode_confluent(self, value: bytes) -> Decoded | AwaitingSchema:
        header = value[: framing.CONFLUENT_HEADER_BYTES]
        way = self._ways.get(header)
        if way is not None:
            read, name = way
            return Decoded(read(value, framing.CONFLUENT_HEADER_BYTES), name)
        if len(header) < framing.CONFLUENT_HEADER_BYTES:
            raise InvalidEvent(InvalidReason.UNDECODABLE, "truncated within the header")
        schema_id = int.from_bytes(header[len(framing.CONFLUENT_MAGIC) :], "big")
        if self._registry is None:
            raise InvalidEvent(
                InvalidReason.UNKNOWN_SCHEMA,
                f"schema {schema_id} of a registry, and STREAMER_SCHEMA_REGISTRY_URL is not set",
            )
        found = self._registry.lookup(schema_id)
        if isinstance(found, Pending):
            return AwaitingSchema(str(schema_id))
        if isinstance(found, Unknown):
            raise InvalidEvent(InvalidReason.UNKNOWN_SCHEMA, f"the registry has no schema {schema_id}")
        if isinstance(found, Unreadable):
            raise InvalidEvent(InvalidReason.UNDECODABLE, f"schema {schema_id}: {found.why}")
        if isinstance(found, JsonSchema):
            return Decoded(json_text.parse(value[framing.CONFLUENT_HEADER_BYTES :]), str(schema_id))
        read, name = self._ways[header] = self._way(found.reader, str(schema_id))
        return Decoded(read(value, framing.CONFLUENT_HEADER_BYTES), name)

    def _way(self, reader: DatumReader, schema_id: str) -> "_Way":
        if not self._makes_readers:
            return reader.read, schema_id
        try:
            return made_reader(reader, wanted=self._wanted), schema_id
        except Unsupported as unsupported:
            self._told(schema_id, str(unsupported))
            return reader.read, schema_id


_Way = tuple[Read, str]
"""What reads the datums behind a header, and the id of their schema."""
