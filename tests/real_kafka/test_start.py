"""A first start against Apache Kafka."""

from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer

from streamer.errors import SourceError
from streamer.kafka.start import check_topics, resolve_start
from tests.kafka.start_contract import StartContract
from tests.real_kafka.cluster import RealKafka

pytestmark = pytest.mark.real_kafka


class TestStart(StartContract):
    """The contract."""

    @pytest.fixture
    def cluster(self, real_kafka: RealKafka) -> RealKafka:
        """The real one."""
        return real_kafka


def test_a_time_starts_at_the_first_record_from_then_on(real_kafka: RealKafka) -> None:
    """A start by time is the first offset at or after it; beyond the end it is the end."""
    topic = real_kafka.create_topic("times", 2)
    noon_ms = 1_790_000_000_000
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap})
    for minute in range(10):
        producer.produce(topic, b"x", partition=0, timestamp=noon_ms + minute * 60_000)
    producer.produce(topic, b"x", partition=1, timestamp=noon_ms)
    producer.flush()
    at = datetime.fromtimestamp(noon_ms / 1000 + 210, UTC).isoformat()
    assert resolve_start(real_kafka.bootstrap, f"g.{topic}", topic, at) == {0: 4, 1: 1}


def test_a_missing_topic_is_named_with_the_command_that_makes_it(real_kafka: RealKafka) -> None:
    """The dead-letter topic is checked like the other; nothing is created."""
    topic = real_kafka.create_topic("there")
    missing = f"{topic}.dead-letters"
    with pytest.raises(SourceError) as caught:
        check_topics(real_kafka.bootstrap, [topic, missing])
    assert f"there is no topic {missing} at {real_kafka.bootstrap}" in str(caught.value)
    assert f"--create --topic {missing}" in str(caught.value)
    assert missing not in real_kafka.admin().list_topics(timeout=10).topics
