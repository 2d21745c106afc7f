"""Trickle: a little is read now and then though nothing is to be, while something is in trouble.

Whether a record that fails is at fault shows by others that pass meanwhile (see `suspects`). What waits
behind it pauses its partitions, or takes all of high water: then nobody would be read who could pass, and
it would stay so for ever. So part of a poll is read all the same, at least once between two tries of it,
until a tenth of high water was read above it.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from streamer.engine.ledger import Book
from streamer.engine.limits import Limits
from streamer.engine.pressure import Stage
from streamer.records import Record, TopicPartition

SHORTEST_PAUSE_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 5.0
"""Partitions that were paused fetch anew: so long they may take before the next pause begins."""
TIMES: Final = 12
"""So often at least, until the room above high water is taken."""


class Trickle:
    """Decides when, and how many."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._room_records = int(limits.high_water_records * limits.trickle_ratio)
        self._room_bytes = int(limits.high_water_bytes * limits.trickle_ratio)
        self.records = max(1, min(limits.poll_records, self._room_records // TIMES))
        """To read at once, at most."""
        # One try less than there are has a pause before it: this is shorter than any of them.
        self._pause = max(SHORTEST_PAUSE_SECONDS, limits.alone_seconds / limits.alone_refusals)
        self._opens_at = math.inf
        self.is_in_trouble = False
        """Whether anything is: set from outside."""
        self._above_records = self._above_bytes = 0
        """Read since high water was reached."""
        self.takes_all = True
        """This time of all partitions. Every other time those that hold most of what is in flight are left
        out, where reading is held up everywhere: what comes first would be theirs, and more of the same."""

    def is_open(self, now: float, records: int, size_bytes: int, *, is_needed: bool) -> bool:
        """Whether to read now, so much being in flight. `is_needed`: reading is held up, and by trouble."""
        if not is_needed:
            self._opens_at = math.inf
        elif self._opens_at == math.inf or now - self._opens_at > LONGEST_SECONDS:
            self._close(now)
        held_bytes = self._limits.held_bytes(records, size_bytes)
        if records < self._limits.high_water_records and held_bytes < self._limits.high_water_bytes:
            self._above_records = self._above_bytes = 0
        has_room = self._above_records < self._room_records and self._above_bytes < self._room_bytes
        return self._opens_at <= now and has_room

    def left_out(self, stage: Stage, books: Iterable[Book]) -> set[TopicPartition]:
        """Partitions without a part in it this time."""
        if stage is Stage.FLOWING or self.takes_all:
            return set()
        held = {book.source: book.in_flight for book in books}
        fair = sum(held.values()) / max(1, len(held))
        return {source for source, records in held.items() if records > fair}

    def has_read(self, records: Sequence[Record], now: float) -> None:
        """These came of it: that was it for this time."""
        self._above_records += len(records)
        size_bytes = sum([record.size_bytes for record in records])
        self._above_bytes += self._limits.held_bytes(len(records), size_bytes)
        self._close(now)

    def _close(self, now: float) -> None:
        self._opens_at = now + self._pause
        self.takes_all = not self.takes_all
