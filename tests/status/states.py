"""Metrics in the states that the page must tell apart, and the page of them, at a fixed time."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from streamer.config import SettingRow
from streamer.engine.ports import Batch, CommitResult, Delivery, Gauges, HoldReason, Load
from streamer.metrics import KafkaReport, Metrics
from streamer.outcomes import (
    Answer,
    Answered,
    CallType,
    Endpoint,
    Fate,
    InvalidReason,
    SkipReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.records import Record, TopicPartition
from streamer.status import Fixed, StatusPage
from streamer.transform.operations import UpsertCompany
from tests.engine.fakes import Ended, lot_of

NOW = 1_790_000_000.0
TOPIC = "segment.events"
P0, P1 = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
RECORD = Record(TOPIC, 0, 7, 0, None, None)
FIXED = Fixed(
    topic=TOPIC,
    group="planhat-streamer",
    started_at=NOW - 8000,
    stuck_seconds=120,
    session_seconds=45,
    settings=[
        SettingRow("STREAMER_KAFKA_TOPIC", TOPIC, "default", "The topic."),
        SettingRow("STREAMER_PLANHAT_API_TOKEN", "****", "file", "The token."),
        SettingRow("STREAMER_THROTTLED_LONGEST_SECONDS", "600", "environment", "Seconds."),
    ],
    schema_advice={"timeout": "check that the registry is healthy"},
)
GAUGES = Gauges(
    in_flight_records=7,
    in_flight_bytes=7000,
    in_flight_by_partition={P0: 7, P1: 0},
    oldest_unsettled_seconds={P0: 1.5, P1: 0.0},
    oldest_unsettled_written_at={P0: NOW - 2.5},
    paused_partitions=1,
    gates_closed_seconds={},
    waiting_operations={Endpoint.ACTIVITIES: 9},
    hold=None,
    tokens=1.25,
    letters_held=0,
    load=Load(80.0, 40.0, 0.75, 4_900.0, 0.5),
)
KAFKA = KafkaReport(
    unread={P0: 100, P1: 50},
    undelivered_age_seconds={P0: 2.5, P1: 0.25},
    is_member=True,
    log_ends_at=NOW - 2,
    retention_seconds={TOPIC: 604_800.0},
    drain_forecast_seconds=36.0,
    committed={P0: 12_345_678, P1: 990},
    is_paused={P0: False, P1: True},
)


class Scene:
    """Metrics whose clocks stand until they are turned, and their page."""

    def __init__(self, *, mode: str = "api", fixed: Fixed = FIXED) -> None:
        self.now = NOW
        self.kafka = KAFKA
        self.polled_at = NOW - 0.4
        self.awaited: Mapping[str, int] = {}
        self.metrics = Metrics(mode=mode, time=lambda: self.now, monotonic=lambda: self.now)
        self.metrics.watch(
            kafka=lambda: self.kafka,
            last_poll=lambda: self.polled_at,
            awaited_schemas=lambda: self.awaited,
        )
        self.page = StatusPage(self.metrics, fixed, lambda: self.now)

    def report(self, gauges: Gauges = GAUGES) -> "Scene":
        """The engine tells its state."""
        self.metrics.gauges(gauges)
        return self

    def settle(self, fate: Fate, count: int = 1, reason: str = "") -> "Scene":
        """So many records end."""
        for _ in range(count):
            self.metrics.settled(lot_of(Ended(RECORD, CallType.TRACK, fate, reason)), 0.2)
        return self

    def deliver(self, endpoint: Endpoint, answer: Answer) -> "Scene":
        """One request ends."""
        batch = Batch(1, endpoint, (UpsertCompany("c"),) * 2, (b"12345",) * 2)
        self.metrics.delivered(Delivery(batch, answer, 0.3, 200, 150))
        return self

    def html(self, query: str = "") -> str:
        """The page."""
        return self.page.html(query)[1].decode()


ACCEPTED = Answered((Verdict.ACCEPTED, Verdict.ACCEPTED))
AWAY = Transient(TransientReason.SERVER_ERROR)


def healthy() -> Scene:
    """A minute of traffic."""
    scene = Scene().report()
    scene.settle(Fate.DELIVERED, 600).settle(Fate.SKIPPED, 30, SkipReason.CONSENT)
    scene.deliver(Endpoint.ENDUSERS, ACCEPTED)
    scene.metrics.committed(CommitResult.COMMITTED, 2)
    scene.now = NOW + 60
    scene.polled_at = scene.now - 0.4
    scene.kafka = KAFKA._replace(log_ends_at=scene.now - 2)
    return scene.report()


def on_hold() -> Scene:
    """Planhat does not take the token any more, for a minute."""
    scene = healthy()
    scene.metrics.hold_entered(HoldReason.CREDENTIALS)
    scene.now += 60
    scene.polled_at = scene.now
    return scene.report(replace(GAUGES, hold=HoldReason.CREDENTIALS))


def gate_closed() -> Scene:
    """Planhat fails."""
    scene = healthy().deliver(Endpoint.COMPANIES, AWAY)
    return scene.report(
        replace(
            GAUGES,
            gates_closed_seconds={Endpoint.COMPANIES: 42.0},
            waiting_operations={Endpoint.COMPANIES: 500},
        )
    )


def no_assignment() -> Scene:
    """More replicas than partitions."""
    scene = healthy()
    scene.kafka = KafkaReport(is_member=True)
    empty: dict[TopicPartition, float] = {}
    return scene.report(
        replace(
            GAUGES,
            in_flight_records=0,
            in_flight_by_partition={},
            oldest_unsettled_seconds=empty,
            waiting_operations={},
        )
    )


def letters() -> Scene:
    """A fifteenth of the events is bad, and one reason was met before."""
    scene = Scene().report()
    scene.settle(Fate.DEAD_LETTERED, 1, InvalidReason.REFUSED_ALONE)
    scene.now = NOW + 500
    scene.report()
    scene.settle(Fate.DELIVERED, 280).settle(Fate.DEAD_LETTERED, 20, InvalidReason.CONSENT_NOT_BOOLEAN)
    scene.now += 30
    scene.polled_at = scene.now
    scene.kafka = KAFKA._replace(log_ends_at=scene.now)
    return scene.report(replace(GAUGES, letters_held=3))


STATES: Mapping[str, Callable[[], Scene]] = {
    "healthy": healthy,
    "on_hold": on_hold,
    "gate_closed": gate_closed,
    "no_assignment": no_assignment,
    "letters": letters,
}
