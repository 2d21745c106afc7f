"""What this member was given of the log, and what lies in it unread, since when."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from streamer.kafka.log_ends import LogEnd
from streamer.kafka.statistics import Statistics
from streamer.records import Record, TopicPartition


class Place(NamedTuple):
    """Where a partition stands, as far as the consumer knows."""

    committed: int | None
    """The offset last committed, as of the last report; None where none is known."""
    is_paused: bool


class Backlog:
    """Positions of one member in one topic, held against the ends of its logs. Pure bookkeeping."""

    def __init__(self, topic: str) -> None:
        """Begin with nothing known."""
        self._topic = topic
        self._positions: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._passed: dict[TopicPartition, int] = {}
        self._doubted: set[TopicPartition] = set()
        self._written_at: dict[TopicPartition, float] = {}
        """When the last record given was written, in seconds since 1970."""
        self._nothing_unread_at: dict[TopicPartition, float] = {}
        """The latest moment at which all that was written had been given."""

    # --- what it is told ---------------------------------------------------------------------------

    def given(self, records: Sequence[Record]) -> None:
        """These records go out to the caller of `poll`: in order within each partition."""
        for record in {each.partition: each for each in records}.values():
            source = record.source
            self._positions[source] = record.offset + 1
            if record.timestamp_ms >= 0:
                self._written_at[source] = record.timestamp_ms / 1000

    def reported(self, statistics: Statistics, ends: Mapping[TopicPartition, LogEnd]) -> None:
        """Take librdkafka's newest report, and note of which partitions nothing is unread now."""
        self._committed = self._by_partition(statistics.committed)
        passed = self._by_partition(statistics.passed)
        self._passed = {each: offset for each, offset in passed.items() if each not in self._doubted}
        self._doubted.clear()
        for partition, records in self.unread(ends).items():
            if not records:
                self._nothing_unread_at[partition] = ends[partition].as_of

    def doubt(self, partitions: Collection[TopicPartition]) -> None:
        """These are paused or resumed, which throws away what was fetched ahead.

        The next report may have been made before, so what it says of them counts for nothing.
        """
        self._doubted.update(partitions)
        for partition in partitions:
            self._passed.pop(partition, None)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """These went elsewhere."""
        self.doubt(partitions)
        for kept in (self._positions, self._committed, self._written_at, self._nothing_unread_at):
            for partition in partitions:
                kept.pop(partition, None)

    # --- what it says ------------------------------------------------------------------------------

    def position(self, partition: TopicPartition) -> int | None:
        """The offset after the last record given; None before the first."""
        return self._positions.get(partition)

    def committed(self, partition: TopicPartition) -> int | None:
        """The offset last committed, as of the last report; None where none is known."""
        return self._committed.get(partition)

    def unread(self, ends: Mapping[TopicPartition, LogEnd]) -> dict[TopicPartition, int]:
        """Records between our place and the end, of the partitions whose place is known.

        Offsets at the end that hold no record (the markers of transactions, gaps of compaction) count
        until the consumer has fetched past them.
        """
        unread = {}
        for partition, end in ends.items():
            place = self._positions.get(partition, self._committed.get(partition))
            if place is not None:
                unread[partition] = max(0, end.offset - max(place, self._passed.get(partition, 0)))
        return unread

    def unread_since(self) -> dict[TopicPartition, float]:
        """A moment, in seconds since 1970, after which everything unread was written.

        Partitions are left out of which nothing was given and never all was: nobody knows there.
        """
        return {
            partition: max(self._written_at.get(partition, 0.0), self._nothing_unread_at.get(partition, 0.0))
            for partition in {*self._written_at, *self._nothing_unread_at}
        }

    def _by_partition(self, offsets: Mapping[int, int]) -> dict[TopicPartition, int]:
        return {TopicPartition(self._topic, number): offset for number, offset in offsets.items()}
