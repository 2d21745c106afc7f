"""The doors of the engine: what it needs from the outside, and never builds itself.

Edges satisfy these by shape; they may import this module, and no other of the engine. `app` passes
them in, where mypy proves the fit. All of them are called by the owner thread alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, final

from streamer.engine.decoded import Decoded as Decoded  # noqa: PLC0414 - whoever decodes finds it here
from streamer.outcomes import Answer, CallType, Endpoint, Fate, InvalidReason
from streamer.records import Found, Mark, MarkIgnored, Record, TopicPartition
from streamer.transform.operations import Operation


class Clock(Protocol):
    """Time, handed in."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def time(self) -> float:
        """Seconds since 1970."""


# --- records in, commits out ---------------------------------------------------------------------


class CommitResult(StrEnum):
    """What became of a commit."""

    COMMITTED = "committed"
    RETRY = "retry"
    """Refused for now (rebalance in progress, coordinator moving, time-out): the newest is tried again."""
    FENCED = "fenced"
    """The group has moved on without us; these offsets are no longer ours to commit."""
    DENIED = "denied"
    """The cluster does not allow us to commit: they stay ours, and only a person can mend it."""
    TOO_LARGE = "too_large"
    """The cluster takes less metadata than we sent: the newest is tried again with less of it."""


class Assignment(Protocol):
    """Told of changes in what this member reads, from inside `Source.poll` or `Source.close`."""

    def assigned(self, partitions: Mapping[TopicPartition, Found | None]) -> None:
        """These partitions are now read by this member (only the new ones).

        With what is known of each; None where nobody told in time.
        """

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """These are about to go elsewhere: finish, commit and forget them before returning."""

    def lost(self, partitions: Collection[TopicPartition]) -> None:
        """These went elsewhere already: forget them, commit nothing."""


class Source(Protocol):
    """Records, and the commits of them."""

    def subscribe(self, assignment: Assignment) -> None:
        """Join the group; changes are told to `assignment`."""

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """Serve callbacks and return at most `max_records`, waiting at most `timeout_seconds`.

        Raises SourceError when the broker says that this can never work.
        """

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Return no records of these until resumed. Partitions not assigned are ignored."""

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Return records of these again."""

    def start_commit(self, marks: Mapping[TopicPartition, Mark]) -> None:
        """Begin committing; the result comes from `finished_commits`."""

    def finished_commits(self) -> Sequence[tuple[Mapping[TopicPartition, Mark], CommitResult]]:
        """Commits that ended since the last call (they end inside `poll`)."""

    def commit_now(self, marks: Mapping[TopicPartition, Mark]) -> CommitResult:
        """Commit and wait for the answer: for the revoke and shutdown path only."""

    def close(self) -> None:
        """Leave the group. May call `Assignment.revoked`."""


# --- bytes to mappings --------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class AwaitingSchema:
    """The registry is being asked for this schema: try again on a later turn."""

    schema_id: str


class Decoder(Protocol):
    """Bytes to a mapping. Raises InvalidEvent where the bytes can never be decoded."""

    def decode(self, value: bytes) -> Decoded | AwaitingSchema:
        """One record's value; never waits."""


# --- operations out -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Origin:
    """What a batch stands for: for whoever follows records through streamer."""

    records: tuple[Record, ...] = field(repr=False)
    """Each whose operations it tells, once. What was kept of earlier ones and is told below is not named."""
    kind: str
    """Why it is sent: `bulk`, `probe`, `look`, `alone` or `isolate`."""
    attempt: int
    """1, or as many times as the operation tried most often has been sent, this time included."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations sent in one request, with their encoded items in the same order."""

    number: int
    """Unique in this process; answers are matched by it."""
    endpoint: Endpoint
    operations: tuple[Operation, ...] = field(repr=False)
    items: tuple[bytes, ...] = field(repr=False)
    origin: Origin | None = None
    """Told only where `Limits.tells_origin`."""

    @property
    def size_bytes(self) -> int:
        """Bytes of the items; brackets and commas not counted."""
        return sum(map(len, self.items))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request and its answer."""

    batch: Batch
    answer: Answer
    seconds: float
    status: int | None = None
    """HTTP status, None where no reply came."""
    remaining_calls: int | None = None
    """What the reply's rate-limit header says is left, if it has one."""


class Sink(Protocol):
    """Sends batches on its own threads."""

    def submit(self, batch: Batch) -> bool:
        """Take a batch to send; False when every worker of its host is busy. Never waits."""

    def collect(self, timeout_seconds: float) -> Sequence[Delivery]:
        """Deliveries that ended; waits at most `timeout_seconds` for the first."""

    def refresh_credentials(self) -> None:
        """Read tokens from their files again, if they came from files."""


class Encoder(Protocol):
    """Turns an operation into the bytes of one item of its endpoint's bulk."""

    def __call__(self, operation: Operation) -> bytes:
        """JSON of one item."""


# --- dead letters -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can never be delivered, and why. Original bytes stay untouched."""

    record: Record
    reason: InvalidReason
    detail: str = ""
    schema_id: str | None = None
    http_status: int | None = None
    attempts: int = 0
    first_failure: float | None = None
    """Seconds since 1970."""


class DeadLetters(Protocol):
    """The dead-letter topic."""

    def produce(self, letter: DeadLetter) -> bool:
        """Hand it to the producer; False when its queue is full. Never waits."""

    def collect(self, timeout_seconds: float) -> Sequence[tuple[DeadLetter, bool]]:
        """Letters the broker answered for since: True acknowledged, False must be produced again."""


# --- what is going on ---------------------------------------------------------------------------


class OperationFate(StrEnum):
    """What became of an operation: made = delivered + refused + unsaved + released + waiting."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    UNSAVED = "unsaved"
    """Planhat found no company for it, or would not say whether it did."""
    RELEASED = "released"


class HoldReason(StrEnum):
    """Why nothing is sent until a person acts; the `reason` label of `streamer_hold`."""

    CREDENTIALS = "credentials"
    """Planhat does not accept the API token."""
    PERMISSION = "permission"
    """Planhat knows the token, and does not let it write."""
    NOT_FOUND = "not_found"
    """Where bulks go there is no such collection: not Planhat's address."""
    EVERYTHING_REFUSED = "everything_refused"
    """Planhat refuses every operation alike: the fault is in what they share."""
    DEAD_LETTERS = "dead_letters"
    """Too many records can never be delivered: the fault is not in the records."""


@dataclass(frozen=True, slots=True)
class Load:
    """This replica's calls to the main API, and what they carry."""

    share: float = 0.0
    """Calls a minute that go with the partitions read here; 0 without any."""
    calls_per_minute: float = 0.0
    """In force: the share, or less by a header or after a 429."""
    wait_seconds: float | None = None
    """Until the next call is allowed; None without a share."""
    operations_per_call: float = 0.0
    """In bulks of late."""
    operations_per_record: float = 0.0
    """Operations for the main API that records come to, of late."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """The engine's state at one moment, published about once a second; never mutated."""

    in_flight_records: int
    in_flight_bytes: int
    in_flight_by_partition: Mapping[TopicPartition, int]
    oldest_unsettled_seconds: Mapping[TopicPartition, float]
    """Since the record was polled; 0 where nothing is in flight."""
    oldest_unsettled_written_at: Mapping[TopicPartition, float]
    """The same record's timestamp, in seconds since 1970; not of those without one, or none in flight."""
    paused_partitions: int
    gates_closed_seconds: Mapping[Endpoint, float]
    """How long each gate stays closed from now; 0 is open."""
    waiting_operations: Mapping[Endpoint, int]
    """Operations made and not finished with."""
    hold: HoldReason | None
    tokens: float
    """Calls the main API's bucket would allow now."""
    letters_held: int
    """Candidates for the dead-letter topic that are not produced yet."""
    metadata_characters: int = 0
    """What the longest metadata of a partition came to, before a limit cut it."""
    load: Load = Load()


class Finished(Protocol):
    """A record that is finished with, as an observer may know it: nothing is changed through this."""

    record: Record
    """Where it stands; what it says must not be told on."""
    call: CallType
    fate: Fate
    reason: str
    """A SkipReason, an InvalidReason or empty."""
    was_sent: bool
    """An operation of it went out, so that Planhat may have it even where it was released."""


Kind = tuple[CallType, Fate, str]
"""The call, the fate and the reason of a record that is finished with."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Records that are finished with and told together; counted as they ended, and not by each observer."""

    records: Sequence[Finished]
    kinds: Mapping[Kind, int]
    """How many of each."""
    written_at_ms: Sequence[int]
    """The timestamps of those that were not released, in milliseconds since 1970, where they have one."""


class Observer(Protocol):
    """Told what the engine did, in batches where there are many. Must not wait and must not raise."""

    def polled(self, records: int, null_keys: int) -> None:
        """A poll returned records; this many had no key (so: no order across partitions)."""

    def settled(self, lot: Lot, time: float) -> None:
        """Records are finished with; told before they are committed. `time`: now, in seconds since 1970."""

    def operations_made(self, endpoint: Endpoint, count: int) -> None:
        """Operations came out of a call."""

    def operations_done(self, endpoint: Endpoint, fate: OperationFate, count: int) -> None:
        """Operations are finished with."""

    def coalesced(self, endpoint: Endpoint, count: int) -> None:
        """So many operations were delivered by another one of their object, which said theirs too."""
        ...

    def revived(self, count: int) -> None:
        """So many operations, skipped for want of a company, were told with a later one and accepted."""
        ...

    def delivered(self, delivery: Delivery) -> None:
        """One request and its answer."""
        ...

    def retried(self, endpoint: Endpoint, reason: str, operations: int) -> None:
        """Operations go back to wait.

        `reason` is a TransientReason, a Verdict, `refused_whole` or `taken_apart`.
        """
        ...

    def fenced(self, operations: int) -> None:
        """Answers arrived for partitions that are no longer ours; they counted for nothing."""
        ...

    def rebalanced(
        self, change: str, partitions: Collection[TopicPartition], released: int, *, is_committed: bool
    ) -> None:
        """`assigned`, `revoked` or `lost`; this many records went back to Kafka unsent.

        `is_committed`: of revoked ones, that Kafka has acknowledged all that was settled.
        """
        ...

    def committed(self, result: CommitResult, partitions: int) -> None:
        """A commit ended."""
        ...

    def mark_ignored(self, reason: MarkIgnored) -> None:
        """The metadata of a partition's last commit is not listened to."""
        ...

    def paused(self, stage: str) -> None:
        """Back-pressure changed: `flowing`, `still` or `paused`."""
        ...

    def hold_entered(self, reason: HoldReason) -> None:
        """Nothing is sent from now on."""
        ...

    def holding(self, reason: HoldReason, seconds: float) -> None:
        """Still on hold; called once a minute."""
        ...

    def hold_left(self, reason: HoldReason) -> None:
        """Planhat accepts again."""
        ...

    def failed(self, error: Exception) -> None:
        """Our code failed on one record, which becomes a dead letter `internal`."""
        ...

    def gauges(self, gauges: Gauges) -> None:
        """The state now."""
        ...
