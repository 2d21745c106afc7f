"""Later calls that go once more behind letters, so that no letter ends over newer state. Pure.

An upsert is sparse: it says some traits of an object and leaves the others. So of several later calls each
goes again, in their order, and not the newest alone. A later call that is sent again may in turn be put over
a newer one, of an object that nobody watched till then: that one goes again behind it. What was sent behind
what is told by the numbers under which the engine got it, since the engine keeps their order for each object.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from streamer.letters.journal import Settlement
from streamer.letters.letter import Place
from streamer.letters.standing import Keys, Standing
from streamer.letters.told import Chosen, Overtaking, Told, Unmended

ROUNDS: Final = 5
"""How often later calls are sent behind one letter: an object that never rests is not chased for ever."""
BEFORE: Final = -1
"""The number of what an earlier replay sent."""


class _Sending(NamedTuple):
    """What Planhat accepted in this replay, or may have."""

    number: int
    keys: Keys


@dataclass(slots=True)
class _Letter:
    """A letter that waits for later calls."""

    chosen: Chosen
    number: int
    settlement: Settlement | None
    """What is noted when all of them went; None for one that was held back, of which nothing is."""
    rounds: int = 0
    behind: set[Place] = field(default_factory=set)
    """Later calls that went behind it, or will."""
    waits_for: set[Place] = field(default_factory=set)


class Mending:
    """Letters that may stand over later calls. They stay taken until these went once more."""

    def __init__(self, standing: Standing, told: Told) -> None:
        self._standing = standing
        self._told = told
        self._letters: list[_Letter] = []
        self._sent: dict[Place, _Sending] = {}
        self._coming: dict[Place, int | None] = {}
        """Later calls on their way, by the number of their newest sending; None before they have one."""
        self._wanted: set[Place] = set()

    @property
    def is_done(self) -> bool:
        """Whether no letter waits."""
        return not self._letters and not self._wanted

    @property
    def sent_letters(self) -> int:
        """Letters of this replay that wait: a crash leaves them in doubt."""
        return sum(each.settlement is not None for each in self._letters)

    def begin(self, chosen: Chosen, settlement: Settlement | None, number: int = BEFORE) -> None:
        """A letter was sent under this number, or by an earlier replay: see to what is newer."""
        self._letters.append(_Letter(chosen, number, settlement))

    def accepted(self, chosen: Chosen, number: int) -> None:
        """Planhat took it, or may have taken a part of it."""
        if chosen.keys or not chosen.ids:
            self._sent[chosen.place] = _Sending(number, chosen.keys)
            self._standing.see(chosen.place, chosen.keys)

    def under_way(self, later: Place, number: int) -> None:
        """A later call was handed out."""
        self._coming[later] = number

    def ended(self, later: Place, number: int, *, is_delivered: bool) -> None:
        """A later call has its answer. Where it is to go once more already, that one counts."""
        if self._coming.get(later) != number:
            return
        if not is_delivered:
            self.lost([later])
            return
        del self._coming[later]
        for letter in self._letters:
            letter.waits_for.discard(later)

    def lost(self, places: Iterable[Place]) -> None:
        """Later calls that cannot go: what waits for them stays as it is, and is named."""
        for place in places:
            self._coming.pop(place, None)
            for letter in [each for each in self._letters if place in each.waits_for]:
                self._give_up(letter, place)

    def turn(self) -> list[tuple[Chosen, Settlement]]:
        """What can be noted now. Call only after the standing was brought up to date."""
        notes = []
        for letter in [each for each in self._letters if not each.waits_for]:
            missing = self._missing(letter)
            if missing is None or (missing and letter.rounds >= ROUNDS):
                self._give_up(letter, max(missing or letter.behind, default=letter.chosen.place))
                continue
            if missing:
                self._send_again(letter, missing)
                continue
            self._letters.remove(letter)
            if letter.settlement is not None:
                notes.append((letter.chosen, letter.settlement))
                if letter.behind:
                    last = max(letter.behind)
                    self._told.overtaken.append(Overtaking(letter.chosen.ids[0], last))
        return notes

    def take_wanted(self) -> list[Place]:
        """Later calls to be fetched, in their order."""
        wanted, self._wanted = sorted(self._wanted), set()
        return wanted

    def give_up(self) -> None:
        """The replay ends: name what waits still."""
        for letter in list(self._letters):
            self._give_up(letter, max(letter.waits_for or letter.behind, default=letter.chosen.place))
        self._wanted.clear()

    def _missing(self, letter: _Letter) -> dict[Place, int] | None:
        """Later calls that did not go behind what they are newer than, and behind which number they must.

        None where they cannot be told.
        """
        sendings = [(letter.chosen.place, _Sending(letter.number, letter.chosen.keys))]
        sendings += [(each, self._sent[each]) for each in letter.behind]
        missing: dict[Place, int] = {}
        for place, (number, keys) in sendings:
            newer = self._standing.all_later(place, keys)
            if newer is None:
                return None
            for each in newer:
                sent = self._sent.get(each)
                if sent is None or sent.number < number:
                    missing[each] = max(number, missing.get(each, BEFORE))
        return missing

    def _send_again(self, letter: _Letter, missing: dict[Place, int]) -> None:
        letter.rounds += 1
        letter.waits_for = set(missing)
        letter.behind |= letter.waits_for
        for place, number in missing.items():
            coming = self._coming.get(place, BEFORE)
            if coming is not None and coming <= number:
                self._coming[place] = None
                self._wanted.add(place)

    def _give_up(self, letter: _Letter, later: Place) -> None:
        self._letters.remove(letter)
        is_held_back = letter.settlement is None
        self._told.unmended.append(Unmended(letter.chosen.ids[0], later, is_held_back))
