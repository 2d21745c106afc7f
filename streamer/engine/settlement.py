"""Settlement: a record whose operations are all answered for leaves its book, or becomes a letter.

What comes together is settled together: the answers of a bulk, or all that a read skips. The observer is
told once for each such lot, before anything of it is committed.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from streamer.engine.duplicates import Duplicates
from streamer.engine.ledger import Entry
from streamer.engine.letters import Letters
from streamer.engine.ports import Clock, Kind, Lot, Observer
from streamer.outcomes import CallType, Fate

# Bound here: what another module holds that is not compiled is looked up at each use.
_DELIVERED: Final = Fate.DELIVERED
_SKIPPED: Final = Fate.SKIPPED
_DEAD_LETTERED: Final = Fate.DEAD_LETTERED
_RELEASED: Final = Fate.RELEASED


class Settlement:
    """Ends records, and the copies that wait for their outcome."""

    def __init__(self, duplicates: Duplicates, letters: Letters, observer: Observer, clock: Clock) -> None:
        self._duplicates = duplicates
        self._letters = letters
        self._observer = observer
        self._clock = clock
        self.now = clock.monotonic()
        """When what is being settled came: asked once for all that comes together."""
        self.settled = 0
        """Records settled so far."""
        self._untold: list[Entry] = []
        self._kinds: dict[Kind, int] = {}
        self._delivered: dict[CallType, int] = {}
        """Of those that were, since most are."""
        self._written_at_ms: list[int] = []

    def answered(self, entry: Entry) -> None:
        """The last operation of a record is answered for."""
        if entry.fate is _DEAD_LETTERED and entry.book.is_draining:
            entry.worsen(Fate.RELEASED, "")
        answers = self._letters.guard.answers
        if entry.fate is not _RELEASED:
            answers.judge(entry.polled_at, 1, is_bad=entry.fate is _DEAD_LETTERED)
        if entry.fate is _DEAD_LETTERED:
            entry.book.would_overwrite(entry)
            self._letters.add(entry, answers)
        else:
            self.settle((entry,))

    def delivered(self, entries: list[Entry]) -> None:
        """`answered`, of many: the last operation of each was accepted, whatever became of its others."""
        plain = [entry for entry in entries if entry.fate <= _SKIPPED]
        if len(plain) < len(entries):
            # First what goes back to Kafka, or waits as a letter: it would be put over what others here say.
            for entry in entries:
                if entry.fate > _SKIPPED:
                    self.answered(entry)
        self._judge_good(plain)
        self.settle(plain)

    def _judge_good(self, entries: list[Entry]) -> None:
        """Mostly many in a row were read at once."""
        answers = self._letters.guard.answers
        read_at, count = 0.0, 0
        for entry in entries:
            if entry.polled_at != read_at:
                if count:
                    answers.judge(read_at, count, is_bad=False)
                read_at, count = entry.polled_at, 0
            count += 1
        if count:
            answers.judge(read_at, count, is_bad=False)

    def settle(self, entries: Iterable[Entry]) -> None:
        """These records are finished with."""
        lot: list[Entry] = []
        for entry in entries:
            if lot and entry.book is not lot[0].book:
                self._settle_lot(lot)
                lot = []
            lot.append(entry)
        if lot:
            self._settle_lot(lot)

    def _settle_lot(self, lot: list[Entry]) -> None:
        """Of one book."""
        settled = lot[0].book.settle_all(lot)
        self._count(settled)
        for copy in self._duplicates.settled(settled, self.now):
            self._settle_copy(copy)

    def _count(self, settled: Sequence[Entry]) -> None:
        """While they are at hand: looked at again later, each would have to come from memory."""
        self.settled += len(settled)
        self._untold += settled
        kinds, delivered, written_at_ms = self._kinds, self._delivered, self._written_at_ms
        for entry in settled:
            call, fate = entry.call, entry.fate
            if fate is _DELIVERED:
                delivered[call] = delivered.get(call, 0) + 1
            else:
                kind = (call, fate, entry.reason)
                kinds[kind] = kinds.get(kind, 0) + 1
            made_at = entry.record.timestamp_ms
            if made_at >= 0 and fate is not _RELEASED:
                written_at_ms.append(made_at)

    def _settle_copy(self, copy: Entry) -> None:
        if copy.fate is _DEAD_LETTERED:
            self.answered(copy)  # a letter of its own
        else:
            self.settle((copy,))

    def tell(self) -> None:
        """Tell the observer what was settled since the last time."""
        if self._untold:
            kinds = self._kinds | {(call, _DELIVERED, ""): count for call, count in self._delivered.items()}
            lot = Lot(self._untold, kinds, self._written_at_ms)
            self._untold, self._kinds, self._delivered, self._written_at_ms = [], {}, {}, []
            self._observer.settled(lot, self._clock.time())
