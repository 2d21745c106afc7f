"""Poison: each bad record ends as one dead letter, and the records around it are delivered."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from time import monotonic, sleep
from typing import Final, NamedTuple

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.outcomes import CallType, Fate, InvalidReason
from streamer.standins.demo_topic import read_letters
from streamer.standins.expectations import Expectation
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.faults import Fault, FaultKind, ItemMatch
from tests.avro.registry_server import RegistryServer, Reply, running_registry
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import Pipeline, skips_of
from tests.real_kafka.poison import HUGE_BYTES, Poison, every_poison

pytestmark = pytest.mark.real_kafka

SOURCE_LIMIT: Final = str(HUGE_BYTES + 1_000_000)
LETTER_LIMIT: Final = "4000000"
GOOD_FOR_EACH: Final = 12
"""Good records for each bad one, so that the guard against too many bad ones stays quiet."""
HEADERS: Final[list[tuple[str, str | bytes | None]]] = [("trace", b"\x00\xfe"), ("nothing", None)]


class Letter(NamedTuple):
    """A dead letter as Kafka keeps it."""

    key: object
    value: object
    original_headers: Sequence[tuple[str, object]]
    ours: dict[str, str]


class Hand:
    """Produces single records of any size, each to a place that is known afterwards."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._producer = Producer({
            "bootstrap.servers": pipeline.kafka.bootstrap, "message.max.bytes": 40_000_000, "linger.ms": 0,
        })  # fmt: skip

    def produce(self, poison: Poison, partition: int) -> tuple[int, int]:
        """One bad record; its partition and offset."""
        places: list[tuple[int, int]] = []

        def acknowledged(error: object, record: Message) -> None:
            assert error is None, error
            places.append((record.partition() or 0, record.offset() or 0))

        self._producer.produce(
            self._pipeline.topic, poison.value, b"key", partition,
            headers=HEADERS, on_delivery=acknowledged,
        )  # fmt: skip
        assert self._producer.flush(30) == 0
        (place,) = places
        expectation = Expectation(poison.call, Fate.DEAD_LETTERED, poison.reason)
        self._pipeline.expected.add(*place, expectation)
        return place


def _letters(pipeline: Pipeline) -> dict[tuple[int, int], list[Letter]]:
    """All dead letters by the place their record was read from."""
    found: dict[tuple[int, int], list[Letter]] = {}
    wanted = pipeline.kafka.end_offsets(pipeline.letter_topic)[0]
    consumer = Consumer({"bootstrap.servers": pipeline.kafka.bootstrap, "group.id": "letters",
                         "enable.auto.commit": False})  # fmt: skip
    with closing(consumer):
        consumer.assign([TopicPartition(pipeline.letter_topic, 0, OFFSET_BEGINNING)])
        deadline = monotonic() + 30
        read = 0
        while read < wanted:
            assert monotonic() < deadline, f"{read} of {wanted} letters read"
            for record in consumer.consume(100, 0.2):
                assert record.error() is None, record.error()
                read += 1
                letter = _letter_of(record)
                place = int(letter.ours["partition"]), int(letter.ours["offset"])
                found.setdefault(place, []).append(letter)
    return found


def _letter_of(record: Message) -> Letter:
    found = record.headers() or []
    headers = list(found.items()) if isinstance(found, dict) else found
    ours = {
        name.removeprefix("streamer."): value.decode()
        for name, value in headers
        if name.startswith("streamer.") and isinstance(value, bytes)
    }
    rest = [(name, value) for name, value in headers if not name.startswith("streamer.")]
    return Letter(record.key(), record.value(), rest, ours)


def test_every_poison_ends_as_one_letter(piped: Callable[..., Pipeline]) -> None:
    """Each kind: one letter with its reason and original bytes; every good record around is delivered."""
    poisons = every_poison()
    pipeline = piped(
        partitions=2,
        topic_settings={"max_message_bytes": SOURCE_LIMIT},
        letter_settings={"max_message_bytes": LETTER_LIMIT},
    )
    member = pipeline.member().wait_until_ready()
    events = pipeline.open(Generator(21, 60 + GOOD_FOR_EACH * len(poisons)))
    hand = Hand(pipeline)
    placed: dict[tuple[int, int], Poison] = {}
    for number, poison in enumerate(poisons):
        pipeline.feed(islice(events, GOOD_FOR_EACH))
        placed[hand.produce(poison, number % 2)] = poison
    pipeline.feed(events)
    pipeline.wait_until_committed(60)
    skips = skips_of(member)
    assert member.scrape().total("streamer_failures_total") == 0
    assert member.stop() == 0

    assert len(placed) == len(poisons) >= 40
    letters = _letters(pipeline)
    for place, poison in placed.items():
        found = letters.get(place, [])
        assert len(found) == 1, f"{poison.name}: {len(found)} letters"
        _check_letter(pipeline, place, poison, found[0])
    assert pipeline.account(skipped=skips).lines() == []


def _check_letter(pipeline: Pipeline, place: tuple[int, int], poison: Poison, letter: Letter) -> None:
    assert letter.key == b"key", poison.name
    assert letter.original_headers == HEADERS, poison.name
    assert letter.ours["reason"] == poison.reason, f"{poison.name}: {letter.ours}"
    assert (letter.ours["topic"], letter.ours["group"]) == (pipeline.topic, pipeline.group)
    assert (int(letter.ours["partition"]), int(letter.ours["offset"])) == place
    if len(poison.value) > int(LETTER_LIMIT):
        assert letter.value is None, "a stub"
        assert letter.ours["sha256"] == hashlib.sha256(poison.value).hexdigest()
        assert int(letter.ours["value_bytes"]) == len(poison.value)
    else:
        assert letter.value == poison.value, poison.name
        assert "sha256" not in letter.ours
    assert "poison-" not in json.dumps(letter.ours), "no value of the record is repeated in our headers"


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    """A schema registry of the test's own."""
    with running_registry() as server:
        yield server


def _tracks(schema_id: int, user: str, count: int) -> Sequence[bytes]:
    encode = Encoder(load_schemas()).encode
    return [
        encode(
            {
                "type": "track",
                "event": "Report Opened",
                "userId": user,
                "messageId": f"{user}-{number}",
                "context": {"groupId": "acme"},
                "properties": {"eventKey": f"{user}-{number}"},
            },
            framing=f"confluent:{schema_id}" if schema_id else "single-object",
        )
        for number in range(count)
    ]


def test_a_registry_that_is_down_holds_its_partition_and_no_other(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, registry: RegistryServer
) -> None:
    """Down is not poison: the partition waits, others are delivered; up again, nothing was lost."""
    track = next(schema for schema in load_schemas() if schema.label == "track")
    number = registry.register("segment.events-value", json.loads(track.source.read_text()))
    registry.is_resetting = True
    pipeline = piped(partitions=2, schema_registry_url=registry.url)
    member = pipeline.member().wait_until_ready()
    producer = Producer({"bootstrap.servers": pipeline.kafka.bootstrap})
    company = b'{"type":"group","groupId":"acme","anonymousId":"s","traits":{"name":"Acme"}}'
    for partition in (0, 1):
        producer.produce(pipeline.topic, company, b"acme", partition)
    for value in [*_tracks(number, "framed", 20), *_tracks(0, "behind", 20)]:
        producer.produce(pipeline.topic, value, b"framed", 0)
    for value in _tracks(0, "other", 20):
        producer.produce(pipeline.topic, value, b"other", 1)
    assert producer.flush(30) == 0

    wait_until(lambda: pipeline.committed().get(1) == 21, 30, "the other partition is delivered")
    wait_until(lambda: len(registry.asked) >= 2, 30, "the registry is asked again")
    registry.is_resetting, registry.instead = False, Reply(503, b"{}")
    asked = len(registry.asked)
    wait_until(lambda: len(registry.asked) >= asked + 1, 30, "an answer of 503 is none")
    sleep(0.5)
    assert pipeline.committed()[0] == 1, "the company, and nothing of what waits for a schema"
    assert sandbox.view()["activities"]["stored"] == 20
    assert member.get("/readyz")[0] == 200

    registry.instead = None
    wait_until(lambda: pipeline.committed().get(0) == 41, 60, "the partition flows again")
    assert member.scrape().total("streamer_dead_letters_total") == 0
    assert member.stop() == 0
    assert read_letters(pipeline.kafka.bootstrap, pipeline.letter_topic, pipeline.topic) == []
    keys = [row.info["eventKey"] for row in sandbox.activities()]
    for user in ("framed", "behind", "other"):
        assert [key for key in keys if key.startswith(user)] == [f"{user}-{number}" for number in range(20)]


def test_a_refused_operation_ends_as_a_letter_with_its_status(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess
) -> None:
    """What Planhat's reply names as refused is a letter of reason `refused`; all around it is delivered."""
    pipeline = piped(partitions=1)
    member = pipeline.member().wait_until_ready()
    events = pipeline.open(Generator(22, 200))
    odd = ItemMatch(field="externalId", values=frozenset({"poison-refused"}))
    sandbox.add_faults(Fault(kind=FaultKind.REFUSE, endpoint="endusers", items=odd, times=None))
    refused = Poison(
        "refused",
        b'{"type":"identify","userId":"poison-refused","traits":{"email":"odd@acme-1.example"}}',
        CallType.IDENTIFY,
        InvalidReason.REFUSED,
    )
    pipeline.feed(islice(events, 80))
    place = Hand(pipeline).produce(refused, 0)
    pipeline.feed(events)
    pipeline.wait_until_committed(60)
    assert member.stop() == 0
    (letter,) = _letters(pipeline)[place]
    _check_letter(pipeline, place, refused, letter)
    assert letter.ours["http_status"] == "206", "saved in part"
    assert int(letter.ours["attempts"]) >= 1
    assert pipeline.account().lines() == []
