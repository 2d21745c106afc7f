"""What librdkafka is told, and what users cannot make us tell it."""

import time

import pytest
from confluent_kafka import Consumer, Producer

from streamer.kafka.configuration import (
    admin_configuration,
    consumer_configuration,
    onlooker_configuration,
    producer_configuration,
    property_problems,
)
from tests.kafka.source_contract import WAIT_SECONDS

REFUSED = [
    "enable.auto.commit", "enable.auto.offset.store", "auto.commit.enable", "auto.offset.reset", "group.id",
    "bootstrap.servers", "metadata.broker.list", "partition.assignment.strategy", "enable.idempotence",
    "acks", "error_cb", "rebalance_cb", "logger", "plugin.library.paths", "test.mock.num.brokers",
]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_properties_that_break_a_promise_are_refused(name: str) -> None:
    """Auto-commit and its kind cannot be switched on; the problem names the property."""
    (problem,) = property_problems({name: "true"})
    assert problem.startswith(f"STREAMER_KAFKA_PROPERTIES: {name} cannot be set: ")


@pytest.mark.parametrize("name", REFUSED)
def test_refused_properties_never_reach_librdkafka(name: str) -> None:
    """Even unchecked, a refused property changes nothing."""
    assert consumer_configuration("b:1", "g", {name: "x"}) == consumer_configuration("b:1", "g")
    assert producer_configuration("b:1", {name: "x"}) == producer_configuration("b:1")


def test_commits_and_jumps_are_never_automatic() -> None:
    """The three settings that could lose records are fixed."""
    configuration = consumer_configuration("b:1", "g", {"client.id": "mine"})
    assert configuration["enable.auto.commit"] is False
    assert configuration["enable.auto.offset.store"] is False
    assert configuration["auto.offset.reset"] == "error"


def test_other_properties_pass_through() -> None:
    """The other librdkafka properties are the user's, over our defaults."""
    given = {"queued.max.messages.kbytes": "2048", "client.id": "mine", "linger.ms": "50"}
    assert property_problems(given) == []
    assert given.items() <= consumer_configuration("b:1", "g", given).items()
    assert given.items() <= producer_configuration("b:1", given).items()


def test_only_who_is_heard_reports() -> None:
    """A client that nobody takes statistics from keeps each report: MiB a minute, were it to make them."""
    given = {"statistics.interval.ms": "500"}
    assert consumer_configuration("b:1", "g", given)["statistics.interval.ms"] == "500"
    for configuration in (producer_configuration, admin_configuration, onlooker_configuration):
        assert configuration("b:1", given)["statistics.interval.ms"] == 0


def test_properties_of_the_other_side_raise_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """One set of properties serves consumer and producer; only what matters is logged."""
    properties = {"fetch.wait.max.ms": "10", "linger.ms": "5"}
    consumer = Consumer(consumer_configuration("127.0.0.1:1", "g", properties))
    producer = Producer(producer_configuration("127.0.0.1:1", properties))
    deadline = time.monotonic() + WAIT_SECONDS
    while not any("127.0.0.1:1" in each.getMessage() for each in caplog.records):
        assert time.monotonic() < deadline, "librdkafka's own lines did not come"
        consumer.poll(0.1)
        producer.poll(0.1)
    assert not any("ignored" in each.getMessage() for each in caplog.records)


def test_every_mistake_is_reported_at_once() -> None:
    """Unknown names and bad values are named one by one."""
    problems = property_problems({"nope": "1", "linger.ms": "abc", "fetch.max.bytes": "-7", "acks": "0"})
    assert len(problems) == 4
    for name in ("'nope'", "linger.ms", "fetch.max.bytes", "acks"):
        assert any(name in each for each in problems), name


def test_contradictions_between_properties_are_reported() -> None:
    """A set that librdkafka refuses as a whole is a problem too."""
    (problem,) = property_problems({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256"})
    assert "sasl.username and sasl.password" in problem


def test_values_of_secrets_are_not_repeated() -> None:
    """A problem with a secret shows its name only."""
    problems = property_problems(
        {"ssl.key.pem": "hunter2", "security.protocol": "ssl", "sasl.password": "hunter2"}
    )
    assert problems
    assert not any("hunter2" in each for each in problems)


@pytest.mark.parametrize("properties", [{}, {"group.protocol": "consumer"}])
def test_librdkafka_accepts_our_configurations(properties: dict[str, str]) -> None:
    """Both group protocols get a configuration that fits them."""
    Consumer(consumer_configuration("127.0.0.1:1", "g", properties)).close()
    Producer(producer_configuration("127.0.0.1:1", properties)).purge()


def test_the_consumer_protocol_leaves_session_settings_to_the_broker() -> None:
    """With KIP-848 librdkafka refuses the classic settings, so they are left out."""
    configuration = consumer_configuration("b:1", "g", {"group.protocol": "consumer"})
    assert not {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"} & set(
        configuration
    )
