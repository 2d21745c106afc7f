"""A broker that stops or starts may say that there are no brokers, and librdkafka never connects again."""

import logging
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from streamer.kafka.start import resolve_start
from streamer.records import TopicPartition
from streamer.standins.demo_pipeline import free_ports
from tests.kafka.mock_cluster import produce
from tests.kafka.source_contract import Member
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.forgetful import ForgetfulWire, without_brokers

pytestmark = pytest.mark.real_kafka

MEMBERS: Final = 6
ROUNDS: Final = 20
"""A client that is told so for two seconds forgets everything about one time in seven."""


@pytest.fixture
def wire(real_kafka: RealKafka, tmp_path: Path) -> Iterator[tuple[RealKafka, ForgetfulWire]]:
    """A broker, and the wire by which its clients reach it."""
    real_kafka.require_owned()
    (port,) = free_ports(1)
    listeners, advertised = {"WIRE": "PLAINTEXT"}, {"WIRE": port}
    with (
        RealKafka(tmp_path / "kafka", listeners=listeners, advertised=advertised) as kafka,
        ForgetfulWire(f"tcp://127.0.0.1:{kafka.port('WIRE')}", port) as between,
    ):
        yield kafka, between


def _poll(members: list[Member], seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
    """All of them, so long, or until it is so; whether it is."""
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        for member in members:
            member.records.extend(member.source.poll(500, 0.01))
    return until()


def _losers(members: list[Member]) -> list[Member]:
    return [member for member in members if any(kind == "lost" for kind, _ in member.told)]


def test_a_client_that_forgot_every_broker_is_replaced(
    wire: tuple[RealKafka, ForgetfulWire], caplog: pytest.LogCaptureFixture
) -> None:
    """The engine is told of the loss; another client joins, reads at the commit, and knows what is unread."""
    kafka, between = wire
    caplog.set_level(logging.WARNING)
    topic = kafka.create_topic("forgotten")
    produce(kafka.bootstrap, topic, [b"1", b"2"])
    cluster = SimpleNamespace(bootstrap=between.url.removeprefix("http://"), create_topic=kafka.create_topic)
    with ExitStack() as stack:
        members = []
        for number in range(MEMBERS):
            group = f"g{number}.{topic}"
            resolve_start(kafka.bootstrap, group, topic, "earliest")
            member = Member(
                cluster, topic, group, session_timeout_ms="10000", topic_metadata_refresh_interval_ms="1000"
            )
            stack.callback(member.source.close)
            member.source.subscribe(member)
            members.append(member)
        assert _poll(members, 30, lambda: all(len(member.records) == 2 for member in members))
        for _ in range(ROUNDS):
            between.forgets = True
            _poll(members, 2.0)
            between.forgets = False
            if _poll(members, 3.0, lambda: bool(_losers(members))):
                break
        loser = _losers(members)[0]
        assert "the client forgot them all" in caplog.text
        produce(kafka.bootstrap, topic, [b"3"])
        assert _poll(members, 60, lambda: loser.held == {0}), loser.told
        # Nothing was committed, so everything is read again.
        assert _poll(
            members, 30, lambda: [record.value for record in loser.records][-3:] == [b"1", b"2", b"3"]
        )
        assert _poll(members, 30, lambda: loser.source.unread() == {TopicPartition(topic, 0): 0})
        assert _poll(members, 30, lambda: all(member.records[-1].value == b"3" for member in members))


def test_the_wire_leaves_out_brokers_alone() -> None:
    """The forged answer is the broker's own without its list of brokers."""
    head, broker = struct.pack(">ibi", 7, 0, 0), struct.pack(">i", 1) + b"\x05acme" + struct.pack(">i", 9092)
    named, racked = broker + b"\x00" + b"\x00", broker + b"\x03r1" + b"\x00"
    assert without_brokers(head + b"\x03" + named + racked + b"rest") == head + b"\x01" + b"rest"
