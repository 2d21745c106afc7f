"""Every adapter between the ports of the engine and the script, in one place."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from streamer.avro.decoder import Decoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import (
    Assignment,
    AwaitingSchema,
    Batch,
    CommitResult,
    DeadLetter,
    Decoded,
    Delivery,
    Gauges,
    HoldReason,
    Lot,
    OperationFate,
)
from streamer.outcomes import Endpoint, Host, Transient, TransientReason
from streamer.records import Mark, MarkIgnored, Record, TopicPartition
from tests.simulation.events import FRAME
from tests.simulation.planhat import Call

if TYPE_CHECKING:
    from tests.simulation.member import Member, Reading

SESSION_SECONDS = 5.0
_DECODER = Decoder(load_schemas())


class SimulatedSource:
    """`ports.Source` at the scripted broker."""

    def __init__(self, member: "Member") -> None:
        self._member = member
        self._broker = member.world.broker

    def subscribe(self, assignment: Assignment) -> None:
        self._member.touch()
        self._broker.join(self._member.slot, assignment)

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        member = self._member
        member.touch()
        self._broker.advance_commits(member.slot)
        self._broker.serve(member.slot)
        records: list[Record] = []
        for source, reading in list(member.readings.items()):
            if source not in member.paused:
                records += self._read(reading, max_records - len(records))
        if records:
            member.world.tell("polled", member, records)
        else:
            member.world.clock.advance(timeout_seconds)
        return records

    def _read(self, reading: "Reading", most: int) -> list[Record]:
        log = self._broker.logs[reading.source]
        found: list[Record] = []
        for record in log[_place(log, reading.position) :]:
            if len(found) >= most:
                break
            found.append(record)
            reading.polled.append(record.offset)
            reading.position = record.offset + 1
        return found

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self._member.touch()
        self._member.paused |= set(partitions) & self._member.readings.keys()

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self._member.touch()
        self._member.paused -= set(partitions)

    def start_commit(self, marks: Mapping[TopicPartition, Mark]) -> None:
        self._member.touch()
        self._member.world.tell("committing", self._member, marks)
        self._broker.start_commit(self._member.slot, marks)

    def finished_commits(self) -> Sequence[tuple[Mapping[TopicPartition, Mark], CommitResult]]:
        self._member.touch()
        return self._broker.take_finished(self._member.slot)

    def commit_now(self, marks: Mapping[TopicPartition, Mark]) -> CommitResult:
        member = self._member
        member.touch()
        member.world.tell("committing", member, marks)
        asked_at = member.world.clock.now
        result = self._broker.commit_now(member.slot, marks)
        for source in marks:
            reading = member.readings.get(source)
            if reading is not None:
                reading.last_commit = result
                reading.asked_at = asked_at if reading.asked_at is None else reading.asked_at
        return result

    def close(self) -> None:
        member = self._member
        member.touch()
        membership = self._broker.members.get(member.slot)
        if membership is not None and membership.owned:
            lost = membership.is_expelled
            (membership.assignment.lost if lost else membership.assignment.revoked)(list(membership.owned))
        self._broker.remove(member.slot)


def _place(log: Sequence[Record], offset: int) -> int:
    """Where to read on: the first record at or past this offset."""
    low, high = 0, len(log)
    while low < high:
        middle = (low + high) // 2
        if log[middle].offset < offset:
            low = middle + 1
        else:
            high = middle
    return low


class SimulatedSink:
    """`ports.Sink`: requests go to the scripted Planhat; answers come back when the script says so."""

    def __init__(self, member: "Member") -> None:
        self._member = member
        self._back: list[Delivery] = []

    def submit(self, batch: Batch) -> bool:
        member, world = self._member, self._member.world
        member.touch()
        workers = 1 if batch.endpoint.host is Host.MAIN else member.limits.bulk(batch.endpoint).flights
        mine = [c for c in world.planhat.under_way if c.slot == member.slot]
        if world.is_sink_busy or sum(c.batch.endpoint is batch.endpoint for c in mine) >= workers:
            return False
        if not member.streamer.membership.is_proved(world.clock.now):
            # As the real sink's workers do: who was frozen that long sends nothing.
            self._back.append(Delivery(batch, Transient(TransientReason.CONNECTION), 0.0))
            return True
        told = [ticket.told for ticket in member.tickets_of(batch)]
        # By the engine's own books: not every upsert bears the mark of its event.
        sequences = [tuple([world.sequence_of(part.entry.record) for part in parts]) for parts in told]
        operations = [tuple([member.whole(part.operation, part.encoded) for part in parts]) for parts in told]
        call = Call(member.slot, batch, sequences, operations, {}, world.clock.now, self._back.append)
        for sequence in {each for some in call.sequences for each in some}:
            reading = member.readings.get(world.source_of(sequence))
            call.readings[sequence] = reading.number if reading else 0
        world.tell("submitted", member, call)
        world.planhat.submit(call)
        return True

    def collect(self, timeout_seconds: float) -> Sequence[Delivery]:
        self._member.touch()
        if not self._back and timeout_seconds > 0:
            self._member.world.wait(self._member, timeout_seconds)
        back, self._back[:] = list(self._back), []
        for delivery in back:
            self._member.world.tell("collected", self._member, delivery)
        return back

    def refresh_credentials(self) -> None:
        self._member.touch()


class SimulatedLetters:
    """`ports.DeadLetters`: acknowledged at once, refused, full or silent, as the script says."""

    def __init__(self, member: "Member") -> None:
        self._member = member
        self.waiting: list[DeadLetter] = []

    def produce(self, letter: DeadLetter) -> bool:
        self._member.touch()
        if self._member.world.letters_mode == "full":
            return False
        self._member.world.tell("produced", self._member, letter)
        self.waiting.append(letter)
        return True

    def collect(self, timeout_seconds: float) -> Sequence[tuple[DeadLetter, bool]]:
        self._member.touch()
        mode = self._member.world.letters_mode
        if mode == "silent":
            return []
        ended, self.waiting = self.waiting, []
        if mode != "refuse":
            self.land(ended)
        return [(letter, mode != "refuse") for letter in ended]

    def land(self, letters: Collection[DeadLetter]) -> None:
        """The topic holds them."""
        for letter in letters:
            self._member.world.broker.store_letter(letter)


class SimulatedDecoder:
    """The real decoder; framed events wait until the registry answers."""

    def __init__(self, member: "Member") -> None:
        self._member = member

    def decode(self, value: bytes) -> Decoded | AwaitingSchema:
        if not value.startswith(FRAME):
            return _decoded(_DECODER.decode(value))
        if self._member.world.is_registry_down:
            return AwaitingSchema("7")
        return _decoded(_DECODER.decode(value.removeprefix(FRAME)))


def _decoded(found: Decoded | AwaitingSchema) -> Decoded | AwaitingSchema:
    return found


class SimulatedObserver:
    """`ports.Observer`: counts, and passes on what laws look at."""

    def __init__(self, member: "Member") -> None:
        self._member = member
        self.made = 0
        self.done: Counter[OperationFate] = Counter()

    def settled(self, lot: Lot, time: float) -> None:
        for ended in lot.records:
            reading = self._member.readings.get(ended.record.source)
            if reading is not None:
                reading.settled[ended.record.offset] = ended.fate
            self._member.world.tell("settled", self._member, ended.record, ended.fate, ended.reason)

    def operations_made(self, endpoint: Endpoint, count: int) -> None:
        self.made += count

    def coalesced(self, endpoint: Endpoint, count: int) -> None: ...

    def revived(self, count: int) -> None: ...

    def mark_ignored(self, reason: MarkIgnored) -> None: ...

    def operations_done(self, endpoint: Endpoint, fate: OperationFate, count: int) -> None:
        self.done[fate] += count

    def polled(self, records: int, null_keys: int) -> None: ...

    def delivered(self, delivery: Delivery) -> None: ...

    def retried(self, endpoint: Endpoint, reason: str, operations: int) -> None: ...

    def fenced(self, operations: int) -> None: ...

    def rebalanced(
        self, change: str, partitions: Collection[TopicPartition], released: int, *, is_committed: bool
    ) -> None: ...

    def committed(self, result: CommitResult, partitions: int) -> None: ...

    def paused(self, stage: str) -> None: ...

    def hold_entered(self, reason: HoldReason) -> None: ...

    def holding(self, reason: HoldReason, seconds: float) -> None: ...

    def hold_left(self, reason: HoldReason) -> None: ...

    def failed(self, error: Exception) -> None:
        self._member.world.broken("no bug of ours", f"the engine failed on a record: {error!r}")

    def gauges(self, gauges: Gauges) -> None: ...
