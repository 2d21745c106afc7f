"""The books of one replay: what is to be sent, what is under way, what became of each letter. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streamer.letters.journal import ReplayFate, Settlement
from streamer.letters.letter import LetterId, Place
from streamer.letters.mending import Mending
from streamer.letters.standing import Standing
from streamer.letters.told import Chosen, Overtaking, Told
from streamer.outcomes import Fate

FATES: Mapping[Fate, ReplayFate] = {
    Fate.DELIVERED: ReplayFate.DELIVERED,
    Fate.SKIPPED: ReplayFate.SKIPPED,
    Fate.DEAD_LETTERED: ReplayFate.FAILED,
    Fate.RELEASED: ReplayFate.RELEASED,
}


class Numbered(NamedTuple):
    """What is handed to the engine, under a number of this replay."""

    number: int
    chosen: Chosen


class Replay:
    """Hands out what may be sent and files the answers.

    `at_once` bounds what is under way and not noted, which is what a crash leaves in doubt.
    """

    def __init__(self, standing: Standing, *, at_once: int, is_forced: bool = False) -> None:
        self._standing = standing
        self._at_once = at_once
        self._is_forced = is_forced
        self._waiting: deque[Chosen] = deque()
        self._calls: list[Chosen] = []
        """Later calls, in their order: they go before all else, since letters wait for them."""
        self._under_way: dict[int, Chosen] = {}
        self._answered: list[tuple[int, Chosen, Settlement]] = []
        """Known and not noted yet."""
        self._next = 0
        self._judged_at = -1
        self.told = Told()
        self.held_back: set[LetterId] = set()
        """Letters that were to come, and do not."""
        self._mending = Mending(standing, self.told)

    def add(self, chosen: Iterable[Chosen]) -> None:
        """More to send, in the order in which it is to be sent."""
        self._waiting.extend(chosen)
        self._judged_at = -1

    def add_later_calls(self, wanted: Iterable[Place], found: Iterable[Chosen]) -> None:
        """Later calls that were wanted. A letter whose later call was not found stays taken."""
        calls = list(found)
        self._mending.lost(set(wanted) - {each.place for each in calls})
        self._calls = sorted([*self._calls, *calls], key=lambda each: each.place)

    @property
    def has_waiting(self) -> bool:
        """Whether there is more to hand out."""
        return bool(self._waiting or self._calls)

    @property
    def is_done(self) -> bool:
        """Whether nothing waits, is under way, or has yet to be noted."""
        return not (self.has_waiting or self._under_way or self._answered) and self._mending.is_done

    @property
    def has_answers(self) -> bool:
        """Whether there is something to note."""
        return bool(self._answered)

    def hand_out(self, most: int) -> list[Numbered]:
        """The next to be sent, at most so many. Call only after the standing was brought up to date."""
        self._judge()
        out: list[Numbered] = []
        while self._calls and len(out) < most:
            call = self._calls.pop(0)
            self._mending.under_way(call.place, self._next)
            out.append(self._numbered(call))
        room = self._at_once - len(self._under_way) - len(self._answered) - self._mending.sent_letters
        while self._waiting and len(out) < most and room > 0:
            chosen = self._waiting.popleft()
            if not self._is_forced:
                self._standing.follow(chosen.place, chosen.keys)
            out.append(self._numbered(chosen))
            room -= 1
        return out

    def _numbered(self, chosen: Chosen) -> Numbered:
        numbered = Numbered(self._next, chosen)
        self._under_way[self._next] = chosen
        self._next += 1
        return numbered

    def _judge(self) -> None:
        """Hold back what may not go, all of it at once and the newest first.

        One that is held back may be in doubt: then it is newer state itself, and older ones must not go
        before that is known.
        """
        if self._is_forced or self._judged_at == self._standing.changes:
            return
        kept: deque[Chosen] = deque()
        held_back: list[Chosen] = []
        for chosen in reversed(self._waiting):
            if self._may_go(chosen):
                kept.appendleft(chosen)
                continue
            held_back.append(chosen)
            if chosen.is_perhaps_newer_state:
                self._standing.see(chosen.place, chosen.keys)
        self._waiting = kept
        for chosen in reversed(held_back):
            self._hold_back(chosen)
        self._mending.turn()  # for those just held back: of these there is nothing to note
        self._judged_at = self._standing.changes

    def _may_go(self, chosen: Chosen) -> bool:
        standing, place, keys = self._standing, chosen.place, chosen.keys
        return standing.later_than(place, keys) is None and not standing.is_unknown(place, keys)

    def _hold_back(self, chosen: Chosen) -> None:
        self.held_back.add(chosen.ids[0])
        later = self._standing.later_than(chosen.place, chosen.keys)
        if later is None:
            self.told.unknown.append(chosen.ids[0])
            return
        self.told.held_back.append(Overtaking(chosen.ids[0], later))
        if chosen.is_in_doubt:
            # It may have been put over the later calls by the replay that took it.
            self._mending.begin(chosen, None)

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
        self._answered.append((number, chosen, Settlement(-1, FATES[fate], reason, detail, http_status)))

    def take_answers(self) -> list[tuple[Chosen, Settlement]]:
        """What is to be noted. Call only after the standing was brought up to date.

        A later call that was read while a letter was under way may have been delivered before it. So it is
        wanted once more, behind the letter, which is noted when that was delivered. A letter of which a part
        was refused may stand over it with the other part.
        """
        answered, self._answered = self._answered, []
        is_judged = self._judged_at == self._standing.changes
        notes: list[tuple[Chosen, Settlement]] = []
        for number, chosen, settlement in answered:
            is_delivered = settlement.fate is ReplayFate.DELIVERED
            is_over = is_delivered or (settlement.fate is not ReplayFate.RELEASED and chosen.upserts > 1)
            if is_over:
                self._mending.accepted(chosen, number)
            if not chosen.ids:
                self._mending.ended(chosen.place, number, is_delivered=is_delivered)
            elif is_over and chosen.keys and not self._is_forced:
                self._mending.begin(chosen, settlement, number)
            else:
                notes.append((chosen, settlement))
        notes += self._mending.turn()
        if is_judged:  # what waits is newer than what was sent, so nothing that was sent holds it back
            self._judged_at = self._standing.changes
        for _, settlement in notes:
            self._count(settlement)
        return notes

    def take_wanted(self) -> list[Place]:
        """Later calls to be fetched and added."""
        return self._mending.take_wanted()

    def end(self) -> None:
        """Nothing goes any more: name the letters that wait for later calls."""
        self._mending.give_up()

    def _count(self, settlement: Settlement) -> None:
        told = self.told
        match settlement.fate:
            case ReplayFate.DELIVERED:
                told.delivered += 1
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
