"""A broker that stops or starts may say that there are no brokers, and librdkafka never connects again."""

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import pytest

from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.cluster import RealKafka, free_ports
from tests.real_kafka.forgetful import ForgetfulWire, without_brokers
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import KAFKA_PROPERTIES, Pipeline
from tests.real_kafka.tenures import arrivals_at, judge, places_of, resent, takeovers_at_losses

pytestmark = pytest.mark.real_kafka

EVENTS: Final = 900
OFTEN: Final = {**KAFKA_PROPERTIES, "topic.metadata.refresh.interval.ms": "1000"}


@pytest.fixture
def wire(real_kafka: RealKafka, tmp_path: Path) -> Iterator[tuple[RealKafka, ForgetfulWire]]:
    """A broker whose clients reach it by this wire alone."""
    real_kafka.require_owned()
    (port,) = free_ports(1)
    listeners, advertised = {"WIRE": "PLAINTEXT"}, {"WIRE": port}
    with (
        RealKafka(tmp_path / "kafka", listeners=listeners, advertised=advertised) as kafka,
        ForgetfulWire(f"tcp://127.0.0.1:{kafka.port('WIRE')}", port) as between,
    ):
        yield kafka, between


def test_a_client_that_forgot_every_broker_is_replaced(
    wire: tuple[RealKafka, ForgetfulWire], sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """Another client joins and goes on at the last commit: nothing is lost; letters and metrics go on."""
    kafka, between = wire
    with Pipeline(
        kafka, sandbox, tmp_path, session_timeout_seconds="6", duplicates_window="0",
        kafka_bootstrap_servers=between.url.removeprefix("http://"),
        kafka_properties="\n".join(f"{name}={value}" for name, value in OFTEN.items()),
    ) as pipeline:  # fmt: skip
        member = pipeline.member().wait_until_ready()
        events = pipeline.open(Generator(5, EVENTS))
        pipeline.feed(islice(events, EVENTS // 2))
        pipeline.wait_until_committed()
        between.forgets = True
        wait_until(lambda: between.forgotten > 0, 20, "the broker says that there are no brokers")
        pipeline.feed(events)
        wait_until(lambda: bool(member.lines("partitions_lost")), 30, f"it is noticed\n{member.tail()}")
        between.forgets = False
        pipeline.wait_until_committed(60)
        undelivered = member.scrape().by("streamer_undelivered_records", "partition")
        assert set(undelivered) == {"0", "1", "2", "3"}
        assert member.stop() == 0
        assert "the client forgot them all" in member.text()

        takeovers = takeovers_at_losses(pipeline, member)
        places, arrived = places_of(pipeline.expected), arrivals_at(sandbox)
        assert pipeline.account(resent(takeovers)).lines() == []
        assert judge(takeovers, places, arrived.activities).unexplained == []


def test_the_wire_leaves_out_brokers_alone() -> None:
    """The forged answer is the broker's own without its list of brokers."""
    head, broker = struct.pack(">ibi", 7, 0, 0), struct.pack(">i", 1) + b"\x05acme" + struct.pack(">i", 9092)
    named, racked = broker + b"\x00" + b"\x00", broker + b"\x03r1" + b"\x00"
    assert without_brokers(head + b"\x03" + named + racked + b"rest") == head + b"\x01" + b"rest"
