"""Newer state: which letters a later call of the same object has overtaken.

A letter that upserts an enduser or a company is old. Where its source partition holds a later upsert of
the same object that was delivered, sending the letter would put older state over newer. Activities
overwrite nothing, so they are never held back. What counts as the same object is what the engine waits
by: the keys of operations.
"""

from collections.abc import Collection

from streamer.letters.letter import Place
from streamer.records import TopicPartition

Keys = tuple[str, ...]
"""Objects that a record upserts: `ext:`, `mail:` and `co:` keys; none for one that only logs activities."""


class Standing:
    """The latest upserts of watched objects, on the source partitions of their letters."""

    def __init__(self) -> None:
        self._latest: dict[tuple[TopicPartition, str], int] = {}
        """Offset of the latest delivered upsert seen; -1 while none was."""
        self._unseen: dict[TopicPartition, int] = {}
        """By source partition: below this offset records were deleted before they were looked at."""

    def watch(self, place: Place, keys: Keys) -> None:
        """Look out for later upserts of what is upserted there."""
        for key in keys:
            self._latest.setdefault((place.source, key), -1)

    def see(self, place: Place, keys: Collection[str]) -> None:
        """An upsert that was delivered, or will be: of whom nobody watches it is forgotten."""
        for key in keys:
            latest = self._latest.get((place.source, key))
            if latest is not None and place.offset > latest:
                self._latest[place.source, key] = place.offset

    def lose(self, source: TopicPartition, low: int) -> None:
        """What stood below `low` is gone from its topic, and was not looked at."""
        self._unseen[source] = max(low, self._unseen.get(source, 0))

    def is_unknown(self, place: Place, keys: Keys) -> bool:
        """Whether a later call may have stood where nobody can look any more."""
        return bool(keys) and place.offset + 1 < self._unseen.get(place.source, 0)

    def later_than(self, place: Place, keys: Keys) -> Place | None:
        """The latest upsert of one of these objects that came after this place; None where none did."""
        latest = max((self._latest.get((place.source, key), -1) for key in keys), default=-1)
        return place._replace(offset=latest) if latest > place.offset else None
