"""The whole engine under chance: any order of answers, refusals, outages, revokes and redelivery.

A small Planhat in memory checks what reaches it; invariants are checked after every turn. Each seed is
one story; a failing one is named by its number.
"""

import random
from collections import defaultdict
from typing import Any

import pytest

from streamer.engine.limits import BulkLimits, Limits
from streamer.engine.ports import Batch, CommitResult
from streamer.engine.settled import Settled, decode
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Fate,
    RefusedWhole,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.records import Record, TopicPartition
from streamer.transform.operations import Operation
from tests.engine.fakes import Bench, as_sent, group, identify, partition, track

BULKS = {
    Endpoint.COMPANIES: BulkLimits(3, 4_096, 0.1, 1),
    Endpoint.ENDUSERS: BulkLimits(4, 4_096, 0.1, 1),
    Endpoint.ACTIVITIES: BulkLimits(5, 4_096, 0.1, 3),
}
LIMITS = Limits(
    high_water_records=60, poll_records=10, bulks=BULKS, calls_per_minute=600, alone_seconds=30,
    alone_others=5, dead_letter_ratio=0.9, stuck_ratio=0.3, membership_seconds=6.0,
    duplicates_window=40, duplicates_seconds=60.0,
)  # fmt: skip
PARTITIONS = 3


def numbers_of(operation: Operation) -> list[int]:
    """The numbers that events carried into their operation: several where upserts were told as one."""
    content: Any = operation.info if operation.endpoint is Endpoint.ACTIVITIES else operation.custom  # type: ignore[union-attr]
    return sorted(int(name.removeprefix("event ")) for name in content if name.startswith("event "))


class Planhat:
    """Applies what it accepts, and remembers per object in which order."""

    def __init__(self, dice: random.Random, poison: set[int]) -> None:
        self._dice = dice
        self._poison = poison
        self.trouble = dict.fromkeys(Endpoint, 0.0)
        self.largest = 10_000
        """Operations in a request above which it answers 413."""
        self._once: dict[int, Verdict] = {}
        self.together = 0
        """Operations that came with others as one."""
        self.applied: dict[tuple[Endpoint, str], list[int]] = defaultdict(list)
        self.arrived: dict[int, int] = {}
        self._clock = 0
        self.under_way: dict[Endpoint, list[set[str]]] = defaultdict(list)

    def take(self, batch: Batch) -> None:
        """A request leaves us: the rules about what may be in flight together hold now."""
        keys = [key for operation in batch.operations for key in operation.keys]
        if batch.endpoint is not Endpoint.ACTIVITIES:
            assert len(keys) == len(set(keys)), "two operations of one object in one bulk"
            assert not self.under_way[batch.endpoint], "two bulks of one main model in flight"
        for others in self.under_way[batch.endpoint]:
            assert not others & set(keys), "two requests in flight about one object"
        self.under_way[batch.endpoint].append(set(keys))

    def answer(self, batch: Batch) -> Answer:
        """Answer one request, in any of the ways Planhat has."""
        self.under_way[batch.endpoint].remove({key for op in batch.operations for key in op.keys})
        if len(batch.operations) > self.largest:
            return Transient(TransientReason.TOO_LARGE)
        if self._dice.random() < self.trouble[batch.endpoint]:
            return self._fail(batch)
        bad = [bool(self._poison & set(numbers_of(operation))) for operation in as_sent(batch)]
        if batch.endpoint is Endpoint.ACTIVITIES:
            if any(bad):
                return RefusedWhole(400)
            self._apply(as_sent(batch))
            return Answered((Verdict.ACCEPTED,) * len(bad))
        if any(bad) and self._dice.random() < 0.3:
            return RefusedWhole(400)
        verdicts = [
            Verdict.REFUSED if is_bad else self._verdict(numbers_of(operation)[-1])
            for operation, is_bad in zip(batch.operations, bad, strict=True)
        ]
        saved = {Verdict.ACCEPTED, Verdict.UNCLEAR}  # unclear ones were saved: the reply did not say so
        self._apply([op for op, verdict in zip(as_sent(batch), verdicts, strict=True) if verdict in saved])
        return Answered(tuple(verdicts))

    def _verdict(self, number: int) -> Verdict:
        """Sometimes, once for each operation, an answer that asks for another try."""
        if number in self._once or self._dice.random() > 0.1:
            return Verdict.ACCEPTED
        self._once[number] = self._dice.choice(
            [Verdict.DUPLICATED, Verdict.NAME_MISSING, Verdict.MISSING, Verdict.UNCLEAR]
        )
        return self._once[number]

    def _fail(self, batch: Batch) -> Answer:
        if self._dice.random() < 0.3:  # applied, and the reply lost
            self._apply(as_sent(batch))
        return self._dice.choice(
            [
                Transient(TransientReason.SERVER_ERROR),
                Transient(TransientReason.TIMEOUT),
                Transient(TransientReason.CONNECTION),
                Transient(TransientReason.THROTTLED, 1.0),
                Transient(TransientReason.UNREADABLE),
            ]
        )

    def _apply(self, operations: Any) -> None:
        for operation in operations:
            numbers = numbers_of(operation)
            if self._poison & set(numbers):
                continue
            self.together += len(numbers) > 1
            for number in numbers:
                self._clock += 1
                self.arrived.setdefault(number, self._clock)
                self.applied[operation.endpoint, operation.keys[0]].append(number)


class Story:
    """One seed: the events, the engine, Planhat, and what fate does to them."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.made: dict[int, tuple[int, dict[str, Any]]] = {}
        poison = {number for number in range(200) if self.dice.random() < 0.02}
        self.poison = poison
        self.planhat = Planhat(self.dice, poison)
        self.bench = Bench(limits=LIMITS, answer=None, partitions=0, dice=self.dice.random)
        self.logs: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.begun: dict[TopicPartition, Settled] = {}
        """What was settled ahead when the epoch of each partition began."""
        self.seen = 0
        self.delivered = 0
        """By processes that have ended."""
        self.letters: set[tuple[int, int]] = set()
        self.malformed: set[tuple[int, int]] = set()
        self.copies: list[tuple[int, tuple[int, int]]] = []
        """Events that lie on the topic once more, by number, and where."""
        self.alone_down = self.dice.choice(list(Endpoint))

    def produce(self) -> None:
        """One event; a user's always go to the same partition, as a keyed topic does."""
        number = len(self.made)
        user = self.dice.randrange(6)
        said: dict[str, Any] = {f"event {number}": True}
        value = self.dice.choice(
            [
                identify(f"u-{user}", company=f"c-{user % 3}", **said),
                track(f"u-{user}", company=f"c-{user % 3}", **said),
                track(f"u-{user}", company=f"c-{user % 3}", **said),
                group(f"c-{user % 3}", **said),
            ]
        )
        value["messageId"] = f"m-{number}"
        where = user % PARTITIONS
        record = self.bench.source.feed(value, number=where, key=f"u-{user}".encode())
        if self.dice.random() < 0.1:  # a gap, as compaction or a transaction leaves it
            self.bench.source._next[partition(where)] += self.dice.randrange(1, 4)
        self.made[number] = (record.offset, value)
        self.logs[partition(where)].append(record)
        if self.dice.random() < 0.1:
            self._copy(self.dice.choice([number, self.dice.randrange(number + 1)]))
        if self.dice.random() < 0.03:
            broken = self.bench.source.feed(b"{broken", number=where)
            self.logs[partition(where)].append(broken)
            self.malformed.add((where, broken.offset))

    def _copy(self, number: int) -> None:
        """The same event once more, in its partition: soon, while the first is in flight, or much later."""
        value = self.made[number][1]
        (where,) = partition_of(value)
        record = self.bench.source.feed(value, number=where)
        self.logs[partition(where)].append(record)
        self.copies.append((number, (where, record.offset)))

    def turn(self) -> None:
        """A turn of the engine, and then perhaps an answer or two."""
        self.bench.turn(1, seconds=self.dice.choice([0.0, 0.05, 0.3, 2.0]))
        sent = self.bench.sink.sent
        for batch in sent[self.seen :]:
            self.planhat.take(batch)
            self._check_not_settled_before(batch)
        self.seen = len(sent)
        self._answer_some()
        self.check()

    def _check_not_settled_before(self, batch: Batch) -> None:
        """What the last commit before this epoch called settled is not sent again."""
        copied = {number for number, _ in self.copies}
        for number in (each for operation in as_sent(batch) for each in numbers_of(operation)):
            offset, event = self.made[number]
            (where,) = partition_of(event)
            if number not in copied:  # a copy has a place of its own
                assert not self.begun[partition(where)].has(offset), f"{number} was settled before"

    def _answer_some(self) -> None:
        under_way = self.bench.sink.under_way
        for batch in list(under_way):
            if self.dice.random() < 0.6:
                self.bench.sink.reply(batch, self.planhat.answer(batch))

    def fate(self) -> None:
        """A crash, a restart, a rebalance, a lost assignment, a commit refused, a letter refused."""
        source = self.bench.source
        what = self.dice.random()
        mine = sorted(p.partition for p in source.assigned)
        if what < 0.003:
            self._crash()
        elif what < 0.006:
            self._restart()
        elif what < 0.02 and mine:
            self._take_away(self.dice.choice(mine), is_lost=self.dice.random() < 0.4)
        elif what < 0.08:
            self._give_back()
        elif what < 0.10:
            source.commit_script.append(
                self.dice.choice([CommitResult.RETRY, CommitResult.FENCED, CommitResult.DENIED])
            )
        elif what < 0.12:
            self.bench.dead_letters.acknowledges = not self.bench.dead_letters.acknowledges
        elif what < 0.13:
            self.bench.dead_letters.refuse()

    def _crash(self) -> None:
        """SIGKILL, and a new process: what was settled by the last commit is not sent again."""
        for batch in self.bench.sink.under_way:
            if self.dice.random() < 0.5:  # it arrives, and nobody hears of it
                self.planhat.answer(batch)
        self._start_anew()

    def _restart(self) -> None:
        """SIGTERM, and a new process: the drain, the last commit, and everything read again from there."""
        self.bench.sink.answer = self._answer_while_draining
        self.bench.streamer.stop()
        self.bench.streamer.run()
        assert self.bench.source.is_closed
        self._start_anew()

    def _start_anew(self) -> None:
        old = self.bench
        self.bench = Bench(limits=LIMITS, answer=None, partitions=0, dice=self.dice.random)
        self.bench.clock.now = old.clock.now
        self.bench.source.marks = old.source.marks
        self.bench.source._next = old.source._next
        self.bench.dead_letters.produced = old.dead_letters.produced
        self.delivered += old.told.fates[Fate.DELIVERED]
        # What was under way when the drain ended still reaches Planhat, or not; nobody hears of it.
        self.planhat.under_way.clear()
        self.seen = 0
        self._give_back()

    def _answer_while_draining(self, batch: Batch) -> Answer:
        if batch in self.bench.sink.sent[self.seen :]:
            self.seen = len(self.bench.sink.sent)
            self.planhat.take(batch)
        return self.planhat.answer(batch)

    def _take_away(self, number: int, *, is_lost: bool) -> None:
        source = self.bench.source
        for batch in list(self.bench.sink.under_way):
            if self.dice.random() < 0.5:
                self.bench.sink.reply(batch, self.planhat.answer(batch))
        (source.lose if is_lost else source.revoke)(number)
        self.check()

    def _give_back(self) -> None:
        """Read again from what is committed."""
        source = self.bench.source
        for number in range(PARTITIONS):
            here = partition(number)
            if here in source.assigned:
                continue
            start = source.committed.get(here, 0)
            source.logs[here].clear()
            source.logs[here].extend(record for record in self.logs[here] if record.offset >= start)
            found = source._found(here)
            assert found is not None
            told = decode(found, f"{source.topic_id}:{number}")
            assert isinstance(told, Settled), "a commit of ours was not believed"
            self.begun[here] = told
            source.assign(number)

    def check(self) -> None:
        """What holds after every turn."""
        streamer = self.bench.streamer
        streamer.check()
        assert streamer.ledger.in_flight <= LIMITS.high_water_records + LIMITS.poll_records
        assert len(self.bench.sink.under_way) <= 5
        for book in streamer.ledger:
            # Nothing committed or committable at or past a record in flight.
            oldest = book.oldest
            if oldest is not None:
                assert (book.committable or 0) <= oldest.record.offset
                committed = self.bench.source.committed.get(book.source, 0)
                assert committed <= oldest.record.offset

    def run(self) -> None:
        """Produce under trouble, then let everything settle."""
        self._give_back()
        for step in range(220):
            for endpoint in Endpoint:
                self.planhat.trouble[endpoint] = 0.5 if 60 <= step % 100 < 90 else 0.05
            if 120 <= step < 150:  # one endpoint is down alone
                self.planhat.trouble[self.alone_down] = 1.0
            self.planhat.largest = 2 if 40 <= step < 55 else 10_000
            if len(self.made) < 150:
                for _ in range(self.dice.randrange(3)):
                    self.produce()
            self.fate()
            self.turn()
        self.planhat.trouble = dict.fromkeys(Endpoint, 0.0)
        self.bench.dead_letters.acknowledges = True
        self.bench.source.commit_script.clear()
        for step in range(3_000):
            self._give_back()
            if self._is_settled():
                break
            self.turn()
            if step % 20 == 0:  # others must succeed for a refusal alone to be proven
                self.produce()
        assert self._is_settled(), f"not settled: {self.bench.streamer.ledger.in_flight} in flight"

    def _is_settled(self) -> bool:
        ends = {here: log[-1].offset + 1 for here, log in self.logs.items() if log}
        return all(self.bench.source.committed.get(here, 0) == end for here, end in ends.items())


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_lost_and_order_is_kept_whatever_happens(seed: int) -> None:
    """Every event reaches Planhat or the dead letters, first deliveries in order, parents before children."""
    story = Story(seed)
    story.run()
    planhat = story.planhat
    letters = {(x.record.partition, x.record.offset) for x in story.bench.dead_letters.produced}
    for number, (offset, event) in story.made.items():
        where = (next(iter(partition_of(event))), offset)
        if number in story.poison:
            assert where in letters, f"poison {number} is no dead letter"
            assert number not in planhat.arrived
        else:
            assert number in planhat.arrived, f"event {number} was lost"
            assert where not in letters, f"event {number} was dead-lettered"
    for number, place in story.copies:
        assert (place in letters) == (number in story.poison), f"a copy of event {number}"
    assert story.malformed <= letters
    check_order(story)
    delivered = story.delivered + story.bench.told.fates[Fate.DELIVERED]
    assert delivered >= len(story.made) - len(story.poison)


def partition_of(event: dict[str, Any]) -> list[int]:
    """Where the story put this event (by its user, or for a group by its company's only partition)."""
    if event["type"] == "group":
        return [int(event["groupId"].removeprefix("c-")) % PARTITIONS]
    return [int(event["userId"].removeprefix("u-")) % PARTITIONS]


def check_order(story: Story) -> None:
    """First arrivals of one object's operations of one kind are in order, and after their parents."""
    arrived = story.planhat.arrived
    last: dict[tuple[str, str], int] = {}
    for number, (_, event) in sorted(story.made.items()):
        if number not in arrived:
            continue
        kind = event["type"]
        who = event["groupId"] if kind == "group" else event["userId"]
        before = last.get((kind, who))
        if before is not None:
            assert arrived[before] < arrived[number], f"{kind} {number} overtook {before}"
        last[kind, who] = number
        if kind != "group":
            parents = [last.get(("group", event["context"]["groupId"]))]
            if kind == "track":
                parents.append(last.get(("identify", who)))
            for parent in parents:
                if parent is not None:
                    assert arrived[parent] < arrived[number], f"{kind} {number} before its parent {parent}"
