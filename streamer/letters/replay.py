"""The books of one replay: what is to be sent, what is under way, what became of each letter. Pure."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from streamer.letters.journal import ReplayFate, Settlement
from streamer.letters.letter import LetterId, Place
from streamer.letters.standing import Keys, Standing
from streamer.outcomes import Fate
from streamer.records import Record

FATES: Mapping[Fate, ReplayFate] = {
    Fate.DELIVERED: ReplayFate.DELIVERED,
    Fate.SKIPPED: ReplayFate.SKIPPED,
    Fate.DEAD_LETTERED: ReplayFate.FAILED,
    Fate.RELEASED: ReplayFate.RELEASED,
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A record to be sent: a letter's, or a later call that must be sent again behind one."""

    id: LetterId | None
    """None for a later call: no letter, so nothing is noted of it."""
    record: Record = field(repr=False)
    """The original, at its source place."""
    keys: Keys = ()
    """What it upserts."""
    call: str = ""

    @property
    def place(self) -> Place:
        """Where it was read first."""
        return Place(self.record.topic, self.record.partition, self.record.offset)


class Overtaking(NamedTuple):
    """A letter, and the later call of the same object."""

    letter: LetterId
    later: Place


class Numbered(NamedTuple):
    """What is handed to the engine, under a number of this replay."""

    number: int
    chosen: Chosen


@dataclass(slots=True)
class Told:
    """What became of the letters of a replay so far."""

    delivered: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """By reason."""
    failed: Counter[str] = field(default_factory=Counter)
    """Still not deliverable, by reason."""
    released: int = 0
    held_back: list[Overtaking] = field(default_factory=list)
    overtaken: list[Overtaking] = field(default_factory=list)
    """Delivered while a later call of the same object came, which was then sent once more behind it."""
    gone: list[LetterId] = field(default_factory=list)
    """Stubs whose original the source topic no longer holds: there is nothing to send."""

    @property
    def settled(self) -> int:
        """Letters that have an answer, be it "held back"."""
        answered = self.delivered + self.skipped.total() + self.failed.total()
        return answered + len(self.held_back) + len(self.gone)


class Replay:
    """Hands out what may be sent and files the answers.

    `at_once` bounds what is under way and not noted, which is what a crash leaves in doubt.
    """

    def __init__(self, standing: Standing, *, at_once: int, is_forced: bool = False) -> None:
        self._standing = standing
        self._at_once = at_once
        self._is_forced = is_forced
        self._waiting: deque[Chosen] = deque()
        self._under_way: dict[int, Chosen] = {}
        self._answered: list[tuple[Chosen, Settlement]] = []
        """Known and not noted yet."""
        self._sent_again: set[Place] = set()
        self._next = 0
        self.told = Told()

    def add(self, chosen: Iterable[Chosen]) -> None:
        """More to send, in the order in which it is to be sent."""
        self._waiting.extend(chosen)

    @property
    def has_waiting(self) -> bool:
        """Whether there is more to hand out."""
        return bool(self._waiting)

    @property
    def is_done(self) -> bool:
        """Whether nothing waits, is under way, or has yet to be noted."""
        return not self._waiting and not self._under_way and not self._answered

    def hand_out(self, most: int) -> list[Numbered]:
        """The next to be sent, at most so many. Call only after the standing was brought up to date."""
        room = min(most, self._at_once - len(self._under_way) - len(self._answered))
        out: list[Numbered] = []
        while self._waiting and len(out) < room:
            chosen = self._waiting.popleft()
            later = None if self._is_forced else self._standing.later_than(chosen.place, chosen.keys)
            if later is not None and chosen.id is not None:
                self.told.held_back.append(Overtaking(chosen.id, later))
                continue
            out.append(Numbered(self._next, chosen))
            self._under_way[self._next] = chosen
            self._next += 1
        return out

    def settle(self, number: int, fate: Fate, reason: str, detail: str, http_status: int | None) -> None:
        """The engine is finished with one."""
        chosen = self._under_way.pop(number)
        offset = chosen.id.offset if chosen.id is not None else -1
        self._answered.append((chosen, Settlement(offset, FATES[fate], reason, detail, http_status)))

    @property
    def has_answers(self) -> bool:
        """Whether there is something to note."""
        return bool(self._answered)

    def take_answers(self) -> tuple[list[tuple[int, Settlement]], list[Place]]:
        """What is to be noted, by partition of the letter, and later calls to be sent once more.

        Call only after the standing was brought up to date: a later call that was read while a letter was
        under way may have been delivered before it, so it goes once more, behind. Upserts may come twice.
        When the later call itself has been overtaken meanwhile, the newest is sent, and so on until none is.
        """
        answered, self._answered = self._answered, []
        notes, again = [], []
        for chosen, settlement in answered:
            is_delivered = settlement.fate is ReplayFate.DELIVERED
            later = self._standing.later_than(chosen.place, chosen.keys) if is_delivered else None
            if later is not None and not self._is_forced and later not in self._sent_again:
                self._sent_again.add(later)
                again.append(later)
            if chosen.id is None:
                continue
            notes.append((chosen.id.partition, settlement))
            self._count(chosen, chosen.id, settlement, later)
        return notes, again

    def _count(
        self, chosen: Chosen, letter_id: LetterId, settlement: Settlement, later: Place | None
    ) -> None:
        told = self.told
        match settlement.fate:
            case ReplayFate.DELIVERED:
                told.delivered += 1
                # What an older letter of a later pass must not be put over.
                self._standing.see(chosen.place, chosen.keys)
                if later is not None and not self._is_forced:
                    told.overtaken.append(Overtaking(letter_id, later))
            case ReplayFate.SKIPPED:
                told.skipped[settlement.reason] += 1
            case ReplayFate.FAILED:
                told.failed[settlement.reason] += 1
            case ReplayFate.RELEASED:
                told.released += 1
