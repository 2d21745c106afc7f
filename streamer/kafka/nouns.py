"""librdkafka's nouns to ours and back."""

from collections.abc import Collection, Mapping, Sequence
from sys import intern
from typing import Any

from confluent_kafka import Message
from confluent_kafka import TopicPartition as KafkaPartition

from streamer.records import Mark, Record, TopicPartition


def records_of(fetched: Sequence[Message]) -> list[Record]:
    """Records as fetched, those that report an error left out. A header's name is text, as Kafka has it.

    All records of a topic share its name: each of them brings a copy of its own, to be kept and hashed.
    """
    records = []
    topic = ""
    each: Any  # what was consumed has a topic and a place, whatever its type says
    for each in fetched:
        if each.error() is not None:
            continue
        its_topic = each.topic()
        if its_topic != topic:
            topic = intern(its_topic)
        kind, timestamp_ms = each.timestamp()
        headers = each.headers()
        records.append(
            Record(
                topic,
                each.partition(),
                each.offset(),
                timestamp_ms if kind else -1,
                each.key(),
                each.value(),
                tuple(headers) if headers else (),
            )
        )
    return records


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
