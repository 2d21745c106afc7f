"""A replay's own group, where the broker tells nobody who is in it."""

import pytest

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
