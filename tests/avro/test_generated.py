"""Laws of the readers made for schemas: they read as fastavro's path does, or leave it to that."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.avro.datum import DatumReader
from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.generated import Unsupported, made_reader
from streamer.avro.json_text import MAX_DEPTH
from streamer.avro.leaves import Flat
from streamer.avro.schemas import Schema, Schemas, load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent
from streamer.events.parse import FIELDS_READ, parse
from streamer.outcomes import InvalidReason
from tests.avro import hostile
from tests.avro.binary import long, string
from tests.avro.compare import Difference, Pair, cases_of, pair_of
from tests.avro.events import CALL_TYPES, INVOICE_PAID, events
from tests.avro.random_data import Writer, mutated

SCHEMAS = load_schemas()
ENCODER = Encoder(SCHEMAS)
BY_FASTAVRO = Decoder(SCHEMAS, makes_readers=False)
BY_MADE = Decoder(SCHEMAS)
CASES = 12
PAIRS = {schema.label: Pair(schema.reader.parsed) for schema in SCHEMAS}


def record(**fields: Any) -> dict[str, Any]:
    """A record schema with fields of these types."""
    named = [{"name": name, "type": type_} for name, type_ in fields.items()]
    return {"type": "record", "name": "Foreign", "fields": named}


def outcome(decoder: Decoder, value: bytes) -> object:
    """What a decoder makes of a value."""
    try:
        return decoder.decode(value)
    except InvalidEvent as invalid:
        return invalid.reason, invalid.detail


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.randoms(use_true_random=False))
def test_any_schema_is_read_as_by_fastavro(dice: Random) -> None:
    """Random schemas, read both ways: what writers write, what they might, and what damage leaves of it."""
    pair = pair_of(dice)
    if pair is None:
        return
    for _, (value, _) in zip(range(CASES), cases_of(dice, pair), strict=False):
        pair.compare(value)


@settings(max_examples=60)
@given(events())
def test_events_of_any_json_are_read_as_by_fastavro(event: dict[str, Any]) -> None:
    """Whatever an event holds, the bundled schemas give it both ways, keys in the same order."""
    value = ENCODER.encode(event)
    made, by_fastavro = BY_MADE.decode(value), BY_FASTAVRO.decode(value)

    assert isinstance(made, Decoded)
    assert isinstance(by_fastavro, Decoded)
    # As text, in which 1, True and 1.0 differ.
    assert repr(made.value) == repr(by_fastavro.value)
    assert made.schema_id == by_fastavro.schema_id


@settings(max_examples=150)
@given(st.sampled_from(sorted(PAIRS)), st.randoms(use_true_random=False))
def test_damaged_events_end_as_by_fastavro(label: str, dice: Random) -> None:
    """Bytes of a bundled schema that were changed come out, or are refused, as before."""
    pair = PAIRS[label]

    pair.compare(mutated(dice, Writer(dice, pair.datums).datum()))


@pytest.mark.parametrize("label", CALL_TYPES)
def test_what_our_encoder_writes_is_not_left_to_fastavro(label: str) -> None:
    """Every type of call is read by the reader that was made: otherwise nothing would be won."""
    value = ENCODER.encode({**INVOICE_PAID, "type": label}, "bare")

    assert PAIRS[label].compare(value, is_plain=True) == "read"


@pytest.mark.parametrize("name", sorted(hostile.BUNDLED))
def test_refusals_say_what_they_said(name: str) -> None:
    """Reason and detail of what is refused are those of fastavro's path."""
    value = hostile.bundled(hostile.BUNDLED[name])

    told = outcome(BY_FASTAVRO, value)
    assert isinstance(told, tuple)
    assert outcome(BY_MADE, value) == told


NESTED: Any = "long"
for _ in range(60):
    NESTED = {"type": "array", "items": {"type": "map", "values": NESTED}}


@pytest.mark.parametrize(
    ("schema", "value", "is_read"),
    [
        (NESTED, (long(1) + long(1) + string("k")) * 60 + long(7) + long(0) * 120, True),
        # A block whose size is a lie: it is not believed.
        (record(a={"type": "array", "items": "long"}), long(-1) + long(99) + long(5) + long(0), True),
        (record(a={"type": "map", "values": "null"}), long(-1) + long(0) + string("k") + long(0), True),
        (record(a="long"), b"\xff" * 9 + b"\x01", True),
        (record(a="long"), b"\xff" * 9 + b"\x02", False),  # 65 bits
        (record(a="long"), b"\x80" * 10 + b"\x00", False),  # eleven bytes
        (record(a=["null", "long"]), b"\x01\x02", False),  # branch -1, which fastavro takes for the last
        (record(a="string", b="long"), b"\x01\x00", None),  # a text of -1 bytes
        (record(a="string", b="boolean"), long(2**62) + b"abc", None),
        (record(a="bytes", b="double"), long(-(2**63)) + b"abc", None),
        (record(a={"type": "fixed", "name": "F", "size": 2**70}, b="long"), b"abc", None),
        (record(a={"type": "enum", "name": "E", "symbols": ["s", "t"]}), b"\x82\x00", True),
        (record(a={"type": "enum", "name": "E", "symbols": ["s", "t"]}), long(-1), False),
        (record(a="string"), b"\x82\x00a", True),  # a length of two bytes that fits in one
        (record(context="string"), string("[" * MAX_DEPTH + "]" * MAX_DEPTH), True),
        (record(context="string"), string("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)), None),
        (record(context="string"), string('{"":' * (MAX_DEPTH - 1) + "{}" + "}" * (MAX_DEPTH - 1)), True),
        (record(context="string"), string('{"":' * MAX_DEPTH + "{}" + "}" * MAX_DEPTH), None),
        (record(context="string"), string('{"":' * MAX_DEPTH + "[]" + "}" * MAX_DEPTH), None),
        (record(context="bytes"), string("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)), None),
        (record(context="string"), string("[" + "{}," * 999 + "{}]"), True),
        (record(context="string"), string('"\\ud800"'), False),
        (record(a={"type": "enum", "name": "E", "symbols": [f"s{n}" for n in range(100)]}), long(99), True),
        (hostile.CHAIN, long(1) * 100 + long(0), True),
        (hostile.TREE, long(2) + (long(1) + long(0) * 2) * 2 + long(0), True),
        (hostile.VALUE, long(1) + long(-1) + long(9) + long(2) + long(1) + string("k") + long(0) * 3, True),
        (hostile.CHAIN, long(1) * (MAX_DEPTH - 1) + long(0), True),  # as deep as the guard allows
    ],
)
def test_forms_that_few_writers_write(schema: Any, value: bytes, is_read: bool | None) -> None:
    """What fastavro's path accepts comes out the same, whichever of the two reads it; None: neither."""
    assert Pair(schema).compare(value) == {True: "read", False: "left", None: "refused"}[is_read]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (hostile.NOTHINGS, "take no bytes"),
        (hostile.NOTHINGS_WITHIN, "take no bytes"),
        (record(a=["null", *["long"] * 64]), "more than 64 branches"),
        (hostile.ENDLESS, "too many values"),
        ([record(context="string"), {"type": "map", "values": "long"}], "records and maps"),
        (record(**{f"f{n}": {"type": "array", "items": "string"} for n in range(2_000)}), "too large"),
    ],
)  # fmt: skip
def test_schemas_without_a_reader_are_read_by_fastavro(schema: Any, why: str) -> None:
    """Such a schema is told of once, and its records are read all the same."""
    datums = DatumReader(schema)
    with pytest.raises(Unsupported, match=why):
        made_reader(datums)
    told: list[tuple[str, str]] = []
    one = Schema("Foreign", "foreign", Path(hostile.__file__), schema, b"8 bytes.", datums)
    decoder = Decoder(Schemas([one]), told=lambda schema_id, reason: told.append((schema_id, reason)))

    for _ in range(2):
        with pytest.raises(InvalidEvent) as caught:
            decoder.decode(b"\xc3\x018 bytes.\x01")
        assert caught.value.reason is InvalidReason.UNDECODABLE
    assert [schema_id for schema_id, _ in told] == [b"8 bytes.".hex()]


@pytest.mark.parametrize(
    "schema",
    [
        *(record(a={"type": "fixed", "name": "F", "size": size}) for size in (-1, "3", 3.0, True, None)),
        record(a={"type": "array", "items": {"type": "fixed", "name": "F", "size": -1}}),
        *(record(a={"type": "enum", "name": "E", "symbols": symbols}) for symbols in ("abc", {"a": 1})),
        *({**record(), "fields": [{"name": name, "type": "long"}]} for name in (5, None)),
    ],
)
@pytest.mark.parametrize("by_rows", [False, True])
def test_schemas_that_cannot_be_have_no_reader(schema: Any, by_rows: bool) -> None:
    """Sizes that are none would lead back in the bytes, and what is no list of symbols is no table's."""
    with pytest.raises(Unsupported, match="no schema can"):
        made_reader(DatumReader(schema), by_rows=by_rows)


@pytest.mark.parametrize("by_rows", [False, True])
def test_no_two_datums_share_what_can_be_changed(by_rows: bool) -> None:
    """Be it an object without fields, of which nothing is read."""
    empty = {"type": "record", "name": "Empty", "fields": []}
    read = made_reader(DatumReader(record(kept=empty, told="string")), by_rows=by_rows)
    one, other = read(string("a"), 0), read(string("a"), 0)
    assert one == other == {"kept": {}, "told": "a"}
    assert one is not other
    assert one["kept"] is not other["kept"]


def test_a_row_may_be_wider_than_source() -> None:
    """A table has no lines to be bounded."""
    datums = DatumReader(record(**{f"f{n}": ["null", "string"] for n in range(2_000)}))

    with pytest.raises(Unsupported, match="too large"):
        made_reader(datums, by_rows=False)
    read = made_reader(datums, by_rows=True)
    assert read(bytes(1_999) + b"\2\2a", 0) == {**dict.fromkeys(f"f{n}" for n in range(1_999)), "f1999": "a"}


def test_doubling_records_make_no_more_source() -> None:
    """Records that hold the one before twice are 2^30 values and 30 functions; nobody unrolls them."""
    fields = [
        {"name": "f0", "type": {"type": "record", "name": "R0", "fields": [{"name": "a", "type": "long"}]}}
    ]
    for n in range(1, 30):
        twice = [{"name": side, "type": f"R{n - 1}"} for side in "ab"]
        fields.append({"name": f"f{n}", "type": {"type": "record", "name": f"R{n}", "fields": twice}})

    with pytest.raises(Unsupported, match="too many values"):
        made_reader(DatumReader({"type": "record", "name": "Doubling", "fields": fields}))
    pair = Pair({"type": "record", "name": "Doubling", "fields": fields[:5]})
    assert pair.compare(long(3) * 31, is_plain=True) == "read"


class Asked(dict[str, Any]):
    """An event that notes what it is asked for."""

    def __init__(self, event: dict[str, Any]) -> None:
        super().__init__(event)
        self.fields: set[str] = set()

    def get(self, field: str, default: Any = None) -> Any:
        self.fields.add(field)
        return super().get(field, default)

    def __contains__(self, field: object) -> bool:
        self.fields.add(str(field))
        return super().__contains__(field)

    def __getitem__(self, field: str) -> Any:
        self.fields.add(field)
        return super().__getitem__(field)


@pytest.mark.parametrize("call_type", CALL_TYPES)
def test_calls_are_made_of_the_fields_that_are_read(call_type: str) -> None:
    """Parsing asks for no field that the pipeline's decoder passes over, whichever way it goes."""
    asked = set()
    for event in (
        {"userId": "u", "event": "E", "groupId": "g", "previousId": "p"},
        {"userId": "u", "event": "E", "groupId": "g", "options": {}, "receivedAt": "2026-01-05T10:00:00Z"},
    ):
        spied = Asked({"type": call_type, **event})
        parse(spied)
        asked |= spied.fields

    assert asked <= FIELDS_READ
    assert {"type", "userId", "timestamp", "context", "options"} <= asked


@settings(max_examples=60)
@given(events())
def test_what_is_passed_over_changes_no_call(event: dict[str, Any]) -> None:
    """A decoder that reads only what calls are made of gives the same calls."""
    value = ENCODER.encode(event)
    sparing = Decoder(SCHEMAS, wanted=FIELDS_READ).decode(value)
    whole = BY_FASTAVRO.decode(value)
    assert isinstance(sparing, Decoded)
    assert isinstance(whole, Decoded)

    def call(decoded: Decoded) -> object:
        try:
            return parse(decoded.value)
        except InvalidEvent as invalid:
            return invalid.reason, invalid.detail

    assert call(sparing) == call(whole)


def test_damage_in_what_is_passed_over_goes_unnoticed() -> None:
    """Only its extent is read; what it says is nobody's business, and cannot cost the rest."""
    at = {"type": "long", "logicalType": "timestamp-millis"}
    schema = record(userId="string", ip="string", at=at, e={"type": "enum", "name": "E", "symbols": ["a"]})
    value = string("u-1") + long(2) + b"\xff\xff" + long(2**62) + long(0)
    datums = DatumReader(schema)

    for by_rows in (False, True):
        read = made_reader(datums, wanted={"userId"}, by_rows=by_rows)
        assert read(value, 0) == {"userId": "u-1"}
        for damaged in (value[:-1], value + b"\0", value[:-1] + long(1)):
            with pytest.raises(InvalidEvent):
                read(damaged, 0)


@pytest.mark.parametrize("extra", ['{"a": 1}', '[["a", 1]]', "[]", "3", "null"])
def test_only_an_object_is_laid_over_an_event(extra: str) -> None:
    """Pairs in a list would do for `dict.update`."""
    pair = Pair(record(userId="string", extra={"type": "string", "logicalType": "json"}))
    assert pair.compare(string("u-1") + string(extra), is_plain=True) == "read"


def test_what_needs_no_source() -> None:
    """By rows, a record of which no field holds others, as all of ours are, nor any has another's name."""
    for schema in SCHEMAS:
        assert isinstance(getattr(made_reader(schema.reader, by_rows=True), "__self__", None), Flat)
        assert not hasattr(made_reader(schema.reader, by_rows=False), "__self__")
    nested = record(userId="string", traits={"type": "map", "values": "string"})
    twice = record(a="string", b={"type": "array", "items": "int"})
    twice["fields"] += [{"name": "a", "type": "int"}]
    for foreign in (nested, twice, {**twice, "fields": twice["fields"][::2]}):
        assert not hasattr(made_reader(DatumReader(foreign), by_rows=True), "__self__")


@pytest.mark.parametrize("form", [0, 1])
def test_the_comparison_tells_a_difference(form: int) -> None:
    """A reader of either form that reads other than fastavro, or reads what that refuses, is found."""
    pair = Pair(record(a="long"))
    right = pair._made[form]
    pair._made[form] = lambda _value, _start: {"a": True}

    with pytest.raises(Difference, match="read as"):
        pair.compare(long(1))
    with pytest.raises(Difference, match="refused as undecodable"):
        pair.compare(b"\x80")
    pair._made[form] = lambda _value, _start: right(b"", 0)
    with pytest.raises(Difference, match="left"):
        pair.compare(long(1))
    pair = Pair(record(a=["null", "long"]))
    with pytest.raises(Difference, match="left"):
        pair.compare(b"\x01\x02", is_plain=True)
