"""What the status page tells, as plain values: gathered in gathering.py, judged in verdict.py.

Durations are in seconds, moments in seconds since 1970. No value of a record is among them, and nothing
that Planhat said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamer.config import SettingRow


@dataclass(frozen=True, slots=True)
class Fixed:
    """What does not change while the program runs; secrets are masked already."""

    topic: str
    group: str
    started_at: float
    stuck_seconds: float
    """After so long without a poll it counts as stuck, and /livez fails."""
    session_seconds: float
    """After so long without a sign of it the group gives up a member."""
    settings: Sequence[SettingRow]
    schema_advice: Mapping[str, str] = field(default_factory=dict)
    """What to do about each reason for having no schema."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition read here."""

    topic: str
    number: int
    committed_offset: int | None
    oldest_unsettled_seconds: float
    """Since the oldest record in flight was read; 0 where there is none."""
    undelivered_records: int | None
    """Unread in Kafka, and in flight; None until it is known."""
    undelivered_age_seconds: float | None
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Records of one fate."""

    outcome: str
    last_minute: int
    per_second: float
    """In the last minute."""
    since_start: int


@dataclass(frozen=True, slots=True)
class Quota:
    """This replica's calls to the main API."""

    share_per_minute: float
    pace_per_minute: float
    """In force: the share, or less."""
    tokens: float
    wait_seconds: float | None
    remaining_calls: int | None
    drain_seconds: float | None


@dataclass(frozen=True, slots=True)
class Gate:
    """One endpoint of Planhat's."""

    endpoint: str
    closed_seconds: float
    """Until it is asked again; 0 is open."""
    closed_until: float | None
    waiting_operations: int
    accepted: int
    """Requests of the last minute of which all was accepted, or some."""
    failed: int
    """Requests of the last minute of which nothing was."""

    @property
    def is_failing(self) -> bool:
        """Closed, or asked in vain for a minute while something waits: a gate opens for each new question."""
        return self.closed_seconds > 0 or (
            self.failed > 0 and not self.accepted and self.waiting_operations > 0
        )


@dataclass(frozen=True, slots=True)
class HoldFacts:
    """Why nothing is sent."""

    reason: str
    since: float | None
    advice: str
    """As the log says it."""


@dataclass(frozen=True, slots=True)
class Letters:
    """Records of one reason that were set aside."""

    reason: str
    last_minute: int
    since_start: int
    last_at: float | None


@dataclass(frozen=True, slots=True)
class AwaitedSchemas:
    """Schemas that records wait for, of one reason."""

    reason: str
    count: int
    advice: str
    """As the log says it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the page tells, but its verdict."""

    now: float
    version: str
    python: str
    mode: str
    is_compiled: bool
    topic: str
    group: str
    started_at: float
    stuck_seconds: float
    last_poll_at: float | None
    last_commit_at: float | None
    log_ends_at: float | None
    has_reported: bool
    """Whether the engine has told its state yet."""
    is_member: bool
    outside_since: float | None
    """None while it is one."""
    session_seconds: float
    minute_seconds: float
    """How long the last minute was: less after a start."""
    partitions: Sequence[Partition]
    retention_seconds: Mapping[str, float]
    """By topic; without those of which nobody knows it."""
    in_flight_records: int
    backpressure: str
    outcomes: Sequence[Outcome]
    quota: Quota | None
    """None in passthrough mode, which has none."""
    gates: Sequence[Gate]
    hold: HoldFacts | None
    letters_held: int
    """Waiting until it is sure that not everything is bad."""
    letters: Sequence[Letters]
    """Of the reasons met, the newest first."""
    awaited_schemas: Sequence[AwaitedSchemas]
    failures: int
    """Records of the last minute on which our own code failed."""
    commits_denied: int
    """In the last minute."""
    settings: Sequence[SettingRow]

    @property
    def undelivered_records(self) -> int:
        """Of all partitions, as far as it is known."""
        return sum(each.undelivered_records or 0 for each in self.partitions)
