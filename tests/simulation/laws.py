"""The laws: each a small class that hears what happens and complains of what must not.

A law's public methods are what it hears (see `World.tell`); `World.obey` enlists them. A new law is a
new class, and a line in `ALL`.
"""

from collections.abc import Sequence

from streamer.engine.lanes import Ticket
from streamer.engine.ports import DeadLetter
from streamer.errors import LedgerError
from streamer.outcomes import Endpoint, Fate, SkipReason
from streamer.records import Record
from streamer.transform.operations import Operation
from tests.simulation.commits import Commits, SettledBefore
from tests.simulation.copies import Copies
from tests.simulation.events import CHANGING
from tests.simulation.facts import Facts
from tests.simulation.final_state import FinalState
from tests.simulation.law import Law, marks_of, objects_of, parents_of
from tests.simulation.member import Member
from tests.simulation.planhat import Call
from tests.simulation.quota import Quota
from tests.simulation.requests import Bulks, Memory
from tests.simulation.unassigned import Unassigned
from tests.simulation.world import World


class Conservation(Law):
    """Per reading: polled = settled + in flight, each once. Of operations: made = done + waiting."""

    name = "conservation"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._settled: set[tuple[int, int]] = set()
        """By reading and offset."""

    def settled(self, member: Member, record: Record, fate: Fate, reason: str) -> None:
        reading = member.readings.get(record.source)
        if reading is None or record.offset not in reading.polled:
            # Thrown out and not aware of it, a process still settles what it read before.
            membership = self._world.broker.members[member.slot]
            if not membership.is_expelled:
                self._broken(f"{record!r} is settled, and was read in an earlier reading")
        elif (reading.number, record.offset) in self._settled:
            self._broken(f"{record!r} is settled twice")
        else:
            self._settled.add((reading.number, record.offset))

    def turned(self, member: Member) -> None:
        if member.is_dead:
            return
        streamer = member.streamer
        try:
            streamer.check()
        except LedgerError as error:
            self._broken(str(error))
        for source, reading in member.readings.items():
            book = streamer.ledger.book(source)
            if book is None:
                continue
            if book.polled != len(reading.polled):
                self._broken(f"{book} says {book.polled} polled, the source gave {len(reading.polled)}")
            if book.polled != len(reading.settled) + book.in_flight:
                self._broken(f"{book}: {len(reading.settled)} told as settled, {book.in_flight} in flight")
        waiting = sum(streamer.dispatch.operations.waiting().values())
        if member.told.made != sum(member.told.done.values()) + waiting:
            self._broken(f"{member.told.made} made, {dict(member.told.done)} done, {waiting} waiting")


class Merges(Law):
    """What is told together is of one object and one company, and says all that each of them says."""

    name = "merges"

    def submitted(self, member: Member, call: Call) -> None:
        for operation, ticket in zip(call.batch.operations, member.tickets_of(call.batch), strict=True):
            objects, parents = objects_of(operation), parents_of(operation)
            for part in ticket.told:
                is_moved = ticket.was.company_instead is not None
                if not objects_of(part.operation) <= objects:
                    self._broken(f"{part.operation!r} is told as of {sorted(objects)}")
                if not (parents_of(part.operation) <= parents or is_moved):
                    self._broken(f"{part.operation!r} is told as of {sorted(parents)}")
            parts = [marks_of(part.operation) for part in ticket.told]
            revived = set() if ticket.under is None else marks_of(ticket.under.operation)
            if set().union(revived, *parts) != marks_of(operation):
                self._broken(f"{operation!r} does not say just what its {len(parts)} parts say")


class Ownership(Law):
    """Nobody sends what another may be sending."""

    name = "ownership"

    def submitted(self, member: Member, call: Call) -> None:
        for sequence in call.readings:
            source = self._world.source_of(sequence)
            if self._world.broker.owner[source] != member.slot:
                self._broken(f"member {member.slot} sends event {sequence} of partition {source.partition}")


IN_ONE_REQUEST = frozenset({Endpoint.ACTIVITIES, Endpoint.METRICS})
"""Endpoints whose requests may hold several operations of one object; nothing there changes an object."""
NOT_TWICE = frozenset({Endpoint.ACTIVITIES, Endpoint.METRICS, Endpoint.SEGMENT})
"""Endpoints at which what is told twice counts twice."""


class Order(Law):
    """At Planhat: what is told of an object in the order of its partition, save what is read again.

    Upserts and deletions in one line, and of every other kind in its own. Save, too, what was told as one and
    is told apart since its answer was lost: the same again, in order.

    What is said of an enduser comes on its side of a deletion, as often as it is said: nothing earlier after
    it, and nothing later before it.
    """

    name = "order"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._last: dict[tuple[int, str, str], tuple[int, int]] = {}
        self._deleted: dict[tuple[int, str], tuple[int, int]] = {}
        self._said: dict[tuple[int, str], tuple[int, int]] = {}
        """By partition and object: the newest deletion, and the newest activity or metric."""
        self._first: set[tuple[int, int, Endpoint]] = set()
        self._together: dict[tuple[int, int], int] = {}
        """By event and reading: the newest of those it was told as one with."""

    def served(self, call: Call, outcomes: list[str]) -> None:
        endpoint = call.batch.endpoint
        for operation, sequences, outcome in zip(
            call.batch.operations, call.sequences, outcomes, strict=True
        ):
            if endpoint is Endpoint.METRICS and outcome in {"refused", "hidden"}:
                # Those behind it were taken: it is asked again, now or with them.
                self._first |= {(call.readings[each], each, endpoint) for each in sequences}
            if outcome != "applied":
                continue
            for sequence in sequences:
                when = (call.readings[sequence], sequence)
                self._look_at_deletions(operation, when, endpoint)
                if endpoint in IN_ONE_REQUEST and (*when, endpoint) in self._first:
                    continue  # its request is repeated whole
                self._first.add((*when, endpoint))
                self._look(operation, when, endpoint)
                self._together[when] = max(*sequences, self._together.get(when, 0))

    def _look(self, operation: Operation, when: tuple[int, int], endpoint: Endpoint) -> None:
        partition = self._world.feds[when[1]].partition
        line = "changes" if endpoint in CHANGING else endpoint.value
        for key in objects_of(operation):
            last = self._last.get((partition, line, key), (0, 0))
            is_told_apart = last == (when[0], min(last[1], self._together.get(when, 0)))
            if when < last and not is_told_apart:
                self._complain(f"{endpoint.value} {key}", when, last)
            self._last[partition, line, key] = when

    def _look_at_deletions(self, operation: Operation, when: tuple[int, int], endpoint: Endpoint) -> None:
        if endpoint is not Endpoint.DELETIONS and endpoint not in IN_ONE_REQUEST:
            return  # upserts stand in one line with deletions
        mine, others = (
            (self._deleted, self._said) if endpoint is Endpoint.DELETIONS else (self._said, self._deleted)
        )
        partition = self._world.feds[when[1]].partition
        for key in objects_of(operation):
            other = others.get((partition, key), (0, 0))
            if when < other:
                self._complain(f"{endpoint.value} {key}, across a deletion", when, other)
            mine[partition, key] = max(when, mine.get((partition, key), when))

    def _complain(self, what: str, when: tuple[int, int], last: tuple[int, int]) -> None:
        self._broken(f"{what}: event {when[1]} (reading {when[0]}) after event {last[1]} (reading {last[0]})")


class Parents(Law):
    """At Planhat: no upsert arrives for the first time after what had to wait for it."""

    name = "parents"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._children: dict[tuple[int, str], int] = {}
        """By reading and parent's key: the newest event that needed it there before."""

    def served(self, call: Call, outcomes: list[str]) -> None:
        endpoint = call.batch.endpoint
        for operations, sequences, outcome in zip(call.parts, call.sequences, outcomes, strict=True):
            if outcome != "applied":
                continue
            for operation, sequence in zip(operations, sequences, strict=True):
                reading = call.readings[sequence]
                if endpoint.is_upsert and self._facts.of[sequence, endpoint].applied == 1:
                    self._look(operation, sequence, reading)
                for key in parents_of(operation):
                    newest = self._children.get((reading, key), 0)
                    self._children[reading, key] = max(newest, sequence)

    def _look(self, operation: Operation, sequence: int, reading: int) -> None:
        for key in objects_of(operation):
            child = self._children.get((reading, key), 0)
            if child >= sequence:
                self._broken(f"event {child} was there before event {sequence}, its parent by {key}")


class Waits(Law):
    """When a request leaves: nothing that one of its operations must wait for is unfinished."""

    name = "waits"

    def submitted(self, member: Member, call: Call) -> None:
        sent = member.tickets_of(call.batch)
        places = {ticket: place for place, ticket in enumerate(sent)}
        unfinished = member.tickets()
        for ticket in sent:
            for other in unfinished:
                if other.number >= ticket.number or not _waits(ticket, other):
                    continue
                is_together = call.batch.endpoint in IN_ONE_REQUEST and other in places
                if not (is_together and places[other] < places[ticket]):
                    self._broken(f"{ticket!r} leaves while {other!r} is unfinished")


def _waits(ticket: Ticket, other: Ticket) -> bool:
    keys = objects_of(other.operation)
    is_one_line = ticket.endpoint is other.endpoint or {ticket.endpoint, other.endpoint} <= CHANGING
    if (is_one_line or ticket.endpoint is Endpoint.DELETIONS) and not keys.isdisjoint(
        objects_of(ticket.operation)
    ):
        return True
    return other.endpoint in CHANGING and not keys.isdisjoint(parents_of(ticket.operation))


class Duplicates(Law):
    """What counts twice goes again only where its answer was lost, or its record was not committed.

    Activities, metrics and forwarded calls.
    """

    name = "duplicates"

    def served(self, call: Call, outcomes: list[str]) -> None:
        if call.batch.endpoint not in NOT_TWICE:
            return
        for sequences, outcome in zip(call.sequences, outcomes, strict=True):
            if outcome != "applied":
                continue
            for sequence in sequences:
                self._look(call, sequence)

    def _look(self, call: Call, sequence: int) -> None:
        for before in self._facts.of[sequence, call.batch.endpoint].calls:
            is_same = before is not call and before.readings[sequence] == call.readings[sequence]
            if is_same and (before, sequence) in self._facts.accepted:
                self._broken(f"event {sequence} was accepted, and is sent again in the same reading")


class Letters(Law):
    """Dead letters are the bad ones, with their reason, and their bytes."""

    name = "letters"

    def produced(self, member: Member, letter: DeadLetter) -> None:
        fed = self._world.feds[self._world.sequence_of(letter.record)]
        if (letter.record.key, letter.record.value) != (fed.key, fed.value):
            self._broken(f"event {fed.sequence} was changed on its way")
        if wrong := self._facts.fault_of(fed, letter.reason, member):
            self._broken(f"event {fed.sequence} ({fed.kind}) {wrong}")

    def settled(self, member: Member, record: Record, fate: Fate, reason: str) -> None:
        sequence = self._world.sequence_of(record)
        if fate is Fate.DEAD_LETTERED and not self._facts.letters.get(sequence):
            self._broken(f"event {sequence} counts as a dead letter, and the topic has none")


class NothingLost(Law):
    """At the end every event was delivered, skipped or dead-lettered; skipped only after a second look."""

    name = "nothing lost"

    def settled(self, member: Member, record: Record, fate: Fate, reason: str) -> None:
        reading = member.readings.get(record.source)
        if fate is not Fate.SKIPPED or reason != SkipReason.NO_COMPANY or reading is None:
            return
        fed = self._world.feds[self._world.sequence_of(record)]
        if wrong := self._facts.wrongly_skipped(fed, reading.number):
            self._broken(f"event {fed.sequence} ({fed.kind} at {fed.partition}@{fed.offset}) {wrong}")

    def ended(self) -> None:
        for fed in self._facts.feds():
            if missing := self._facts.missing(fed):
                self._broken(f"event {fed.sequence} ({fed.kind} at {fed.partition}@{fed.offset}) {missing}")


# In this order they hear of each happening. `Waits` comes before those that look for the ticket of an
# operation by its objects: of two tickets of one object in a request they would take the wrong one.
ALL: Sequence[type[Law]] = (
    Conservation,
    Commits,
    SettledBefore,
    Waits,
    Merges,
    Ownership,
    Order,
    Parents,
    Bulks,
    Quota,
    Memory,
    Duplicates,
    Copies,
    Unassigned,
    Letters,
    NothingLost,
    FinalState,
)
