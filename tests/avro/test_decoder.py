"""Laws of the one door: which framing a value is in, and what becomes of a value in none."""

import pytest

from streamer.avro.decoder import DEFAULT_MAX_BYTES, Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine import ports
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent, SchemaError, UsageError
from streamer.outcomes import InvalidReason
from tests.avro.events import INVOICE_PAID

SCHEMAS = load_schemas()
DECODER: ports.Decoder = Decoder(SCHEMAS)
ENCODER = Encoder(SCHEMAS)


def refusal(value: bytes, decoder: ports.Decoder = DECODER) -> InvalidEvent:
    """The error a value ends in."""
    with pytest.raises(InvalidEvent) as caught:
        decoder.decode(value)
    return caught.value


def test_single_object_values_name_their_schema() -> None:
    """C3 01 and a fingerprint: read with the bundled schema, which the outcome names in hex."""
    track = SCHEMAS.by_name("track")
    assert track is not None

    outcome = DECODER.decode(b"\xc3\x01" + track.fingerprint + ENCODER.encode(INVOICE_PAID, "bare"))

    assert isinstance(outcome, Decoded)
    assert outcome.schema_id == track.fingerprint.hex()
    assert outcome.value["properties"] == INVOICE_PAID["properties"]


@pytest.mark.parametrize("before", [b"", b" ", b"\r\n\t ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_json_values_have_no_schema(before: bytes) -> None:
    """A brace starts JSON; a byte-order mark or white space before it does no harm."""
    assert DECODER.decode(before + b'{"type": "track"} \n') == Decoded({"type": "track"}, None)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf",
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b"\xc3",
        b"\xc3\x02abcdefgh",
        b"\x01abc",
        b"Obj\x01",
    ],
)
def test_values_in_no_framing_are_not_avro(value: bytes) -> None:
    """First bytes that nobody writes end the record as `not_avro`."""
    assert refusal(value).reason is InvalidReason.NOT_AVRO


def test_an_array_of_events_is_called_one() -> None:
    """Exports often are one, and whoever tries one should not look for a fault in its bytes."""
    assert refusal(b' [{"type": "track"}]').detail == "a JSON array, not one event"


@pytest.mark.parametrize("value", [b"{", b'{"type": "track"', b"{}{}", b'{"a": "\xff"}', b"{" * 100_000])
def test_broken_json_is_bad_json(value: bytes) -> None:
    """What starts like JSON and is not ends as `bad_json`."""
    assert refusal(value).reason is InvalidReason.BAD_JSON


def test_unknown_fingerprints_are_unknown_schemas() -> None:
    """A fingerprint that none of our files has ends as `unknown_schema`, and is named."""
    error = refusal(b"\xc3\x01" + bytes(range(8)) + b"\x00")

    assert error.reason is InvalidReason.UNKNOWN_SCHEMA
    assert "0001020304050607" in error.detail


@pytest.mark.parametrize("value", [b"\xc3\x01", b"\xc3\x01" + bytes(7), b"\x00", b"\x00\x00\x00\x01"])
def test_cut_headers_are_undecodable(value: bytes) -> None:
    """A framing without its whole header ends as `undecodable`."""
    assert refusal(value).reason is InvalidReason.UNDECODABLE


def test_registry_framing_without_a_registry_names_the_setting() -> None:
    """Without a registry nobody can say what an id stands for; the detail names what to set."""
    error = refusal(ENCODER.encode(INVOICE_PAID, "confluent:7"))

    assert error.reason is InvalidReason.UNKNOWN_SCHEMA
    assert "schema 7" in error.detail
    assert "STREAMER_SCHEMA_REGISTRY_URL" in error.detail


@pytest.mark.parametrize("name", ["track", "segment.Track"])
def test_bare_values_are_read_with_the_declared_schema_alone(name: str) -> None:
    """Where `bare:<name>` is declared, a value is a datum, whatever its first bytes look like."""
    bare = Decoder(SCHEMAS, value_format=f"bare:{name}")

    outcome = bare.decode(ENCODER.encode(INVOICE_PAID, "bare"))

    assert isinstance(outcome, Decoded)
    assert outcome.value["event"] == "Invoice Paid"
    for framing in ("json", "single-object", "confluent:1"):
        assert refusal(ENCODER.encode(INVOICE_PAID, framing), bare).reason is InvalidReason.UNDECODABLE
    assert refusal(b"", bare).reason is InvalidReason.UNDECODABLE


def test_bare_values_undeclared_are_not_read() -> None:
    """A bare datum without the declaration ends as a dead letter, never as another event."""
    assert refusal(ENCODER.encode({"type": "track", "event": "x"}, "bare")).reason in {
        InvalidReason.UNDECODABLE,
        InvalidReason.UNKNOWN_SCHEMA,
    }


def test_wrong_value_formats_are_refused_at_start() -> None:
    """A schema that is not there, and a format that is none, are refused before any record."""
    with pytest.raises(SchemaError, match="track"):
        Decoder(SCHEMAS, value_format="bare:purchase")
    for wrong in ("", "bare", "bare:", "avro", "json"):
        with pytest.raises(UsageError, match="bare:<schema name>"):
            Decoder(SCHEMAS, value_format=wrong)


def test_oversize_values_are_not_looked_into() -> None:
    """A value above the limit ends as `oversize` before it is decoded; one at the limit is decoded."""
    text = b'{"type":"track","properties":{"a":"' + b"x" * 100 + b'"}}'
    limited = Decoder(SCHEMAS, max_bytes=len(text))

    assert isinstance(limited.decode(text), Decoded)
    assert refusal(text + b" ", limited).reason is InvalidReason.OVERSIZE
    assert refusal(b"{" + b" " * (30 * 1024 * 1024)).reason is InvalidReason.OVERSIZE
    assert isinstance(DECODER.decode(b"{" + b" " * (DEFAULT_MAX_BYTES - 2) + b"}"), Decoded)


def test_details_hold_no_values() -> None:
    """What is said of a refused record never quotes it."""
    secret = "u-1@example.com"
    for value in (
        ENCODER.encode({"type": "track", "event": secret})[:-4],
        f'{{"email": "{secret}"'.encode(),
        f'{{"{secret}": 1e999}}'.encode(),
    ):
        assert secret not in str(refusal(value))


def test_a_decoder_without_a_registry_has_no_problems_and_nothing_to_check() -> None:
    """The registry's side of the door is there, and empty."""
    decoder = Decoder(SCHEMAS)

    decoder.check()
    decoder.close()

    assert decoder.problems() == ()
