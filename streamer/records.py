"""Kafka's nouns, without Kafka: what every room may pass on.

This room imports nothing of ours.
"""

from typing import NamedTuple


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Record(NamedTuple):
    """What Kafka gave us: bytes at an offset. Key, value and headers stay untouched to the end."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """Broker or producer timestamp, milliseconds since 1970; -1 when there is none."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def source(self) -> TopicPartition:
        """The partition this record was read from."""
        return TopicPartition(self.topic, self.partition)

    @property
    def size_bytes(self) -> int:
        """Bytes of key, value and headers together."""
        size = len(self.key or b"") + len(self.value or b"")
        for name, value in self.headers:
            size += len(name) + len(value or b"")
        return size

    def __repr__(self) -> str:
        # Where it stands, not what it says: that is of people.
        return f"<Record {self.topic}[{self.partition}]@{self.offset} {self.size_bytes} bytes>"
