"""When to commit what: changed partitions every half second, one commit in flight."""

from collections.abc import Iterable, Mapping

from streamer.engine.ports import CommitResult
from streamer.records import TopicPartition

LOST_SECONDS = 60.0
"""A commit without an answer for so long has none to come."""


class CommitSchedule:
    """Remembers what the broker has acknowledged, so that only changes are committed, never back."""

    def __init__(self, interval_seconds: float) -> None:
        self._interval = interval_seconds
        self._next_at = 0.0
        self._under_way: dict[TopicPartition, int] = {}
        self._started_at = 0.0
        self._acknowledged: dict[TopicPartition, int] = {}

    def due(self, now: float, committable: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """What to commit now; empty when it is too early, one is under way or nothing changed."""
        return self.changed(committable) if now >= self._next_at and self.is_free(now) else {}

    def is_free(self, now: float) -> bool:
        """Whether none is under way."""
        return not self._under_way or now - self._started_at > LOST_SECONDS

    def changed(self, committable: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """What the broker has not acknowledged yet."""
        return {
            source: offset
            for source, offset in committable.items()
            if offset > self._acknowledged.get(source, -1)
        }

    def started(self, now: float, offsets: Mapping[TopicPartition, int]) -> None:
        """A commit is under way."""
        self._under_way = dict(offsets)
        self._started_at = now
        self._next_at = now + self._interval

    def finished(self, offsets: Mapping[TopicPartition, int], result: CommitResult) -> None:
        """Some or all of the one under way ended. What failed is not repeated: newer offsets are.

        The partitions of one commit may end differently; one that is no longer under way (its epoch is
        over) acknowledges nothing.
        """
        ours = {source: offset for source, offset in offsets.items() if self._under_way.get(source) == offset}
        for source in ours:
            del self._under_way[source]
        if result is CommitResult.COMMITTED:
            self.acknowledge(ours)
        elif not offsets:
            self._under_way = {}  # it failed before it came to partitions

    def acknowledge(self, offsets: Mapping[TopicPartition, int]) -> None:
        """The broker has these."""
        for source, offset in offsets.items():
            self._acknowledged[source] = max(offset, self._acknowledged.get(source, -1))

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These are no longer ours; another member may commit for them.

        Also of the commit under way: its answer speaks of an epoch that is over.
        """
        for source in partitions:
            self._acknowledged.pop(source, None)
            self._under_way.pop(source, None)
