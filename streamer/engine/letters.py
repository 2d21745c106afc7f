"""The way to the dead-letter topic: candidates, produced letters, acknowledged ones.

A record counts as dead-lettered only when the broker has acknowledged its letter. While the topic
does not take letters, intake stops and they are offered again.
"""

from collections import deque
from typing import Final

from streamer.engine.dead_letter_guard import DeadLetterGuard, Judgement
from streamer.engine.ledger import Entry
from streamer.engine.ports import DeadLetter, DeadLetters

RETRY_SECONDS: Final = 1.0


class Letters:
    """Records that can never be delivered, on their way out."""

    def __init__(self, guard: DeadLetterGuard, topic: DeadLetters) -> None:
        self.guard = guard
        self._topic = topic
        self._candidates: dict[Judgement, deque[Entry]] = {guard.reading: deque(), guard.answers: deque()}
        """Apart: a refused record that waits for answers must not hold up those for which enough was read."""
        self._again: deque[tuple[DeadLetter, Entry]] = deque()
        self._produced: dict[int, tuple[DeadLetter, Entry]] = {}
        self._under_way: set[int] = set()
        self._retry_at = 0.0
        self.is_blocked = False
        """The topic does not take letters: no intake until it does."""

    def add(self, entry: Entry, judgement: Judgement) -> None:
        """A record whose operations are all answered for, and which is to be a letter."""
        self._candidates[judgement].append(entry)

    def forget_closed(self) -> None:
        """Drop what went back to Kafka with its partition; what is under way ends by its receipt."""
        for judgement, waiting in self._candidates.items():
            self._candidates[judgement] = deque(entry for entry in waiting if not entry.book.is_closed)
        self._again = deque((letter, entry) for letter, entry in self._again if not entry.book.is_closed)

    @property
    def held(self) -> int:
        """Candidates not produced yet."""
        return sum(map(len, self._candidates.values())) + len(self._again)

    def pump(self, now: float) -> None:
        """Produce what may be produced."""
        if now < self._retry_at:
            return
        while self._again:
            if not self._produce(*self._again[0], now):
                return
            self._again.popleft()
        for judgement, waiting in self._candidates.items():
            while waiting and self.guard.may_produce(judgement):
                if not self._produce(_letter(waiting[0]), waiting[0], now):
                    return
                self.guard.produced()
                waiting.popleft()
        if not self._again and not self._produced:
            # What the topic did not take may have gone back to Kafka with its partition since: then no
            # receipt will ever come to lift the block.
            self.is_blocked = False

    def _produce(self, letter: DeadLetter, entry: Entry, now: float) -> bool:
        if not self._topic.produce(letter):
            self.is_blocked = True
            self._retry_at = now + RETRY_SECONDS
            return False
        self._produced[id(letter)] = (letter, entry)
        self._under_way.add(id(entry))
        return True

    def collect(self, now: float, timeout_seconds: float = 0.0) -> list[Entry]:
        """Entries whose letters the broker has acknowledged since. Refused ones are offered again."""
        acknowledged = []
        for letter, is_acknowledged in self._topic.collect(timeout_seconds):
            _, entry = self._produced.pop(id(letter))
            self._under_way.discard(id(entry))
            if is_acknowledged:
                self.is_blocked = False
                acknowledged.append(entry)
            elif not entry.book.is_closed:  # else its new owner judges the record afresh
                self.is_blocked = True
                self._retry_at = now + RETRY_SECONDS
                self._again.append((letter, entry))
        return acknowledged

    def is_held(self, entry: Entry | None) -> bool:
        """Whether this record is a candidate that waits for evidence."""
        return any(candidate is entry for waiting in self._candidates.values() for candidate in waiting)

    def is_produced(self, entry: Entry) -> bool:
        """Whether this record's letter is with the producer and not answered for."""
        return id(entry) in self._under_way


def _letter(entry: Entry) -> DeadLetter:
    return DeadLetter(
        record=entry.record,
        reason=entry.invalid_reason,
        detail=entry.detail,
        schema_id=entry.schema_id,
        http_status=entry.http_status,
        attempts=entry.attempts,
        first_failure=entry.failed_at,
    )
