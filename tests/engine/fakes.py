"""Doubles of the engine's ports that keep the promises of the ports."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from streamer.engine.interpret import Tell
from streamer.engine.limits import Limits
from streamer.engine.loop import Streamer
from streamer.engine.ports import (
    Assignment,
    AwaitingSchema,
    Batch,
    CommitResult,
    DeadLetter,
    Decoded,
    Delivery,
    Finished,
    Gauges,
    HoldReason,
    Lot,
    OperationFate,
)
from streamer.errors import InvalidEvent
from streamer.outcomes import Answer, Answered, CallType, Endpoint, Fate, InvalidReason, Verdict
from streamer.planhat.items import encode_operation
from streamer.records import Found, Mark, MarkIgnored, Record, TopicPartition
from streamer.transform import told_of
from streamer.transform.operations import ForwardCall, LogActivity, Operation
from streamer.transform.rules import Rules

TOPIC = "segment.events"


def partition(number: int = 0) -> TopicPartition:
    """A partition of the test topic."""
    return TopicPartition(TOPIC, number)


class ManualClock:
    """Time that moves when told."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.0 + self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeSource:
    """A topic in memory. Offsets may have gaps; commits answer as scripted, else they succeed."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.logs: dict[TopicPartition, deque[Record]] = defaultdict(deque)
        self.assignment: Assignment | None = None
        self.assigned: set[TopicPartition] = set()
        self.paused: set[TopicPartition] = set()
        self.marks: dict[TopicPartition, Mark] = {}
        """What the group committed last; outlives a member where it is handed to the next one."""
        self.topic_id = "Ttt8Jp8dRyKz0kqjTqYB7A"
        self.is_mute = False
        """Whether nothing is told of partitions as they are assigned."""
        self.commit_calls: list[dict[TopicPartition, Mark]] = []
        self.commit_script: deque[CommitResult] = deque()
        self._finished: list[tuple[Mapping[TopicPartition, Mark], CommitResult]] = []
        self.polls = 0
        self.is_closed = False
        self._next: dict[TopicPartition, int] = {}

    @property
    def committed(self) -> dict[TopicPartition, int]:
        """The group's next offsets."""
        return {source: mark.offset for source, mark in self.marks.items()}

    def feed(
        self,
        value: Any,
        *,
        number: int = 0,
        offset: int | None = None,
        key: bytes | None = b"k",
        time: float = 1_700_000_000.0,
    ) -> Record:
        """Append one event (a mapping becomes JSON, bytes stay) to a partition, written long ago."""
        source = partition(number)
        log = self.logs[source]
        if offset is None:
            offset = log[-1].offset + 1 if log else self._next.get(source, 0)
        raw = value if isinstance(value, bytes) or value is None else msgspec.json.encode(value)
        record = Record(source.topic, source.partition, offset, int(time * 1000), key, raw)
        log.append(record)
        self._next[source] = offset + 1
        return record

    def assign(self, *numbers: int) -> None:
        """Give partitions to the member."""
        new = [partition(number) for number in numbers]
        self.assigned |= set(new)
        assert self.assignment is not None
        self.assignment.assigned({each: self._found(each) for each in new})

    def _found(self, source: TopicPartition) -> Found | None:
        if self.is_mute:
            return None
        return Found(self.marks.get(source), self._next.get(source, 0), self.topic_id)

    def revoke(self, *numbers: int) -> None:
        """Take partitions away, as a rebalance does."""
        gone = [partition(number) for number in numbers]
        assert self.assignment is not None
        self.assignment.revoked(gone)
        self.assigned -= set(gone)
        self.paused -= set(gone)

    def lose(self, *numbers: int) -> None:
        """Partitions went elsewhere already."""
        gone = [partition(number) for number in numbers]
        assert self.assignment is not None
        self.assignment.lost(gone)
        self.assigned -= set(gone)
        self.paused -= set(gone)

    def subscribe(self, assignment: Assignment) -> None:
        self.assignment = assignment

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        self.polls += 1
        records: list[Record] = []
        for source in sorted(self.assigned - self.paused):
            log = self.logs[source]
            while log and len(records) < max_records:
                records.append(log.popleft())
        if not records:
            self._clock.advance(timeout_seconds)
        return records

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self.paused -= set(partitions)

    def start_commit(self, marks: Mapping[TopicPartition, Mark]) -> None:
        self._finished.append((marks, self._commit(marks)))

    def finished_commits(self) -> Sequence[tuple[Mapping[TopicPartition, Mark], CommitResult]]:
        finished, self._finished = self._finished, []
        return finished

    def commit_now(self, marks: Mapping[TopicPartition, Mark]) -> CommitResult:
        return self._commit(marks)

    def _commit(self, marks: Mapping[TopicPartition, Mark]) -> CommitResult:
        self.commit_calls.append(dict(marks))
        result = self.commit_script.popleft() if self.commit_script else CommitResult.COMMITTED
        if result is CommitResult.COMMITTED:
            for source, mark in marks.items():
                assert source in self.assigned, "committed for a partition that is not ours"
                assert mark.offset >= self.committed.get(source, 0), "committed backwards"
                assert len(mark.metadata) <= 4_000, "Kafka takes no more"
                self.marks[source] = mark
        return result

    def close(self) -> None:
        self.is_closed = True
        if self.assignment is not None:
            self.assignment.revoked(sorted(self.assigned))
        self.assigned.clear()


def accept(batch: Batch) -> Answer:
    """Planhat takes everything."""
    return Answered((Verdict.ACCEPTED,) * len(batch.operations))


def as_sent(batch: Batch) -> list[Any]:
    """Its operations as they are sent: of what is only ever sent as encoded, the engine keeps an outline."""
    return [_sent(each, item) for each, item in zip(batch.operations, batch.items, strict=True)]


def _sent(operation: Operation, item: bytes) -> Operation:
    if isinstance(operation, LogActivity):
        said = msgspec.json.decode(item)
        date, weight = said.get("date"), said["weight"]
        return operation.but(action=said["action"], date=date, weight=weight, info=said["info"])
    if isinstance(operation, ForwardCall):
        return operation.but(call=msgspec.json.decode(item))
    return operation


class FakeSink:
    """Takes batches and answers when asked to, by a function of the batch; without one, by hand."""

    def __init__(self, clock: ManualClock, answer: Callable[[Batch], Answer] | None = accept) -> None:
        self._clock = clock
        self.answer = answer
        self.sent: list[Batch] = []
        self.under_way: list[Batch] = []
        self.refreshed = 0
        self.is_full = False
        self.wait_step = 0.5
        self._back: list[Delivery] = []

    def submit(self, batch: Batch) -> bool:
        if self.is_full:
            return False
        self.sent.append(batch)
        self.under_way.append(batch)
        return True

    def reply(self, batch: Batch, answer: Answer, status: int | None = 200) -> None:
        """Answer one batch by hand."""
        self.under_way.remove(batch)
        self._back.append(Delivery(batch, answer, 0.01, status))

    def collect(self, timeout_seconds: float) -> Sequence[Delivery]:
        if self.answer is not None:
            for batch in list(self.under_way):
                self.reply(batch, self.answer(batch))
        if not self._back and timeout_seconds:
            self._clock.advance(self.wait_step)
        back, self._back = self._back, []
        return back

    def refresh_credentials(self) -> None:
        self.refreshed += 1

    def operations(self, endpoint: Endpoint) -> list[Any]:
        """Everything sent to one endpoint, in order."""
        return [each for batch in self.sent if batch.endpoint is endpoint for each in as_sent(batch)]


class FakeDeadLetters:
    """A dead-letter topic that acknowledges at once, later or never."""

    def __init__(self) -> None:
        self.produced: list[DeadLetter] = []
        self.waiting: list[DeadLetter] = []
        self.acknowledges = True
        self.is_full = False
        self._refused: list[DeadLetter] = []

    def produce(self, letter: DeadLetter) -> bool:
        if self.is_full:
            return False
        self.produced.append(letter)
        self.waiting.append(letter)
        return True

    def refuse(self) -> None:
        """The broker could not take what waits."""
        self._refused += self.waiting
        self.waiting = []

    def collect(self, timeout_seconds: float) -> Sequence[tuple[DeadLetter, bool]]:
        results = [(letter, False) for letter in self._refused]
        self._refused = []
        if self.acknowledges:
            results += [(letter, True) for letter in self.waiting]
            self.waiting = []
        return results


class JsonDecoder:
    """JSON alone; `awaited` schemas make a value wait."""

    def __init__(self) -> None:
        self.is_awaiting = False

    def decode(self, value: bytes) -> Decoded | AwaitingSchema:
        if value.startswith(b"avro") and self.is_awaiting:
            return AwaitingSchema("7")
        if value.startswith(b"avro"):
            value = value[4:]
        try:
            return Decoded(msgspec.json.decode(value), "7")
        except msgspec.DecodeError:
            raise InvalidEvent(InvalidReason.BAD_JSON) from None


@dataclass
class Ended:
    """`ports.Finished`."""

    record: Record
    call: CallType
    fate: Fate
    reason: str = ""
    was_sent: bool = True


def lot_of(*ended: Finished) -> Lot:
    """These records as they are told."""
    kinds = Counter((each.call, each.fate, each.reason) for each in ended)
    written = [each.record.timestamp_ms for each in ended if each.fate is not Fate.RELEASED]
    return Lot(ended, kinds, [at for at in written if at >= 0])


class Told:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.fates: Counter[Fate] = Counter()
        self.reasons: Counter[str] = Counter()
        self.outcomes: dict[tuple[int, int], tuple[Fate, str]] = {}
        """The last of each record, by partition and offset."""
        self.calls: Counter[CallType] = Counter()
        self.made: Counter[Endpoint] = Counter()
        self.done: Counter[OperationFate] = Counter()
        self.came_back = 0
        self.rode_along: Counter[Endpoint] = Counter()
        self.retries: Counter[str] = Counter()
        self.answers_fenced = 0
        self.rebalances: list[tuple[str, int, int]] = []
        self.last_commits: list[bool] = []
        """For each change, whether Kafka had acknowledged everything settled."""
        self.commits: Counter[CommitResult] = Counter()
        self.ignored: Counter[MarkIgnored] = Counter()
        self.stages: list[str] = []
        self.holds: list[str] = []
        self.errors: list[Exception] = []
        self.last_gauges: Gauges | None = None

    def polled(self, records: int, null_keys: int) -> None:
        self.reasons["null_key"] += null_keys
        self.reasons["polled"] += records

    def settled(self, lot: Lot, time: float) -> None:
        counted = lot_of(*lot.records)
        assert (lot.kinds, sorted(lot.written_at_ms)) == (counted.kinds, sorted(counted.written_at_ms))
        for ended in lot.records:
            self.calls[ended.call] += 1
            self.fates[ended.fate] += 1
            self.outcomes[ended.record.partition, ended.record.offset] = (ended.fate, ended.reason)
            if ended.reason:
                self.reasons[ended.reason] += 1

    def operations_made(self, endpoint: Endpoint, count: int) -> None:
        self.made[endpoint] += count

    def operations_done(self, endpoint: Endpoint, fate: OperationFate, count: int) -> None:
        self.done[fate] += count

    def coalesced(self, endpoint: Endpoint, count: int) -> None:
        self.rode_along[endpoint] += count

    def revived(self, count: int) -> None:
        self.came_back += count

    def delivered(self, delivery: Delivery) -> None:
        pass

    def retried(self, endpoint: Endpoint, reason: str, operations: int) -> None:
        self.retries[str(reason)] += operations

    def fenced(self, operations: int) -> None:
        self.answers_fenced += operations

    def rebalanced(
        self, change: str, partitions: Collection[TopicPartition], released: int, *, is_committed: bool
    ) -> None:
        self.rebalances.append((change, len(partitions), released))
        self.last_commits.append(is_committed)

    def committed(self, result: CommitResult, partitions: int) -> None:
        self.commits[result] += 1

    def mark_ignored(self, reason: MarkIgnored) -> None:
        self.ignored[reason] += 1

    def paused(self, stage: str) -> None:
        self.stages.append(stage)

    def hold_entered(self, reason: HoldReason) -> None:
        self.holds.append(f"entered {reason}")

    def holding(self, reason: HoldReason, seconds: float) -> None:
        self.holds.append(f"holding {reason}")

    def hold_left(self, reason: HoldReason) -> None:
        self.holds.append(f"left {reason}")

    def failed(self, error: Exception) -> None:
        self.errors.append(error)

    def gauges(self, gauges: Gauges) -> None:
        self.last_gauges = gauges


class Bench:
    """An engine with doubles at all its ports, and verbs to drive it."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        answer: Callable[[Batch], Answer] | None = accept,
        partitions: int = 1,
        dice: Callable[[], float] = lambda: 0.5,
        rules: Rules | None = None,
        topic_partitions: int = 1,
        tell: Tell = told_of,
    ) -> None:
        self.topic_partitions = topic_partitions
        self.clock = ManualClock()
        self.source = FakeSource(self.clock)
        self.sink = FakeSink(self.clock, answer)
        self.dead_letters = FakeDeadLetters()
        self.decoder = JsonDecoder()
        self.told = Told()
        self.streamer = Streamer(
            limits=limits or Limits(),
            rules=rules or Rules(),
            source=self.source,
            decoder=self.decoder,
            encode=encode_operation,
            sink=self.sink,
            dead_letters=self.dead_letters,
            observer=self.told,
            clock=self.clock,
            dice=dice,
            topic_partitions=lambda: self.topic_partitions,
            tell=tell,
        )
        self.source.subscribe(self.streamer)
        if partitions:
            self.source.assign(*range(partitions))

    def turn(self, times: int = 1, seconds: float = 0.5) -> None:
        """Turns, with time between them."""
        for _ in range(times):
            self.streamer.run_once()
            self.clock.advance(seconds)

    def committed(self) -> int | None:
        """What is committed for partition 0."""
        return self.source.committed.get(partition())


def identify(user: str = "u-1", company: str | None = "acme", **traits: Any) -> dict[str, Any]:
    """An identify call."""
    context = {} if company is None else {"groupId": company}
    return {"type": "identify", "messageId": "m", "userId": user, "context": context, "traits": traits}


def track(
    user: str = "u-1", event: str = "Signed In", company: str | None = "acme", **properties: Any
) -> dict[str, Any]:
    """A track call."""
    context = {} if company is None else {"groupId": company}
    call = {"type": "track", "messageId": "m", "userId": user, "event": event}
    return {**call, "context": context, "properties": properties}


def group(company: str = "acme", user: str | None = None, **traits: Any) -> dict[str, Any]:
    """A group call."""
    who = {"anonymousId": "a-1"} if user is None else {"userId": user}
    return {"type": "group", "messageId": "m", "groupId": company, "traits": traits, **who}


def with_one_uncommitted() -> Bench:
    """An engine with offset 1 committed and offset 2 settled since, its commit not due yet."""
    bench = Bench(limits=Limits(commit_interval_seconds=1_000.0))
    bench.source.feed(None)
    bench.turn(2)
    bench.source.feed(identify())
    bench.turn(3)
    assert bench.committed() == 1
    return bench
