"""The law of copies: what a process knows to be done with it does not send again."""

from collections import OrderedDict, defaultdict
from typing import NamedTuple

from streamer.outcomes import Fate, SkipReason
from streamer.records import Record
from tests.simulation.facts import Facts
from tests.simulation.law import Law
from tests.simulation.member import Member
from tests.simulation.planhat import Call
from tests.simulation.world import World

_NOT_REMEMBERED = frozenset({SkipReason.DUPLICATE, SkipReason.SETTLED_BEFORE})
"""Skipped for what is known of others, not of them."""


class _Known(NamedTuple):
    sequence: int
    settled_at: float


class Copies(Law):
    """Within the window, a copy of what was delivered or skipped is not sent by the same process.

    Nor is what upserts and deletes nothing itself, read once more at its own place. (What does is: with all
    around it.)
    """

    name = "copies"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._known: defaultdict[Member, OrderedDict[int, _Known]] = defaultdict(OrderedDict)
        """By process and identity; the oldest first."""

    def settled(self, member: Member, record: Record, fate: Fate, reason: str) -> None:
        fed = self._world.feds[self._world.sequence_of(record)]
        if not fed.endpoints or fate > Fate.SKIPPED or reason in _NOT_REMEMBERED:
            return
        known = self._within_window(member)
        known.setdefault(fed.identity, _Known(fed.sequence, self._world.clock.now))
        if len(known) > member.limits.duplicates_window:
            known.popitem(last=False)

    def submitted(self, member: Member, call: Call) -> None:
        known = self._within_window(member)
        for sequence in call.readings:
            found = known.get(self._world.feds[sequence].identity)
            if found is None or (found.sequence == sequence and self._world.feds[sequence].changes_objects):
                continue
            seconds = self._world.clock.now - found.settled_at
            self._broken(f"event {sequence} is sent {seconds:.1f} s after event {found.sequence} was settled")

    def _within_window(self, member: Member) -> OrderedDict[int, _Known]:
        known, now = self._known[member], self._world.clock.now
        while known and now - next(iter(known.values())).settled_at >= member.limits.duplicates_seconds:
            known.popitem(last=False)
        return known
