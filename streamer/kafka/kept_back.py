"""Records that came of a paused partition: kept until it is resumed."""

from collections.abc import Collection, Sequence
from itertools import islice

from streamer.records import Record, TopicPartition


class KeptBack:
    """Records by partition, in order; those of resumed partitions are due before any that are fetched."""

    def __init__(self) -> None:
        self._waiting: dict[TopicPartition, list[Record]] = {}
        self._due: list[Record] = []

    def keep(self, records: Sequence[Record]) -> None:
        """Keep these until their partition is resumed."""
        for each in records:
            self._waiting.setdefault(each.source, []).append(each)

    def release(self, partitions: Collection[TopicPartition]) -> None:
        """These partitions were resumed: what was kept of them is due."""
        for each in partitions:
            self._due.extend(self._waiting.pop(each, ()))

    def hold(self, partitions: Collection[TopicPartition]) -> None:
        """These partitions were paused again before what is due of them was taken."""
        held = [each for each in self._due if each.source in partitions]
        if held:
            self._due = [each for each in self._due if each.source not in partitions]
            self.keep(held)

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """These partitions went elsewhere: forget what was kept of them."""
        for each in partitions:
            self._waiting.pop(each, None)
        self._due = [each for each in self._due if each.source not in partitions]

    def take(self, max_records: int) -> list[Record]:
        """Remove and return what is due, at most `max_records`."""
        if not self._due:
            return []
        taken = list(islice(self._due, max_records))
        del self._due[: len(taken)]
        return taken
