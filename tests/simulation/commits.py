"""The laws of commits: what is asked for, what the broker takes, and what is left at the end of a reading."""

from collections import defaultdict
from collections.abc import Mapping

from streamer.engine.ports import CommitResult
from streamer.engine.settled import LONGEST, NOTHING, Settled, decode, encode
from streamer.outcomes import Fate
from streamer.records import Mark, Record, TopicPartition
from tests.simulation.facts import Facts
from tests.simulation.law import Law, changes_objects, objects_of
from tests.simulation.member import Member, Reading
from tests.simulation.planhat import Call
from tests.simulation.world import World


class Commits(Law):
    """Up to the first record in flight, no less and no further; never back; nothing undone behind it."""

    name = "commits"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._upserted: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
        """By reading and offset: the objects of what changes them and was sent, by all told as one."""
        self._in_doubt: set[tuple[int, int]] = set()
        """By reading and offset: settled records that a crash would have overwritten at that moment."""

    def submitted(self, member: Member, call: Call) -> None:
        for operation, sequences in zip(call.batch.operations, call.sequences, strict=True):
            for sequence in sequences if changes_objects(operation) else ():
                place = call.readings[sequence], self._world.feds[sequence].offset
                self._upserted[place] |= objects_of(operation)

    def settled(self, member: Member, record: Record, fate: Fate, reason: str) -> None:
        """Is there an earlier record of one of its objects that a crash now would read again?

        It would put its upsert over this one's; so this one must be read again too, and may not be told.
        """
        reading = member.readings.get(record.source)
        if reading is None or not (mine := self._upserted.get((reading.number, record.offset))):
            return
        for offset in reading.held_back:
            place = reading.number, offset
            goes_again = (
                reading.settled.get(offset, Fate.RELEASED) is Fate.RELEASED or place in self._in_doubt
            )
            if offset < record.offset and goes_again and not mine.isdisjoint(self._upserted.get(place, ())):
                self._in_doubt.add((reading.number, record.offset))

    def committing(self, member: Member, marks: Mapping[TopicPartition, Mark]) -> None:
        for source, mark in marks.items():
            reading = member.readings.get(source)
            if reading is not None:
                if mark.offset not in reading.committable:
                    self._broken(f"{mark} of {source.partition} asked for, {reading.committable} is right")
                self._look_ahead(reading, mark)
            elif not self._world.broker.members[member.slot].is_expelled:
                # Thrown out, it may not have heard of it; told of it, it has nothing to say there.
                self._broken(f"{mark} of {source.partition} asked for, which member {member.slot} gave back")

    def _look_ahead(self, reading: Reading, mark: Mark) -> None:
        """What is settled ahead is told, be it by an earlier commit and not read again yet."""
        told = _told_by(self._world, reading.source, mark)
        settled = [offset for offset, fate in reading.settled.items() if fate is not Fate.RELEASED]
        before = [each for each in range(reading.told.base, reading.told.end) if reading.told.has(each)]
        ahead = {
            offset
            for offset in (*settled, *before)
            if offset >= mark.offset
            and (reading.number, offset) not in self._in_doubt
            and self._world.fed_at(reading.source, offset) is not None
        }
        quiet = {offset for offset in ahead if not told.has(offset)}
        if not self._world.limits.pauses_on_overflow and min(quiet, default=-1) >= told.end:
            # Where nothing fits nothing is told, and that ends nowhere.
            quiet = quiet if max(told.end, mark.offset) < self._least_end(reading, mark) else set()
        for offset in sorted(quiet):
            self._broken(f"{mark} of partition {reading.source.partition} keeps quiet about {offset}")

    def _least_end(self, reading: Reading, mark: Mark) -> int:
        """Up to where a commit must tell at least, where a partition is read on past full metadata.

        All that is settled ahead, where that fits. Else a front of it, from the committed offset to an
        unsettled one, as long as fits: it is found by steps, which may skip the longest, so that of all
        fronts that fit, by length, the one in the middle is asked for.
        """
        before, last = reading.told, reading.polled[-1] if reading.polled else -1
        open_ones = [
            offset
            for offset in reading.held_back
            if reading.settled.get(offset, Fate.RELEASED) is Fate.RELEASED
            or (reading.number, offset) in self._in_doubt
        ]
        open_ones += [offset for offset in before.unsettled if offset > last]
        whole = Settled(mark.offset, sorted(open_ones), max(before.end, last + 1)).trimmed()
        if self._fits(reading.source, whole):
            return whole.end
        fronts = [
            each
            for count, end in enumerate(whole.unsettled)
            if self._fits(
                reading.source, each := Settled(mark.offset, whole.unsettled[:count], end).trimmed()
            )
        ]
        return fronts[len(fronts) // 2].end if fronts else mark.offset

    def _fits(self, source: TopicPartition, settled: Settled) -> bool:
        place = f"{self._world.broker.found(source).topic_id}:{source.partition}"
        return encode(settled, place, LONGEST).characters <= self._world.limits.metadata_characters

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
        """A reading that ended in good order, by a revoke or with its process, left nothing behind."""
        if member.is_dead or self._world.broker.members[member.slot].is_expelled:
            return
        # A drain is longer than any request: nothing is let go of that may still be answered.
        for call in self._world.planhat.under_way:
            if reading.number in call.readings.values():
                self._broken(f"{reading.source.partition} ended with request {call.batch.number} under way")
        if self._is_excused(member, reading):
            return
        mark = self._world.broker.committed.get(reading.source, Mark(0))
        if (reading.prefix or 0) > mark.offset:
            self._broken(f"{reading.source.partition} ended at {reading.prefix}, {mark.offset} is committed")
        self._look_ahead(reading, mark)

    def _is_excused(self, member: Member, reading: Reading) -> bool:
        """Whether nobody would take its last commit, however often it was asked."""
        if reading.last_commit is not CommitResult.RETRY or reading.asked_at is None:
            return reading.last_commit is CommitResult.DENIED
        return self._world.clock.now - reading.asked_at >= member.limits.commit_floor_seconds


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
