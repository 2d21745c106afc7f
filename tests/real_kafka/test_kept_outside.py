"""A client whose question for its coordinator is never answered stays outside its group, and is replaced."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from streamer.kafka import stranded
from streamer.kafka.start import resolve_start
from streamer.standins.demo_pipeline import free_ports
from tests.kafka.mock_cluster import produce
from tests.kafka.source_contract import Member
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.forgetful import CoordinatorlessWire

pytestmark = pytest.mark.real_kafka

SESSION_SECONDS: Final = 6.0
UNANSWERED_SECONDS: Final = 2 * SESSION_SECONDS + stranded.ANSWER_SECONDS + 4.0
"""By then the session is over, the member was outside as long again, and the other client has no answer."""
PROTOCOLS: Final = {
    "classic": {"session_timeout_ms": f"{SESSION_SECONDS * 1000:.0f}"},
    "consumer": {"group_protocol": "consumer", "session_timeout_ms": "", "heartbeat_interval_ms": ""},
}
BY_ITSELF_SECONDS: Final = 60.0
"""After so long librdkafka gives the question up (its `socket.timeout.ms`) and would come back unhelped."""


@pytest.fixture
def wire(real_kafka: RealKafka, tmp_path: Path) -> Iterator[tuple[RealKafka, CoordinatorlessWire]]:
    """A broker, and the wire by which its clients reach it."""
    real_kafka.require_owned()
    (port,) = free_ports(1)
    listeners, advertised = {"WIRE": "PLAINTEXT"}, {"WIRE": port}
    with (
        RealKafka(tmp_path / "kafka", listeners=listeners, advertised=advertised) as kafka,
        CoordinatorlessWire(f"tcp://127.0.0.1:{kafka.port('WIRE')}", port) as between,
    ):
        yield kafka, between


def _poll(member: Member, seconds: float, until: Callable[[], bool]) -> bool:
    """For so long, or until it is so; whether it is."""
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        member.records.extend(member.source.poll(500, 0.05))
    return until()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_kept_outside_is_replaced_once_another_is_answered(
    protocol: str,
    wire: tuple[RealKafka, CoordinatorlessWire],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not while nobody is answered; then the engine hears of the loss once, and all is read again."""
    kafka, between = wire
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(stranded, "OUTSIDE_SECONDS", SESSION_SECONDS)
    topic = kafka.create_topic("outside")
    produce(kafka.bootstrap, topic, [b"1", b"2"])
    resolve_start(kafka.bootstrap, f"g.{topic}", topic, "earliest")
    cluster = SimpleNamespace(bootstrap=between.url.removeprefix("http://"), create_topic=kafka.create_topic)
    member = Member(cluster, topic, f"g.{topic}", **PROTOCOLS[protocol])
    try:
        member.source.subscribe(member)
        assert _poll(member, 30, lambda: len(member.records) == 2), member.told

        between.swallows = True
        between.cut()
        between.mend()
        cut_at = time.monotonic()
        assert not _poll(member, UNANSWERED_SECONDS, lambda: "answers others" in caplog.text)
        # With the newer protocol it is the coordinator that tells of the loss, once it can be asked.
        assert member.held == (set() if protocol == "classic" else {0})
        assert between.swallowed

        between.swallows = False
        assert _poll(member, 30, lambda: "answers others" in caplog.text)
        produce(kafka.bootstrap, topic, [b"3"])
        assert _poll(member, 30, lambda: len(member.records) == 5), member.told
        # Nothing was committed, so everything is read again.
        assert [record.value for record in member.records[2:]] == [b"1", b"2", b"3"]
        assert [kind for kind, numbers in member.told if numbers] == ["assigned", "lost", "assigned"]
        assert time.monotonic() - cut_at < BY_ITSELF_SECONDS
    finally:
        member.source.close()
