"""Every metric: name, kind, labels with the values they may take, and help. Here and nowhere else.

Names begin with `streamer_`, use base units, and end in `_total` exactly if they count. Label values
come from closed sets; `topic` and `partition` are bounded by what this replica is assigned.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from streamer.outcomes import CallType, Endpoint, Fate, InvalidReason, SkipReason, TransientReason, Verdict

UNKNOWN = "unknown"
"""Stands for a word that is not in a closed set: a bug of ours, but no reason for an endless label."""

# Closed sets that the engine owns; a test holds them equal to engine/ports.py.
OPERATION_FATES = ("delivered", "refused", "unsaved", "released")
COMMIT_RESULTS = ("committed", "retry", "fenced", "denied", "too_large")
IGNORED_REASONS = ("unknown", "foreign", "version", "damaged", "offset", "topic", "log_end")
HOLD_REASONS = ("credentials", "permission", "not_found", "everything_refused", "dead_letters")
RETRY_REASONS = (
    *TransientReason,
    "refused_whole",
    "taken_apart",
    Verdict.DUPLICATED,
    Verdict.NAME_MISSING,
    Verdict.MISSING,
    Verdict.UNCLEAR,
    UNKNOWN,
)
CHANGES = ("assigned", "revoked", "lost", UNKNOWN)
STAGES = ("flowing", "still", "paused")
# ... and the one that avro/ owns; a test holds it equal to the registry client's.
AWAITED_REASONS = (
    "absent",
    "unreachable",
    "timeout",
    "credentials",
    "not_a_registry",
    "server_error",
    "internal",
)
# ... and the one of tracing/, in the same way.
SPAN_REASONS = ("queue_full", "not_taken", "not_made")

ACCEPTED, PARTLY_ACCEPTED, REFUSED, MISCONFIGURED = "accepted", "partly_accepted", "refused", "misconfigured"
RESULTS = (ACCEPTED, PARTLY_ACCEPTED, REFUSED, MISCONFIGURED, *TransientReason)


class Kind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One metric of the catalogue."""

    name: str
    kind: Kind
    help: str
    labels: Mapping[str, tuple[str, ...]]
    """Values each label may take; none where they are bounded by the assignment or the build."""
    buckets: tuple[float, ...] = ()


def _counter(name: str, help_text: str, **labels: tuple[str, ...]) -> Metric:
    return Metric(name, Kind.COUNTER, help_text, labels)


def _gauge(name: str, help_text: str, **labels: tuple[str, ...]) -> Metric:
    return Metric(name, Kind.GAUGE, help_text, labels)


def _histogram(name: str, help_text: str, buckets: tuple[float, ...], **labels: tuple[str, ...]) -> Metric:
    return Metric(name, Kind.HISTOGRAM, help_text, labels, buckets)


_ENDPOINTS = tuple(Endpoint)
_OPEN: tuple[str, ...] = ()

# --- records ---------------------------------------------------------------------------------------
POLLED_RECORDS = _counter("streamer_polled_records_total", "Records read from Kafka.")
NULL_KEYS = _counter(
    "streamer_null_keys_total",
    "Records read without a key; order between them holds within a partition only.",
)
EVENTS = _counter(
    "streamer_events_total",
    "Records finished with, by call and outcome; released ones went back to Kafka and are read again. Of "
    "activities, and of all calls in passthrough mode, delivered means that Planhat received them.",
    call=tuple(CallType),
    outcome=tuple(fate.label for fate in Fate),
)
SKIPS = _counter(
    "streamer_skips_total", "Records we chose not to send, by reason.", reason=(*SkipReason, UNKNOWN)
)
DEAD_LETTERS = _counter(
    "streamer_dead_letters_total",
    "Records set aside in the dead-letter topic, by reason.",
    reason=(*InvalidReason, UNKNOWN),
)
LAST_DEAD_LETTER = _gauge(
    "streamer_last_dead_letter_timestamp_seconds",
    "When a record was last set aside, by reason, in seconds since 1970; absent for reasons not met.",
    reason=(*InvalidReason, UNKNOWN),
)
FAILURES = _counter("streamer_failures_total", "Records on which our own code failed: each is a bug.")
EVENT_LATENCY = _histogram(
    "streamer_event_latency_seconds",
    "Seconds from a record's timestamp in Kafka until it was finished with.",
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)
IN_FLIGHT_RECORDS = _gauge("streamer_in_flight_records", "Records read and not finished with.")
IN_FLIGHT_BYTES = _gauge(
    "streamer_in_flight_bytes", "Bytes held for records in flight: original, encoded, and what upserts say."
)
OLDEST_UNSETTLED = _gauge(
    "streamer_oldest_unsettled_seconds",
    "Seconds since the oldest record in flight was read; 0 when there is none. The first thing to alert on.",
    topic=_OPEN,
    partition=_OPEN,
)
UNDELIVERED = _gauge(
    "streamer_undelivered_records",
    "Records not delivered yet: unread in Kafka, and in flight.",
    topic=_OPEN,
    partition=_OPEN,
)
UNDELIVERED_AGE = _gauge(
    "streamer_undelivered_age_seconds",
    "Seconds since the oldest record not delivered yet was written, at most; 0 when there is none.",
    topic=_OPEN,
    partition=_OPEN,
)
RETENTION = _gauge(
    "streamer_topic_retention_seconds",
    "How long Kafka keeps records of the topic; absent where it keeps them for ever or does not tell us.",
    topic=_OPEN,
)
AWAITED_SCHEMAS = _gauge(
    "streamer_awaited_schemas",
    "Schemas that records wait for and the registry does not give, by reason; their partitions stand still.",
    reason=AWAITED_REASONS,
)
HELD_DEAD_LETTERS = _gauge(
    "streamer_held_dead_letters", "Dead letters waiting until it is sure that not everything is bad."
)

# --- operations and deliveries ---------------------------------------------------------------------
OPERATIONS_MADE = _counter(
    "streamer_operations_made_total", "Operations that came out of calls.", endpoint=_ENDPOINTS
)
OPERATIONS = _counter(
    "streamer_operations_total",
    "Operations finished with, by outcome.",
    endpoint=_ENDPOINTS,
    outcome=OPERATION_FATES,
)
COALESCED = _counter(
    "streamer_coalesced_operations_total",
    "Operations delivered by another one of their object, which said theirs too.",
    endpoint=_ENDPOINTS,
)
REVIVED = _counter(
    "streamer_revived_operations_total",
    "Operations skipped for want of a company and told again with a later one of their enduser.",
)
WAITING_OPERATIONS = _gauge(
    "streamer_waiting_operations", "Operations made and not finished with.", endpoint=_ENDPOINTS
)
DELIVERIES = _counter(
    "streamer_deliveries_total",
    "Requests to Planhat, by what they came to. Of a refused one nothing was accepted, of a partly accepted "
    "one some was or may have been; accepted ones to activities and segment were received.",
    endpoint=_ENDPOINTS,
    result=RESULTS,
)
DELIVERY_SECONDS = _histogram(
    "streamer_delivery_seconds",
    "Seconds a request took, reply included.",
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60),
    endpoint=_ENDPOINTS,
)
DELIVERY_OPERATIONS = _histogram(
    "streamer_delivery_operations",
    "Entries in a request; an entry may tell several upserts of one object.",
    (1, 10, 50, 100, 250, 500, 1000, 2500, 5000),
    endpoint=_ENDPOINTS,
)
DELIVERY_BYTES = _histogram(
    "streamer_delivery_bytes",
    "Bytes of operations in a request.",
    (1024, 8192, 65536, 262144, 1048576, 2097152, 4194304, 8388608),
    endpoint=_ENDPOINTS,
)
RETRIED_OPERATIONS = _counter(
    "streamer_retried_operations_total",
    "Operations that had to wait to be sent again, by reason.",
    endpoint=_ENDPOINTS,
    reason=RETRY_REASONS,
)
FENCED_OPERATIONS = _counter(
    "streamer_fenced_operations_total", "Answers that came after their partition had gone elsewhere."
)
DROPPED_SPANS = _counter(
    "streamer_dropped_spans_total",
    "Spans that never come to the collector, by reason; 0 where tracing is off.",
    reason=SPAN_REASONS,
)

# --- what holds us back ----------------------------------------------------------------------------
BACKPRESSURE = _gauge("streamer_backpressure", "1 for the stage back-pressure is in.", stage=STAGES)
PAUSED_PARTITIONS = _gauge("streamer_paused_partitions", "Partitions that are not read for now.")
PAUSED = _gauge(
    "streamer_partition_paused",
    "1 for an assigned partition that is not read for now, 0 for one that is.",
    topic=_OPEN,
    partition=_OPEN,
)
GATE_CLOSED = _gauge(
    "streamer_gate_closed_seconds",
    "Seconds until this endpoint is asked again; 0 when open.",
    endpoint=_ENDPOINTS,
)
HOLD = _gauge("streamer_hold", "1 while nothing is sent until a person acts, by reason.", reason=HOLD_REASONS)
HOLD_SINCE = _gauge(
    "streamer_hold_since_timestamp_seconds",
    "When the hold in force began, in seconds since 1970; absent where there is none.",
)
QUOTA_SHARE = _gauge(
    "streamer_quota_share_calls_per_minute",
    "Calls to the main API that go with the partitions read here; those of all replicas are the budget.",
)
QUOTA_PACE = _gauge(
    "streamer_quota_pace_calls_per_minute",
    "Calls to the main API in force: the share, or less by Planhat's headers or for minutes after a 429.",
)
TOKENS = _gauge("streamer_quota_tokens", "Calls to the main API that the rate limit allows now.")
QUOTA_WAIT = _gauge(
    "streamer_quota_wait_seconds",
    "Seconds until the next call to the main API is allowed; absent where no partition is read.",
)
DRAIN_FORECAST = _gauge(
    "streamer_drain_forecast_seconds",
    "Seconds until what this replica has for the main API is sent, by calls a minute and operations a call "
    "of late, if nothing more came; absent where nobody can say, and in passthrough mode: it has no quota.",
)
REMAINING_CALLS = _gauge(
    "streamer_quota_remaining_calls",
    "What Planhat's newest rate-limit header says is left; absent without one.",
)

# --- the group -------------------------------------------------------------------------------------
REBALANCES = _counter("streamer_rebalances_total", "Changes of what this replica reads.", change=CHANGES)
GROUP_MEMBER = _gauge(
    "streamer_group_member",
    "1 while this replica is a settled member of its group; 0 while it joins, or Kafka is out of reach.",
)
OUTSIDE_SINCE = _gauge(
    "streamer_group_outside_since_timestamp_seconds",
    "Since when this replica has been no settled member of its group, in seconds since 1970; absent while it "
    "is one.",
)
LOG_END = _gauge(
    "streamer_log_end_timestamp_seconds",
    "When Kafka last told where the log ends, in seconds since 1970; of the partitions read here, the "
    "longest ago.",
)
COMMITTED = _gauge(
    "streamer_committed_offset",
    "Offset before which the group has committed everything, as of Kafka's last report.",
    topic=_OPEN,
    partition=_OPEN,
)
COMMITS = _counter("streamer_commits_total", "Commits that ended, by result.", result=COMMIT_RESULTS)
METADATA_CHARACTERS = _gauge(
    "streamer_commit_metadata_characters",
    "Characters that say what is settled ahead of the committed offset, for the partition with the most; "
    "above 3,000 it takes no new records, above 4,000 they do not fit.",
)
METADATA_IGNORED = _counter(
    "streamer_commit_metadata_ignored_total",
    "Assignments of a partition whose last commit could not tell what was settled ahead, by reason; that was "
    "sent again.",
    reason=IGNORED_REASONS,
)
LAST_COMMIT = _gauge(
    "streamer_last_commit_timestamp_seconds", "When Kafka last took a commit, in seconds since 1970."
)
LAST_POLL = _gauge("streamer_last_poll_timestamp_seconds", "When we last polled, in seconds since 1970.")
BUILD = _gauge(
    "streamer_build_info",
    "1, with what is running as labels.",
    version=_OPEN,
    python=_OPEN,
    mode=_OPEN,
    compiled=("true", "false"),
)

CATALOGUE: tuple[Metric, ...] = tuple(value for value in list(vars().values()) if isinstance(value, Metric))

"""Every metric of ours, in the order of this file."""


def metrics_markdown_table() -> str:
    """The metrics of docs/metrics.md, as a Markdown table."""
    lines = ["| Metric | Kind | Labels | Meaning |", "|---|---|---|---|"]
    for metric in CATALOGUE:
        labels = ", ".join(
            f"`{label}`" + (f" ({', '.join(values)})" if values else "")
            for label, values in metric.labels.items()
        )
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels or '-'} | {metric.help} |")
    return "\n".join(lines) + "\n"
