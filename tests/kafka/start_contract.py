"""The laws of a first start, run against the mock cluster and against Apache Kafka alike."""

import pytest

from streamer.errors import SettingsError, SourceError
from streamer.kafka.start import check_topics, resolve_start
from tests.kafka.mock_cluster import produce
from tests.kafka.source_contract import Cluster, Member, committed


class StartContract:
    """Inherited by the suites of both clusters; they give the fixture `cluster`."""

    def test_a_new_group_must_be_told_where_to_start(self, cluster: Cluster) -> None:
        """Without STREAMER_START the variable and its values are named, and nothing is committed."""
        topic = cluster.create_topic("untold")
        with pytest.raises(SettingsError) as caught:
            resolve_start(cluster.bootstrap, f"g.{topic}", topic, None)
        assert "STREAMER_START" in str(caught.value)
        assert "earliest, latest or an ISO 8601 time" in str(caught.value)
        assert committed(cluster, f"g.{topic}", topic) < 0

    @pytest.mark.parametrize(("start", "expected"), [("earliest", 0), ("latest", 25)])
    def test_a_start_is_committed_for_all_partitions(
        self, cluster: Cluster, start: str, expected: int
    ) -> None:
        """Where a group starts is resolved once and written down, also where a partition is empty."""
        topic = cluster.create_topic("told", 2)
        produce(cluster.bootstrap, topic, [b"x"] * 25)
        assert resolve_start(cluster.bootstrap, f"g.{topic}", topic, start) == {0: expected, 1: 0}
        assert committed(cluster, f"g.{topic}", topic, 0) == expected
        assert committed(cluster, f"g.{topic}", topic, 1) == 0

    def test_a_group_that_committed_is_left_alone(self, cluster: Cluster) -> None:
        """STREAMER_START is of no account, and need not be set, once there is a committed offset."""
        topic = cluster.create_topic("again", 2)
        produce(cluster.bootstrap, topic, [b"x"] * 25)
        resolve_start(cluster.bootstrap, f"g.{topic}", topic, "earliest")
        assert resolve_start(cluster.bootstrap, f"g.{topic}", topic, "latest") is None
        assert resolve_start(cluster.bootstrap, f"g.{topic}", topic, None) is None
        assert committed(cluster, f"g.{topic}", topic) == 0

    def test_a_second_replica_takes_what_the_first_committed(self, cluster: Cluster) -> None:
        """Resolving while the group is already in use changes nothing."""
        topic = cluster.create_topic("race")
        group = f"g.{topic}"
        produce(cluster.bootstrap, topic, [b"x"] * 5)
        resolve_start(cluster.bootstrap, group, topic, "earliest")
        first = Member(cluster, topic, group)
        first.source.subscribe(first)
        first.poll_until(lambda: len(first.records) == 5)
        assert resolve_start(cluster.bootstrap, group, topic, "latest") is None
        first.source.close()
        assert committed(cluster, group, topic) == 0

    def test_topics_are_counted(self, cluster: Cluster) -> None:
        """The check tells how many partitions each topic has."""
        one, three = cluster.create_topic("one", 1), cluster.create_topic("three", 3)
        assert check_topics(cluster.bootstrap, [one, three]) == {one: 1, three: 3}

    def test_a_broker_that_does_not_answer_is_named(self) -> None:
        """An address nobody listens at ends the check within its time, with what to look at."""
        with pytest.raises(
            SourceError, match=r"no Kafka broker answered at 127\.0\.0\.1:1 within 1 s"
        ) as caught:
            check_topics("127.0.0.1:1", ["events"], timeout_seconds=1)
        assert "127.0.0.1:1" in str(caught.value)
        assert "STREAMER_KAFKA_BOOTSTRAP_SERVERS" in str(caught.value)
