"""Arrivals made up by hand, to be judged."""

from collections.abc import Mapping, Sequence
from typing import Final

from streamer.engine.settled import Settled, encode
from streamer.outcomes import CallType, Fate
from streamer.standins.account_books import Expected, Slots
from streamer.standins.expectations import Effect, Expectation
from tests.faults.bounds import Bound, bounds
from tests.faults.evidence import Arrivals, Asked, Careers, Commits, Ending, How, Places
from tests.faults.knowledge import Knowledge
from tests.faults.laws import Judge, Judged, Names, Why
from tests.faults.schedule import Kind, Strike
from tests.faults.strikes import Struck
from tests.real_kafka.commits import Commit

EVENTS: Final = 6
ALL: Final = frozenset({0})
TOPIC_ID: Final = "acme"
KILL: Final = {"one": [Ending(100.0, How.BLIND, ALL, 101.0)]}


class Scene:
    """One user's events on partition 0, offsets 0 to 5; who brought which of them, and when."""

    def __init__(self, commits: Sequence[tuple[float, int]] = (), copies: Sequence[int] = ()) -> None:
        self.expected = Expected()
        for sequence in range(1, EVENTS + 1):
            self._produce(sequence, sequence - 1)
        for offset, sequence in enumerate(copies, EVENTS):
            self._produce(sequence, offset)
        self.slots = Slots(self.expected, {})
        self._told = [Commit(at, 0, offset, "") for at, offset in commits]
        self.arrivals = Arrivals()
        self.asked: dict[int, Asked] = {}

    def _produce(self, sequence: int, offset: int) -> None:
        made = Expectation(
            CallType.TRACK, Fate.DELIVERED, effect=Effect.ACTIVITY, subject="ext:u-123", sequence=sequence
        )
        self.expected.add(0, offset, made)

    def bring(
        self, caller: str, at: float, *sequences: int, is_answered: bool = True, seconds: float = 0.5
    ) -> None:
        """A request."""
        number = len(self.asked) + 1
        self.asked[number] = Asked(number, caller, at, at + seconds, is_answered)
        for sequence in sequences:
            self.arrivals.add(sequence - 1, number)

    def tell_ahead(self, at: float, settled: Settled) -> None:
        """A commit with metadata."""
        text = encode(settled, f"{TOPIC_ID}:0", 4_096).text
        self._told.append(Commit(at, 0, settled.base, text))

    def judge(
        self,
        ended: Mapping[str, Sequence[Ending]],
        begun: Mapping[str, Sequence[float]] | None = None,
        asked_twice: frozenset[int] = frozenset(),
        unheard: Mapping[str, Sequence[float]] | None = None,
    ) -> Judged:
        """What the laws say. A member was given the partition just before its first request, and `begun`."""
        self.commits = Commits(self._told, TOPIC_ID)
        times: dict[str, list[float]] = {}
        for each in self.asked.values():
            times.setdefault(each.caller, [each.at - 0.1])
        for member, more in (begun or {}).items():
            times[member] += more
        begun_at = {member: {0: sorted(each)} for member, each in times.items()}
        self.careers = Careers(begun_at, ended, unheard or {})
        places, names = Places(self.expected, self.slots), Names(self.slots.subjects, self.slots.first)
        self.knowledge = Knowledge(places, self.asked, self.commits, [self.arrivals])
        judge = Judge(places, self.asked, self.knowledge, self.careers, names)
        return judge.judge(self.arrivals, asked_twice)

    def bounds(self, at: float) -> Bound:
        """How much a strike at this moment may have made come again."""
        struck = Struck(Strike(1, Kind.SIGKILL, 0.0, 0.0, 0.0), at, at + 8.0, ())
        places = Places(self.expected, self.slots)
        return bounds([struck], self.arrivals, self.asked, places, self.knowledge, self.careers)[0]


def whys(judged: Judged) -> list[Why]:
    """Why each came again."""
    return [each.why for each in judged.again]
