"""Laws of schemas that are not ours: fields that bear Segment's names are enough."""

import datetime as dt
import decimal
import io
import json
import uuid
from typing import Any

import fastavro
import pytest

from streamer.avro.datum import DatumReader
from streamer.avro.hazards import LEAVES_TO_REWRITE
from streamer.errors import InvalidEvent, SchemaError
from streamer.events.parse import parse
from streamer.outcomes import InvalidReason


def record(**fields: Any) -> dict[str, Any]:
    """A record schema with fields of these types."""
    return {
        "type": "record",
        "name": "Foreign",
        "fields": [{"name": name, "type": type_} for name, type_ in fields.items()],
    }


def read(schema: Any, datum: Any) -> Any:
    """What our reader makes of a datum that fastavro wrote."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, datum)
    return DatumReader(schema).read(stream.getvalue())


TYPED_TRAITS = {
    "type": "record",
    "name": "Traits",
    "fields": [{"name": "email", "type": ["null", "string"]}, {"name": "seats", "type": "int"}],
}


@pytest.mark.parametrize(
    ("open_type", "written"),
    [
        (TYPED_TRAITS, {"email": "a@b.c", "seats": 3}),
        (["null", TYPED_TRAITS], {"email": "a@b.c", "seats": 3}),
        ({"type": "map", "values": ["null", "string", "long"]}, {"email": "a@b.c", "seats": 3}),
        ("string", '{"email": "a@b.c", "seats": 3}'),
        (["null", "string"], '{"email": "a@b.c", "seats": 3}'),
        (["null", "bytes"], b'{"email": "a@b.c", "seats": 3}'),
        ({"type": "string", "logicalType": "json"}, '{"email": "a@b.c", "seats": 3}'),
    ],
)
@pytest.mark.parametrize("name", ["traits", "properties", "context", "integrations"])
def test_open_parts_may_be_records_maps_or_json_text(name: str, open_type: Any, written: Any) -> None:
    """Typed records, maps and JSON text all come out as the mapping they stand for."""
    assert read(record(**{name: open_type}), {name: written}) == {name: {"email": "a@b.c", "seats": 3}}


def test_maps_of_text_stay_text() -> None:
    """In a map of strings every value is what it says: text."""
    schema = record(traits={"type": "map", "values": "string"})

    assert read(schema, {"traits": {"seats": "3"}}) == {"traits": {"seats": "3"}}


def test_text_in_an_open_part_that_is_not_json_is_refused() -> None:
    """The refusal names the field."""
    with pytest.raises(InvalidEvent, match="traits") as caught:
        read(record(traits="string"), {"traits": "gold customer"})
    assert caught.value.reason is InvalidReason.BAD_JSON


@pytest.mark.parametrize(
    "type_", ["string", {"type": "enum", "name": "CallType", "symbols": ["IDENTIFY", "TRACK"]}]
)
def test_a_type_may_be_written_with_capitals(type_: Any) -> None:
    """Whether it is text or a symbol: Avro's own symbols mostly are capitals."""
    schema = record(type=type_, userId="string", traits=TYPED_TRAITS)
    written = {"type": "IDENTIFY", "userId": "u-1", "traits": {"email": "a@b.co", "seats": 3}}

    assert parse(read(schema, written)) == parse(written | {"type": "identify"})


def test_other_text_fields_are_left_alone() -> None:
    """Text that happens to be JSON, in a field that is not an open part, stays text."""
    assert read(record(event="string", extra="string"), {"event": "{}", "extra": "{}"}) == {
        "event": "{}",
        "extra": "{}",
    }


@pytest.mark.parametrize(
    ("logical", "written", "comes_out"),
    [
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            dt.datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=dt.UTC),
            "2026-11-23T12:00:00.123Z",
        ),
        (
            {"type": "long", "logicalType": "timestamp-micros"},
            dt.datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=dt.UTC),
            "2026-11-23T12:00:00.123456Z",
        ),
        (
            {"type": "long", "logicalType": "local-timestamp-millis"},
            dt.datetime(2026, 11, 23, 12, 0),  # noqa: DTZ001 that is what it means
            "2026-11-23T12:00:00.000",
        ),
        ({"type": "int", "logicalType": "date"}, dt.date(2026, 11, 23), "2026-11-23"),
        ({"type": "int", "logicalType": "time-millis"}, dt.time(12, 0, 1), "12:00:01"),
        (
            {"type": "string", "logicalType": "uuid"},
            uuid.UUID(int=1),
            "00000000-0000-0000-0000-000000000001",
        ),
        ("bytes", b"\x00\xff", "AP8="),
        ({"type": "fixed", "name": "F", "size": 2}, b"\x00\xff", "AP8="),
        ({"type": "enum", "name": "E", "symbols": ["a", "b"]}, "b", "b"),
        ("float", 0.5, 0.5),
    ],
)
def test_leaves_come_out_json_ready(logical: Any, written: Any, comes_out: Any) -> None:
    """Whatever Python object the library makes of a logical type, what comes out has a JSON form."""
    schema = record(timestamp=logical, traits={"type": "map", "values": {"type": "array", "items": logical}})
    if isinstance(logical, dict) and "name" in logical:
        schema["fields"][1]["type"]["values"]["items"] = logical["name"]

    back = read(schema, {"timestamp": written, "traits": {"k": [written]}})

    assert back == {"timestamp": comes_out, "traits": {"k": [comes_out]}}
    json.dumps(back)


def test_every_logical_type_of_the_library_is_known() -> None:
    """A logical type that a newer fastavro turns into objects must be rewritten too: parsing counts on it."""
    assert {name.partition("-")[2] for name in fastavro.read.LOGICAL_READERS} == LEAVES_TO_REWRITE


@pytest.mark.parametrize(
    ("written", "comes_out"),
    [
        ("12.50", 12.5),
        ("-0.01", -0.01),
        ("1234567890123.45", 1234567890123.45),
        ("99999999999999999.99", "99999999999999999.99"),
    ],
)
def test_decimals_are_numbers_while_a_double_holds_them(written: str, comes_out: object) -> None:
    """A decimal is a float where that loses no digit, and its text elsewhere."""
    schema = record(
        properties={
            "type": "map",
            "values": {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2},
        }
    )

    assert read(schema, {"properties": {"a": decimal.Decimal(written)}}) == {"properties": {"a": comes_out}}


def test_a_union_of_records_is_read_as_the_record_it_holds() -> None:
    """A topic with one union schema for all calls works, JSON text in the open parts included."""
    union = [
        {**record(type="string", traits="string"), "name": "Identify"},
        {**record(type="string", properties="string"), "name": "Track"},
    ]

    assert read(union, {"type": "track", "properties": "{}"}) == {"type": "track", "properties": {}}


def test_a_union_of_the_bundled_schemas_and_others_is_read() -> None:
    """The overflow field is laid over where there is one, and not missed where there is none."""
    overflow = {"type": "string", "logicalType": "json"}
    union = [
        {**record(type="string", extra=overflow), "name": "Ours"},
        {**record(type="string", traits="string"), "name": "Theirs"},
    ]

    assert read(union, {"type": "track", "extra": '{"event": 7}'}) == {"type": "track", "event": 7}
    assert read(union, {"type": "track", "traits": "{}"}) == {"type": "track", "traits": {}}


def test_recursive_values_are_read() -> None:
    """A schema that spells any JSON as a record that contains itself is read, through the guard."""
    value = {
        "type": "record",
        "name": "Value",
        "fields": [{"name": "v", "type": ["null", "long", "string", {"type": "map", "values": "Value"}]}],
    }
    datum = {"traits": {"a": {"v": {"b": {"v": 1}, "c": {"v": "x"}, "d": {"v": None}}}}}

    assert read(record(traits={"type": "map", "values": value}), datum) == datum


@pytest.mark.parametrize("datum", [7, "text", [1], None])
def test_datums_that_are_no_records_come_out_as_they_are(datum: object) -> None:
    """A schema need not be a record; the parser says what is not an event."""
    assert read(["null", "long", "string", {"type": "array", "items": "long"}], datum) == datum


@pytest.mark.parametrize(
    "schema",
    [
        *(None, 7, "Elsewhere", {}, {"type": "record"}, {"type": "fixed", "name": "F"}),
        *({"type": {"type": {}}}, {"type": "record", "name": "A", "fields": 5}, {"type": "array"}),
        *({"type": "record", "name": 5, "fields": []}, {"type": "enum", "name": "E", "symbols": 5}),
        *(
            {"type": "map"},
            {"type": "array", "items": {"type": 5}},
        ),
    ],
)
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    """Anything but a schema that can be read with is refused, by one error, when the reader is built."""
    with pytest.raises(SchemaError, match="not an Avro schema"):
        DatumReader(schema)


def test_a_schema_of_great_depth_is_refused() -> None:
    """A schema nested ten thousand deep ends as an error, not as an exhausted stack."""
    schema: Any = "long"
    for _ in range(10_000):
        schema = {"type": "array", "items": schema}

    with pytest.raises(SchemaError):
        DatumReader(schema)
