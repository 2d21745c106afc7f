"""Intake: records become entries in their books, and calls become operations in line.

A record whose schema is not known yet parks its partition, and no other, until the registry has answered.
"""

from collections import deque
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from streamer.engine.duplicates import Meeting
from streamer.engine.interpret import Interpreted, Tell, interpret
from streamer.engine.ledger import Entry
from streamer.engine.ports import AwaitingSchema, Decoder, Observer
from streamer.errors import LedgerError
from streamer.outcomes import Fate, InvalidReason, SkipReason
from streamer.records import Record, TopicPartition
from streamer.transform.rules import Rules

if TYPE_CHECKING:
    from streamer.engine.loop import Streamer


# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_WAITS: Final = Meeting.WAITS
_KNOWN: Final = Meeting.KNOWN
_SKIPPED: Final = Fate.SKIPPED
_DUPLICATE: Final = SkipReason.DUPLICATE
_UNCHANGED: Final = SkipReason.UNCHANGED


class Intake:
    """Takes records in for a streamer: into its ledger, and on to dispatch, letters or settlement."""

    def __init__(
        self, streamer: "Streamer", rules: Rules, tell: Tell, decoder: Decoder, observer: Observer
    ) -> None:
        self._streamer = streamer
        self._rules = rules
        self._tell = tell
        self._decoder = decoder
        self._observer = observer
        self._settlement = streamer.settlement
        self._duplicates = streamer.duplicates
        self._dispatch = streamer.dispatch
        self._reading = streamer.letters.guard.reading
        self._parked: dict[TopicPartition, deque[Entry]] = {}
        """Entries of a partition from one whose schema is being asked for."""
        self._readable = 0
        """Records that were read since the guard was told, none of them bad."""

    def take(self, records: Sequence[Record], now: float) -> None:
        """Take in what was polled, after what is parked."""
        for awaiting in list(self._parked):
            self._take_parked(awaiting, now)
        self._streamer.letters.guard.answers.read(len(records), now)
        null_keys = tracked = 0
        topic, partition = "", -1
        source, book = TopicPartition(topic, partition), None
        for record in records:
            if record.partition != partition or record.topic != topic:
                topic, partition = source = record.source  # Kafka hands them out in runs of one partition
                book = self._streamer.ledger.book(source)
            if book is None:
                continue  # revoked between the fetch and this line
            null_keys += record.key is None
            tracked += 1
            entry = book.track(record, now)
            if book.before.end and book.before.has(record.offset):
                entry.worsen(_SKIPPED, SkipReason.SETTLED_BEFORE)
                self._settlement.settle((entry,))
                continue
            parked = self._parked.get(source)
            if parked is not None:
                parked.append(entry)
            elif not self._interpret(entry, now):
                self._parked[source] = deque([entry])
        self._judge_readable()
        if tracked:
            self._observer.polled(tracked, null_keys)

    def waiting_longer_than(self, most: int) -> set[TopicPartition]:
        """Partitions with more than `most` records behind an awaited schema."""
        return {source for source, entries in self._parked.items() if len(entries) > most}

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Take nothing more in of these."""
        for source in partitions:
            self._parked.pop(source, None)

    def _take_parked(self, source: TopicPartition, now: float) -> None:
        entries = self._parked[source]
        while entries and self._interpret(entries[0], now):
            entries.popleft()
        if not entries:
            del self._parked[source]

    def _interpret(self, entry: Entry, now: float) -> bool:
        """Turn a record into operations, or settle it; False while its schema is not known yet."""
        result = interpret(entry.record, self._decoder, self._rules, self._tell)
        if type(result) is AwaitingSchema:
            return False
        entry.call = result.call
        entry.schema_id = result.schema_id
        if result.invalid is None:
            self._readable += 1
        else:
            self._judge_readable()
            self._reading.judge(is_bad=True)
        if result.operations:
            self._enter(entry, result, now)
        elif result.skipped is not None:
            entry.worsen(_SKIPPED, result.skipped)
            self._settlement.settle((entry,))
        elif result.invalid is not None:
            self._invalid(entry, result.invalid, result)
        else:
            raise LedgerError(f"{entry!r} asks for nothing and says no reason.")
        return True

    def _judge_readable(self) -> None:
        if self._readable:
            self._reading.judge(self._readable, is_bad=False)
            self._readable = 0

    def _enter(self, entry: Entry, result: Interpreted, now: float) -> None:
        meeting = self._duplicates.meet(entry, result.message_id, now, result.operations)
        if meeting is _WAITS:
            return
        if meeting is _KNOWN:
            entry.worsen(_SKIPPED, _DUPLICATE)
        elif self._dispatch.enter(entry, result.operations, now):
            return
        else:
            entry.worsen(_SKIPPED, _UNCHANGED)
        self._settlement.settle((entry,))

    def _invalid(self, entry: Entry, reason: InvalidReason, result: Interpreted) -> None:
        if result.error is not None:
            self._observer.failed(result.error)
        entry.worsen(Fate.DEAD_LETTERED, reason)
        entry.detail = result.detail
        entry.failed_at = self._streamer.clock.time()
        letters = self._streamer.letters
        letters.add(entry, letters.guard.reading)
