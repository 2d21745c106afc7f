"""The source against Apache Kafka."""

from collections.abc import Callable

import pytest
from confluent_kafka.cimpl import NewPartitions

from tests.kafka.source_contract import Member, SourceContract
from tests.real_kafka.cluster import RealKafka

pytestmark = pytest.mark.real_kafka


class TestSource(SourceContract):
    """The contract."""

    @pytest.fixture
    def cluster(self, real_kafka: RealKafka) -> RealKafka:
        """The real one."""
        return real_kafka

    def test_partitions_added_later_are_counted(
        self, real_kafka: RealKafka, joining: Callable[..., Member]
    ) -> None:
        """With the next look at the cluster's metadata, which also brings the rebalance."""
        admin = real_kafka.admin()
        topic = real_kafka.create_topic("growing", 2)
        first = joining(topic, topic_metadata_refresh_interval_ms="1000")
        second = joining(topic, topic_metadata_refresh_interval_ms="1000")
        first.poll_until(lambda: len(first.held) == len(second.held) == 1, second)
        first.poll_until(lambda: first.source.topic_partitions == second.source.topic_partitions == 2, second)
        admin.create_partitions([NewPartitions(topic, 6)])[topic].result(10)
        first.poll_until(lambda: first.source.topic_partitions == second.source.topic_partitions == 6, second)
        first.poll_until(lambda: len(first.held) == len(second.held) == 3, second)
