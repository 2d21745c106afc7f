"""Copies: records whose messageId this process has delivered or skipped before, or has in flight.

The same event can lie on a topic twice (a producer that tried again), and is read twice where a commit
came too late. A window of recent ids catches what is near: it covers all partitions of this process, is
bounded by count and age, and is empty after a restart.

A copy of a record *in flight* waits for that record's outcome, if both were read from one partition in
one epoch: then both go back together at a revoke. Across partitions nobody waits. Otherwise: A is in
flight in partition 0, its copy in partition 1 waits, B of the same user overtakes it there; A is
released with its partition, the copy goes out after all, and writes an older state over B's.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum
from math import inf
from typing import Final

from streamer.engine.ledger import Entry
from streamer.outcomes import Fate, SkipReason
from streamer.transform.facts import overwrites
from streamer.transform.operations import Operation


class Meeting(Enum):
    """What a record with this id is."""

    FIRST = "first"
    """To be delivered."""
    KNOWN = "known"
    """A copy of what was delivered or skipped."""
    WAITS = "waits"
    """A copy of what is in flight: ends as that does."""


# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_FIRST: Final = Meeting.FIRST
_SKIPPED: Final = Fate.SKIPPED
LOT_RATIO: Final = 1e-3
"""Of the age after which ids are forgotten. What is settled within it is one lot, forgotten with its first:
what comes one by one takes no more memory than what comes together."""


class Duplicates:
    """The window, and the copies that wait. `most` ids for at most `seconds`; 0 switches it off."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._known: dict[object, int] = {}
        """By key, the place at which it was read."""
        self._order: deque[object] = deque()
        """Keys, the one settled first before the others."""
        self._lots: deque[tuple[float, int]] = deque()
        """When the first of a lot was settled, and how many had come to be known by its last."""
        self._ever = 0
        """Keys that came to be known since the start."""
        self._oldest_until = inf
        """When the oldest is too old."""

    def __len__(self) -> int:
        return len(self._known)

    def meet(
        self, entry: Entry, message_id: str | None, now: float, operations: Iterable[Operation]
    ) -> Meeting:
        """A record that asks for operations is read. One without an id is never a copy.

        One that upserts or deletes, and is read once more at its own place, is none: it goes again, as all
        around it does, with the metrics that stand beside it. Otherwise: A was refused and B of the same
        user delivered, and no commit came through; both are read again, A is accepted this time, B is
        skipped, and A stays over B.
        """
        if message_id is None or not self._most:
            return _FIRST
        # 64 bits instead of a text: two ids among millions meet by chance less often than memory fails.
        # As an object: of a number that is said to be one, compiled code makes another at each use.
        key: object = hash((entry.call, message_id))
        if now >= self._oldest_until:
            self._forget_old(now)
        known_at = self._known.get(key)
        if known_at is not None:
            # Beside one that does stand metrics alone: pushed again, they say the same of the same moment.
            does_overwrite = any(map(overwrites, operations))
            if not (does_overwrite and known_at == _place(entry)):
                return Meeting.KNOWN
        original = entry.book.originals.setdefault(key, entry)
        if original is entry:
            entry.id_key = key
            return _FIRST
        entry.original = original
        if original.copies is None:
            original.copies = []
        original.copies.append(entry)
        return Meeting.WAITS

    def settled(self, entries: Sequence[Entry], now: float) -> list[Entry]:
        """The fates of records are final; the copies that waited for them get the same, and are returned.

        Of a copy of something delivered or skipped there is nothing left to do. Dead letters are not
        remembered: whoever mends the event and publishes it again under its id wants it delivered.
        """
        known, order = self._known, self._order
        before = len(order)
        found: list[Entry] = []
        for entry in entries:
            key = entry.id_key
            if key is None:
                continue
            del entry.book.originals[key]
            # Known already where its copy was under way in another partition.
            if entry.fate <= _SKIPPED and key not in known:
                known[key] = _place(entry)
                order.append(key)
            if entry.copies is not None:
                for copy in entry.copies:
                    _take_outcome(copy, entry)
                found += entry.copies
                entry.copies = None
        if len(order) > before:
            self._ever += len(order) - before
            self._add_to_lot(now)
            self._forget(len(order) - self._most)
        return found

    def _add_to_lot(self, now: float) -> None:
        since = now
        if self._lots and now - self._lots[-1][0] < self._seconds * LOT_RATIO:
            since = self._lots.pop()[0]
        self._lots.append((since, self._ever))

    def _forget_old(self, now: float) -> None:
        lots, seconds = self._lots, self._seconds
        while lots and now - lots[0][0] >= seconds:
            self._forget(len(self._order) - (self._ever - lots[0][1]))

    def _forget(self, count: int) -> None:
        """So many of the oldest, and every lot of which none is left."""
        known, order, lots = self._known, self._order, self._lots
        for _ in range(count):
            del known[order.popleft()]
        while lots and lots[0][1] <= self._ever - len(order):
            lots.popleft()
        self._oldest_until = lots[0][0] + self._seconds if lots else inf


def _place(entry: Entry) -> int:
    return entry.record.offset << 20 | entry.record.partition


def _take_outcome(copy: Entry, original: Entry) -> None:
    copy.original = None
    copy.was_sent = original.was_sent
    if original.fate <= Fate.SKIPPED:
        copy.worsen(Fate.SKIPPED, SkipReason.DUPLICATE)
        return
    copy.worsen(original.fate, original.reason)
    copy.detail = original.detail
    copy.http_status = original.http_status
    copy.attempts = original.attempts
    copy.failed_at = original.failed_at
