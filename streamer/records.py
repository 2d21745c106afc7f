"""Kafka's nouns, without Kafka: what every room may pass on.

This room imports nothing of ours.
"""

from enum import StrEnum
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


class Mark(NamedTuple):
    """What is committed for one partition."""

    offset: int
    """The next record to read."""
    metadata: str = ""
    """Text that Kafka keeps beside it: ours says what is settled ahead (`settled.encode`)."""


class Found(NamedTuple):
    """What is known of one partition as its assignment begins; the default is a partition of a new group."""

    committed: Mark | None = None
    """What the group committed last; None where it never did."""
    log_end: int | None = None
    """What the next record written will have as offset, or None where nobody told."""
    topic_id: str = ""
    """Kafka's id of the topic that is read; "" where the cluster gives none."""

    def is_refuted_by(self, believed_end: int) -> bool:
        """Whether metadata was found of which nothing is believed, though all that speaks of it is known."""
        has_metadata = self.committed is not None and bool(self.committed.metadata)
        return has_metadata and not believed_end and self.log_end is not None and bool(self.topic_id)


class MarkIgnored(StrEnum):
    """Why the metadata of a commit is not listened to; what it would have told is sent again."""

    UNKNOWN = "unknown"
    """Kafka did not tell in time what is committed, the topic's id, or where the log ends."""
    FOREIGN = "foreign"
    """Not written by streamer."""
    VERSION = "version"
    """Written by a version of streamer with another format."""
    DAMAGED = "damaged"
    """Cut, changed, or of numbers that cannot be."""
    OFFSET = "offset"
    """It belongs to another committed offset: somebody moved the group's offsets."""
    TOPIC = "topic"
    """It belongs to another topic of that name (this one was made later), or to another partition."""
    LOG_END = "log_end"
    """It speaks of records that the log does not hold yet."""
