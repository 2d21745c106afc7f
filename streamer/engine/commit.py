"""When to commit: what changed, twice a second or when much is settled; one commit in flight."""

from collections.abc import Iterable, Mapping
from typing import Final

from streamer.engine.ports import CommitResult
from streamer.records import Mark, TopicPartition

LOST_SECONDS: Final = 60.0
"""A commit without an answer for so long has none to come."""


class CommitSchedule:
    """Remembers what the broker has acknowledged, so that only changes are committed, never back."""

    def __init__(self, interval_seconds: float, records: int) -> None:
        """`records`: so many settled since the last commit make the next one due before its time."""
        self._interval = interval_seconds
        self._records = records
        self._next_at = 0.0
        self._settled_then = 0
        self._under_way: dict[TopicPartition, Mark] = {}
        self._started_at = 0.0
        self._acknowledged: dict[TopicPartition, Mark] = {}
        self._doubtful: set[TopicPartition] = set()
        """Partitions of which the broker may have something else: a commit of them was not acknowledged."""

    def is_due(self, now: float, settled: int) -> bool:
        """Whether anything may be committed now: not too early, and not while one is under way.

        `settled`: records settled so far, of all partitions. That they are many hurries no commit after one
        that was not acknowledged: a coordinator in trouble is not asked more often the faster we are.
        """
        is_much = settled - self._settled_then >= self._records and not self._doubtful
        return (is_much or now >= self._next_at) and self.is_free(now)

    def is_free(self, now: float) -> bool:
        """Whether none is under way."""
        return not self._under_way or now - self._started_at > LOST_SECONDS

    def changed(self, marks: Mapping[TopicPartition, Mark]) -> dict[TopicPartition, Mark]:
        """What the broker has not acknowledged yet: a later offset, or other metadata at the same one.

        Or what it has acknowledged before a commit that failed, and may have been applied all the same.
        """
        return {source: mark for source, mark in marks.items() if self._is_news(source, mark)}

    def _is_news(self, source: TopicPartition, mark: Mark) -> bool:
        last = self._acknowledged.get(source)
        return last is None or (mark.offset >= last.offset and (mark != last or source in self._doubtful))

    def started(self, now: float, marks: Mapping[TopicPartition, Mark], settled: int) -> None:
        """A commit is under way, when so many records were settled."""
        self._under_way = dict(marks)
        self._doubtful.update(marks)
        self._started_at = now
        self._next_at = now + self._interval
        self._settled_then = settled

    def finished(self, marks: Mapping[TopicPartition, Mark], result: CommitResult) -> None:
        """Some or all of the one under way ended. What failed is not repeated: newer marks are.

        The partitions of one commit may end differently; one that is no longer under way (its epoch is
        over) acknowledges nothing.
        """
        ours = {source: mark for source, mark in marks.items() if self._under_way.get(source) == mark}
        for source in ours:
            del self._under_way[source]
        if result is CommitResult.COMMITTED:
            self.acknowledge(ours)
        elif not marks:
            self._under_way = {}  # it failed before it came to partitions

    def acknowledge(self, marks: Mapping[TopicPartition, Mark]) -> None:
        """The broker has these."""
        for source, mark in marks.items():
            if self._is_news(source, mark):
                self._acknowledged[source] = mark
                self._doubtful.discard(source)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These are no longer ours; another member may commit for them.

        Also of the commit under way: its answer speaks of an epoch that is over.
        """
        for source in partitions:
            self._acknowledged.pop(source, None)
            self._doubtful.discard(source)
            self._under_way.pop(source, None)
