"""What each partition's commit says: the next offset and, in its metadata, what is settled ahead of it.

The one place where the ledger's books meet the codec: it reads the last commit's metadata when an epoch
begins, writes the next one's, and says which partitions have used up most of what Kafka takes.
"""

from collections.abc import Collection, Iterable
from typing import Final

from streamer.engine.ledger import Book
from streamer.engine.limits import Limits
from streamer.engine.ports import Observer
from streamer.engine.settled import NOTHING, Encoded, Settled, decode, encode
from streamer.records import Found, Mark, MarkIgnored, TopicPartition

NO_TEXT: Final = Encoded("", 0)
LEAST_CHARACTERS: Final = 250
"""A cluster that takes less than this is not worth the trouble: its commits go without metadata."""


class Marks:
    """Makes marks of books; each is encoded once for what is settled in it."""

    def __init__(self, limits: Limits, observer: Observer) -> None:
        self._limits = limits
        self._observer = observer
        self._limit = limits.metadata_characters
        self._made: dict[TopicPartition, tuple[Book, int, Mark | None]] = {}
        self._sizes: dict[TopicPartition, int] = {}
        self.overfull: set[TopicPartition] = set()
        """Partitions to take nothing new from, until their metadata has shrunk."""

    @property
    def characters(self) -> int:
        """What the longest metadata of a partition comes to, before a limit cuts it."""
        return max(self._sizes.values(), default=0)

    def taken_over(self, source: TopicPartition, found: Found | None) -> Settled:
        """What was settled before a partition's epoch begins; what cannot be relied on is counted."""
        settled = MarkIgnored.UNKNOWN if found is None else decode(found, place_text(source, found.topic_id))
        if isinstance(settled, MarkIgnored):
            self._observer.mark_ignored(settled)
            return NOTHING
        return settled

    def of(self, books: Iterable[Book]) -> dict[TopicPartition, Mark]:
        """What is to be committed now, of partitions in which anything was settled."""
        return {book.source: mark for book in books if (mark := self._of(book)) is not None}

    def _of(self, book: Book) -> Mark | None:
        made = self._made.get(book.source)
        if made is not None and made[0] is book and made[1] == book.changes:
            return made[2]
        mark = self._make(book)
        self._made[book.source] = (book, book.changes, mark)
        return mark

    def as_they_stand(self, books: Iterable[Book]) -> dict[TopicPartition, Mark]:
        """The same of all partitions of which anything was read, be there news or not.

        With their metadata: a commit without it would take back what the last one told.
        """
        marks = {}
        for book in books:
            if book.position is not None:
                marks[book.source] = mark = self._mark(book)
                # Until more is settled this is what there is to say: an older one would take it back.
                self._made[book.source] = (book, book.changes, mark)
        return marks

    def _make(self, book: Book) -> Mark | None:
        if not book.changes:
            return None
        mark = self._mark(book)
        return mark if mark.metadata or book.committable is not None else None

    def _mark(self, book: Book) -> Mark:
        settled = book.settled_ahead()
        place = place_text(book.source, book.topic_id)
        text, size = encode(settled, place, self._limit) if place else NO_TEXT
        self._measure(book, size)
        return Mark(settled.base, text)

    def _measure(self, book: Book, characters: int) -> None:
        """Hold a partition back above one size, let it go on below a smaller one: a pause is not cheap.

        Not while it reads again what an earlier epoch told of: that only ever shrinks by being read.
        """
        limits, source = self._limits, book.source
        self._sizes[source] = characters
        may_pause = limits.pauses_on_overflow and self._limit and book.before.end <= book.last + 1
        if not may_pause or characters < self._limit * limits.metadata_resume_ratio:
            self.overfull.discard(source)
        elif characters > self._limit * limits.metadata_pause_ratio:
            self.overfull.add(source)

    def carries(self, book: Book) -> bool:
        """Whether the last mark of this partition told all that is settled ahead."""
        return bool(book.topic_id) and self._sizes.get(book.source, 0) <= self._limit

    def stretched(self, books: Iterable[Book]) -> list[Book]:
        """Those of which too much would be sent again if what we commit were not believed."""
        limits = self._limits
        told, untold = (
            ratio * limits.high_water_records for ratio in (limits.span_ratio, limits.untold_span_ratio)
        )
        return [book for book in books if book.span > (told if self.carries(book) else untold)]

    def shrink(self) -> None:
        """The cluster takes less than we thought: write half of that from now on, or in the end none."""
        self._limit = self._limit // 2 if self._limit >= 2 * LEAST_CHARACTERS else 0
        self._made.clear()

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """These are no longer ours."""
        for source in partitions:
            self._made.pop(source, None)
            self._sizes.pop(source, None)
            self.overfull.discard(source)


def place_text(source: TopicPartition, topic_id: str) -> str:
    """One partition of one topic for good; "" where the topic has no id to tell it by."""
    return f"{topic_id}:{source.partition}" if topic_id else ""
