"""The ledger: which records are in flight, what became of the others, what may be committed.

Pure bookkeeping. Only offsets that were actually polled are tracked, so gaps left by compaction or
transactions need no special case. An entry keeps a reference to its partition's book of one epoch;
when that book is closed (revoked, lost), whatever arrives for its entries changes nothing.

Conservation, per partition and epoch, after every turn:
polled = delivered + skipped + dead-lettered + released + in flight.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from streamer.engine.settled import NOTHING, Settled
from streamer.errors import LedgerError
from streamer.outcomes import CallType, Fate, InvalidReason
from streamer.records import Mark, Record, TopicPartition

if TYPE_CHECKING:
    from streamer.engine.lanes import Part

# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_UNKNOWN: Final = CallType.UNKNOWN
_DELIVERED: Final = Fate.DELIVERED
_RELEASED: Final = Fate.RELEASED
LAZY_RECORDS: Final = 1_024
"""So many more than twice what is unsettled may be kept of what is settled behind it."""


class Entry:
    """One record in flight, and the worst that became of its operations so far."""

    __slots__ = (
        "attempts", "book", "call", "copies", "detail", "failed_at", "fate", "http_status", "id_key",
        "number", "original", "parts", "polled_at", "previous", "reason", "record", "schema_id",
        "size_bytes", "upserted", "was_sent",
    )  # fmt: skip

    def __init__(self, book: "Book", record: Record, polled_at: float) -> None:
        self.book = book
        self.record = record
        self.number = book.polled
        """Its place among the records of its book."""
        self.previous = book.last
        """The offset that was read before it; negative for the first."""
        self.polled_at = polled_at
        self.size_bytes = record.size_bytes
        self.call = _UNKNOWN
        self.schema_id: str | None = None
        self.parts: tuple[Part, ...] = ()
        """Its operations that are not finished with."""
        self.fate = _DELIVERED
        self.reason = ""
        self.detail = ""
        self.http_status: int | None = None
        self.attempts = 0
        self.failed_at: float | None = None
        self.upserted: tuple[str, ...] = ()
        """Keys of those of its upserts that are finished with."""
        self.was_sent = False
        """An operation of it went out, whatever was answered."""
        self.id_key: object = None
        """Of its messageId, where copies of it are looked for (see `duplicates`)."""
        self.original: Entry | None = None
        """The record in flight whose outcome it waits for, having the same messageId."""
        self.copies: list[Entry] | None = None
        """Those that wait for this one's."""

    def worsen(self, fate: Fate, reason: str) -> None:
        """Remember the worst fate among the operations; of equals, the first reason stays."""
        if fate > self.fate:
            self.fate = fate
            self.reason = reason

    def done_with(self, part: "Part") -> None:
        """One of its operations is finished with."""
        parts = self.parts
        self.parts = () if len(parts) == 1 else tuple([each for each in parts if each is not part])

    @property
    def invalid_reason(self) -> InvalidReason:
        """The reason of a record on its way to the dead-letter topic."""
        return InvalidReason(self.reason)

    def __repr__(self) -> str:
        state = "closed" if self.book.is_closed else self.fate.label
        return f"<Entry {self.record.partition}@{self.record.offset} {state} open={len(self.parts)}>"


class Book:
    """One partition during one epoch of its assignment to us."""

    __slots__ = (
        "_again", "_given_back", "_open", "_order", "_overwritten", "before", "changes", "committable",
        "epoch", "is_closed", "is_draining", "last", "originals", "polled", "settled", "size_bytes",
        "source", "topic_id",
    )  # fmt: skip

    def __init__(
        self, source: TopicPartition, epoch: int, before: Settled = NOTHING, topic_id: str = ""
    ) -> None:
        self.source = source
        self.epoch = epoch
        self.before = before
        """What an earlier epoch settled ahead of where this one begins."""
        self.topic_id = topic_id
        """Kafka's id of the topic this epoch reads; "" where it is not known."""
        self.is_closed = False
        self.is_draining = False
        """Being handed over: what cannot be finished with the requests already sent is released."""
        self.committable: int | None = None
        """The next offset that is safe to commit; None until something at the front is settled."""
        self.last = -1
        self.originals: dict[object, Entry] = {}
        """Records in flight by the key of their messageId."""
        self.polled = 0
        self.changes = 0
        """Grows with every record settled, so with whatever could be committed anew."""
        self.settled = dict.fromkeys(Fate, 0)
        self.size_bytes = 0
        self._order: deque[int] = deque()
        """Offsets from the oldest unsettled one on; settled ones among them are dropped now and then."""
        self._open: dict[int, Entry] = {}
        self._given_back: dict[int, Entry] = {}
        self._overwritten: dict[str, set[int]] = {}
        """Keys of upserts that a crash would send again after they were answered, and the offsets of their
        records."""
        self._again: set[int] = set()
        """Offsets of settled records that must go again after those."""

    @property
    def in_flight(self) -> int:
        """Records tracked and not settled."""
        return len(self._open)

    @property
    def span(self) -> int:
        """Records from the oldest unsettled one on, settled or not: what one crash may resend."""
        front = self._front
        return 0 if front is None else self.polled - front.number

    @property
    def position(self) -> int | None:
        """An offset that is always safe to commit: the committable one, at first where the epoch begins."""
        if self.committable is not None:
            return self.committable
        return self._order[0] if self._order else None

    @property
    def oldest(self) -> Entry | None:
        """The unsettled entry with the lowest offset, or None."""
        return self._open.get(self._order[0]) if self._order else None

    @property
    def _front(self) -> Entry | None:
        """The oldest that is unsettled, or was given back."""
        if not self._order:
            return None
        offset = self._order[0]
        return self._open.get(offset) or self._given_back[offset]

    def settled_ahead(self) -> Settled:
        """What is settled beyond what is committable, be it by an earlier epoch and not read again yet.

        Cheap where little is in flight, however far it was read past that.
        """
        base = self.committable
        if base is None:
            base = self._order[0] if self._order else self.before.base
        self._forget_passed(base)
        others = self._given_back.keys() | self._again
        unsettled = sorted([*self._open, *others]) if others else list(self._open)
        before = self.before
        if before.end <= self.last + 1:
            return Settled(base, unsettled, max(base, self.last + 1))
        # Read up to somewhere among what was settled before: what lies further on still is.
        further = before.unsettled[bisect_right(before.unsettled, self.last) :]
        return Settled(base, [*unsettled, *further], max(before.end, self.last + 1))

    def would_overwrite(self, entry: Entry) -> None:
        """Some of its upserts are answered, and it is not settled: a crash now would send them again.

        Otherwise: A tells of a company and a user, B of the company; A's company is answered, then B's. B
        is settled, and the commit says so; A waits for its user. A crash: A is read again, B is not, and
        A's company is put over B's. So B must go again too, and whatever follows B in its turn.
        """
        for key in entry.upserted:
            self._overwritten.setdefault(key, set()).add(entry.record.offset)

    def _settle_in_doubt(self, entry: Entry) -> None:
        if self._is_overwritten(entry):
            self._again.add(entry.record.offset)
            self.would_overwrite(entry)
        else:
            self._overwrites_no_more(entry)

    def _is_overwritten(self, entry: Entry) -> bool:
        """By one that may go again: what is before the oldest in flight is passed, forgotten yet or not."""
        oldest, offset = self._order[0], entry.record.offset
        offsets = (each for key in entry.upserted for each in self._overwritten.get(key, ()))
        return any(oldest <= each < offset for each in offsets)

    def _overwrites_no_more(self, entry: Entry) -> None:
        for key in entry.upserted:
            offsets = self._overwritten.get(key)
            if offsets is not None:
                offsets.discard(entry.record.offset)
                if not offsets:
                    del self._overwritten[key]

    def _forget_passed(self, base: int) -> None:
        """What is below the committed offset is never sent again."""
        if self._again:
            self._again = {offset for offset in self._again if offset >= base}
        if self._overwritten:
            left = {key: {each for each in at if each >= base} for key, at in self._overwritten.items()}
            self._overwritten = {key: offsets for key, offsets in left.items() if offsets}

    def begin_at(self, mark: Mark | None) -> None:
        """Commit once more where this epoch begins, without the metadata that was found there.

        Otherwise: the log lost its end, and metadata that speaks of more is ignored. Nothing is settled here
        before the log has grown past that; whoever takes over then believes it, of other records.
        """
        if mark is not None:
            self.committable = mark.offset
            self.changes += 1

    def entries(self) -> list[Entry]:
        """Entries in flight, by offset."""
        return list(self._open.values())

    def ending_entries(self) -> list[Entry]:
        """Entries in flight that end by themselves: without copies, which end with their original."""
        return [entry for entry in self._open.values() if entry.original is None]

    def track(self, record: Record, now: float) -> Entry:
        """From here on, this record's offset holds back every later commit of its partition."""
        if record.offset <= self.last:
            raise LedgerError(
                f"{self}: offset {record.offset} was read after {self.last}. "
                "Nothing is committed past unsettled records; restart to read from the committed offset."
            )
        if record.offset < self.before.base:
            # We were put back, or the topic was made anew since it was looked up: nothing is known of this.
            self.before = NOTHING
        entry = Entry(self, record, now)
        self.last = record.offset
        self.polled += 1
        self._order.append(record.offset)
        self._open[record.offset] = entry
        self.size_bytes += entry.size_bytes
        return entry

    def grow(self, entry: Entry, size_bytes: int) -> None:
        """Count encoded bytes to what this entry holds in memory."""
        entry.size_bytes += size_bytes
        self.size_bytes += size_bytes

    def settle(self, entry: Entry) -> bool:
        """The record is finished with, as `entry.fate` says. A closed book stays as it is: False."""
        return bool(self.settle_all((entry,)))

    def settle_all(self, entries: Iterable[Entry]) -> Sequence[Entry]:
        """`settle`, of records of this book that come together; returns them, or none where it is closed."""
        if self.is_closed:
            return ()
        settled = []
        unsettled, overwritten = self._open, self._overwritten
        delivered = 0  # counted in the end: where this raises, nobody goes on by these books
        for entry in entries:
            is_in_doubt = bool(overwritten and entry.upserted) and any(
                key in overwritten for key in entry.upserted
            )
            if is_in_doubt:
                self._pass_settled()  # what was settled just before is passed when this one is looked at
            offset = entry.record.offset
            if unsettled.get(offset) is not entry:
                raise LedgerError(f"{self}: offset {offset} was settled twice.")
            del unsettled[offset]
            self.size_bytes -= entry.size_bytes
            if entry.fate is _DELIVERED:
                delivered += 1
            else:
                self.settled[entry.fate] += 1
            if entry.fate is _RELEASED:
                self._given_back[offset] = entry
                self.would_overwrite(entry)
            else:
                self.changes += 1
                if is_in_doubt:
                    self._settle_in_doubt(entry)
            settled.append(entry)
        self.settled[_DELIVERED] += delivered
        self._pass_settled()
        return settled

    def _pass_settled(self) -> None:
        order, unsettled, given_back = self._order, self._open, self._given_back
        moved = False
        while order:
            first: object = order[0]  # an object: of a number compiled code makes another to look it up
            if first in unsettled or first in given_back:
                break
            order.popleft()
            moved = True
        if moved:
            front = self._front
            self.committable = (self.last if front is None else front.previous) + 1
        elif len(order) > 2 * (len(unsettled) + len(given_back)) + LAZY_RECORDS:
            # What is settled behind an old one costs no memory: one may be old for minutes.
            self._order = deque(sorted([*unsettled, *given_back]))

    def retire(self) -> None:
        """The epoch is over. Who remembers it still (see `unchanged`) must not keep its records alive."""
        self.is_closed = True
        self._order.clear()
        self._open.clear()
        self._given_back.clear()
        self._overwritten.clear()
        self._again.clear()
        self.originals.clear()

    def check(self) -> None:
        """Raise LedgerError where the conservation law does not hold."""
        accounted = sum(self.settled.values()) + len(self._open)
        if self.polled != accounted:
            raise LedgerError(f"{self}: {self.polled} records polled, {accounted} accounted for.")

    def __str__(self) -> str:
        return f"{self.source.topic}[{self.source.partition}]"


class Ledger:
    """The books of every partition assigned to us."""

    def __init__(self) -> None:
        self._books: dict[TopicPartition, Book] = {}
        self._epoch = 0

    def __iter__(self) -> Iterator[Book]:
        return iter(self._books.values())

    @property
    def partitions(self) -> Collection[TopicPartition]:
        """What is assigned to us."""
        return self._books.keys()

    @property
    def in_flight(self) -> int:
        """Records in flight over all partitions."""
        return sum(book.in_flight for book in self._books.values())

    @property
    def size_bytes(self) -> int:
        """Bytes in flight over all partitions: original, encoded, and what upserts say besides."""
        return sum(book.size_bytes for book in self._books.values())

    def open_book(self, source: TopicPartition, before: Settled = NOTHING, topic_id: str = "") -> Book:
        """Start a new epoch of a partition; a book still open for it is closed first.

        `before`: what an earlier epoch settled; `topic_id`: Kafka's, of the topic it reads now.
        """
        self.close_book(source)
        self._epoch += 1
        book = self._books[source] = Book(source, self._epoch, before, topic_id)
        return book

    def book(self, source: TopicPartition) -> Book | None:
        """The open book of a partition, None when it is not ours."""
        return self._books.get(source)

    def close_book(self, source: TopicPartition) -> Book | None:
        """Forget a partition: from here on late answers for its records change nothing."""
        book = self._books.pop(source, None)
        if book is not None:
            book.retire()
        return book

    def check(self) -> None:
        """Raise LedgerError where a conservation law does not hold."""
        for book in self:
            book.check()
