"""Stretches of real topics: with gaps, cut short, empty, and of several partitions."""

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka import TopicPartition as Place

from streamer.errors import SourceError
from streamer.kafka.topic_reader import Stretch, TopicReader
from tests.real_kafka.cluster import RealKafka

pytestmark = pytest.mark.real_kafka


def produce(kafka: RealKafka, topic: str, count: int, partition: int = 0) -> None:
    """Plain records, numbered from 0."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(count):
        producer.produce(topic, str(number).encode(), partition=partition)
    assert producer.flush(20) == 0


def transact(kafka: RealKafka, topic: str, values: list[bytes], end: Callable[[Producer], None]) -> Producer:
    """Records in one transaction, ended as told."""
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap, "transactional.id": f"t-{topic}-{len(values)}"}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    producer.flush(20)
    end(producer)
    return producer


def read(kafka: RealKafka, topic: str, wanted: dict[int, Stretch] | None = None) -> list[tuple[int, int]]:
    """Partition and offset of everything read."""
    with TopicReader(kafka.bootstrap, "reader", topic) as reader:
        found = reader.read(reader.stretches() if wanted is None else wanted)
        return [(record.partition, record.offset) for records in found for record in records]


def test_everything_up_to_the_end_is_read(real_kafka: RealKafka) -> None:
    """All partitions are read to their ends, empty ones too, and each in its order."""
    topic = real_kafka.create_topic("whole", partitions=3)
    produce(real_kafka, topic, 700)
    produce(real_kafka, topic, 3, partition=2)
    found = read(real_kafka, topic)

    assert [offset for partition, offset in found if partition == 0] == list(range(700))
    assert [offset for partition, offset in found if partition == 2] == [0, 1, 2]
    assert read(real_kafka, topic, {0: Stretch(10, 12), 2: Stretch(2, 3)}) in (
        [(0, 10), (0, 11), (2, 2)], [(2, 2), (0, 10), (0, 11)],
    )  # fmt: skip


def test_gaps_of_transactions_do_not_hang_it(real_kafka: RealKafka) -> None:
    """Aborted records and markers are passed over, at the very end too; what is pending is not read."""
    topic = real_kafka.create_topic("gaps")
    produce(real_kafka, topic, 1)
    transact(real_kafka, topic, [b"kept"], lambda each: each.commit_transaction(20))
    transact(real_kafka, topic, [b"never", b"was"], lambda each: each.abort_transaction(20))
    assert read(real_kafka, topic) == [(0, 0), (0, 1)]

    pending = transact(real_kafka, topic, [b"a", b"b", b"c"], lambda each: None)
    assert read(real_kafka, topic) == [(0, 0), (0, 1)]
    pending.commit_transaction(20)
    assert read(real_kafka, topic)[2:] == [(0, 6), (0, 7), (0, 8)]


def test_what_was_deleted_is_passed_over(real_kafka: RealKafka) -> None:
    """A stretch whose beginning, or whole, the log no longer holds is read from where the log begins."""
    topic = real_kafka.create_topic("cut")
    produce(real_kafka, topic, 10)
    admin = real_kafka.admin()  # kept: one that nobody holds is gone before its answers come
    for each in admin.delete_records([Place(topic, 0, 6)]).values():
        each.result(20)

    assert read(real_kafka, topic, {0: Stretch(0, 10)}) == [(0, offset) for offset in range(6, 10)]
    assert read(real_kafka, topic, {0: Stretch(1, 4)}) == []


def test_a_topic_that_is_not_there_is_named(real_kafka: RealKafka) -> None:
    """The error says which topic is missing; nothing of the client's own comes through."""
    with (
        pytest.raises(SourceError, match="no topic nowhere"),
        TopicReader(real_kafka.bootstrap, "reader", "nowhere") as reader,
    ):
        reader.stretches()
    assert not issubclass(SourceError, KafkaException)
