"""Newer state: which letters a later call of the same object has overtaken.

A letter that upserts an enduser or a company is old. Where its source partition holds a later upsert of
the same object that was delivered, sending the letter would put older state over newer. Activities
overwrite nothing, so they are never held back. What counts as the same object is what the engine waits
by: the keys of operations.
"""

from bisect import bisect_left
from collections.abc import Collection
from typing import Final

from streamer.letters.letter import Place
from streamer.records import TopicPartition

Keys = tuple[str, ...]
"""Objects that a record upserts: `ext:`, `mail:` and `co:` keys; none for one that only logs activities."""

MOST_LATER: Final = 200
"""Later upserts of one object that are kept, the latest: to send more than these again is no mending."""
EVERYTHING: Final = 2**63
"""An offset that no log comes to."""


class Standing:
    """The upserts of watched objects, on the source partitions of their letters."""

    def __init__(self) -> None:
        self._latest: dict[tuple[TopicPartition, str], int] = {}
        """Offset of the latest delivered upsert seen; -1 while none was."""
        self._later: dict[tuple[TopicPartition, str], list[int]] = {}
        """Of objects that are followed: the offsets of all of them, ascending."""
        self._dropped: dict[tuple[TopicPartition, str], int] = {}
        """The latest that was not kept, for there were too many."""
        self._unseen: dict[TopicPartition, int] = {}
        """By source partition: below this offset records were deleted before they were looked at."""
        self.changes = 0
        """Grows whenever a letter that might go before may be held back now."""

    def watch(self, place: Place, keys: Keys) -> None:
        """Look out for later upserts of what is upserted there."""
        for key in keys:
            self._latest.setdefault((place.source, key), -1)

    def follow(self, place: Place, keys: Keys) -> None:
        """Watch, and from now on keep every later upsert: what is put over them must be mended."""
        self.watch(place, keys)
        for key in keys:
            self._later.setdefault((place.source, key), [])

    def see(self, place: Place, keys: Collection[str]) -> None:
        """An upsert that was delivered, or will be: of whom nobody watches it is forgotten."""
        for key in keys:
            watched = (place.source, key)
            latest = self._latest.get(watched)
            if latest is None:
                continue
            if place.offset > latest:
                self._latest[watched] = place.offset
                self.changes += 1
            if watched in self._later:
                self._keep(watched, place.offset)

    def lose(self, source: TopicPartition, low: int) -> None:
        """What stood below `low` is gone from its topic, and was not looked at."""
        if low > self._unseen.get(source, 0):
            self._unseen[source] = low
            self.changes += 1

    def is_unknown(self, place: Place, keys: Keys) -> bool:
        """Whether a later call may have stood where nobody can look any more."""
        return bool(keys) and place.offset + 1 < self._unseen.get(place.source, 0)

    def later_than(self, place: Place, keys: Keys) -> Place | None:
        """The latest upsert of one of these objects that came after this place; None where none did."""
        latest = max((self._latest.get((place.source, key), -1) for key in keys), default=-1)
        return place._replace(offset=latest) if latest > place.offset else None

    def all_later(self, place: Place, keys: Keys) -> list[Place] | None:
        """Every upsert of these objects after this place, which were followed since; in order.

        None where they are not all known: too many, or gone before they were looked at.
        """
        watched = [(place.source, key) for key in keys]
        dropped = max((self._dropped.get(each, -1) for each in watched), default=-1)
        if dropped > place.offset or self.is_unknown(place, keys):
            return None
        offsets = {offset for each in watched for offset in self._later.get(each, ())}
        return [place._replace(offset=each) for each in sorted(offsets) if each > place.offset]

    def _keep(self, watched: tuple[TopicPartition, str], offset: int) -> None:
        kept = self._later[watched]
        at = bisect_left(kept, offset)
        if at < len(kept) and kept[at] == offset:
            return  # looked at once more
        kept.insert(at, offset)
        if len(kept) > MOST_LATER:
            self._dropped[watched] = max(self._dropped.get(watched, -1), kept.pop(0))
