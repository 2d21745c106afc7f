"""A dead letter as it lies in its topic: the original record, and why it is there.

What stands here reads what `kafka/dead_letters.py` writes; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from streamer.records import Record, TopicPartition

HEADER_PREFIX: Final = "streamer."
REASON_HEADER: Final = HEADER_PREFIX + "reason"
"""The first of our headers; every letter has it."""
NAMES: Final = frozenset({
    "reason", "detail", "topic", "partition", "offset", "timestamp", "group", "schema_id", "http_status",
    "attempts", "first_failure", "version", "sha256", "value_bytes",
})  # fmt: skip
"""Names of our headers, without their prefix."""


class LetterId(NamedTuple):
    """Where a letter lies in the dead-letter topic; written `partition:offset`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Place(NamedTuple):
    """Where the original record was read: what makes two letters the same."""

    topic: str
    partition: int
    offset: int

    @property
    def source(self) -> TopicPartition:
        """Its partition."""
        return TopicPartition(self.topic, self.partition)

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. Its repr says where it lies and why, and nothing of what the event says."""

    id: LetterId
    written_ms: int
    """When it was written, milliseconds since 1970."""
    record: Record = field(repr=False)
    """The original: key, value, headers and timestamp as they were read, at the place of the original."""
    reason: str
    detail: str = ""
    group: str = ""
    schema_id: str | None = None
    http_status: str | None = None
    attempts: int = 0
    first_failure: str | None = None
    version: str = ""
    sha256: str | None = None
    """Set where the letter is a stub: the topic would not take the original, whose digest this is."""
    value_bytes: int | None = None
    """Bytes of a stub's original."""

    @property
    def place(self) -> Place:
        """Where the original was read."""
        return Place(self.record.topic, self.record.partition, self.record.offset)

    @property
    def is_stub(self) -> bool:
        """Whether the original is elsewhere: at its source, for as long as that keeps it."""
        return self.sha256 is not None

    def without_value(self) -> "Letter":
        """The same without the original's bytes, to be kept by the thousand."""
        return replace(self, record=self.record._replace(key=None, value=None, headers=()))


def read_letter_id(text: str) -> LetterId | None:
    """The id that `text` names, as `partition:offset`; None where it names none."""
    partition, colon, offset = text.partition(":")
    if not colon or not _is_number(partition) or not _is_number(offset):
        return None
    return LetterId(int(partition), int(offset))


def read_letter(record: Record) -> Letter | None:
    """The letter that this record of the dead-letter topic is; None where it is none of ours. Total."""
    ours, originals = _split(record.headers)
    topic, partition, offset = ours.get("topic"), ours.get("partition", ""), ours.get("offset", "")
    reason = ours.get("reason")
    if not topic or not reason or not _is_number(partition) or not _is_number(offset):
        return None
    timestamp = ours.get("timestamp", "")
    original = Record(
        topic,
        int(partition),
        int(offset),
        int(timestamp) if _is_number(timestamp) else -1,
        record.key,
        record.value,
        originals,
    )
    attempts, value_bytes = ours.get("attempts", ""), ours.get("value_bytes", "")
    return Letter(
        id=LetterId(record.partition, record.offset),
        written_ms=record.timestamp_ms,
        record=original,
        reason=reason,
        detail=ours.get("detail", ""),
        group=ours.get("group", ""),
        schema_id=ours.get("schema_id"),
        http_status=ours.get("http_status"),
        attempts=int(attempts) if _is_number(attempts) else 0,
        first_failure=ours.get("first_failure"),
        version=ours.get("version", ""),
        sha256=ours.get("sha256"),
        value_bytes=int(value_bytes) if _is_number(value_bytes) else None,
    )


Headers = tuple[tuple[str, bytes | None], ...]


def _split(headers: Headers) -> tuple[Mapping[str, str], Headers]:
    """Our headers by name, and the original's.

    Ours were appended, beginning with the reason. So the last one of that name is where they begin: what
    stands further up came with the original, which may itself have been a letter that somebody put back
    into a topic.
    """
    places = (index for index, (name, _) in enumerate(headers) if name == REASON_HEADER)
    begin = max(places, default=len(headers))
    ours = {
        name.removeprefix(HEADER_PREFIX): (value or b"").decode(errors="replace")
        for name, value in headers[begin:]
    }
    return ours, headers[:begin]


def _is_number(text: str) -> bool:
    # Not str.isdigit alone: digits of other scripts, and numbers too long for a place.
    return text.isascii() and text.isdigit() and len(text) <= 19
