"""Records that can never be delivered, of many kinds, each with the reason it must be given."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final

from streamer.outcomes import CallType, InvalidReason

Event = dict[str, Any]
EncodeAvro = Callable[[Mapping[str, Any]], bytes]
"""A call to Avro single-object bytes."""

SINGLE_OBJECT_HEAD_BYTES: Final = 10
"""0xC3 0x01 and the eight bytes of the fingerprint."""
DEEP_NESTING: Final = 10_000
_HOSTILE_DATUM: Final = b"\x00\x02" + b"\x80" * 8 + b"\x80\x01" + b"abc"
"""The enum's first symbol, the union's second branch (a text), its length, and three bytes of it."""


class Damage(StrEnum):
    """What happens to the bytes of a good single-object record."""

    TRUNCATED = "truncated"
    """The second half of the datum is missing."""
    HOSTILE_LENGTH = "hostile_length"
    """The datum's first text claims to be of 2**62 bytes."""
    UNKNOWN_FINGERPRINT = "unknown_fingerprint"
    """The fingerprint is of no schema we have."""


@dataclass(frozen=True, slots=True)
class AvroValue:
    """A call, to be written as Avro single-object; damaged afterwards where `damage` says so."""

    event: Event
    damage: Damage | None = None

    def to_bytes(self, encode: EncodeAvro) -> bytes:
        """The record's value."""
        encoded = encode(self.event)
        head, datum = encoded[:SINGLE_OBJECT_HEAD_BYTES], encoded[SINGLE_OBJECT_HEAD_BYTES:]
        match self.damage:
            case None:
                return encoded
            case Damage.TRUNCATED:
                return head + datum[: len(datum) // 2]
            case Damage.HOSTILE_LENGTH:
                return head + _HOSTILE_DATUM
            case Damage.UNKNOWN_FINGERPRINT:
                return (
                    encoded[:2] + bytes(byte ^ 0x5A for byte in encoded[2:SINGLE_OBJECT_HEAD_BYTES]) + datum
                )


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A call, to be written as JSON text, as Segment's own Kafka destination does."""

    event: Event

    def to_bytes(self, _encode: EncodeAvro) -> bytes:
        """The record's value."""
        return json.dumps(self.event, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class RawValue:
    """Bytes as they are; None is a tombstone."""

    value: bytes | None

    def to_bytes(self, _encode: EncodeAvro) -> bytes | None:
        """The record's value."""
        return self.value


Value = AvroValue | JsonValue | RawValue


class BadKind(StrEnum):
    """Every way in which a made record is bad."""

    NOT_AVRO = "not_avro"
    UNFRAMED_AVRO = "unframed_avro"
    TRUNCATED_HEADER = "truncated_header"
    TRUNCATED_AVRO = "truncated_avro"
    HOSTILE_LENGTH = "hostile_length"
    UNKNOWN_FINGERPRINT = "unknown_fingerprint"
    BROKEN_JSON = "broken_json"
    DEEP_JSON = "deep_json"
    EMPTY_OBJECT = "empty_object"
    UNKNOWN_TYPE = "unknown_type"
    MISSING_IDS = "missing_ids"
    BOOLEAN_ID = "boolean_id"
    OBJECT_ID = "object_id"
    MISSING_GROUP_ID = "missing_group_id"
    TRAITS_ARE_A_LIST = "traits_are_a_list"
    PROPERTIES_ARE_TEXT = "properties_are_text"
    EVENT_MISSING = "event_missing"
    EVENT_IS_A_NUMBER = "event_is_a_number"
    CONTEXT_IS_TEXT = "context_is_text"
    PAGE_NAME_IS_A_NUMBER = "page_name_is_a_number"


BAD_KINDS: Final = tuple(BadKind)

_NESTED = b'{"type":"track","properties":' + b"[" * DEEP_NESTING + b"]" * DEEP_NESTING + b"}"

# kind: the call it counts as (unknown where it cannot be parsed), the reason, and how to make it out of
# the common fields of a call
_Make = Callable[[Event, Random], Value]
_RECIPES: Final[Mapping[BadKind, tuple[CallType, InvalidReason, _Make]]] = {
    BadKind.NOT_AVRO: (
        CallType.UNKNOWN,
        InvalidReason.NOT_AVRO,
        lambda _event, rng: RawValue(b"\x7f" + rng.randbytes(40)),
    ),
    BadKind.UNFRAMED_AVRO: (
        CallType.UNKNOWN,
        InvalidReason.NOT_AVRO,
        lambda event, _rng: RawValue(b"\x0aabout" + str(event["messageId"]).encode()),
    ),
    BadKind.TRUNCATED_HEADER: (
        CallType.UNKNOWN,
        InvalidReason.UNDECODABLE,
        lambda _event, _rng: RawValue(b"\x00\x00\x07"),
    ),
    BadKind.TRUNCATED_AVRO: (
        CallType.UNKNOWN,
        InvalidReason.UNDECODABLE,
        lambda event, _rng: AvroValue(_track(event), Damage.TRUNCATED),
    ),
    BadKind.HOSTILE_LENGTH: (
        CallType.UNKNOWN,
        InvalidReason.UNDECODABLE,
        lambda event, _rng: AvroValue(_track(event), Damage.HOSTILE_LENGTH),
    ),
    BadKind.UNKNOWN_FINGERPRINT: (
        CallType.UNKNOWN,
        InvalidReason.UNKNOWN_SCHEMA,
        lambda event, _rng: AvroValue(_track(event), Damage.UNKNOWN_FINGERPRINT),
    ),
    BadKind.BROKEN_JSON: (
        CallType.UNKNOWN,
        InvalidReason.BAD_JSON,
        lambda _event, _rng: RawValue(b'{"type":"track","event":'),
    ),
    BadKind.DEEP_JSON: (CallType.UNKNOWN, InvalidReason.BAD_JSON, lambda _event, _rng: RawValue(_NESTED)),
    BadKind.EMPTY_OBJECT: (
        CallType.UNKNOWN,
        InvalidReason.NOT_AN_EVENT,
        lambda _event, _rng: RawValue(b"{}"),
    ),
    BadKind.UNKNOWN_TYPE: (
        CallType.UNKNOWN,
        InvalidReason.NOT_AN_EVENT,
        lambda event, _rng: JsonValue({**event, "type": "purchase"}),
    ),
    BadKind.MISSING_IDS: (
        CallType.TRACK,
        InvalidReason.NO_USER_ANON_ID,
        lambda event, _rng: AvroValue({**_track(event), "userId": None, "anonymousId": None}),
    ),
    BadKind.BOOLEAN_ID: (
        CallType.TRACK,
        InvalidReason.ID_NOT_STRING,
        lambda event, _rng: JsonValue({**_track(event), "userId": True}),
    ),
    BadKind.OBJECT_ID: (
        CallType.IDENTIFY,
        InvalidReason.ID_NOT_STRING,
        lambda event, _rng: JsonValue({**event, "type": "identify", "userId": {"id": 7}, "traits": {}}),
    ),
    BadKind.MISSING_GROUP_ID: (
        CallType.GROUP,
        InvalidReason.ID_REQUIRED,
        lambda event, _rng: AvroValue({**event, "type": "group", "traits": {"name": "Acme"}}),
    ),
    BadKind.TRAITS_ARE_A_LIST: (
        CallType.IDENTIFY,
        InvalidReason.TRAITS_NOT_OBJECT,
        lambda event, _rng: JsonValue({**event, "type": "identify", "traits": [1, 2]}),
    ),
    BadKind.PROPERTIES_ARE_TEXT: (
        CallType.TRACK,
        InvalidReason.PROPERTIES_NOT_OBJECT,
        lambda event, _rng: JsonValue({**_track(event), "properties": "plan=pro"}),
    ),
    BadKind.EVENT_MISSING: (
        CallType.TRACK,
        InvalidReason.EVENT_NOT_DEFINED,
        lambda event, _rng: JsonValue({**event, "type": "track", "properties": {}}),
    ),
    BadKind.EVENT_IS_A_NUMBER: (
        CallType.TRACK,
        InvalidReason.EVENT_NOT_STRING,
        lambda event, _rng: JsonValue({**_track(event), "event": 42}),
    ),
    BadKind.CONTEXT_IS_TEXT: (
        CallType.TRACK,
        InvalidReason.CONTEXT_NOT_OBJECT,
        lambda event, _rng: JsonValue({**_track(event), "context": "web"}),
    ),
    BadKind.PAGE_NAME_IS_A_NUMBER: (
        CallType.PAGE,
        InvalidReason.NAME_NOT_STRING,
        lambda event, _rng: JsonValue({**event, "type": "page", "name": 5, "properties": {}}),
    ),
}


def _track(event: Event) -> Event:
    return {**event, "type": "track", "event": "Report Opened", "properties": {"report": "weekly"}}


def make_bad(kind: BadKind, common: Event, rng: Random) -> tuple[CallType, InvalidReason, Value]:
    """A record of this kind out of a call's common fields (userId, messageId, timestamp)."""
    call, reason, make = _RECIPES[kind]
    return call, reason, make(common, rng)
