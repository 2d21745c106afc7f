"""Handing partitions over: at a revoke, at a loss, at shutdown. The one place where the owner waits.

In this order: no intake, what is unsent goes back to Kafka, requests already sent and letters
already produced are waited for (bounded), what is settled is committed (bounded), the books close.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from streamer.engine.ledger import Book, Entry
from streamer.engine.limits import Limits
from streamer.engine.ports import CommitResult, Observer, Source
from streamer.errors import LedgerError, StreamerError
from streamer.outcomes import Fate
from streamer.records import TopicPartition

if TYPE_CHECKING:
    from streamer.engine.loop import Streamer

WAIT_SECONDS: Final = 0.1


class Handover:
    """Ends epochs. `streamer` is whose books are closed."""

    def __init__(self, streamer: "Streamer", limits: Limits, source: Source, observer: Observer) -> None:
        self._streamer = streamer
        self._limits = limits
        self._source = source
        self._observer = observer

    def shut_down(self) -> None:
        """Hand everything over and leave the group."""
        try:
            self.hand_over(list(self._streamer.ledger.partitions), "revoked")
        finally:
            self._source.close()

    def abandon(self) -> None:
        """Our books cannot be trusted: leave without committing anything, as of what is lost."""
        try:
            self.hand_over(list(self._streamer.ledger.partitions), "lost")
        finally:
            self._source.close()

    def hand_over(self, partitions: Collection[TopicPartition], change: str) -> None:
        """End the epoch of these partitions; `lost` ones are neither waited for nor committed."""
        ledger = self._streamer.ledger
        books = [book for source in partitions if (book := ledger.book(source)) is not None]
        if not books:
            return  # handed over before: leaving the group revokes once more
        deadline = self._streamer.clock.monotonic() + self._limits.drain_seconds
        self._streamer.stop_intake(partitions)
        for book in books:
            book.is_draining = True
        self._give_back_unsent(books)
        is_committed = False
        if change != "lost":
            self._wait(books, deadline - 2 * self._limits.commit_floor_seconds)
            is_committed = self._commit(books, deadline - self._limits.commit_floor_seconds)
        for book in books:
            self._close(book)
        self._streamer.tell()
        released = sum(book.settled[Fate.RELEASED] for book in books)
        self._streamer.forget(partitions)
        self._observer.rebalanced(change, partitions, released, is_committed=is_committed)

    def _give_back_unsent(self, books: list[Book]) -> None:
        entries = [entry for book in books for entry in book.ending_entries()]
        unsent = [part for entry in entries for part in entry.parts if not part.is_sent]
        touched = {id(part.entry) for part in unsent}
        self._streamer.dispatch.withdraw(unsent, self._streamer.clock.monotonic())
        for entry in entries:
            is_under_way = self._is_under_way(entry)
            if id(entry) in touched or not is_under_way:
                entry.worsen(Fate.RELEASED, "")
            if not is_under_way:
                self._streamer.settlement.settle((entry,))

    def _is_under_way(self, entry: Entry) -> bool:
        """Waiting for an answer of Planhat, or for the receipt of a letter."""
        return bool(entry.parts) or self._streamer.letters.is_produced(entry)

    def _wait(self, books: list[Book], until: float) -> None:
        clock = self._streamer.clock
        while self._is_awaited(books) and clock.monotonic() < until:
            if not self._collect():
                return

    def _collect(self) -> bool:
        """Take answers for a moment; False when there are none to come."""
        try:
            self._streamer.collect(self._streamer.clock.monotonic(), WAIT_SECONDS)
        except LedgerError:
            raise
        except StreamerError:
            # The sink is broken, which is why we are leaving: what is settled is still worth a commit.
            return False
        return True

    def _is_awaited(self, books: list[Book]) -> bool:
        """Whether any answer or receipt is still due (a letter that was refused has none to come)."""
        return any(self._is_under_way(entry) for book in books for entry in book.entries())

    def _commit(self, books: list[Book], until: float) -> bool:
        """Whether Kafka has acknowledged all that there is to commit."""
        self._streamer.finish_commits()
        clock = self._streamer.clock
        while marks := self._streamer.news_of(books):
            result = self._source.commit_now(marks)
            self._streamer.committed(marks, result)
            if result is CommitResult.COMMITTED:
                self._streamer.commits.acknowledge(marks)
                return True
            is_worth_more = result in {CommitResult.RETRY, CommitResult.TOO_LARGE}
            if not is_worth_more or clock.monotonic() >= until:
                return False
            self._collect()
        return True

    def _close(self, book: Book) -> None:
        for entry in book.ending_entries():
            for part in list(entry.parts):
                self._streamer.dispatch.fence(part)
            entry.worsen(Fate.RELEASED, "")
            self._streamer.settlement.settle((entry,))
        self._streamer.ledger.close_book(book.source)
