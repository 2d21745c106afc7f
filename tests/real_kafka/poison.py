"""Records that can never be delivered: every kind the generator knows, and rarer ones made by hand."""

import json
from random import Random
from typing import Any, Final, NamedTuple

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.outcomes import CallType, InvalidReason
from streamer.standins.bad_records import BAD_KINDS, DEEP_NESTING, make_bad

HUGE_BYTES: Final = 30_000_000
LARGE_BYTES: Final = 2_000_000
"""More than is decoded by default, less than the dead-letter topic of the test takes."""


class Poison(NamedTuple):
    """A bad record, and the reason it must be given."""

    name: str
    value: bytes
    call: CallType
    reason: InvalidReason


def every_poison(seed: int = 1) -> list[Poison]:
    """One of each kind."""
    rng = Random(seed)
    encode = Encoder(load_schemas()).encode
    found = []
    for kind in BAD_KINDS:
        call, reason, value = make_bad(kind, _common(kind.value), rng)
        encoded = value.to_bytes(encode)
        assert encoded is not None
        found.append(Poison(kind.value, encoded, call, reason))
    return [*found, *_unreadable(), *_misshapen()]


def _unreadable() -> list[Poison]:
    """What no decoder can read."""
    track = Encoder(load_schemas()).encode({**_common("x"), "type": "track", "event": "E"})
    nested = (
        b'{"type":"identify","userId":"u","traits":' + b'{"a":' * DEEP_NESTING + b"1" + b"}" * DEEP_NESTING
    )
    values: dict[str, tuple[bytes, InvalidReason]] = {
        "nothing": (b"", InvalidReason.NOT_AVRO),
        "a_json_list": (b'[{"type":"track"}]', InvalidReason.NOT_AVRO),
        "a_json_text": (b'"track"', InvalidReason.NOT_AVRO),
        "a_web_page": (b"<html>502 Bad Gateway</html>", InvalidReason.NOT_AVRO),
        "half_a_magic": (b"\xc3", InvalidReason.NOT_AVRO),
        "half_a_fingerprint": (track[:6], InvalidReason.UNDECODABLE),
        "a_header_alone": (track[:10], InvalidReason.UNDECODABLE),
        "one_zero_byte": (b"\x00", InvalidReason.UNDECODABLE),
        "a_schema_id_and_no_registry": (b"\x00\x00\x00\x01\x07" + track[10:], InvalidReason.UNKNOWN_SCHEMA),
        "bad_utf8": (b'{"type":"track","userId":"\xff\xfe","event":"E"}', InvalidReason.BAD_JSON),
        "two_json_values": (b'{"type":"track"} {"type":"track"}', InvalidReason.BAD_JSON),
        "deep_json_objects": (nested + b"}", InvalidReason.BAD_JSON),
        "too_large": (b'{"type":"track"}' + b" " * LARGE_BYTES, InvalidReason.OVERSIZE),
        "thirty_megabytes": (b"{" + b"x" * HUGE_BYTES, InvalidReason.OVERSIZE),
    }
    return [Poison(name, value, CallType.UNKNOWN, reason) for name, (value, reason) in values.items()]


def _misshapen() -> list[Poison]:
    """What can be read and is no call."""
    events: dict[str, tuple[dict[str, Any], CallType, InvalidReason]] = {
        "type_is_a_number": ({"type": 7}, CallType.UNKNOWN, InvalidReason.NOT_AN_EVENT),
        "type_is_null": ({"type": None}, CallType.UNKNOWN, InvalidReason.NOT_AN_EVENT),
        "id_is_a_list": (
            {"type": "track", "event": "E", "userId": ["u"]},
            CallType.TRACK,
            InvalidReason.ID_NOT_STRING,
        ),
        "id_is_empty": (
            {"type": "track", "event": "E", "userId": "", "anonymousId": ""},
            CallType.TRACK,
            InvalidReason.ID_NOT_STRING,
        ),
        "event_is_empty": ({"type": "track", "event": ""}, CallType.TRACK, InvalidReason.EVENT_NOT_DEFINED),
        "traits_are_text": (
            {"type": "group", "groupId": "g", "traits": "name=Acme"},
            CallType.GROUP,
            InvalidReason.TRAITS_NOT_OBJECT,
        ),
        "category_is_a_list": (
            {"type": "page", "category": ["Docs"], "properties": {}},
            CallType.PAGE,
            InvalidReason.CATEGORY_NOT_STRING,
        ),
    }
    return [
        Poison(name, json.dumps({**_common(name), **event}).encode(), call, reason)
        for name, (event, call, reason) in events.items()
    ]


def _common(name: str) -> dict[str, Any]:
    return {
        "userId": f"poison-{name}",
        "messageId": f"message-{name}",
        "timestamp": "2026-11-23T08:00:00Z",
        "context": {},
    }
