"""When a group committed what: its offsets as the broker's own log of them has them."""

import struct
from time import monotonic
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicCollection, TopicPartition

from streamer.engine.settled import NOTHING, Settled, decode
from streamer.records import Found, Mark
from tests.real_kafka.cluster import RealKafka

OFFSETS_TOPIC = "__consumer_offsets"
_READ_SECONDS = 30.0


class Commit(NamedTuple):
    """One commit of one partition, as acknowledged."""

    at: float
    """Seconds since 1970, by the broker's clock."""
    partition: int
    offset: int
    metadata: str


class CommitHistory:
    """Every commit of a group on one topic, in order."""

    def __init__(self, kafka: RealKafka, group: str, topic: str) -> None:
        self.commits = sorted(_read(kafka, group, topic))
        admin = kafka.admin()  # kept until it has answered
        described = admin.describe_topics(TopicCollection([topic]))[topic]
        self.topic_id = str(described.result(10).topic_id)

    def offset_at(self, partition: int, at: float) -> int:
        """The partition's committed offset at this time; 0 before the first."""
        last = self._last(partition, at)
        return last.offset if last else 0

    def ahead_at(self, partition: int, at: float) -> Settled:
        """What that commit told to be settled beyond its offset. It must be readable, and short enough."""
        last = self._last(partition, at)
        if last is None:
            return NOTHING
        assert len(last.metadata) <= 4_096
        found = Found(Mark(last.offset, last.metadata), 1 << 62)
        told = decode(found, f"{self.topic_id}:{partition}")
        assert isinstance(told, Settled), (told, last)
        return Settled(told.base, tuple(told.unsettled), told.end)

    def _last(self, partition: int, at: float) -> Commit | None:
        commits = [each for each in self.commits if each.partition == partition and each.at <= at]
        return commits[-1] if commits else None


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
    """Key: version, group, topic, partition; value: version, offset, epoch, metadata, and what is idle here.

    From version 4 on a text's length is a varint, one too large.
    """
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
    return [Commit(record.timestamp()[1] / 1000, partition, offset, _metadata_of(value))]


def _metadata_of(value: bytes) -> str:
    (version,) = struct.unpack_from(">h", value)
    at = 14 if version >= 3 else 10
    if version < 4:
        (length,) = struct.unpack_from(">h", value, at)
        at += 2
    else:
        length, shift = -1, 0
        while True:
            length += (value[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if value[at - 1] < 128:
                break
    return value[at : at + length].decode().removesuffix("\x00")  # confluent-kafka appends one
