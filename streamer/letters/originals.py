"""Whether source topics hold the originals of letters still, or were made anew. Pure."""

from streamer.letters.letter import Place
from streamer.records import Record, TopicPartition


class Originals:
    """Letters' originals as the letters have them: whether their topics hold the same still."""

    def __init__(self) -> None:
        self._digests: dict[Place, int] = {}
        self._last: dict[TopicPartition, int] = {}

    def add(self, record: Record) -> bool:
        """A letter's original; False where another letter's stood at the same place."""
        place = Place(record.topic, record.partition, record.offset)
        self._last[place.source] = max(place.offset, self.last(place.source))
        digest = hash(record.value)
        return self._digests.setdefault(place, digest) == digest

    def last(self, source: TopicPartition) -> int:
        """The offset of the last of them in this partition; -1 where there is none."""
        return self._last.get(source, -1)

    def is_there(self, record: Record) -> bool:
        """Whether what stands there is the original of the letter of that place, if there is one."""
        place = Place(record.topic, record.partition, record.offset)
        return self._digests.get(place, hash(record.value)) == hash(record.value)
