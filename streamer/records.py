"""Kafka's nouns, without Kafka: what every room may pass on.

This room imports nothing of ours.
"""

from enum import StrEnum
from typing import Any, NamedTuple


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Record:
    """What Kafka gave us: bytes at an offset. Key, value and headers stay untouched to the end.

    Nobody writes to one. Not a named tuple: compiled code is many times faster at reading a class of its own.
    """

    __slots__ = ("headers", "key", "offset", "partition", "timestamp_ms", "topic", "value")

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp_ms: int,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes | None], ...] = (),
    ) -> None:
        """Hold what was read; `timestamp_ms` is since 1970, the broker's or producer's; -1: there is none."""
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp_ms = timestamp_ms
        self.key = key
        self.value = value
        self.headers = headers

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

    def _replace(self, **changes: Any) -> "Record":  # noqa: ANN401 - any field's
        """A record that differs from this one in these fields."""
        return Record(**{**self._fields(), **changes})

    def _fields(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "timestamp_ms": self.timestamp_ms,
            "key": self.key,
            "value": self.value,
            "headers": self.headers,
        }

    def __eq__(self, other: object) -> bool:
        return self._fields() == other._fields() if isinstance(other, Record) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.topic, self.partition, self.offset))

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
