"""Law of the encoder and decoder together: nothing of an event is lost."""

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent, UsageError
from streamer.outcomes import InvalidReason
from tests.avro.events import CALL_TYPES, INVOICE_PAID, events
from tests.avro.test_json_text import same

SCHEMAS = load_schemas()
ENCODER = Encoder(SCHEMAS)


def decoded(value: bytes, call_type: str = "", value_format: str = "auto") -> dict[str, Any]:
    """What the decoder makes of a value."""
    outcome = Decoder(SCHEMAS, value_format=value_format or f"bare:{call_type}").decode(value)
    assert isinstance(outcome, Decoded)
    assert isinstance(outcome.value, dict)
    return outcome.value


def without_nulls_of_the_schema(event: dict[str, Any]) -> dict[str, Any]:
    """An event less those fields of its schema that are null; the others sorted."""
    schema = SCHEMAS.by_name(event["type"])
    assert schema is not None
    fields = {member["name"] for member in schema.reader.parsed["fields"]} - {"extra"}
    return {key: event[key] for key in sorted(event) if event[key] is not None or key not in fields}


@settings(max_examples=400)
@given(events(), st.sampled_from(["single-object", "bare"]))
def test_decoding_gives_the_encoded_event_back(event: dict[str, Any], framing: str) -> None:
    """decode(encode(e)) == e, types and key order inside included, fields null or absent taken as one.

    It holds for any JSON anywhere: unknown fields, an object as userId, text as traits, a field
    called `extra`.
    """
    value = ENCODER.encode(event, framing)

    back = decoded(value, event["type"], "auto" if framing == "single-object" else "")

    assert same(without_nulls_of_the_schema(back), without_nulls_of_the_schema(event))


@given(events())
def test_json_framing_gives_the_event_back_exactly(event: dict[str, Any]) -> None:
    """As JSON, null and absent stay apart, too."""
    assert same(decoded(ENCODER.encode(event, "json"), value_format="auto"), event)


def test_a_realistic_event_is_typed_where_others_look() -> None:
    """Other readers of the topic find the envelope in its fields, and JSON text in the open ones."""
    track = SCHEMAS.by_name("track")
    assert track is not None
    datum = fastavro.schemaless_reader(
        io.BytesIO(ENCODER.encode(INVOICE_PAID, "bare")), json.loads(track.source.read_text()), None
    )

    assert isinstance(datum, dict)
    assert datum["userId"] == "usr_8c1f2e9b77"
    assert datum["version"] == 2
    assert datum["event"] == "Invoice Paid"
    assert datum["extra"] is None
    assert json.loads(datum["properties"]) == INVOICE_PAID["properties"]


def test_numeric_ids_stay_numbers() -> None:
    """A number as userId is typed while 64 bits hold it, and kept beside the types when they do not."""
    for user_id in (42, -(2**63), 2**63, 10**30, 4.0, True):
        event = {"type": "identify", "userId": user_id}
        assert same(decoded(ENCODER.encode(event), value_format="auto")["userId"], user_id)


def test_lone_surrogates_come_back_as_replacement_characters() -> None:
    """Half a character survives the writing of every field, and is read as U+FFFD."""
    event = {"type": "track", "event": "a\ud800b", "\udfff": 1, "properties": {"k\ud800": "\udc00"}}

    back = decoded(ENCODER.encode(event), value_format="auto")

    assert back["event"] == "a\ufffdb"
    assert back["\ufffd"] == 1
    assert back["properties"] == {"k\ufffd": "\ufffd"}


@pytest.mark.parametrize("call_type", CALL_TYPES)
def test_absent_fields_come_out_as_none(call_type: str) -> None:
    """The least event of each type decodes to its type, its other fields None, and no overflow."""
    back = decoded(ENCODER.encode({"type": call_type}), value_format="auto")

    assert back.pop("type") == call_type
    assert set(back.values()) == {None}
    assert "extra" not in back


@pytest.mark.parametrize("event", [{}, {"type": "purchase"}, {"type": None}, {"type": ["track"]}])
def test_events_of_no_known_type_are_refused(event: dict[str, Any]) -> None:
    """There is no schema to write them with; the refusal names those there are."""
    with pytest.raises(InvalidEvent, match="identify") as caught:
        ENCODER.encode(event)
    assert caught.value.reason is InvalidReason.NOT_AN_EVENT


def test_values_without_a_json_form_are_refused() -> None:
    """NaN is no JSON: it is refused rather than altered, wherever it stands."""
    for event in ({"userId": float("nan")}, {"traits": {"a": float("inf")}}, {"traits": {"a": {1}}}):
        with pytest.raises(InvalidEvent) as caught:
            ENCODER.encode({"type": "identify", **event})
        assert caught.value.reason is InvalidReason.BAD_JSON


@pytest.mark.parametrize(
    "framing", ["", "avro", "confluent:", "confluent:x", "confluent:-1", "confluent:4294967296"]
)
def test_unknown_framings_are_refused(framing: str) -> None:
    """A framing nobody can read back is refused."""
    with pytest.raises(UsageError):
        ENCODER.encode(INVOICE_PAID, framing)


def test_confluent_framing_is_five_bytes_and_the_datum() -> None:
    """Magic byte, id in four bytes, big-endian, then the bare datum."""
    assert ENCODER.encode(INVOICE_PAID, "confluent:258") == b"\x00\x00\x00\x01\x02" + ENCODER.encode(
        INVOICE_PAID, "bare"
    )
