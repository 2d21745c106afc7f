"""What the engine tells, as numbers. Satisfies `engine.ports.Observer` by shape."""

import platform
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from streamer import __version__, is_compiled
from streamer.metrics import catalogue as names
from streamer.metrics.catalogue import Metric
from streamer.metrics.last_minute import LastMinute
from streamer.metrics.tallies import Counts, Labels, Spread, ages
from streamer.outcomes import (
    DEAD_LETTERED,
    SKIPPED,
    Answered,
    Endpoint,
    Fate,
    Misconfigured,
    RefusedWhole,
    Transient,
    Verdict,
)
from streamer.records import TopicPartition

if TYPE_CHECKING:
    from streamer.engine.ports import CommitResult, Delivery, Gauges, HoldReason, Lot, OperationFate
    from streamer.records import MarkIgnored


_OUTCOMES: Final = {fate: fate.label for fate in Fate}


class KafkaReport(NamedTuple):
    """What the Kafka edge knows at one moment; never changed afterwards."""

    unread: Mapping[TopicPartition, int] = {}
    """Records of each assigned partition that lie in Kafka unread."""
    undelivered_age_seconds: Mapping[TopicPartition, float] = {}
    """How long ago the oldest record not delivered was written; without partitions of which nobody knows."""
    is_member: bool = False
    outside_since: float | None = None
    """Since when it has been none, in seconds since 1970; None while it is one."""
    log_ends_at: float | None = None
    """When every log's end was last known, in seconds since 1970; None where nothing is assigned."""
    retention_seconds: Mapping[str, float] = {}
    """By topic; without those that keep records for ever, or of which Kafka does not tell."""
    drain_forecast_seconds: float | None = None
    """Until what waits for the main API is sent there; None where nobody can say."""
    committed: Mapping[TopicPartition, int] = {}
    """Offsets last committed; without partitions of which none is known."""
    is_paused: Mapping[TopicPartition, bool] = {}
    """Of each assigned partition, whether it is not read for now."""


Awaited = Callable[[], Mapping[str, int]]
"""Schemas that records wait for, by reason; called while the owner thread works."""


class Metrics:
    """Counts what the owner thread tells; read by `collect` in the server's threads."""

    def __init__(
        self,
        *,
        mode: str,
        time: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._time = time
        self._build = (__version__, platform.python_version(), mode, str(is_compiled()).lower())
        self._kafka: Callable[[], KafkaReport] = KafkaReport
        self._awaited: Awaited = dict
        self._last_poll: Callable[[], float | None] = _never
        self._gauges: Gauges | None = None
        self._stage = names.STAGES[0]
        self._last_commit: float | None = None
        self._hold_since: float | None = None
        self._last_letters: dict[Labels, float] = {}
        self._remaining_calls: int | None = None

        self._polled, self._null_keys = Counts(names.POLLED_RECORDS), Counts(names.NULL_KEYS)
        self._events, self._failures = Counts(names.EVENTS), Counts(names.FAILURES)
        self._skips, self._dead_letters = Counts(names.SKIPS), Counts(names.DEAD_LETTERS)
        self._made, self._done = Counts(names.OPERATIONS_MADE), Counts(names.OPERATIONS)
        self._coalesced, self._revived = Counts(names.COALESCED), Counts(names.REVIVED)
        self._deliveries, self._retried = Counts(names.DELIVERIES), Counts(names.RETRIED_OPERATIONS)
        self._fenced, self._rebalances = Counts(names.FENCED_OPERATIONS), Counts(names.REBALANCES)
        self._dropped_spans = Counts(names.DROPPED_SPANS)
        self._commits, self._ignored = Counts(names.COMMITS), Counts(names.METADATA_IGNORED)
        self._latency, self._seconds = Spread(names.EVENT_LATENCY), Spread(names.DELIVERY_SECONDS)
        self._operations, self._bytes = Spread(names.DELIVERY_OPERATIONS), Spread(names.DELIVERY_BYTES)
        told = (self._events, self._dead_letters, self._failures, self._deliveries, self._commits)
        self.last_minute = LastMinute(told, monotonic)
        """What the counters behind the status page said a minute ago."""

    def watch(
        self,
        *,
        kafka: Callable[[], KafkaReport],
        last_poll: Callable[[], float | None],
        awaited_schemas: Awaited,
    ) -> None:
        """Where to ask at scrape: the Kafka edge, the last poll in seconds since 1970, awaited schemas.

        All are called by another thread than the owner, so they must return what is never changed after.
        """
        self._kafka, self._last_poll, self._awaited = kafka, last_poll, awaited_schemas

    # --- the Observer --------------------------------------------------------------------------------

    def polled(self, records: int, null_keys: int) -> None:
        """Count records read."""
        self._polled.add(count=records)
        self._null_keys.add(count=null_keys)

    def settled(self, lot: "Lot", time: float) -> None:
        """Count records by call and outcome, and by reason where they were not delivered."""
        for (call, fate, reason), count in lot.kinds.items():
            self._events.add((call, _OUTCOMES[fate]), count)
            if fate is SKIPPED:
                self._skips.add((reason,), count)
            elif fate is DEAD_LETTERED:
                self._count_letters(reason, count)
        self._latency.observe_all(ages(lot.written_at_ms, time))

    def _count_letters(self, reason: str, count: int) -> None:
        self._dead_letters.add((reason,), count)
        # Replaced, never changed: a scrape may be reading it. Letters are rare.
        self._last_letters = {**self._last_letters, self._dead_letters.known((reason,)): self._time()}

    def operations_made(self, endpoint: Endpoint, count: int) -> None:
        """Count operations made."""
        self._made.add((endpoint,), count)

    def operations_done(self, endpoint: Endpoint, fate: "OperationFate", count: int) -> None:
        """Count operations finished with."""
        self._done.add((endpoint, fate), count)

    def coalesced(self, endpoint: Endpoint, count: int) -> None:
        """Count operations that another one carried."""
        self._coalesced.add((endpoint,), count)

    def revived(self, count: int) -> None:
        """Count operations told again with a later one."""
        self._revived.add(count=count)

    def delivered(self, delivery: "Delivery") -> None:
        """Count one request, its time and its size."""
        endpoint = delivery.batch.endpoint
        self._deliveries.add((endpoint, _result(delivery)))
        self._seconds.observe(delivery.seconds, (endpoint,))
        self._operations.observe(len(delivery.batch.operations), (endpoint,))
        self._bytes.observe(delivery.batch.size_bytes, (endpoint,))
        if delivery.remaining_calls is not None:
            self._remaining_calls = delivery.remaining_calls

    def retried(self, endpoint: Endpoint, reason: str, operations: int) -> None:
        """Count operations that wait again."""
        self._retried.add((endpoint, reason), operations)

    def fenced(self, operations: int) -> None:
        """Count answers that came too late."""
        self._fenced.add(count=operations)

    def rebalanced(
        self, change: str, partitions: Collection[TopicPartition], released: int, *, is_committed: bool
    ) -> None:
        """Count changes of the assignment."""
        self._rebalances.add((change,))

    def committed(self, result: "CommitResult", partitions: int) -> None:
        """Count commits, and remember when one was taken."""
        self._commits.add((result,))
        if result.value == names.COMMIT_RESULTS[0]:
            self._last_commit = self._time()

    def mark_ignored(self, reason: "MarkIgnored") -> None:
        """Count a partition that is read as if nothing were settled ahead."""
        self._ignored.add((reason,))

    def paused(self, stage: str) -> None:
        """Remember the stage of back-pressure."""
        self._stage = stage

    def hold_entered(self, reason: "HoldReason") -> None:
        """Remember since when; the gauges say why."""
        self._hold_since = self._time()

    def holding(self, reason: "HoldReason", seconds: float) -> None:
        """Remember since when, which was earlier where a probe failed for something else."""
        self._hold_since = self._time() - seconds

    def hold_left(self, reason: "HoldReason") -> None:
        """The gauges say it."""
        self._hold_since = None

    def failed(self, error: Exception) -> None:
        """Count a bug."""
        self._failures.add()

    def gauges(self, gauges: "Gauges") -> None:
        """Remember the newest state, and what had been counted by now."""
        self._gauges = gauges
        self.last_minute.note()

    def spans_dropped(self, reason: str, count: int) -> None:
        """Count spans given up; called by the threads that make and send them, one at a time."""
        self._dropped_spans.add((reason,), count)

    # --- the scrape ----------------------------------------------------------------------------------

    def counts(self) -> Iterator[Counts]:
        """Every counter."""
        return (tally for tally in vars(self).values() if isinstance(tally, Counts))

    def spreads(self) -> Iterator[Spread]:
        """Every histogram."""
        return (tally for tally in vars(self).values() if isinstance(tally, Spread))

    def gauge_values(self) -> Iterator[tuple[Metric, Mapping[Labels, float]]]:
        """Every gauge with its values; without any where the state is not known yet."""
        yield names.BUILD, {self._build: 1}
        yield names.BACKPRESSURE, {(stage,): stage == self._stage for stage in names.STAGES}
        yield names.LAST_COMMIT, _known(self._last_commit)
        yield names.LAST_POLL, _known(self._last_poll())
        yield names.REMAINING_CALLS, _known(self._remaining_calls)
        yield names.LAST_DEAD_LETTER, self._last_letters
        yield names.HOLD_SINCE, _known(self._hold_since)
        gauges = self._gauges
        if gauges is None:
            return
        yield names.IN_FLIGHT_RECORDS, {(): gauges.in_flight_records}
        yield names.IN_FLIGHT_BYTES, {(): gauges.in_flight_bytes}
        yield names.PAUSED_PARTITIONS, {(): gauges.paused_partitions}
        yield names.METADATA_CHARACTERS, {(): gauges.metadata_characters}
        yield names.TOKENS, {(): gauges.tokens}
        yield names.QUOTA_SHARE, {(): gauges.load.share}
        yield names.QUOTA_PACE, {(): gauges.load.calls_per_minute}
        yield names.QUOTA_WAIT, _known(gauges.load.wait_seconds)
        awaited = self._awaited()
        yield names.AWAITED_SCHEMAS, {(reason,): awaited.get(reason, 0) for reason in names.AWAITED_REASONS}
        yield names.HELD_DEAD_LETTERS, {(): gauges.letters_held}
        yield names.HOLD, {(reason,): gauges.hold == reason for reason in names.HOLD_REASONS}
        yield names.GATE_CLOSED, {(e,): gauges.gates_closed_seconds.get(e, 0) for e in Endpoint}
        yield names.WAITING_OPERATIONS, {(e,): gauges.waiting_operations.get(e, 0) for e in Endpoint}
        yield names.OLDEST_UNSETTLED, _by_partition(gauges.oldest_unsettled_seconds)
        kafka = self._kafka()
        yield names.GROUP_MEMBER, {(): kafka.is_member}
        yield names.OUTSIDE_SINCE, _known(kafka.outside_since)
        yield names.LOG_END, _known(kafka.log_ends_at)
        yield names.RETENTION, {(topic,): seconds for topic, seconds in kafka.retention_seconds.items()}
        yield names.DRAIN_FORECAST, _known(kafka.drain_forecast_seconds)
        yield names.UNDELIVERED_AGE, _by_partition(kafka.undelivered_age_seconds)
        unread, in_flight = kafka.unread, gauges.in_flight_by_partition
        undelivered = {tp: unread.get(tp, 0) + in_flight.get(tp, 0) for tp in {*unread, *in_flight}}
        yield names.UNDELIVERED, _by_partition(undelivered)
        yield names.COMMITTED, _by_partition(kafka.committed)
        yield names.PAUSED, _by_partition(kafka.is_paused)


def _never() -> None:
    return None


def _known(value: float | None) -> dict[Labels, float]:
    return {} if value is None else {(): value}


def _by_partition(values: Mapping[TopicPartition, float]) -> dict[Labels, float]:
    return {(topic, str(partition)): value for (topic, partition), value in sorted(values.items())}


def _result(delivery: "Delivery") -> str:
    match delivery.answer:
        case Answered(verdicts) as answered:
            if answered.is_refusal:
                return names.REFUSED
            return names.ACCEPTED if set(verdicts) == {Verdict.ACCEPTED} else names.PARTLY_ACCEPTED
        case Transient(reason):
            return reason
        case RefusedWhole():
            return names.REFUSED
        case Misconfigured():
            return names.MISCONFIGURED
