"""Laws of schemas that come from a registry: what is asked, what is believed, and for how long."""

import io
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest

from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.registry import (
    ASK_AGAIN_SECONDS,
    AWAITED_SECONDS,
    LAST_RETRY_SECONDS,
    UNKNOWN_AFTER_SECONDS,
    Registry,
)
from streamer.avro.registry_client import AvroSchema, RegistryClient, Unreadable
from streamer.avro.registry_http import MAX_REPLY_BYTES, Trouble
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import AwaitingSchema, Decoded
from streamer.errors import InvalidEvent, SourceError
from streamer.outcomes import InvalidReason
from tests.avro.events import INVOICE_PAID
from tests.avro.registry_server import RegistryServer, Reply, running_registry

SCHEMAS = load_schemas()
ENCODER = Encoder(SCHEMAS)
TYPED = {
    "type": "record",
    "name": "Track",
    "fields": [
        {"name": "type", "type": "string"},
        {"name": "properties", "type": {"type": "map", "values": ["string", "long"]}},
    ],
}
EVENT = {"type": "track", "properties": {"plan": "pro", "seats": 3}}


class ManualClock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


class Bench:
    """A registry's server, and a decoder that asks it."""

    def __init__(self, server: RegistryServer) -> None:
        self.server = server
        self.clock = ManualClock()
        self.client = RegistryClient(server.url)
        self.registry = Registry(self.client, self.clock.monotonic)
        self.decoder = Decoder(SCHEMAS, registry=self.registry)

    def settled(self, value: bytes) -> Decoded | AwaitingSchema | InvalidEvent:
        """What a value comes to once the question it may have raised is answered."""
        asked = len(self.server.asked)
        outcome = self.decoded(value)
        if not isinstance(outcome, AwaitingSchema):
            return outcome
        deadline = time.monotonic() + 10
        while self.is_asking() and time.monotonic() < deadline:
            time.sleep(0.002)
            self.registry.problems()
        assert not self.is_asking(), f"no answer; asked {self.server.asked[asked:]}"
        return self.decoded(value)

    def decoded(self, value: bytes) -> Decoded | AwaitingSchema | InvalidEvent:
        """What a value comes to now."""
        try:
            return self.decoder.decode(value)
        except InvalidEvent as error:
            return error

    def is_asking(self) -> bool:
        """Whether a question is unanswered."""
        return any(search.is_asking for search in self.registry._searches.values())


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A registry, and a decoder that asks it."""
    with running_registry() as server:
        bench = Bench(server)
        yield bench
        bench.decoder.close()


def framed(schema_id: int, datum: bytes = b"") -> bytes:
    """A value in Confluent's framing."""
    return b"\x00" + schema_id.to_bytes(4, "big") + datum


def written(schema: Any, datum: Any) -> bytes:
    """A datum as another's writer writes it."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, datum)
    return stream.getvalue()


def reason_of(outcome: object) -> InvalidReason:
    """Why an outcome is a dead letter."""
    assert isinstance(outcome, InvalidEvent), outcome
    return outcome.reason


def test_the_first_record_of_a_schema_waits_and_the_next_turn_reads_it(bench: Bench) -> None:
    """An id never seen is asked for once, in the background; then every record of it is read at once."""
    number = bench.server.register("events", TYPED)
    value = framed(number, written(TYPED, EVENT))

    first = bench.decoded(value)
    assert first == AwaitingSchema(str(number))
    bench.decoded(value)

    assert bench.settled(value) == Decoded(EVENT, str(number))
    assert bench.decoded(value) == Decoded(EVENT, str(number))
    assert bench.server.asked == [f"GET /schemas/ids/{number}"]


def test_bundled_schemas_work_from_a_registry(bench: Bench) -> None:
    """Our own schema, registered by somebody, gives the same event as from its file."""
    track = SCHEMAS.by_name("track")
    assert track is not None
    number = bench.server.register("events", json.loads(track.source.read_text()))

    outcome = bench.settled(ENCODER.encode(INVOICE_PAID, f"confluent:{number}"))

    assert outcome == Decoded({**all_absent(), **INVOICE_PAID}, str(number))


def all_absent() -> dict[str, None]:
    """Every field of a track call, absent."""
    track = SCHEMAS.by_name("track")
    assert track is not None
    return dict.fromkeys(
        member["name"] for member in track.reader.parsed["fields"] if member["name"] != "extra"
    )


def test_decoding_never_waits_for_the_registry(bench: Bench) -> None:
    """A registry that takes its time costs the caller none of it."""
    number = bench.server.register("events", TYPED)
    bench.server.delay_seconds = 0.5
    begun = time.monotonic()

    for _ in range(100):
        bench.decoded(framed(number))

    assert time.monotonic() - begun < 0.25


def test_references_are_drawn_in_through_all_levels(bench: Bench) -> None:
    """A schema in several parts is read, parts of parts and parts used twice included."""
    city = {
        "type": "record",
        "name": "City",
        "namespace": "x",
        "fields": [{"name": "name", "type": "string"}],
    }
    address = {
        "type": "record",
        "name": "Address",
        "namespace": "x",
        "fields": [{"name": "city", "type": "x.City"}],
    }
    whole = {
        "type": "record",
        "name": "Identify",
        "fields": [{"name": "traits", "type": "x.Address"}, {"name": "born", "type": ["null", "x.City"]}],
    }
    to_city = {"name": "x.City", "subject": "city/of x", "version": 1}
    bench.server.register("city/of x", city)
    bench.server.register("address", address, references=[to_city])
    number = bench.server.register(
        "identify", whole, references=[{"name": "x.Address", "subject": "address", "version": 1}, to_city]
    )
    datum = b"\x02" + b"U" + b"\x02" + b"\x02" + b"V"

    outcome = bench.settled(framed(number, datum))

    assert outcome == Decoded({"traits": {"city": {"name": "U"}}, "born": {"name": "V"}}, str(number))


def test_json_schemas_are_read_as_json(bench: Bench) -> None:
    """A JSON schema's id stands before JSON text."""
    number = bench.server.register("events", {"type": "object"}, schemaType="JSON")

    assert bench.settled(framed(number, json.dumps(EVENT).encode())) == Decoded(EVENT, str(number))
    assert reason_of(bench.settled(framed(number, b"{"))) is InvalidReason.BAD_JSON


def test_schemas_that_can_never_be_read_make_dead_letters(bench: Bench) -> None:
    """Protobuf, and Avro that does not parse: ids never change, so waiting would not help."""
    protobuf = bench.server.shelf.register("p", {"schema": 'syntax = "proto3";', "schemaType": "PROTOBUF"})
    broken = bench.server.register(
        "b", {"type": "record", "name": "A", "fields": [{"name": "f", "type": "Gone"}]}
    )
    nonsense = bench.server.shelf.register("n", {"schema": "{"})

    for number in (protobuf, broken, nonsense):
        outcome = bench.settled(framed(number, b"\x00"))
        assert reason_of(outcome) is InvalidReason.UNDECODABLE
        assert f"schema {number}" in str(outcome)


def test_an_id_is_unknown_only_after_five_minutes_of_being_told_so(bench: Bench) -> None:
    """Asked once a minute; the record waits until the registry has said "no" for five minutes."""
    value = framed(7)

    for minute in range(5):
        assert bench.settled(value) == AwaitingSchema("7"), minute
        bench.clock.now += ASK_AGAIN_SECONDS - 1
        assert bench.settled(value) == AwaitingSchema("7"), "it was told so less than a minute ago"
        assert len(bench.server.asked) == minute + 1
        bench.clock.now += 1

    assert reason_of(bench.settled(value)) is InvalidReason.UNKNOWN_SCHEMA
    assert ASK_AGAIN_SECONDS * 5 == UNKNOWN_AFTER_SECONDS


def test_a_schema_registered_late_is_found(bench: Bench) -> None:
    """Neither waiting nor given up: once the schema is there, the next question finds it."""
    value = framed(1, written(TYPED, EVENT))
    assert bench.settled(value) == AwaitingSchema("1")
    for _ in range(5):
        bench.clock.now += ASK_AGAIN_SECONDS
        outcome = bench.settled(value)
    assert reason_of(outcome) is InvalidReason.UNKNOWN_SCHEMA
    assert reason_of(bench.decoded(value)) is InvalidReason.UNKNOWN_SCHEMA

    bench.server.register("events", TYPED)
    bench.clock.now += ASK_AGAIN_SECONDS

    assert bench.settled(value) == Decoded(EVENT, "1")


def set_status(status: int, body: bytes = b"") -> Callable[[RegistryServer], None]:
    """Make a server answer everything with this."""

    def switch(server: RegistryServer) -> None:
        server.instead = Reply(status, body, "text/html")

    return switch


def reset(server: RegistryServer) -> None:
    """Make a server close every connection."""
    server.is_resetting = True


TROUBLES = [
    (set_status(500), Trouble.SERVER_ERROR),
    (set_status(503, b"<html>"), Trouble.SERVER_ERROR),
    (set_status(429), Trouble.SERVER_ERROR),
    (set_status(401), Trouble.CREDENTIALS),
    (set_status(403, b"{}"), Trouble.CREDENTIALS),
    (set_status(404, b"<html>no such page</html>"), Trouble.NOT_A_REGISTRY),
    (set_status(404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}'), Trouble.NOT_A_REGISTRY),
    (set_status(200, b"<html>sign in</html>"), Trouble.NOT_A_REGISTRY),
    (set_status(200, b"[]"), Trouble.NOT_A_REGISTRY),
    (set_status(200, b"{}"), Trouble.NOT_A_REGISTRY),
    (set_status(200, b'{"schema": 7}'), Trouble.NOT_A_REGISTRY),
    (set_status(200, b'{"schema": "\\"long\\"", "references": 7}'), Trouble.NOT_A_REGISTRY),
    (set_status(200, b'{"schema": "\\"long\\"", "references": [{"subject": "s"}]}'), Trouble.NOT_A_REGISTRY),
    (set_status(200, b" " * (MAX_REPLY_BYTES + 1)), Trouble.NOT_A_REGISTRY),
    (set_status(302), Trouble.NOT_A_REGISTRY),
    (reset, Trouble.UNREACHABLE),
]


@pytest.mark.parametrize(("switch", "trouble"), TROUBLES)
def test_a_registry_in_trouble_never_makes_poison(
    bench: Bench, switch: Callable[[RegistryServer], None], trouble: Trouble
) -> None:
    """Down, broken, refusing us, or not a registry at all: records wait, however long; then are read."""
    number = bench.server.register("events", TYPED)
    value = framed(number, written(TYPED, EVENT))
    switch(bench.server)

    for _ in range(6):
        assert bench.settled(value) == AwaitingSchema(str(number))
        bench.clock.now += UNKNOWN_AFTER_SECONDS
    assert bench.settled(value) == AwaitingSchema(str(number))
    (problem,) = bench.decoder.problems()
    assert (problem.schema_id, problem.reason) == (number, trouble.value)
    assert len(problem.advice) > 20
    assert not bench.decoder.knows_schema(number)
    assert problem.seconds >= 5 * UNKNOWN_AFTER_SECONDS

    bench.server.instead = None
    bench.server.is_resetting = False
    bench.clock.now += LAST_RETRY_SECONDS
    assert bench.settled(value) == Decoded(EVENT, str(number))
    assert bench.decoder.problems() == ()
    assert bench.decoder.knows_schema(number)


def test_only_what_records_wait_for_is_a_problem(bench: Bench) -> None:
    """An id whose partition went elsewhere, or whose records became dead letters, is awaited no more."""
    for _ in range(5):
        assert bench.settled(framed(7)) == AwaitingSchema("7")
        assert [problem.reason for problem in bench.decoder.problems()] == ["absent"]
        bench.clock.now += AWAITED_SECONDS
        assert len(bench.decoder.problems()) == 1
        bench.clock.now += ASK_AGAIN_SECONDS - AWAITED_SECONDS
        assert bench.decoder.problems() == ()
    assert reason_of(bench.settled(framed(7))) is InvalidReason.UNKNOWN_SCHEMA
    assert bench.decoder.problems() == ()


def test_trouble_starts_the_five_minutes_again(bench: Bench) -> None:
    """A registry that says "no such schema" on the way down is not believed for it."""
    value = framed(7)
    for _ in range(5):
        assert bench.settled(value) == AwaitingSchema("7")
        bench.clock.now += ASK_AGAIN_SECONDS
    bench.server.instead = Reply(503, b"")
    assert bench.settled(value) == AwaitingSchema("7")
    bench.server.instead = None

    for _ in range(5):
        bench.clock.now += ASK_AGAIN_SECONDS
        assert bench.settled(value) == AwaitingSchema("7")
    bench.clock.now += ASK_AGAIN_SECONDS
    assert reason_of(bench.settled(value)) is InvalidReason.UNKNOWN_SCHEMA


def test_questions_come_less_often_while_there_is_trouble(bench: Bench) -> None:
    """1, 2, 4, ... seconds apart, at most 30: a registry that is down is not stormed."""
    bench.server.instead = Reply(500, b"")
    bench.settled(framed(1))

    waits = []
    for _ in range(7):
        asked, begun = len(bench.server.asked), bench.clock.now
        while len(bench.server.asked) == asked:
            bench.clock.now += 0.5
            bench.settled(framed(1))
        waits.append(bench.clock.now - begun)

    assert waits == [1, 2, 4, 8, 16, LAST_RETRY_SECONDS, LAST_RETRY_SECONDS]


def test_a_part_that_is_missing_counts_as_absent(bench: Bench) -> None:
    """A schema whose part the registry says it lacks waits, and ends as unknown like one it lacks."""
    whole = {"type": "record", "name": "T", "fields": [{"name": "a", "type": "x.Gone"}]}
    reference = {"name": "x.Gone", "subject": "gone", "version": 3}
    number = bench.server.register("events", whole, references=[reference])

    for _ in range(5):
        assert bench.settled(framed(number)) == AwaitingSchema(str(number))
        bench.clock.now += ASK_AGAIN_SECONDS
    assert reason_of(bench.settled(framed(number))) is InvalidReason.UNKNOWN_SCHEMA


def test_deleted_parts_are_still_drawn_in(bench: Bench) -> None:
    """A subject deleted softly is still what older values were written with."""
    part = {"type": "record", "name": "P", "namespace": "x", "fields": [{"name": "a", "type": "long"}]}
    bench.server.register("part", part)
    whole = {"type": "record", "name": "T", "fields": [{"name": "p", "type": "x.P"}]}
    number = bench.server.register("t", whole, references=[{"name": "x.P", "subject": "part", "version": 1}])
    versions = bench.server.shelf.subjects["part"]
    versions[1] = versions[1]._replace(is_deleted=True)

    assert bench.settled(framed(number, b"\x0e")) == Decoded({"p": {"a": 7}}, str(number))


def test_parts_that_refer_to_each_other_end(bench: Bench) -> None:
    """References in a circle, which no registry should hold, end as a schema that cannot be read."""
    one = {"type": "record", "name": "A", "namespace": "x", "fields": [{"name": "b", "type": "x.B"}]}
    two = {"type": "record", "name": "B", "namespace": "x", "fields": [{"name": "a", "type": "x.A"}]}
    bench.server.register("a", one, references=[{"name": "x.B", "subject": "b", "version": 1}])
    number = bench.server.register("b", two, references=[{"name": "x.A", "subject": "a", "version": 1}])

    assert isinstance(bench.client.fetch(number), Unreadable)


def test_a_reply_that_drips_ends_by_the_deadline(bench: Bench) -> None:
    """The deadline is for the whole reply: one byte at a time does not stretch it."""
    number = bench.server.register("events", TYPED)
    bench.server.drip_seconds = 0.05
    client = RegistryClient(bench.server.url, request_seconds=0.3)
    begun = time.monotonic()

    assert client.fetch(number) is Trouble.TIMEOUT
    assert time.monotonic() - begun < 2
    client.close()


def test_a_silent_registry_times_out(bench: Bench) -> None:
    """No reply at all ends by the deadline."""
    bench.server.delay_seconds = 1.0
    client = RegistryClient(bench.server.url, request_seconds=0.1)

    assert client.fetch(1) is Trouble.TIMEOUT
    client.close()


def test_credentials_are_sent(bench: Bench) -> None:
    """User and password open what is closed without them."""
    number = bench.server.register("events", TYPED)
    bench.server.credentials = ("reader", "s3cret")
    client = RegistryClient(bench.server.url + "/", user="reader", password="s3cret")

    assert isinstance(client.fetch(number), AvroSchema)
    client.check()
    assert bench.client.fetch(number) is Trouble.CREDENTIALS
    client.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of our own for 127.0.0.1, its key beside it."""
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder / "certificate.pem"


def test_a_certificate_authority_of_ones_own_is_trusted_when_named(certificate: Path) -> None:
    """TLS is verified: with the named authority it works, without it nothing is believed."""
    with running_registry(certificate) as server:
        number = server.register("events", TYPED)
        trusting = RegistryClient(server.url, ca_file=certificate)
        doubting = RegistryClient(server.url)

        assert isinstance(trusting.fetch(number), AvroSchema)
        assert doubting.fetch(number) is Trouble.UNREACHABLE

        trusting.close()
        doubting.close()


def test_an_unusable_authority_file_is_named_at_start(tmp_path: Path) -> None:
    """A missing or broken PEM file is refused before any connection, by the setting's name."""
    (tmp_path / "broken.pem").write_text("no certificate")

    for name in ("missing.pem", "broken.pem"):
        with pytest.raises(SourceError, match="STREAMER_SCHEMA_REGISTRY_CA"):
            RegistryClient("https://127.0.0.1:1", ca_file=tmp_path / name)


@pytest.mark.parametrize(
    ("switch", "says"),
    [
        (set_status(401), "STREAMER_SCHEMA_REGISTRY_PASSWORD"),
        (set_status(404, b"<html>"), "path in STREAMER_SCHEMA_REGISTRY_URL"),
        (set_status(200, b"<html>"), "path in STREAMER_SCHEMA_REGISTRY_URL"),
        (set_status(404, b'{"error_code": 40403}'), "path in STREAMER_SCHEMA_REGISTRY_URL"),
        (set_status(500), "registry's own log"),
        (reset, "the network"),
    ],
)
def test_the_start_up_check_says_what_to_look_at(
    bench: Bench, switch: Callable[[RegistryServer], None], says: str
) -> None:
    """A registry that does not answer as one is reported with the setting or place to look at."""
    bench.decoder.check()
    switch(bench.server)

    with pytest.raises(SourceError, match=says):
        bench.decoder.check()


def test_nothing_listening_is_unreachable() -> None:
    """A port where nobody listens, and an address that is none, are trouble, not exceptions."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    for wrong in (url, "http://127.0.0.1:99999", "http://[::", "nonsense"):
        client = RegistryClient(wrong)
        assert client.fetch(1) is Trouble.UNREACHABLE
        with pytest.raises(SourceError, match="STREAMER_SCHEMA_REGISTRY_URL"):
            client.check()
        client.close()
