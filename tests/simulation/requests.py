"""The laws of requests: how large they are, and how much is in memory for them."""

from collections import defaultdict
from collections.abc import Sequence

from streamer.engine.trickle import TIMES
from streamer.outcomes import Host
from streamer.planhat.items import encode_operation
from streamer.records import Record
from streamer.transform.facts import VALUE_BYTES
from streamer.transform.operations import Operation, UpsertCompany, UpsertEnduser
from tests.simulation.facts import Facts
from tests.simulation.law import Law, objects_of
from tests.simulation.member import Member, Reading
from tests.simulation.planhat import Call
from tests.simulation.world import World


class Bulks(Law):
    """One operation per object in a bulk of the main API, one bulk per model and replica under way.

    And no more operations and bytes than allowed: bytes of what the operations are when encoded here.
    """

    name = "bulks"

    def submitted(self, member: Member, call: Call) -> None:
        batch, limits = call.batch, member.limits.bulk(call.batch.endpoint)
        mine = [
            other
            for other in self._world.planhat.under_way
            if other.slot == member.slot and other.batch.endpoint is batch.endpoint
        ]
        if len(mine) >= limits.flights:
            self._broken(f"{len(mine) + 1} requests to {batch.endpoint.value} under way")
        said = [member.whole(*each) for each in zip(batch.operations, batch.items, strict=True)]
        encoded = tuple([encode_operation(operation) for operation in said])
        size_bytes = sum(map(len, encoded))
        if batch.items != encoded or batch.size_bytes != size_bytes:
            self._broken(f"{batch.size_bytes} bytes sent of operations that come to {size_bytes}")
        # A comma after each, as the design counts them; of the brackets one is not.
        is_too_long = len(encoded) > 1 and size_bytes + len(encoded) > limits.size_bytes
        if len(encoded) > limits.operations or is_too_long:
            self._broken(f"a bulk of {len(encoded)} operations, {size_bytes} bytes")
        if batch.endpoint.host is Host.MAIN:
            keys = [key for operation in batch.operations for key in objects_of(operation)]
            if len(keys) != len(set(keys)):
                self._broken(f"two operations of one object in a bulk: {sorted(keys)}")


class Memory(Law):
    """In flight: high water, and what one poll may add to it.

    And what is read little by little above it: as much as a trickle may, no more at once and no more in all.

    Its bytes are those of the records as the source gave them, and of their operations as encoded here, of
    upserts of what they say as well: those that were sent in this reading, and those not finished with.
    """

    name = "memory"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._sent: defaultdict[tuple[int, int], dict[int, tuple[Operation, int]]] = defaultdict(dict)
        """By reading and event: its operations that were sent, by identity, with their bytes."""
        self._above: defaultdict[Member, list[Record]] = defaultdict(list)
        """By member: what it read while as much as high water, or more, was in flight."""

    def polled(self, member: Member, records: Sequence[Record]) -> None:
        limits, ledger, above = member.limits, member.streamer.ledger, self._above[member]
        if ledger.in_flight < limits.high_water_records and ledger.size_bytes < limits.high_water_bytes:
            above.clear()
            return
        room = int(limits.high_water_records * limits.trickle_ratio)
        most = max(1, min(limits.poll_records, room // TIMES))
        if len(records) > most:
            self._broken(f"{len(records)} records read at once above high water, where {most} are allowed")
        above += records
        if len(above) >= room + most:
            self._broken(f"{len(above)} records read above high water, where {room} are allowed")

    def submitted(self, member: Member, call: Call) -> None:
        for operations, sequences in zip(call.parts, call.sequences, strict=True):
            for operation, sequence in zip(operations, sequences, strict=True):
                mine = self._sent[call.readings[sequence], sequence]
                if id(operation) not in mine:
                    mine[id(operation)] = operation, _held_bytes(operation)

    def turned(self, member: Member) -> None:
        if member.is_dead:
            return
        limits, ledger = member.limits, member.streamer.ledger
        for source, reading in member.readings.items():
            book = ledger.book(source)
            size_bytes = self._size_bytes(member, reading)
            if book is not None and book.size_bytes != size_bytes:
                self._broken(f"{book} says {book.size_bytes} bytes in flight, {size_bytes} is right")
        above = self._above[member]
        if ledger.in_flight >= limits.high_water_records + limits.poll_records + len(above):
            self._broken(f"{ledger.in_flight} records in flight")
        if ledger.size_bytes >= limits.high_water_bytes + (limits.poll_records + len(above)) * 3_000:
            self._broken(f"{ledger.size_bytes} bytes in flight")

    def _size_bytes(self, member: Member, reading: Reading) -> int:
        book = member.streamer.ledger.book(reading.source)
        waiting = {} if book is None else {entry.record.offset: entry.parts for entry in book.entries()}
        found = 0
        for offset in reading.held_back:
            fed = self._world.fed_at(reading.source, offset)
            if offset in reading.settled or fed is None:
                continue
            sent = self._sent.get((reading.number, fed.sequence), {})
            open_ones = [member.whole(part.operation, part.encoded) for part in waiting.get(offset, ())]
            unsent = [operation for operation in open_ones if id(operation) not in sent]
            found += len(fed.key or b"") + len(fed.value or b"")
            found += sum(size for _, size in sent.values())
            found += sum(map(_held_bytes, unsent))
        return found


def _held_bytes(operation: Operation) -> int:
    """Encoded; upserts are kept as values as well, each of the same length again, and a head."""
    size_bytes = len(encode_operation(operation))
    if isinstance(operation, UpsertCompany | UpsertEnduser):
        return 2 * size_bytes + VALUE_BYTES * len([*operation.fields, *operation.custom])
    return size_bytes
