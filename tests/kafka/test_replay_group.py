"""A replay's own group, where the broker tells nobody who is in it."""

import pytest
from confluent_kafka import KafkaError

from streamer.errors import SourceError
from streamer.kafka import replay_group
from streamer.kafka.replay_group import ReplayGroup
from streamer.standins.broker import CLIENT_PROPERTIES, PARTITIONS, EmbeddedBroker

TOPIC = "segment.events.dead-letters"


def _group(broker: EmbeddedBroker) -> ReplayGroup:
    return ReplayGroup(
        broker.bootstrap_servers, "planhat-streamer.replay", TOPIC, PARTITIONS, CLIENT_PROPERTIES
    )


def test_a_broker_that_tells_no_members_is_joined_all_the_same() -> None:
    """The embedded broker cannot say who is in a group: a replay joins, and holds every partition."""
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        with _group(broker) as alone:
            alone.join(say=pytest.fail, go_on=lambda: None)
            alone.check()


def test_a_coordinator_that_does_not_answer_in_time_is_told_to_be_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the time it has: nobody is there at all, and nothing is sent."""
    monkeypatch.setattr(replay_group, "ANSWER_SECONDS", 0.5)
    with (
        ReplayGroup("127.0.0.1:1", "planhat-streamer.replay", TOPIC, PARTITIONS) as alone,
        pytest.raises(SourceError, match=r"no Kafka broker answered at 127\.0\.0\.1:1"),
    ):
        alone.join(say=pytest.fail, go_on=lambda: None)


def test_a_token_that_is_late_ends_no_replay() -> None:
    """A replay that is under way goes on by the token it has; one that the broker refuses does not."""
    late = "Failed to acquire SASL OAUTHBEARER token: Could not resolve host"
    refused = "b:1/1: SASL authentication error: Authentication failed"
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        with _group(broker) as alone:
            alone.join(say=pytest.fail, go_on=lambda: None)
            alone._on_error(KafkaError(KafkaError._AUTHENTICATION, late))
            alone.check()
            alone._on_error(KafkaError(KafkaError._AUTHENTICATION, refused))
            with pytest.raises(SourceError, match="client and secret"):
                alone.check()
