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

    ids: tuple[LetterId, ...]
    """Where the letter lies, lowest first; none for a later call, of which nothing is noted."""
    record: Record = field(repr=False)
    """The original, at its source place."""
    keys: Keys = ()
    """What it upserts."""
    call: str = ""
    is_in_doubt: bool = False
    """An earlier replay took it and noted no end: it may have been delivered."""

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
    """Given back and certainly unsent."""
    held_back: list[Overtaking] = field(default_factory=list)
    unknown: list[LetterId] = field(default_factory=list)
    """Held back too: what came after them was deleted from its topic, so nobody knows."""
    overtaken: list[Overtaking] = field(default_factory=list)
    """Delivered while a later call of the same object came, which was then sent once more behind it."""
    gone: list[LetterId] = field(default_factory=list)
    """Nothing is left to send: stubs whose original is gone, and letters that left meanwhile."""
    unread: list[LetterId] = field(default_factory=list)
    """Their schema could not be had now; they stay open."""

    @property
    def settled(self) -> int:
        """Letters that have an answer, be it "held back"."""
        answered = self.delivered + self.skipped.total() + self.failed.total()
        kept = len(self.held_back) + len(self.unknown)
        return answered + kept + len(self.gone) + len(self.unread)


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
        self._overtaken: dict[Place, list[Chosen]] = {}
        """Delivered letters, by the later call that has to go once more behind them before they are noted: a
        crash until then leaves them taken, and the next replay sees to that call again."""
        self._wanted_again: list[Place] = []
        self._next = 0
        self.told = Told()

    def add(self, chosen: Iterable[Chosen]) -> None:
        """More to send, in the order in which it is to be sent."""
        self._waiting.extend(chosen)

    def add_later_calls(self, wanted: Iterable[Place], found: Iterable[Chosen]) -> None:
        """Later calls, to go before all else: letters wait for them. Those not found are given up.

        A letter whose later call is gone stays taken.
        """
        calls = list(found)
        self._waiting.extendleft(reversed(calls))
        for place in set(wanted) - {each.place for each in calls}:
            self._overtaken.pop(place, None)

    @property
    def has_waiting(self) -> bool:
        """Whether there is more to hand out."""
        return bool(self._waiting)

    @property
    def is_done(self) -> bool:
        """Whether nothing waits, is under way, or has yet to be noted."""
        busy = self._waiting or self._under_way or self._answered or self._overtaken
        return not busy and not self._wanted_again

    @property
    def has_answers(self) -> bool:
        """Whether there is something to note."""
        return bool(self._answered)

    @property
    def _in_doubt(self) -> int:
        return len(self._under_way) + len(self._answered) + sum(map(len, self._overtaken.values()))

    def hand_out(self, most: int) -> list[Numbered]:
        """The next to be sent, at most so many. Call only after the standing was brought up to date."""
        out: list[Numbered] = []
        while self._waiting and len(out) < most:
            # A later call goes whatever the room: letters wait for it.
            if self._waiting[0].ids and self._in_doubt >= self._at_once:
                break
            chosen = self._waiting.popleft()
            if chosen.ids and not self._is_forced and self._is_held_back(chosen):
                continue
            out.append(Numbered(self._next, chosen))
            self._under_way[self._next] = chosen
            self._next += 1
        return out

    def _is_held_back(self, chosen: Chosen) -> bool:
        later = self._standing.later_than(chosen.place, chosen.keys)
        if later is not None:
            self.told.held_back.append(Overtaking(chosen.ids[0], later))
            if chosen.is_in_doubt:
                # It may have been put over the later call by the replay that took it.
                self._want_again(later)
            return True
        if self._standing.is_unknown(chosen.place, chosen.keys):
            self.told.unknown.append(chosen.ids[0])
            return True
        return False

    def settle(
        self,
        number: int,
        fate: Fate,
        reason: str,
        detail: str = "",
        http_status: int | None = None,
        *,
        was_sent: bool = True,
    ) -> None:
        """The engine is finished with one.

        One that was released and may all the same have reached Planhat stays taken: nothing is noted of it.
        """
        chosen = self._under_way.pop(number)
        if fate is Fate.RELEASED and was_sent:
            return
        self._answered.append((chosen, Settlement(-1, FATES[fate], reason, detail, http_status)))

    def take_answers(self) -> list[tuple[Chosen, Settlement]]:
        """What is to be noted. Call only after the standing was brought up to date.

        A later call that was read while a letter was under way may have been delivered before it. So it is
        wanted once more, behind the letter, which is noted when that was delivered. When the later call has
        itself been overtaken meanwhile, the newest is wanted, and so on until none is.
        """
        answered, self._answered = self._answered, []
        notes: list[tuple[Chosen, Settlement]] = []
        for chosen, settlement in answered:
            behind = [] if chosen.ids else self._overtaken.pop(chosen.place, [])
            if settlement.fate is not ReplayFate.DELIVERED:
                # A later call that did not get through leaves its letters taken.
                notes += [(chosen, settlement)] if chosen.ids else []
                continue
            later = None if self._is_forced else self._standing.later_than(chosen.place, chosen.keys)
            letters = [chosen] if chosen.ids else behind
            if later is not None:
                self._overtaken.setdefault(later, []).extend(letters)
                self._want_again(later)
                continue
            if not chosen.ids:
                self.told.overtaken += [Overtaking(each.ids[0], chosen.place) for each in behind]
            notes += [(each, settlement) for each in letters]
        for chosen, settlement in notes:
            self._count(chosen, settlement)
        return notes

    def take_wanted(self) -> list[Place]:
        """Later calls to be fetched and added."""
        wanted, self._wanted_again = self._wanted_again, []
        return wanted

    def _want_again(self, later: Place) -> None:
        coming = (each.place for each in (*self._waiting, *self._under_way.values()) if not each.ids)
        if later not in self._wanted_again and later not in coming:
            self._wanted_again.append(later)

    def _count(self, chosen: Chosen, settlement: Settlement) -> None:
        told = self.told
        match settlement.fate:
            case ReplayFate.DELIVERED:
                told.delivered += 1
                # What an older letter of a later pass must not be put over.
                self._standing.see(chosen.place, chosen.keys)
            case ReplayFate.SKIPPED:
                told.skipped[settlement.reason] += 1
            case ReplayFate.FAILED:
                told.failed[settlement.reason] += 1
            case ReplayFate.RELEASED:
                told.released += 1


def noted(notes: Iterable[tuple[Chosen, Settlement]]) -> list[tuple[int, Settlement]]:
    """Settlements by partition, one for each place in which a letter lies."""
    return [
        (letter_id.partition, settlement._replace(offset=letter_id.offset))
        for chosen, settlement in notes
        for letter_id in chosen.ids
    ]
