"""A record's value: whatever its bytes, it is decoded, awaits its schema, or is invalid for a known reason.

The first byte picks the decoder: with a registry, without one, or for bare datums of one schema.
"""

import json
import random
import time
from collections.abc import Iterator
from typing import Final

from streamer.avro.decoder import Decoder
from streamer.avro.framing import SINGLE_OBJECT_MAGIC, confluent_header
from streamer.avro.json_text import MAX_DEPTH, is_deeper, is_unicode
from streamer.avro.registry import Pending, Registry
from streamer.avro.registry_client import Answer, AvroSchema, JsonSchema, Unreadable
from streamer.avro.registry_http import Absent
from streamer.avro.schemas import Schemas, load_schemas
from streamer.engine.ports import AwaitingSchema
from streamer.errors import InvalidEvent
from streamer.outcomes import InvalidReason
from tests.avro.random_data import Writer
from tests.fuzz import Target

JSON_ID: Final = 100
UNREADABLE_ID: Final = 101
REASONS: Final = {
    InvalidReason.OVERSIZE,
    InvalidReason.NOT_AVRO,
    InvalidReason.UNDECODABLE,
    InvalidReason.BAD_JSON,
    InvalidReason.UNKNOWN_SCHEMA,
}
LONGEST_DETAIL: Final = 200


class _Client:
    """A registry of the bundled schemas, a JSON schema and one that nobody can read with."""

    def __init__(self, schemas: Schemas) -> None:
        self._answers: dict[int, Answer] = {
            number: AvroSchema(schema.reader) for number, schema in enumerate(schemas)
        }
        self._answers |= {JSON_ID: JsonSchema(), UNREADABLE_ID: Unreadable("it is no schema")}

    def fetch(self, schema_id: int) -> Answer:
        return self._answers.get(schema_id, Absent())

    def known(self) -> list[int]:
        return list(self._answers)

    def check(self) -> None:
        """Well."""

    def close(self) -> None:
        """Nothing is open."""


def _asked_registry(client: _Client) -> Registry:
    """It knows what it will ever know, so that the same bytes always come to the same."""
    registry = Registry(client, time.monotonic)
    for schema_id in client.known():
        while isinstance(registry.lookup(schema_id), Pending):
            time.sleep(0.001)
    return registry


def _one(value: bytes) -> None:
    if not value:
        return
    try:
        found = _DECODERS[value[0] % len(_DECODERS)].decode(value[1:])
    except InvalidEvent as invalid:
        _hold(invalid)
        return
    if isinstance(found, AwaitingSchema):
        return
    # What comes out can be written as JSON, in UTF-8, and is no deeper than whoever walks it bears.
    text = json.dumps(found.value, allow_nan=False, ensure_ascii=False)
    assert is_unicode(text)
    assert not is_deeper(found.value, MAX_DEPTH + 2)


def _hold(invalid: InvalidEvent) -> None:
    assert invalid.reason in REASONS
    assert invalid.detail.isprintable()
    assert len(invalid.detail) < LONGEST_DETAIL


def _seeds() -> Iterator[bytes]:
    for number, schema in enumerate(_SCHEMAS):
        datum = Writer(random.Random(number), schema.reader).datum()
        yield b"\0" + confluent_header(number) + datum
        yield b"\1" + SINGLE_OBJECT_MAGIC + schema.fingerprint + datum
        if schema.label == "track":
            yield b"\2" + datum
    yield b"\0" + confluent_header(JSON_ID) + b'{"type":"track"}'
    yield b"\0" + confluent_header(UNREADABLE_ID) + b"x"
    yield b"\0" + confluent_header(2**32 - 1) + b"x"
    yield b'\1\xef\xbb\xbf {"a":[1,2.5e3,"\\ud83d\\ude00",{"b":null}]}'


_SCHEMAS = load_schemas()
_DECODERS = (
    Decoder(_SCHEMAS, registry=_asked_registry(_Client(_SCHEMAS))),
    Decoder(_SCHEMAS),
    Decoder(_SCHEMAS, value_format="bare:track"),
)
TARGET: Final = Target(_one, _seeds())
