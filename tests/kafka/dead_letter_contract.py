"""The laws of dead letters, run against the mock cluster and against Apache Kafka alike."""

import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Message
from confluent_kafka import TopicPartition as KafkaPartition

from streamer import __version__
from streamer.engine.ports import DeadLetter
from streamer.kafka.dead_letters import KafkaDeadLetters
from streamer.outcomes import InvalidReason
from streamer.records import Record
from tests.kafka.source_contract import WAIT_SECONDS, Cluster


def read_all(cluster: Cluster, topic: str, count: int | None = None) -> list[Message]:
    """The first records of the topic's only partition, or all it holds now."""
    consumer = Consumer({
        "bootstrap.servers": cluster.bootstrap, "group.id": uuid.uuid4().hex, "fetch.wait.max.ms": 10,
        "enable.auto.commit": False,
    })  # fmt: skip
    place = KafkaPartition(topic, 0, 0)
    if count is None:
        count = consumer.get_watermark_offsets(place, timeout=WAIT_SECONDS)[1]
    consumer.assign([place])
    found: list[Message] = []
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while len(found) < count:
            assert time.monotonic() < deadline, f"only {len(found)} of {count} letters came"
            found += [each for each in consumer.consume(count, 0.2) if each.error() is None]
    finally:
        consumer.close()
    return found


def answers(letters: KafkaDeadLetters, count: int) -> list[tuple[DeadLetter, bool]]:
    """Collect until so many letters were answered."""
    found: list[tuple[DeadLetter, bool]] = []
    deadline = time.monotonic() + WAIT_SECONDS
    while len(found) < count:
        assert time.monotonic() < deadline, f"only {len(found)} of {count} answers came"
        found += letters.collect(0.1)
    return found


def a_letter(value: bytes | None = b"\x00\x01\xff", offset: int = 41) -> DeadLetter:
    """A letter with every field filled."""
    headers = (("trace", b"\x00\xfe"), ("nothing", None))
    record = Record("events", 3, offset, 1_700_000_000_123, b"user-\xff", value, headers)
    return DeadLetter(record, InvalidReason.REFUSED, "email", "7", 400, 2, 1_700_000_000.5)


def headers_of(found: Message) -> dict[str, str]:
    """Our headers of a produced letter."""
    ours = {}
    for name, value in list(found.headers() or []):
        assert isinstance(name, str)
        assert isinstance(value, bytes | None)
        if name.startswith("streamer."):
            ours[name.removeprefix("streamer.")] = (value or b"").decode()
    return ours


class DeadLetterContract:
    """Inherited by the suites of both clusters; they give the fixture `cluster`."""

    @pytest.fixture
    def topic(self, cluster: Cluster) -> str:
        return cluster.create_topic("dead-letters")

    @pytest.fixture
    def letters(self, cluster: Cluster, topic: str) -> Iterator[KafkaDeadLetters]:
        letters = KafkaDeadLetters(cluster.bootstrap, topic, "our-group", {"delivery.timeout.ms": "2000"})
        yield letters
        letters.close()

    def test_the_original_is_kept_byte_for_byte(
        self, cluster: Cluster, topic: str, letters: KafkaDeadLetters
    ) -> None:
        """Key, value and headers come first and unchanged; ours say why and where from."""
        assert letters.produce(a_letter())
        assert [acknowledged for _, acknowledged in answers(letters, 1)] == [True]
        (found,) = read_all(cluster, topic, 1)
        assert found.key() == b"user-\xff"
        assert found.value() == b"\x00\x01\xff"
        assert list(found.headers() or [])[:2] == [("trace", b"\x00\xfe"), ("nothing", None)]
        assert headers_of(found) == {
            "reason": "refused", "detail": "email", "topic": "events", "partition": "3", "offset": "41",
            "timestamp": "1700000000123", "group": "our-group", "schema_id": "7", "http_status": "400",
            "attempts": "2", "first_failure": "2023-11-14T22:13:20.500+00:00", "version": __version__,
        }  # fmt: skip

    def test_a_letter_is_answered_once_and_only_after_the_broker(self, letters: KafkaDeadLetters) -> None:
        """Producing acknowledges nothing; collect tells each letter once."""
        mine = [a_letter(offset=number) for number in range(100)]
        assert all(letters.produce(each) for each in mine)
        assert letters.waiting == 100
        found = answers(letters, 100)
        assert sorted(letter.record.offset for letter, _ in found) == list(range(100))
        assert all(acknowledged for _, acknowledged in found)
        assert letters.waiting == 0
        assert letters.collect(0) == []

    def test_a_missing_value_stays_missing(
        self, cluster: Cluster, topic: str, letters: KafkaDeadLetters
    ) -> None:
        """No value is not an empty value."""
        letters.produce(a_letter(value=None))
        letters.produce(a_letter(value=b""))
        answers(letters, 2)
        assert [each.value() for each in read_all(cluster, topic, 2)] == [None, b""]

    def test_what_no_producer_takes_becomes_a_stub(
        self, cluster: Cluster, topic: str, letters: KafkaDeadLetters
    ) -> None:
        """A record beyond the client's own limit still leaves its trace."""
        small = KafkaDeadLetters(cluster.bootstrap, topic, "g", {"message.max.bytes": "2000"})
        small.produce(a_letter(value=b"x" * 5000))
        assert [acknowledged for _, acknowledged in answers(small, 1)] == [True]
        (found,) = read_all(cluster, topic, 1)
        assert found.value() is None
        assert found.key() == b"user-\xff"
        ours = headers_of(found)
        assert (ours["reason"], ours["detail"], ours["value_bytes"]) == ("oversize", "refused: email", "5000")
        assert ours["sha256"] == "c59d3c0480cc2d71d8f646e735e92da65450311eec46e81a5db8c7e6e8a92054"
