"""Publishing against librdkafka's mock cluster."""

import pytest

from streamer.errors import SourceError
from streamer.kafka.publish import Publisher
from tests.kafka.dead_letter_contract import read_all
from tests.kafka.mock_cluster import PRODUCE, MockCluster

TOPIC_AUTHORIZATION_FAILED = 29


def test_records_are_counted_when_the_broker_has_them(cluster: MockCluster) -> None:
    """The count is of acknowledgements; a record goes to the partition asked for."""
    topic = cluster.create_topic("counted", 2)
    publisher = Publisher(cluster.bootstrap, topic)
    for number in range(30):
        partition = number % 3 // 2
        publisher.publish(b"key", b"for %d" % partition, [("h", b"v")], partition=partition)
    assert publisher.flush(20) == 0
    assert publisher.acknowledged == 30
    assert publisher.failed == {}
    assert {each.value() for each in read_all(cluster, topic, 20)} == {b"for 0"}


def test_what_is_published_is_what_is_read(cluster: MockCluster) -> None:
    """Key, value, headers and timestamp arrive as given."""
    topic = cluster.create_topic("given")
    publisher = Publisher(cluster.bootstrap, topic)
    publisher.publish(b"k\xff", b"\x00v", [("h", b"\xfe"), ("n", None)], timestamp_ms=1_700_000_000_000)
    publisher.publish(None, None)
    publisher.flush(20)
    first, second = read_all(cluster, topic, 2)
    assert (first.key(), first.value(), first.headers()) == (
        b"k\xff",
        b"\x00v",
        [("h", b"\xfe"), ("n", None)],
    )
    assert first.timestamp()[1] == 1_700_000_000_000
    assert (second.key(), second.value()) == (None, None)


def test_a_full_queue_is_waited_for(cluster: MockCluster) -> None:
    """Back-pressure of librdkafka's queue loses nothing."""
    topic = cluster.create_topic("full")
    publisher = Publisher(cluster.bootstrap, topic, {"queue.buffering.max.messages": "3"})
    for number in range(50):
        publisher.publish(None, b"%d" % number)
    assert publisher.flush(20) == 0
    assert [each.value() for each in read_all(cluster, topic, 50)] == [b"%d" % number for number in range(50)]


def test_refusals_are_counted_by_what_was_reported(cluster: MockCluster) -> None:
    """A record the broker refused is not among the acknowledged."""
    publisher = Publisher(cluster.bootstrap, cluster.create_topic("refused"))
    cluster.push_errors(PRODUCE, TOPIC_AUTHORIZATION_FAILED)
    publisher.publish(None, b"x")
    publisher.flush(20)
    assert publisher.acknowledged == 0
    assert publisher.failed == {"Broker: Topic authorization failed (TOPIC_AUTHORIZATION_FAILED)": 1}


def test_a_record_that_cannot_be_handed_over_is_an_error(cluster: MockCluster) -> None:
    """Too large for the client: said at once, with the topic."""
    topic = cluster.create_topic("large")
    publisher = Publisher(cluster.bootstrap, topic, {"message.max.bytes": "2000"})
    with pytest.raises(SourceError, match=topic):
        publisher.publish(None, b"x" * 5000)
