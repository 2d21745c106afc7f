"""The dead-letter topic read from its beginning: each letter, and what replays made of it.

Letters are the same if their originals are: one that was written twice (after a crash) is one letter
with two ids, and what is noted of either holds for both. An original is known by its place and its time:
where a topic was made anew, another record stands at the same place.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from streamer.letters.journal import JournalEntry, ReplayFate, Settlement, is_entry, read_entry
from streamer.letters.letter import Letter, LetterId, Place, read_letter
from streamer.letters.subjects import NOBODY, Subject
from streamer.records import Record


class State(StrEnum):
    """Where a letter stands."""

    OPEN = "open"
    """Nothing was tried yet."""
    TAKEN = "taken"
    """A replay was about to send it and did not live to say more: it may have been delivered."""
    FAILED = "failed"
    """A replay tried it, and it still cannot be delivered."""
    DELIVERED = "delivered"
    """A replay delivered it."""
    SKIPPED = "skipped"
    """A replay found that it is not to be sent."""

    @property
    def is_open(self) -> bool:
        """Whether a replay would take it."""
        return self in {State.OPEN, State.TAKEN, State.FAILED}


_AFTER = {
    ReplayFate.DELIVERED: State.DELIVERED,
    ReplayFate.SKIPPED: State.SKIPPED,
    ReplayFate.FAILED: State.FAILED,
    ReplayFate.RELEASED: State.OPEN,
}


@dataclass(frozen=True, slots=True)
class Try:
    """One replay's word about a letter."""

    run: str
    at_ms: int
    partition: int
    """Of the note. Within a partition notes are in order; between two, which hold copies of one letter, the
    clocks of replays tell."""
    settlement: Settlement | None = None
    """None while it was only taken."""

    @property
    def state(self) -> State:
        """Where it leaves the letter."""
        return State.TAKEN if self.settlement is None else _AFTER[self.settlement.fate]


@dataclass(slots=True)
class Filed:
    """A letter in its history. Changed by the history alone."""

    letter: Letter
    """Without the original's bytes."""
    size_bytes: int
    """Of the original, as far as the letter carries it."""
    subject: Subject = NOBODY
    keys: tuple[str, ...] = field(default=(), repr=False)
    """What it upserts by the rules in force; known where a replay asked."""
    upserts: int = 0
    """Operations that do."""
    ids: list[LetterId] = field(default_factory=list)
    """Where it lies: more than once if it was written more than once."""
    state: State = State.OPEN
    tries: list[Try] = field(default_factory=list)
    """In the order in which they were read."""

    @property
    def is_in_doubt(self) -> bool:
        """Whether a replay took it and noted no end: it may have been delivered, whatever others noted."""
        return self.state is not State.DELIVERED and bool(self._unended)

    @property
    def is_perhaps_twice(self) -> bool:
        """Whether Planhat may have had it from two replays.

        A replay that took it and noted no end may have delivered it. Two of those, or one and a replay that
        did deliver it, may have told Planhat twice.
        """
        ended = {each.run: each.settlement.fate for each in self.tries if each.settlement is not None}
        delivered = sum(fate is ReplayFate.DELIVERED for fate in ended.values())
        return len(self._unended) + delivered > 1

    @property
    def _unended(self) -> set[str]:
        """Replays that took it and noted no end."""
        ended = {each.run for each in self.tries if each.settlement is not None}
        return {each.run for each in self.tries} - ended

    def tell(self, told: Try) -> None:
        """Take in one more word. What was delivered stays delivered, whatever else is noted.

        One that a replay gave back unsent is open again, unless another took it and noted no end.
        """
        self.tries.append(told)
        if self.state is State.DELIVERED:
            return
        if told.state is State.DELIVERED:
            self.state = State.DELIVERED
            return
        newest = {each.partition: each for each in self.tries}
        self.state = max(newest.values(), key=lambda each: each.at_ms).state
        if self.state is State.OPEN and self._unended:
            self.state = State.TAKEN

    @property
    def reason(self) -> str:
        """Why it is a letter, by the newest word on it."""
        ended = self._failure
        return ended.reason if ended is not None else self.letter.reason

    @property
    def detail(self) -> str:
        """More of the reason, by the newest word on it."""
        ended = self._failure
        return ended.detail if ended is not None else self.letter.detail

    @property
    def attempts(self) -> int:
        """Replays that took it."""
        return len({each.run for each in self.tries})

    @property
    def _failure(self) -> Settlement | None:
        failures = (each.settlement for each in reversed(self.tries) if each.settlement is not None)
        return next((each for each in failures if each.fate is ReplayFate.FAILED), None)


class History:
    """Everything the dead-letter topic tells, folded record by record in the order of each partition."""

    def __init__(self, group: str | None = None) -> None:
        """Of letters of this group alone, where one is named: several may share a topic."""
        self._group = group
        self._filed: dict[tuple[Place, int], Filed] = {}
        self._by_id: dict[LetterId, Filed] = {}
        self.foreign = 0
        """Records that are neither letters nor notes of ours."""
        self.others: Counter[str] = Counter()
        """Letters of other groups, by the group."""
        self.unreadable = 0
        """Notes that cannot be read: a later version wrote them, or they are damaged."""

    def __iter__(self) -> Iterator[Filed]:
        return iter(self._filed.values())

    def __len__(self) -> int:
        return len(self._filed)

    def find(self, letter_id: LetterId) -> Filed | None:
        """The letter that lies there, under whichever of its ids."""
        return self._by_id.get(letter_id)

    def at(self, place: Place, timestamp_ms: int) -> Filed | None:
        """The letter whose original was read there, and is of that time."""
        return self._filed.get((place, timestamp_ms))

    def add(self, record: Record) -> Letter | None:
        """Take one record of the topic in; returns the letter that it is, with its value, if it is one."""
        if is_entry(record):
            entry = read_entry(record)
            if entry is None:
                self.unreadable += 1
            else:
                self.note(entry)
            return None
        letter = read_letter(record)
        if letter is None:
            self.foreign += 1
            return None
        if self._group is not None and letter.group != self._group:
            self.others[letter.group] += 1
            return None
        self._file(letter)
        return letter

    def note(self, entry: JournalEntry) -> None:
        """Take in what a replay noted. What it says of letters that are gone is of no account."""
        for offset in entry.taken:
            self._tell(LetterId(entry.partition, offset), Try(entry.run, entry.at_ms, entry.partition))
        for settlement in entry.settled:
            letter_id = LetterId(entry.partition, settlement.offset)
            self._tell(letter_id, Try(entry.run, entry.at_ms, entry.partition, settlement))

    def _file(self, letter: Letter) -> None:
        original = (letter.place, letter.record.timestamp_ms)
        filed = self._filed.get(original)
        if filed is None:
            filed = self._filed[original] = Filed(letter.without_value(), letter.record.size_bytes)
        filed.ids.append(letter.id)
        if letter.id < filed.letter.id:  # partitions are read in no order: the lowest id stands for all
            filed.letter = letter.without_value()
        self._by_id[letter.id] = filed

    def _tell(self, letter_id: LetterId, told: Try) -> None:
        filed = self._by_id.get(letter_id)
        if filed is not None:
            filed.tell(told)
