"""One process of the group: the real `Streamer` behind simulated ports."""

import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.engine.lanes import Place, Ticket
from streamer.engine.limits import BulkLimits, Limits
from streamer.engine.loop import Streamer
from streamer.engine.ports import (
    Batch,
    CommitResult,
)
from streamer.engine.settled import NOTHING, Settled
from streamer.errors import StreamerError
from streamer.outcomes import Endpoint, Fate
from streamer.planhat.items import encode_operation
from streamer.records import TopicPartition
from streamer.transform.operations import ForwardCall, LogActivity, Operation
from tests.simulation.ports import (
    SESSION_SECONDS,
    SimulatedDecoder,
    SimulatedLetters,
    SimulatedObserver,
    SimulatedSink,
    SimulatedSource,
)

if TYPE_CHECKING:
    from tests.simulation.world import World

LIMITS = Limits(
    poll_records=6,
    still_seconds=1.0,
    drain_seconds=14.0,
    commit_floor_seconds=1.0,
    commit_records=12,
    calls_per_minute=600.0,
    bulks={
        Endpoint.COMPANIES: BulkLimits(3, 2_000, 0.1, 1),
        Endpoint.ENDUSERS: BulkLimits(4, 2_000, 0.1, 1),
        Endpoint.ACTIVITIES: BulkLimits(5, 2_000, 0.1, 3),
        Endpoint.METRICS: BulkLimits(5, 2_000, 0.1, 3),
        Endpoint.SEGMENT: BulkLimits(1, 2_000, 0.0, 6),
    },
    probe_operations=4,
    gate_first_seconds=0.2,
    gate_longest_seconds=3.0,
    throttled_first_seconds=1.0,
    throttled_longest_seconds=4.0,
    sample_operations=3,
    isolation_calls=8,
    alone_refusals=3,
    alone_seconds=6.0,
    alone_others=3,
    duplicated_tries=3,
    duplicated_seconds=4.0,
    second_look_seconds=0.3,
    second_looks=4,
    dead_letter_window=20,
    dead_letter_evidence=12,
    dead_letter_ratio=0.6,
    dead_letter_allowance=4,
    hold_probe_seconds=5.0,
    extra_calls_ratio=0.5,
    membership_seconds=SESSION_SECONDS,
    duplicates_window=50,
    duplicates_seconds=60.0,
    unchanged_seconds=20.0,
    revived_endusers=20,
    trickle_ratio=0.5,
)
"""Small, so that short scripts meet every limit. The proportions are the defaults'."""


class Crashed(BaseException):
    """The process is dead: no port answers any more. No `Exception`: nobody may catch it."""


@dataclass(eq=False)
class Reading:
    """One partition during one assignment, as the simulator sees it."""

    number: int
    slot: int
    source: TopicPartition
    position: int
    start: int
    polled: list[int] = field(default_factory=list)
    """Offsets handed to the engine, in order."""
    settled: dict[int, Fate] = field(default_factory=dict)
    front: int = 0
    """Place in `polled` of the first record that holds back commits."""
    last_commit: CommitResult | None = None
    """What the last commit that was waited for came to."""
    asked_at: float | None = None
    """When the first of these was asked for."""
    told: Settled = NOTHING
    """What the last commit before it said of what lies ahead."""

    @property
    def prefix(self) -> int | None:
        """The offset that may be committed: one past the last of those settled without a gap."""
        polled, settled = self.polled, self.settled
        while (
            self.front < len(polled) and settled.get(polled[self.front], Fate.RELEASED) is not Fate.RELEASED
        ):
            self.front += 1
        return polled[self.front - 1] + 1 if self.front else None

    @property
    def held_back(self) -> list[int]:
        """Offsets from the first that holds back commits on, settled or not."""
        return self.polled[self.front :] if self.prefix is not None else self.polled

    @property
    def committable(self) -> set[int]:
        """The same; before anything is settled, where it begins: by the commit, or by the first record."""
        begin = {self.start, *self.polled[:1]}
        return begin if self.prefix is None else {self.prefix}


class Member:
    """A process, from its start to its end or its crash. `slot` is its place in the script."""

    def __init__(self, world: "World", slot: int, dice: random.Random) -> None:
        self.world = world
        self.slot = slot
        self.is_dead = False
        self.is_busy = False
        self.is_frozen = False
        self.fuse = 0
        """Port calls until the process dies; 0: it does not."""
        self.readings: dict[TopicPartition, Reading] = {}
        self.paused: set[TopicPartition] = set()
        self.source = SimulatedSource(self)
        self.sink = SimulatedSink(self)
        self.letters = SimulatedLetters(self)
        self.told = SimulatedObserver(self)
        self._heard: dict[bytes, Operation] = {}
        """What was encoded, by what came of it."""
        self.limits = world.limits
        self.streamer = Streamer(
            limits=self.limits,
            rules=world.terms.rules,
            source=self.source,
            decoder=SimulatedDecoder(self),
            encode=self._encode,
            sink=self.sink,
            dead_letters=self.letters,
            observer=self.told,
            clock=world.clock,
            dice=dice.random,
            topic_partitions=lambda: len(world.broker.sources),
        )
        self.source.subscribe(self.streamer)

    def _encode(self, operation: Operation) -> bytes:
        encoded = encode_operation(operation)
        self._heard.setdefault(encoded, operation)
        return encoded

    def whole(self, kept: Operation, encoded: bytes) -> Operation:
        """What the engine was asked for, of which it may keep an outline, of the same objects."""
        if not isinstance(kept, LogActivity | ForwardCall):
            return kept
        heard = self._heard.get(encoded)
        if heard is None or type(heard) is not type(kept) or heard.keys != kept.keys:
            self.world.broken("bulks", f"{kept!r} stands for what nobody asked for")
        return heard

    def touch(self) -> None:
        """The engine calls a port: here a process may die."""
        if self.is_dead:
            raise Crashed
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                self.is_dead = True
                raise Crashed

    def end(self) -> None:
        """SIGTERM, and the same way out that an error takes: drain, commit, leave."""
        self.streamer.stop()
        with suppress(StreamerError):  # told to the operator, who starts it again
            self.streamer.run()
        self.is_dead = True

    def tickets(self) -> list[Ticket]:
        """Every operation that is not finished with, fenced ones under way too."""
        streamer = self.streamer
        parts = (part for book in streamer.ledger for entry in book.entries() for part in entry.parts)
        found = {part.ticket: None for part in parts}
        return [
            *(
                found
                | {ticket: None for each in streamer.dispatch.flights.values() for ticket in each.tickets}
            )
        ]

    def tickets_of(self, batch: Batch) -> list[Ticket]:
        """The tickets that a batch was just made of, in its order."""
        sent = [t for t in self.tickets() if t.flight == batch.number and t.place is Place.SENT]
        if not batch.endpoint.is_upsert:
            by_operation = {id(ticket.operation): ticket for ticket in sent}
            found = [by_operation[id(each)] for each in batch.operations if id(each) in by_operation]
        else:  # merged, an operation is made for its request; no two of one are about the same object
            by_key = {key: ticket for ticket in sent for key in ticket.keys}
            found = [by_key[each.keys[0]] for each in batch.operations if each.keys[0] in by_key]
        if len(found) < len(batch.operations):
            self.world.broken("conservation", "a request holds operations that are in nobody's books")
        return found
