"""The laws: each a small class that hears what happens and complains of what must not.

A law's public methods are what it hears (see `World.tell`); `World.obey` enlists them. A new law is a
new class, and a line in `ALL`.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from streamer.engine.lanes import Ticket
from streamer.engine.ports import CommitResult, DeadLetter, Delivery
from streamer.engine.settled import NOTHING, Settled, decode
from streamer.errors import LedgerError
from streamer.outcomes import Endpoint, Fate, Host, SkipReason, Transient, TransientReason
from streamer.records import Mark, Record, TopicPartition
from streamer.standins.planhat.entries import Entry
from streamer.transform.operations import Operation
from tests.simulation.copies import Copies
from tests.simulation.facts import Facts
from tests.simulation.law import Law, marks_of, objects_of, parents_of
from tests.simulation.member import Member, Reading
from tests.simulation.planhat import Call
from tests.simulation.unassigned import Unassigned
from tests.simulation.world import World


class Conservation(Law):
    """Per reading: polled = settled + in flight. Of operations: made = done + waiting."""

    name = "conservation"

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
        waiting = sum(streamer.dispatch.waiting().values())
        if member.told.made != sum(member.told.done.values()) + waiting:
            self._broken(f"{member.told.made} made, {dict(member.told.done)} done, {waiting} waiting")


class Commits(Law):
    """Up to the first record in flight, no less and no further; never back; nothing undone behind it."""

    name = "commits"

    def committing(self, member: Member, marks: Mapping[TopicPartition, Mark]) -> None:
        for source, mark in marks.items():
            reading = member.readings.get(source)
            if reading is None:
                continue
            if mark.offset not in reading.committable:
                self._broken(f"{mark} of {source.partition} asked for, {reading.committable} is right")
            self._look_ahead(reading, mark)

    def _look_ahead(self, reading: Reading, mark: Mark) -> None:
        """What is settled ahead is told, be it by an earlier commit and not read again yet.

        But for upserts that an earlier record, read again after a crash, would overwrite: these go again.
        """
        told = _told_by(self._world, reading.source, mark)
        is_cut_off = not self._world.limits.pauses_on_overflow  # past its end, for want of room
        settled = [offset for offset, fate in reading.settled.items() if fate is not Fate.RELEASED]
        before = [each for each in range(reading.told.base, reading.told.end) if reading.told.has(each)]
        for offset in (*settled, *before):
            fed = self._world.fed_at(reading.source, offset)
            is_upsert = fed is not None and not fed.endpoints <= {Endpoint.ACTIVITIES} and offset in settled
            if is_upsert or (is_cut_off and offset >= told.end):
                continue
            if offset >= mark.offset and fed is not None and not told.has(offset):
                self._broken(f"{mark} of partition {reading.source.partition} keeps quiet about {offset}")

    def committed(self, member: Member, source: TopicPartition, mark: Mark, before: Mark | None) -> None:
        offset, first = mark[0], 0 if before is None else before[0]
        if before is not None and offset < first:
            self._broken(f"partition {source.partition} went back from {first} to {offset}")
        for place in range(first, offset):
            fed = self._world.fed_at(source, place)
            if fed is not None and (missing := self._facts.missing(fed)):
                self._broken(f"{offset} of partition {source.partition} is past {place}, which {missing}")
        told = _told_by(self._world, source, mark)
        for place in range(offset, told.end):
            fed = self._world.fed_at(source, place)
            if fed is not None and told.has(place) and (missing := self._facts.missing(fed)):
                self._broken(f"{mark} of partition {source.partition} says {place} is done, which {missing}")

    def over(self, member: Member, reading: Reading) -> None:
        """A reading that ended in good order left nothing settled uncommitted."""
        membership = self._world.broker.members.get(member.slot)
        if member.is_dead or membership is None or membership.is_expelled:
            return
        committed = self._world.broker.start_of(reading.source)
        is_refused = reading.last_commit not in {None, CommitResult.COMMITTED}
        if (reading.prefix or 0) > committed and not is_refused:
            self._broken(f"{reading.source.partition} ended at {reading.prefix}, {committed} is committed")
        # A drain is longer than any request: nothing is let go of that may still be answered.
        for call in self._world.planhat.under_way:
            if reading.number in call.readings.values():
                self._broken(f"{reading.source.partition} ended with request {call.batch.number} under way")


def _told_by(world: World, source: TopicPartition, mark: Mark) -> Settled:
    """What a mark says of what lies ahead, whatever the log holds."""
    found = world.broker.found(source)._replace(committed=mark, log_end=1 << 40)
    settled = decode(found, f"{found.topic_id}:{source.partition}")
    return settled if isinstance(settled, Settled) else NOTHING


class SettledBefore(Law):
    """What the last commit before an assignment calls settled is not sent again."""

    name = "settled before"

    def submitted(self, member: Member, call: Call) -> None:
        for sequence in call.readings:
            reading = member.readings.get(self._world.source_of(sequence))
            fed = self._world.feds[sequence]
            if reading is not None and not fed.is_gone and reading.told.has(fed.offset):
                self._broken(f"event {sequence} was settled before reading {reading.number} began")


class Merges(Law):
    """What is told together is of one object and one company, and says all that each of them says."""

    name = "merges"

    def submitted(self, member: Member, call: Call) -> None:
        for operation, ticket in zip(call.batch.operations, member.tickets_of(call.batch), strict=True):
            objects, parents = objects_of(operation), parents_of(operation)
            for part in ticket.told:
                is_moved = ticket.company_instead is not None
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


class Order(Law):
    """At Planhat: upserts of an object in the order of their partition, save what is read again.

    And save what was told as one and is told apart since its answer was lost: the same again, in order.
    """

    name = "order"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._last: dict[tuple[int, Endpoint, str], tuple[int, int]] = {}
        self._first: set[tuple[int, int]] = set()
        self._together: dict[tuple[int, int], int] = {}
        """By event and reading: the newest of those it was told as one with."""

    def served(self, call: Call, outcomes: list[str]) -> None:
        endpoint = call.batch.endpoint
        for operation, sequences, outcome in zip(
            call.batch.operations, call.sequences, outcomes, strict=True
        ):
            if outcome != "applied":
                continue
            for sequence in sequences:
                when = (call.readings[sequence], sequence)
                if endpoint is Endpoint.ACTIVITIES and when in self._first:
                    continue  # its request is repeated whole
                self._first.add(when)
                self._look(operation, when, endpoint)
                self._together[when] = max(*sequences, self._together.get(when, 0))

    def _look(self, operation: Operation, when: tuple[int, int], endpoint: Endpoint) -> None:
        partition = self._world.feds[when[1]].partition
        for key in objects_of(operation):
            last = self._last.get((partition, endpoint, key), (0, 0))
            is_told_apart = last == (when[0], min(last[1], self._together.get(when, 0)))
            if when < last and not is_told_apart:
                self._broken(
                    f"{endpoint.value} {key}: event {when[1]} (reading {when[0]}) after event {last[1]} "
                    f"(reading {last[0]})"
                )
            self._last[partition, endpoint, key] = when


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
                if endpoint is not Endpoint.ACTIVITIES and self._facts.of[sequence, endpoint].applied == 1:
                    self._look(operation, sequence, reading)
                for key in parents_of(operation):
                    newest = self._children.get((reading, key), 0)
                    self._children[reading, key] = max(newest, sequence)

    def _look(self, operation: Operation, sequence: int, reading: int) -> None:
        for key in objects_of(operation):
            child = self._children.get((reading, key), 0)
            if child > sequence or (child == sequence and key.startswith("co:")):
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
                is_together = call.batch.endpoint is Endpoint.ACTIVITIES and other in places
                if not (is_together and places[other] < places[ticket]):
                    self._broken(f"{ticket!r} leaves while {other!r} is unfinished")


def _waits(ticket: Ticket, other: Ticket) -> bool:
    keys = objects_of(other.operation)
    if ticket.endpoint is other.endpoint:
        return not keys.isdisjoint(objects_of(ticket.operation))
    return other.endpoint is not Endpoint.ACTIVITIES and not keys.isdisjoint(parents_of(ticket.operation))


class Bulks(Law):
    """One operation per object in a bulk of the main API, one bulk per model and replica under way."""

    name = "bulks"

    def submitted(self, member: Member, call: Call) -> None:
        batch, limits = call.batch, member.limits.bulks[call.batch.endpoint]
        mine = [
            other
            for other in self._world.planhat.under_way
            if other.slot == member.slot and other.batch.endpoint is batch.endpoint
        ]
        if len(mine) >= limits.flights:
            self._broken(f"{len(mine) + 1} requests to {batch.endpoint.value} under way")
        if len(batch.items) > limits.operations or (
            len(batch.items) > 1 and batch.size_bytes > limits.size_bytes
        ):
            self._broken(f"a bulk of {len(batch.items)} operations, {batch.size_bytes} bytes")
        if batch.endpoint.host is Host.MAIN:
            keys = [key for operation in batch.operations for key in objects_of(operation)]
            if len(keys) != len(set(keys)):
                self._broken(f"two operations of one object in a bulk: {sorted(keys)}")


class Quota(Law):
    """Calls to the main API: the burst and the rate, in every stretch of time; none while told to wait."""

    name = "quota"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._calls: defaultdict[Member, list[float]] = defaultdict(list)
        self._blocked: defaultdict[Member, float] = defaultdict(float)

    def submitted(self, member: Member, call: Call) -> None:
        if call.batch.endpoint.host is not Host.MAIN:
            return
        now = self._world.clock.now
        if now < self._blocked[member]:
            self._broken(f"a call {self._blocked[member] - now:.2f} s before the end of a 429's wait")
        calls = self._calls[member]
        calls.append(now)
        rate = member.limits.calls_per_minute / 60
        for place, first in enumerate(calls):
            if len(calls) - place > member.limits.burst_calls + rate * (now - first) + 0.001:
                self._broken(f"{len(calls) - place} calls in {now - first:.2f} s")
        del calls[:-40]

    def collected(self, member: Member, delivery: Delivery) -> None:
        answer = delivery.answer
        if delivery.batch.endpoint.host is not Host.MAIN or not isinstance(answer, Transient):
            return
        if answer.reason is TransientReason.THROTTLED:
            wait = answer.retry_after_seconds
            wait = member.limits.throttled_first_seconds if wait is None else min(wait, 600.0)
            self._blocked[member] = max(self._blocked[member], self._world.clock.now + wait - 0.001)


class Memory(Law):
    """In flight: high water, and what one poll may add to it."""

    name = "memory"

    def turned(self, member: Member) -> None:
        limits, ledger = member.limits, member.streamer.ledger
        if ledger.in_flight >= limits.high_water_records + limits.poll_records:
            self._broken(f"{ledger.in_flight} records in flight")
        if ledger.size_bytes >= limits.high_water_bytes + limits.poll_records * 3_000:
            self._broken(f"{ledger.size_bytes} bytes in flight")


class Duplicates(Law):
    """An activity goes again only where its answer was lost, or its record was not committed."""

    name = "duplicates"

    def served(self, call: Call, outcomes: list[str]) -> None:
        if call.batch.endpoint is not Endpoint.ACTIVITIES:
            return
        for sequences, outcome in zip(call.sequences, outcomes, strict=True):
            if outcome != "applied":
                continue
            for sequence in sequences:
                self._look(call, sequence)

    def _look(self, call: Call, sequence: int) -> None:
        for before in self._facts.of[sequence, Endpoint.ACTIVITIES].calls:
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


class FinalState(Law):
    """At the end every enduser and company is as its partition's events, one by one, leave it."""

    name = "final state"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._homes: Counter[int] = Counter()
        """By event: how many entries it was written to."""

    def ended(self) -> None:
        store = self._world.planhat.sandbox.store
        found = {
            entry.id: (entry, writes)
            for entry in [*store.companies.by_id.values(), *store.endusers.by_id.values()]
            if (writes := [row.sent for row in entry.history or () if "color" in row.sent.get("custom", {})])
        }
        self._homes.update(
            color for _, writes in found.values() for color in {sent["custom"]["color"] for sent in writes}
        )
        for entry, writes in found.values():
            if _have_a_key_in_common(writes) and _is_where_it_belongs(entry, writes):
                self._look(entry.custom.get("color"), [sent["custom"]["color"] for sent in writes], entry.id)

    def _look(self, final: object, colors: Sequence[int], entry_id: str) -> None:
        allowed: set[int] = set()
        closed: set[int] = set()
        for color in sorted(set(colors), reverse=True):
            partition = self._world.feds[color].partition
            if partition not in closed:
                allowed.add(color)
            # Told together with others, and alone when it was read again, it may have gone elsewhere: several
            # endusers can have one e-mail address.
            has_strayed = self._homes[color] > 1
            if not (self._facts.was_turned_away(color) or has_strayed):
                closed.add(partition)
        if final not in allowed:
            self._broken(f"{entry_id} ends with event {final}, not with {sorted(allowed)}")


def _have_a_key_in_common(writes: Sequence[Mapping[str, object]]) -> bool:
    """Whether the lanes know them as one object: else their order is nobody's promise."""
    for name in ("externalId", "email"):
        values = {str(sent.get(name)).lower() for sent in writes}
        if len(values) == 1 and "none" not in values:
            return True
    return False


def _is_where_it_belongs(entry: Entry, writes: Sequence[Mapping[str, object]]) -> bool:
    """Whether every write named the enduser's own company, or none did.

    An enduser's id is unique in its company only: read again after a company came to be, an upsert may go
    to another enduser than the first time.
    """
    own = None if entry.company is None else f"extid-{entry.company.fields['externalId']}"
    named = {sent.get("companyId") for sent in writes}
    return named in ({own}, {None})


ALL: Sequence[type[Law]] = (
    Conservation,
    Commits,
    SettledBefore,
    Merges,
    Ownership,
    Order,
    Parents,
    Waits,
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
