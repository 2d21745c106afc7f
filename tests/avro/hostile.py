"""Decodes hostile bytes in a process of its own: `python -m tests.avro.hostile NAME`.

Prints what became of them; a segmentation fault, or memory beyond the limit, ends the process
instead, which is the point of having one.
"""

import contextlib
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from streamer.avro.datum import DatumReader
from streamer.avro.decoder import Decoder
from streamer.avro.generated import Unsupported, made_reader
from streamer.avro.schemas import load_schemas
from streamer.errors import InvalidEvent
from tests.avro.binary import long, string

MEMORY_BYTES = 1024 * 1024 * 1024
"""Address space the process may have, libraries and all."""

CHAIN: Any = {
    "type": "record",
    "name": "Chain",
    "fields": [{"name": "next", "type": ["null", "Chain"]}],
}
TREE: Any = {
    "type": "record",
    "name": "Tree",
    "fields": [{"name": "children", "type": {"type": "array", "items": "Tree"}}],
}
ENDLESS: Any = {"type": "record", "name": "Endless", "fields": [{"name": "again", "type": "Endless"}]}
VALUE: Any = {
    "type": "record",
    "name": "Value",
    "fields": [
        {
            "name": "v",
            "type": ["null", {"type": "array", "items": "Value"}, {"type": "map", "values": "Value"}],
        }
    ],
}
MUTUAL: Any = {
    "type": "record",
    "name": "Left",
    "fields": [
        {
            "name": "right",
            "type": {
                "type": "record",
                "name": "Right",
                "fields": [{"name": "left", "type": ["null", "Left"]}],
            },
        }
    ],
}
NOTHINGS: Any = {"type": "array", "items": "null"}
EMPTY_RECORDS: Any = {
    "type": "array",
    "items": {"type": "record", "name": "Empty", "fields": [{"name": "n", "type": "null"}]},
}
EMPTY_FIXED: Any = {"type": "array", "items": {"type": "fixed", "name": "None_", "size": 0}}
NOTHINGS_WITHIN: Any = {"type": "array", "items": {"type": "array", "items": "null"}}
INSIDE: Any = {
    "type": "record",
    "name": "Event",
    "fields": [{"name": "traits", "type": {"type": "map", "values": NOTHINGS}}],
}
FAT: Any = {
    "type": "array",
    "items": {
        "type": "record",
        "name": "Fat",
        "fields": [{"name": "m", "type": {"type": "map", "values": "long"}}],
    },
}
MILLION = 1_000_000


def with_schema(schema: Any, value: bytes) -> Callable[[], object]:
    """Read a datum of this schema: by the readers made for it where there are any, and by fastavro."""

    def read() -> object:
        datums = DatumReader(schema)
        for by_rows in (False, True):
            with contextlib.suppress(Unsupported, InvalidEvent):
                made_reader(datums, by_rows=by_rows)(value, 0)
        return datums.read(value)

    return read


def with_bundled(datum: bytes) -> Callable[[], object]:
    """Read a datum of the bundled track schema."""
    return lambda: Decoder(load_schemas()).decode(bundled(datum))


def bundled(datum: bytes) -> bytes:
    """A record of the bundled track schema."""
    track = load_schemas().by_name("track")
    assert track is not None
    return b"\xc3\x01" + track.fingerprint + datum


def as_json(value: bytes) -> Callable[[], object]:
    """Read JSON text."""
    return lambda: Decoder(load_schemas()).decode(value)


BUNDLED: Mapping[str, bytes] = {
    "bundled: string of 2^62 bytes": long(0) + long(1) + long(2**62) + b"abc",
    "bundled: nothing": b"",
    "bundled: zeros": bytes(1000),
    "bundled: ones": b"\xff" * 1000,
    "bundled: context 10,000 deep": long(0) * 10
    + long(1)
    + string('{"a":' * 10_000 + "1" + "}" * 10_000)
    + long(0) * 4,
    "bundled: 30 MB": bytes(30 * MILLION),
}
"""Datums of the bundled track schema."""
CASES: Mapping[str, Callable[[], object]] = {
    "chain of 10,000": with_schema(CHAIN, long(1) * 10_000 + long(0)),
    "chain of a million": with_schema(CHAIN, long(1) * MILLION + long(0)),
    "chain without an end": with_schema(CHAIN, long(1) * MILLION),
    "tree of 10,000": with_schema(TREE, long(1) * 10_000 + long(0) * 10_001),
    "record that always contains itself": with_schema(ENDLESS, b""),
    "any JSON, 10,000 deep": with_schema(VALUE, (long(1) + long(1)) * 10_000 + long(0) * 10_001),
    "maps, 10,000 deep": with_schema(VALUE, (long(2) + long(1) + string("k")) * 10_000 + long(0) * 10_001),
    "two records that contain each other": with_schema(MUTUAL, long(1) * MILLION + long(0)),
    "2^40 nulls": with_schema(NOTHINGS, long(2**40) + long(0)),
    "2^62 nulls": with_schema(NOTHINGS, long(2**62) + long(0)),
    "-2^63 nulls": with_schema(NOTHINGS, long(-(2**63)) + long(0) + long(0)),
    "nulls in a hundred thousand blocks": with_schema(NOTHINGS, (long(100_000)) * 100_000 + long(0)),
    "2^40 nulls in an array in an array": with_schema(NOTHINGS_WITHIN, long(1) + long(2**40) + long(0) * 2),
    "2^40 records of nothing": with_schema(EMPTY_RECORDS, long(2**40) + long(0)),
    "2^40 fixed of no bytes": with_schema(EMPTY_FIXED, long(2**40) + long(0)),
    "2^40 nulls inside traits": with_schema(INSIDE, long(1) + string("k") + long(2**40) + long(0) + long(0)),
    "array of 2^62 longs": with_schema({"type": "array", "items": "long"}, long(2**62) + long(1) * 10),
    "array of -2^63 longs": with_schema({"type": "array", "items": "long"}, long(-(2**63)) + long(1) * 10),
    "map of 2^62 nulls": with_schema({"type": "map", "values": "null"}, long(2**62) + string("k") * 10),
    "string of 2^62 bytes": with_schema("string", long(2**62) + b"abc"),
    "string of -1 bytes": with_schema("string", long(-1) + b"abc"),
    "bytes of -2^63": with_schema("bytes", long(-(2**63)) + b"abc"),
    "varint without an end": with_schema("long", b"\xff" * MILLION),
    **{name: with_bundled(datum) for name, datum in BUNDLED.items()},
    "JSON: 10,000 objects deep": as_json(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "JSON: 10,000 lists deep": as_json(b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "JSON: brackets alone": as_json(b"{" + b"[" * MILLION),
    "JSON: a number of a million digits": as_json(b'{"a":' + b"9" * MILLION + b"}"),
    "JSON: an exponent of a million digits": as_json(b'{"a":1e' + b"9" * 1_000_000 + b"}"),
    "wide: a million maps in records": with_schema(FAT, long(MILLION) + bytes(MILLION) + long(0)),
    "wide: JSON of 300,000 objects": as_json(b'{"a":[' + b"{}," * 300_000 + b"{}]}"),
    "JSON: 30 MB": as_json(b'{"a":"' + b"x" * (30 * MILLION) + b'"}'),
}


def main(name: str) -> None:
    """Run one case and print its outcome as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    begun = time.monotonic()
    try:
        outcome = CASES[name]()
    except InvalidEvent as error:
        print(json.dumps({"reason": error.reason.value, "seconds": time.monotonic() - begun}))  # noqa: T201
    else:
        print(json.dumps({"decoded": repr(outcome)[:200]}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
