"""When a group committed what: its offsets as the broker's own log of them has them."""

import struct
from time import monotonic
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from tests.real_kafka.cluster import RealKafka

OFFSETS_TOPIC = "__consumer_offsets"
_READ_SECONDS = 30.0


class Commit(NamedTuple):
    """One commit of one partition, as acknowledged."""

    at: float
    """Seconds since 1970, by the broker's clock."""
    partition: int
    offset: int


class CommitHistory:
    """Every commit of a group on one topic, in order."""

    def __init__(self, kafka: RealKafka, group: str, topic: str) -> None:
        self.commits = sorted(_read(kafka, group, topic))

    def offset_at(self, partition: int, at: float) -> int:
        """The partition's committed offset at this time; 0 before the first."""
        offsets = [each.offset for each in self.commits if each.partition == partition and each.at <= at]
        return offsets[-1] if offsets else 0


def _read(kafka: RealKafka, group: str, topic: str) -> list[Commit]:
    found = []
    ends = {number: end for number, end in kafka.end_offsets(OFFSETS_TOPIC).items() if end}
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "reader", "log_level": 0,
                         "enable.auto.commit": False, "enable.partition.eof": True})  # fmt: skip
    try:
        consumer.assign([TopicPartition(OFFSETS_TOPIC, number, OFFSET_BEGINNING) for number in ends])
        deadline = monotonic() + _READ_SECONDS
        # The broker writes a marker or two of its own: the end of a partition is told, not counted.
        while ends:
            assert monotonic() < deadline, f"{OFFSETS_TOPIC} could not be read to its end"
            for record in consumer.consume(500, 0.2):
                if record.error() is not None:
                    ends.pop(record.partition() or 0, None)
                else:
                    found += _commit_of(record, group, topic)
    finally:
        consumer.close()
    return found


def _commit_of(record: Message, group: str, topic: str) -> list[Commit]:
    """Key: version, group, topic, partition; value: version, offset, and what does not matter here."""
    key, value = record.key(), record.value()
    if not isinstance(key, bytes) or not isinstance(value, bytes):
        return []
    version, length = struct.unpack_from(">hh", key)
    if version > 1 or key[4 : 4 + length].decode() != group:
        return []
    start = 4 + length
    (length,) = struct.unpack_from(">h", key, start)
    if key[start + 2 : start + 2 + length].decode() != topic:
        return []
    (partition,) = struct.unpack_from(">i", key, start + 2 + length)
    (offset,) = struct.unpack_from(">q", value, 2)
    return [Commit(record.timestamp()[1] / 1000, partition, offset)]
