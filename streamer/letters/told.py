"""The letters of one replay by name: what is to be sent, and what became of them. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from streamer.letters.letter import LetterId, Place
from streamer.letters.standing import Keys
from streamer.records import Record


@dataclass(frozen=True, slots=True)
class Chosen:
    """A record to be sent: a letter's, or a later call that must be sent again behind one."""

    ids: tuple[LetterId, ...]
    """Where the letter lies, lowest first; none for a later call, of which nothing is noted."""
    record: Record = field(repr=False)
    """The original, at its source place."""
    keys: Keys = field(default=(), repr=False)
    """What it upserts."""
    call: str = ""
    is_in_doubt: bool = False
    """An earlier replay took it and noted no end: it may have been delivered."""
    upserts: int = 1
    """Operations that upsert: of several, one may be delivered where another is refused."""

    @property
    def place(self) -> Place:
        """Where it was read first."""
        return Place(self.record.topic, self.record.partition, self.record.offset)

    @property
    def is_perhaps_newer_state(self) -> bool:
        """Whether Planhat may hold something of it, also where it is not sent now."""
        return self.is_in_doubt or self.upserts > 1


class Overtaking(NamedTuple):
    """A letter, and the later call of the same object."""

    letter: LetterId
    later: Place


class Unmended(NamedTuple):
    """A letter that may stand over a later call, which did not go once more behind it."""

    letter: LetterId
    later: Place
    is_held_back: bool = False
    """It was not sent now: an earlier replay may have."""


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
    """Sent while later calls of the same object came, which then went once more behind it: the last one."""
    unmended: list[Unmended] = field(default_factory=list)
    """Over newer state, perhaps: they stay taken."""
    gone: list[LetterId] = field(default_factory=list)
    """Nothing is left to send: stubs whose original is gone, and letters that left meanwhile."""
    unread: list[LetterId] = field(default_factory=list)
    """Their schema could not be had now; they stay open."""

    @property
    def settled(self) -> int:
        """Letters that have an answer, be it "held back"."""
        answered = self.delivered + self.skipped.total() + self.failed.total()
        unmended = sum(not each.is_held_back for each in self.unmended)
        kept = len(self.held_back) + len(self.unknown) + unmended
        return answered + kept + len(self.gone) + len(self.unread)
