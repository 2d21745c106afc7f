"""librdkafka's nouns to ours and back."""

from collections.abc import Collection, Mapping
from sys import intern

from confluent_kafka import Message
from confluent_kafka import TopicPartition as KafkaPartition

from streamer.records import Mark, Record, TopicPartition


def record_of(fetched: Message) -> Record:
    """One record as fetched. Bytes are not touched; a header's name is text, as Kafka has it.

    All records of a topic share its name: each of them brings a copy of its own, to be kept and hashed.
    """
    kind, timestamp_ms = fetched.timestamp()
    headers = fetched.headers()
    return Record(
        intern(fetched.topic()),  # type: ignore[arg-type] # what was consumed has one
        fetched.partition(),  # type: ignore[arg-type]
        fetched.offset(),  # type: ignore[arg-type]
        timestamp_ms if kind else -1,
        fetched.key(),
        fetched.value(),
        tuple(headers) if headers else (),  # type: ignore[arg-type]
    )


def our_partitions(partitions: Collection[KafkaPartition]) -> set[TopicPartition]:
    """Partitions as ours, without their offsets."""
    return {TopicPartition(each.topic, each.partition) for each in partitions}


def kafka_partitions(partitions: Collection[TopicPartition]) -> list[KafkaPartition]:
    """Partitions as librdkafka's, without offsets."""
    return [KafkaPartition(each.topic, each.partition) for each in partitions]


def kafka_marks(marks: Mapping[TopicPartition, Mark]) -> list[KafkaPartition]:
    """Marks as librdkafka's next offsets with metadata."""
    return [
        KafkaPartition(each.topic, each.partition, mark.offset, metadata=mark.metadata)
        for each, mark in marks.items()
    ]
