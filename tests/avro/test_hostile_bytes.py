"""Laws of bytes written to hurt: each ends as a reason, in bounded time and memory."""

import contextlib
import decimal
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.avro import guard
from streamer.avro.datum import DatumReader
from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.hazards import find_hazards
from streamer.avro.json_text import MAX_DEPTH
from streamer.avro.schemas import load_schemas
from streamer.errors import InvalidEvent
from streamer.outcomes import InvalidReason
from tests.avro import hostile
from tests.avro.binary import long, string
from tests.avro.events import INVOICE_PAID

SCHEMAS = load_schemas()
DECODER = Decoder(SCHEMAS)
SECONDS = 5.0
"""Far above what any case takes, far below what a loop of 2^40 would."""

EVERYTHING: Any = {
    "type": "record",
    "name": "Everything",
    "fields": [
        {"name": "b", "type": "boolean"},
        {"name": "i", "type": ["null", "int", "string"]},
        {"name": "f", "type": ["null", "float", "double"]},
        {"name": "x", "type": {"type": "fixed", "name": "X", "size": 3}},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["p", "q"]}},
        {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "u", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "a", "type": {"type": "array", "items": ["null", "Everything"]}},
        {"name": "m", "type": {"type": "map", "values": {"type": "array", "items": "null"}}},
        {"name": "traits", "type": ["null", "string"]},
    ],
}
SOMETHING: dict[str, Any] = {
    "b": True,
    "i": "abc",
    "f": 0.5,
    "x": b"123",
    "e": "q",
    "d": decimal.Decimal("1.25"),
    "t": 1_700_000_000_000_000,
    "u": "00000000-0000-0000-0000-000000000001",
    "a": [None],
    "m": {"k": [None, None]},
    "traits": "{}",
}


def everything_bytes() -> bytes:
    """A datum of EVERYTHING with one of itself inside."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, EVERYTHING, {**SOMETHING, "a": [None, SOMETHING]})
    return stream.getvalue()


def outcome_of(name: str) -> dict[str, Any]:
    """What a case comes to in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.avro.hostile", name],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr[-2000:]
    outcome: dict[str, Any] = json.loads(ended.stdout)
    return outcome


@pytest.mark.parametrize("name", [name for name in hostile.CASES if name.startswith("wide")])
def test_wide_records_are_decoded_within_the_memory(name: str) -> None:
    """The worst that a record of the largest size grows to when decoded stays within 1 GB."""
    assert "decoded" in outcome_of(name)


@pytest.mark.parametrize("name", [name for name in hostile.CASES if not name.startswith("wide")])
def test_hostile_bytes_end_as_a_reason(name: str) -> None:
    """Absurd lengths, bombs and deep nesting end as a reason: no crash, no 1 GB, no 5 s."""
    outcome = outcome_of(name)
    expected = (
        InvalidReason.OVERSIZE
        if "30 MB" in name
        else InvalidReason.BAD_JSON
        if "JSON:" in name or "context" in name
        else InvalidReason.UNDECODABLE
    )
    assert outcome.get("reason") == expected.value, outcome
    assert outcome["seconds"] < SECONDS


def test_every_cut_of_an_event_is_refused() -> None:
    """A record cut anywhere is a dead letter, and so is one with bytes left over."""
    value = Encoder(SCHEMAS).encode(INVOICE_PAID)

    for length in range(len(value)):
        with pytest.raises(InvalidEvent):
            DECODER.decode(value[:length])
    for rest in (b"\x00", value):
        with pytest.raises(InvalidEvent, match="left over"):
            DECODER.decode(value + rest)


def test_the_reason_of_a_broken_record_does_not_depend_on_its_bytes() -> None:
    """Thousands of damaged datums, ours and others', end decoded or as one of the known reasons."""
    dice = random.Random(20261123)
    reader = DatumReader(EVERYTHING)
    track = Encoder(SCHEMAS).encode(INVOICE_PAID)
    whole = everything_bytes()
    assert reader.read(whole)["a"][1]["e"] == "q"
    reasons: list[InvalidReason] = []
    for _ in range(6_000):
        for original, decode, header in ((whole, reader.read, 0), (track, DECODER.decode, 10)):
            damaged = bytearray(original)
            for _ in range(dice.randint(1, 4)):
                damaged[dice.randrange(header, len(damaged))] = dice.choice(
                    [0, 1, 2, 0x7F, 0x80, 0xFF, dice.randrange(256)]
                )
            try:
                decode(bytes(damaged))
            except InvalidEvent as error:
                reasons.append(error.reason)

    assert len(reasons) > 1_000
    assert set(reasons) == {InvalidReason.UNDECODABLE, InvalidReason.BAD_JSON}


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_any_bytes_end_decoded_or_as_a_reason(value: bytes) -> None:
    """No bytes at all raise anything but InvalidEvent, in any framing and with any schema."""
    for decode in (
        DECODER.decode,
        DatumReader(EVERYTHING).read,
        DatumReader(hostile.VALUE).read,
        Decoder(SCHEMAS, value_format="bare:identify").decode,
    ):
        # Anything else that is raised fails the test.
        with contextlib.suppress(InvalidEvent):
            decode(value)


def test_nesting_up_to_the_limit_is_read() -> None:
    """The guard refuses what is deeper than JSON may be, and nothing else."""
    reader = DatumReader(hostile.CHAIN)

    # Each link is a record; the last one's null is a value inside it.
    reader.read(long(1) * (MAX_DEPTH - 1) + long(0))
    with pytest.raises(InvalidEvent, match="deeper"):
        reader.read(long(1) * MAX_DEPTH + long(0))


def test_width_up_to_the_limit_is_read() -> None:
    """The guard counts values that take no bytes, over all blocks together."""
    reader = DatumReader(hostile.NOTHINGS)
    half = guard.MAX_VALUES // 2

    assert len(reader.read(long(half) + long(half - 1) + long(0))) == guard.MAX_VALUES - 1
    with pytest.raises(InvalidEvent, match="more than"):
        reader.read(long(half) + long(half) + long(0))


@pytest.mark.parametrize(
    ("schema", "needs_guard"),
    [
        *((hostile.CHAIN, True), (hostile.TREE, True), (hostile.MUTUAL, True), (hostile.NOTHINGS, True)),
        *((hostile.EMPTY_RECORDS, True), (hostile.EMPTY_FIXED, True), (hostile.INSIDE, True)),
        (hostile.NOTHINGS_WITHIN, True),
        ({"type": "array", "items": ["null"]}, False),
        ({"type": "map", "values": "null"}, False),
        ({"type": "array", "items": {"type": "array", "items": "long"}}, False),
        (
            {
                "type": "record",
                "name": "Twice",
                "fields": [
                    {
                        "name": "a",
                        "type": {"type": "record", "name": "In", "fields": [{"name": "n", "type": "long"}]},
                    },
                    {"name": "b", "type": {"type": "array", "items": "In"}},
                ],
            },
            False,
        ),
        (
            {
                "type": "record",
                "name": "Late",
                "fields": [
                    {"name": "a", "type": {"type": "record", "name": "Nil", "fields": []}},
                    {"name": "b", "type": {"type": "map", "values": {"type": "array", "items": "Nil"}}},
                ],
            },
            True,
        ),
    ],
)
def test_only_schemas_with_hazards_are_guarded(schema: Any, needs_guard: bool) -> None:
    """A type within itself, or elements that take no bytes, need the guard; nothing else pays for it."""
    reader = DatumReader(schema)

    assert find_hazards(reader.parsed, reader.named).needs_guard is needs_guard


@pytest.mark.parametrize("label", [schema.label for schema in SCHEMAS])
def test_bundled_schemas_have_no_hazards(label: str) -> None:
    """Our own schemas are read at full speed: nothing in them can be made to explode."""
    schema = SCHEMAS.by_name(label)
    assert schema is not None

    hazards = find_hazards(schema.reader.parsed, schema.reader.named)

    assert not hazards.needs_guard
    assert not hazards.has_foreign_leaves


@settings(max_examples=300)
@given(
    st.recursive(
        st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_the_guard_passes_what_a_writer_wrote(value: Any) -> None:
    """A datum that any writer may have written passes the guard, to the last byte."""

    def wrapped(inner: Any) -> dict[str, Any]:
        if isinstance(inner, dict):
            return {"v": {key: wrapped(member) for key, member in inner.items()}}
        return {"v": [wrapped(member) for member in inner] if inner is not None else None}

    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, hostile.VALUE, wrapped(value))

    assert DatumReader(hostile.VALUE).read(stream.getvalue()) == wrapped(value)


def test_blocks_with_their_size_pass_the_guard() -> None:
    """Writers may write a block's size after a negative count; both parts of the reader agree."""
    value = long(2) + long(-1) + long(4) + string("k") + long(0) + long(0)

    assert DatumReader(hostile.VALUE).read(value) == {"v": {"k": {"v": None}}}
