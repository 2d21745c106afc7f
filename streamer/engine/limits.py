"""The engine's numbers, each with its unit. Defaults are the design's; `app` fills them from settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from streamer.outcomes import Endpoint


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """How large one request of an endpoint may get, and how many are under way at once."""

    operations: int
    size_bytes: int
    linger_seconds: float
    """How long an operation may wait for company when nothing else holds it back."""
    flights: int
    """Requests of this endpoint in flight at once; 1 for the main API, whose bulks must not overlap."""


DEFAULT_BULKS: Final[Mapping[Endpoint, BulkLimits]] = {
    Endpoint.COMPANIES: BulkLimits(5_000, 8 << 20, 0.25, 1),
    Endpoint.ENDUSERS: BulkLimits(5_000, 8 << 20, 0.25, 1),
    Endpoint.ACTIVITIES: BulkLimits(1_000, 4 << 20, 0.25, 4),
    Endpoint.METRICS: BulkLimits(1_000, 4 << 20, 0.25, 4),
    Endpoint.DELETIONS: BulkLimits(1, 8 << 20, 0.0, 1),
    Endpoint.SEGMENT: BulkLimits(1, 32 << 20, 0.0, 64),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Every number the engine decides by."""

    poll_records: int = 500
    poll_seconds: float = 0.1
    """Longest wait in one `consume`: callbacks, answers and signals wait no longer than this."""

    high_water_records: int = 60_000
    high_water_bytes: int = 128 << 20
    record_bytes: int = 1_536
    """What Python's objects take for a record in flight, besides its bytes, encoded ones and what upserts
    say: counted with these towards high water. Measured: 1.3 KB; the rest is for what an allocator loses. A
    test holds it to what is measured (0044)."""
    low_water_ratio: float = 0.7
    still_seconds: float = 5.0
    """Back-pressure by not polling at all, before partitions are paused (which drops prefetched records)."""
    stuck_ratio: float = 0.05
    """Share of high water that may wait behind keys in trouble before their partitions pause."""

    trickle_ratio: float = 0.1
    """Share of high water that is read above it, little by little, while keys in trouble hold up reading."""

    span_ratio: float = 20.0
    """Records, in units of high water, that may be read past the oldest unsettled one of a partition."""
    untold_span_ratio: float = 4.0
    """The same where commits cannot tell what of them is settled, so that a crash sends all of it again."""

    commit_interval_seconds: float = 0.5
    commit_records: int = 5_000
    """Settled since the last commit, they make the next one due before its time."""
    metadata_characters: int = 4_000
    """Of a commit's metadata, at most. Kafka's default (`offset.metadata.max.bytes`) is 4,096, of which one
    goes to the zero byte that confluent-kafka appends."""
    metadata_pause_ratio: float = 0.75
    """Share of that above which a partition takes no new records, until it is below the next one."""
    metadata_resume_ratio: float = 0.5
    pauses_on_overflow: bool = True
    """False: read on, and send again after a crash what does not fit."""
    membership_seconds: float | None = None
    """How long an acknowledged commit proves that our partitions are still ours; nothing is sent without a
    proof. None: whoever drives the engine knows by other means."""
    duplicates_window: int = 0
    """Recent messageIds whose copies are skipped; 0: every record is delivered."""
    duplicates_seconds: float = 3_600.0
    """Age after which an id is forgotten."""

    drain_seconds: float = 70.0
    commit_floor_seconds: float = 5.0
    """Kept of `drain_seconds` for the last commit."""

    calls_per_minute: float = 160.0
    """To the main API, by all replicas of the group together."""
    burst_calls: float = 2.0
    start_calls: float = 1.0
    """What a process may call right at its start; a crash loop does so each time."""
    extra_calls_ratio: float = 0.2
    """Share of the quota that isolating and second looks may use."""
    bulks: Mapping[Endpoint, BulkLimits] = field(default_factory=lambda: DEFAULT_BULKS)
    """Endpoints that are not in it have their defaults: ask `bulk`."""
    coalesced_parts: int = 500
    """Upserts of one object that may be told as one; refused, they are told one by one."""
    coalesced_bytes: int = 512 << 10
    """Their encoded bytes, unmerged: what a bulk reserves for them."""
    unchanged_seconds: float = 3_600.0
    """How long an upsert that says nothing new of an enduser need not be sent; 0 sends every one."""
    unchanged_endusers: int = 100_000
    """Endusers of whom is remembered what Planhat has."""
    revived_endusers: int = 10_000
    """Endusers skipped for want of a company of whom is kept what was said."""
    revived_bytes: int = 16 << 20
    backlog_linger_seconds: float = 2.0
    """How long an operation for the main API waits for company while a backlog is read, which is what was
    written longer ago than that: a call is scarce, and what fills it is on its way."""
    probe_operations: int = 100

    gate_first_seconds: float = 0.5
    gate_longest_seconds: float = 60.0
    throttled_first_seconds: float = 15.0
    throttled_longest_seconds: float = 120.0
    regrow_seconds: float = 600.0
    """After a 429 the calls a minute grow so slowly that they would go from none to all in this time."""

    suspect_failures: int = 3
    """Failures of one operation's bulks, while others succeed, before the bulk is split."""
    suspect_chance: float = 0.05
    """How unlikely these must be, if they were as likely as those of others' requests meanwhile."""
    sample_operations: int = 8
    isolation_calls: int = 26
    alone_refusals: int = 5
    alone_seconds: float = 600.0
    alone_others: int = 100
    """Operations that must have succeeded meanwhile for a refusal alone to be the operation's fault."""
    alone_chance: float = 1e-5
    """How unlikely its failures alone must be, if it were as likely to fail as others' requests meanwhile."""
    duplicated_tries: int = 5
    duplicated_seconds: float = 120.0
    second_look_seconds: float = 3.0
    second_looks: int = 8
    """Halvings of a group whose reply leaves its fate open: exact for 128 operations, at most 255 extra
    calls for a full bulk of which half were saved before and half are not saved at all."""

    dead_letter_window: int = 1_000
    dead_letter_evidence: int = 100
    dead_letter_ratio: float = 0.2
    dead_letter_allowance: int = 10
    """Letters a process may produce before there is evidence, so that a quiet topic is not held up."""

    on_hold_exit_seconds: float | None = None
    """End the process after this long on hold; None waits for as long as it lasts."""
    hold_probe_seconds: float = 60.0
    unassigned_company: str | None = None
    """External id of the holding company for endusers without one; None discards them."""
    gauges_seconds: float = 1.0
    tells_origin: bool = False
    """Whether each batch says whose operations it tells: nothing is gathered where nobody asks."""

    @property
    def stuck_records(self) -> int:
        """How many may wait behind keys in trouble in one partition before it pauses."""
        return int(self.high_water_records * self.stuck_ratio)

    def held_bytes(self, records: int, size_bytes: int) -> int:
        """What so many records of so many bytes take of memory, as high water counts it."""
        return size_bytes + records * self.record_bytes

    def bulk(self, endpoint: Endpoint) -> BulkLimits:
        """How large its requests get."""
        limits = self.bulks.get(endpoint, DEFAULT_BULKS[endpoint])
        return replace(limits, operations=1) if endpoint.is_single else limits
