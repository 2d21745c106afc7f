"""The laws of the source, run against the mock cluster and against Apache Kafka alike."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

import pytest
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streamer.engine.ports import CommitResult
from streamer.errors import LedgerError
from streamer.kafka.source import KafkaSource
from streamer.kafka.start import resolve_start
from streamer.records import Found, Mark, Record, TopicPartition
from tests.kafka.mock_cluster import produce

PROPERTIES = {"fetch.wait.max.ms": "10", "heartbeat.interval.ms": "300", "statistics.interval.ms": "200"}
WAIT_SECONDS = 30.0
COMMIT_TRIES = 5


class Cluster(Protocol):
    """What both clusters offer."""

    @property
    def bootstrap(self) -> str: ...

    def create_topic(self, name: str, partitions: int = 1) -> str: ...


class Member:
    """A source, what its assignment was told, and every record it returned."""

    def __init__(self, cluster: Cluster, topic: str, group: str, **properties: str) -> None:
        given = {**PROPERTIES, **{key.replace("_", "."): value for key, value in properties.items()}}
        given = {key: value for key, value in given.items() if value}
        self.source = KafkaSource(cluster.bootstrap, group, topic, given)
        self.topic = topic
        self.told: list[tuple[str, set[int]]] = []
        self.held: set[int] = set()
        self.found: dict[TopicPartition, Found | None] = {}
        self.records: list[Record] = []
        self.on_assigned: Callable[[Collection[TopicPartition]], None] = lambda _: None
        self.on_revoked: Callable[[Collection[TopicPartition]], None] = lambda _: None

    def assigned(self, partitions: Mapping[TopicPartition, Found | None]) -> None:
        self.found |= partitions
        numbers = {each.partition for each in partitions}
        self.told.append(("assigned", numbers))
        self.held |= numbers
        self.on_assigned(partitions)

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        numbers = {each.partition for each in partitions}
        self.told.append(("revoked", numbers))
        self.held -= numbers
        self.on_revoked(partitions)

    def lost(self, partitions: Collection[TopicPartition]) -> None:
        numbers = {each.partition for each in partitions}
        self.told.append(("lost", numbers))
        self.held -= numbers

    def poll_until(self, done: Callable[[], bool], *others: "Member") -> None:
        """Poll (and let others poll) until it is so."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not done():
            assert time.monotonic() < deadline, f"waited {WAIT_SECONDS} s in vain; told: {self.told}"
            for member in (self, *others):
                member.records.extend(member.source.poll(500, 0.05))

    def poll_for(self, seconds: float) -> None:
        """Poll for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.records.extend(self.source.poll(500, 0.05))

    def commits_until(self, count: int) -> list[tuple[Mapping[TopicPartition, Mark], CommitResult]]:
        """Poll until so many commits ended; returns them."""
        ended: list[tuple[Mapping[TopicPartition, Mark], CommitResult]] = []

        def collected() -> bool:
            ended.extend(self.source.finished_commits())
            return len(ended) >= count

        self.poll_until(collected)
        return ended


def committed(cluster: Cluster, group: str, topic: str, partition: int = 0) -> int:
    """The group's committed offset, negative where there is none."""
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group})
    deadline = time.monotonic() + 30
    try:
        while True:
            try:
                return int(consumer.committed([KafkaPartition(topic, partition)], timeout=10)[0].offset)
            except KafkaException:
                # The coordinator of a broker that just came back: not there yet, or moving.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
    finally:
        consumer.close()


class SourceContract:
    """Inherited by the suites of both clusters; they give the fixture `cluster`."""

    session_timeout_ms = "6000"
    has_topic_ids = True

    @pytest.fixture(params=["classic", "consumer"])
    def protocol(self, request: pytest.FixtureRequest) -> dict[str, str]:
        """Properties for each of the group protocols."""
        if request.param == "classic":
            return {}
        return {"group_protocol": "consumer", "session_timeout_ms": "", "heartbeat_interval_ms": ""}

    @pytest.fixture
    def joining(self, cluster: Cluster) -> Iterator[Callable[..., Member]]:
        """Make members of a group that starts at the beginning; all are closed in the end."""
        members: list[Member] = []

        def join(topic: str, **properties: str) -> Member:
            properties.setdefault("session_timeout_ms", self.session_timeout_ms)
            group = f"group.{topic}"
            resolve_start(cluster.bootstrap, group, topic, "earliest", PROPERTIES)
            member = Member(cluster, topic, group, **properties)
            members.append(member)
            member.source.subscribe(member)
            return member

        yield join
        for member in members:
            member.on_revoked = lambda _: None
            member.source.close()

    def test_records_come_whole_and_in_order(self, cluster: Cluster, joining: Callable[..., Member]) -> None:
        """Every record of a partition is returned once, in order, byte for byte."""
        topic = cluster.create_topic("whole")
        values = [b"%d\x00\xff" % number for number in range(1200)]
        produce(cluster.bootstrap, topic, values)
        member = joining(topic)
        member.poll_until(lambda: len(member.records) >= 1200)
        assert [each.value for each in member.records] == values
        assert [each.offset for each in member.records] == list(range(1200))
        first = member.records[0]
        assert (first.topic, first.partition, first.key, first.headers) == (topic, 0, None, ())
        assert abs(first.timestamp_ms / 1000 - time.time()) < 300

    def test_polling_commits_nothing(self, cluster: Cluster, joining: Callable[..., Member]) -> None:
        """Reading and leaving moves no offset: only the engine commits."""
        topic = cluster.create_topic("quiet")
        produce(cluster.bootstrap, topic, [b"x"] * 10)
        member = joining(topic)
        member.poll_until(lambda: len(member.records) >= 10)
        member.source.close()
        assert committed(cluster, f"group.{topic}", topic) == 0

    def test_a_started_commit_is_told_when_it_ended(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """A commit's result comes from finished_commits, once, with its offsets."""
        topic = cluster.create_topic("commit")
        produce(cluster.bootstrap, topic, [b"x"] * 10)
        member = joining(topic)
        member.poll_until(lambda: len(member.records) >= 10)
        marks = {TopicPartition(topic, 0): Mark(7, "what else")}
        member.source.start_commit(marks)
        assert member.commits_until(1) == [(marks, CommitResult.COMMITTED)]
        assert member.source.finished_commits() == []
        assert committed(cluster, f"group.{topic}", topic) == 7

    def test_the_next_reader_is_told_what_was_committed(
        self, cluster: Cluster, joining: Callable[..., Member], protocol: dict[str, str]
    ) -> None:
        """Offset, metadata and the log's end, before the first record; nothing of a group that is new."""
        topic = cluster.create_topic("told")
        where = TopicPartition(topic, 0)
        produce(cluster.bootstrap, topic, [b"x"] * 10)
        first = joining(topic, **protocol)
        first.poll_until(lambda: len(first.records) >= 10)
        new = first.found[where]
        assert new is not None
        assert new.committed == Mark(0)  # where the start was put
        ahead = "streamer1:" + "~" * 3_990
        assert first.source.commit_now({where: Mark(4, ahead)}) is CommitResult.COMMITTED
        first.source.close()
        second = joining(topic, **protocol)
        second.poll_until(lambda: len(second.records) >= 6)
        found = second.found[where]
        assert found is not None
        assert (found.committed, found.log_end) == (Mark(4, ahead), 10)
        assert bool(found.topic_id) is self.has_topic_ids
        assert [each.offset for each in second.records] == [4, 5, 6, 7, 8, 9]

    def test_a_waiting_commit_is_durable_when_it_returns(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """commit_now answers COMMITTED only for what the broker has."""
        topic = cluster.create_topic("now")
        produce(cluster.bootstrap, topic, [b"x"] * 10)
        member = joining(topic)
        member.poll_until(lambda: len(member.records) >= 10)
        assert member.source.commit_now({TopicPartition(topic, 0): Mark(9)}) is CommitResult.COMMITTED
        assert committed(cluster, f"group.{topic}", topic) == 9

    def test_a_new_member_goes_on_where_the_last_one_committed(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """The committed offset is the next record returned."""
        topic = cluster.create_topic("resume")
        produce(cluster.bootstrap, topic, [b"%d" % number for number in range(10)])
        first = joining(topic)
        first.poll_until(lambda: len(first.records) >= 10)
        assert first.source.commit_now({TopicPartition(topic, 0): Mark(4)}) is CommitResult.COMMITTED
        first.source.close()
        second = joining(topic)
        second.poll_until(lambda: len(second.records) >= 6)
        assert [each.offset for each in second.records] == [4, 5, 6, 7, 8, 9]

    def test_paused_partitions_return_nothing_and_lose_nothing(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """A pause holds records back, a resume brings each of them once."""
        topic = cluster.create_topic("pause")
        member = joining(topic)
        member.poll_until(lambda: member.held == {0})
        where = [TopicPartition(topic, 0)]
        member.source.pause(where)
        produce(cluster.bootstrap, topic, [b"x"] * 50)
        member.poll_for(1.0)
        assert member.records == []
        member.source.resume(where)
        member.poll_until(lambda: len(member.records) >= 50)
        member.poll_for(0.3)
        assert [each.offset for each in member.records] == list(range(50))

    def test_partitions_can_start_paused(self, cluster: Cluster, joining: Callable[..., Member]) -> None:
        """A pause from inside `assigned` holds before the first record is returned."""
        topic = cluster.create_topic("start-paused", 2)
        for partition in (0, 1):
            produce(cluster.bootstrap, topic, [b"x"] * 20, partition)
        member = joining(topic)
        member.on_assigned = member.source.pause
        member.poll_until(lambda: member.held == {0, 1})
        member.poll_for(1.0)
        assert member.records == []
        member.source.resume([TopicPartition(topic, 0)])
        member.poll_until(lambda: len(member.records) >= 20)
        assert {each.partition for each in member.records} == {0}

    def test_pausing_what_is_not_assigned_is_ignored(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """The engine may name partitions that have just gone."""
        topic = cluster.create_topic("foreign")
        member = joining(topic)
        member.poll_until(lambda: member.held == {0})
        elsewhere = [TopicPartition(topic, 99), TopicPartition("no.such.topic", 0)]
        member.source.pause(elsewhere)
        member.source.resume(elsewhere)
        produce(cluster.bootstrap, topic, [b"x"])
        member.poll_until(lambda: len(member.records) == 1)

    def test_a_late_member_takes_its_share_only(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """A rebalance revokes just what moves, after a commit from inside `revoked` was acknowledged."""
        topic = cluster.create_topic("share", 4)
        for partition in range(4):
            produce(cluster.bootstrap, topic, [b"x"] * 10, partition)
        first = joining(topic)
        first.poll_until(lambda: len(first.records) >= 40)
        results: list[CommitResult] = []

        def commit_revoked(partitions: Collection[TopicPartition]) -> None:
            # As the engine does: a coordinator that is slow is asked again.
            while not results or (results[-1] is CommitResult.RETRY and len(results) < COMMIT_TRIES):
                results.append(first.source.commit_now(dict.fromkeys(partitions, Mark(6))))

        first.on_revoked = commit_revoked
        second = joining(topic)
        first.poll_until(lambda: len(first.held) == 2 and len(second.held) == 2, second)
        second.poll_until(lambda: len(second.records) >= 8, first)
        assert first.held | second.held == {0, 1, 2, 3}
        assert [kind for kind, numbers in first.told if numbers] == ["assigned", "revoked"]
        assert results[-1] is CommitResult.COMMITTED, results
        # Both know of all partitions, whoever reads them: by that the group's quota is shared.
        second.poll_until(lambda: first.source.topic_partitions == second.source.topic_partitions == 4, first)
        # What the first member committed while it was revoked is where the second goes on.
        assert {each.offset for each in second.records} == {6, 7, 8, 9}

    def test_a_pause_does_not_outlive_its_assignment(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """A partition that was paused when it went flows when it comes back."""
        topic = cluster.create_topic("back", 2)
        first = joining(topic)
        first.poll_until(lambda: first.held == {0, 1})
        first.source.pause([TopicPartition(topic, 0), TopicPartition(topic, 1)])
        second = joining(topic)
        first.poll_until(lambda: len(first.held) == 1 and len(second.held) == 1, second)
        (moved,) = second.held
        second.source.close()
        first.poll_until(lambda: first.held == {0, 1})
        produce(cluster.bootstrap, topic, [b"x"], moved)
        first.poll_until(lambda: len(first.records) == 1)
        assert first.records[0].partition == moved

    def test_a_revoked_partition_is_not_read_on(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """No record of a partition is returned by a member that gave it up, even read-ahead ones."""
        topic = cluster.create_topic("fence", 2)
        for partition in (0, 1):
            produce(cluster.bootstrap, topic, [b"x"] * 2000, partition)
        first = joining(topic)
        first.poll_until(lambda: first.held == {0, 1})
        second = joining(topic)
        first.poll_until(lambda: len(first.held) == 1, second)
        (kept,) = first.held
        before = len(first.records)
        first.poll_for(0.5)
        assert {each.partition for each in first.records[before:]} <= {kept}

    def test_an_exception_in_a_callback_comes_out_of_poll(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """What the engine raises while it is told of partitions is raised by poll, unchanged."""
        topic = cluster.create_topic("raise")
        member = joining(topic)
        ours = LedgerError("broken")

        def fail(_: Collection[TopicPartition]) -> None:
            raise ours

        member.on_assigned = fail
        with pytest.raises(LedgerError) as caught:
            member.poll_for(WAIT_SECONDS)
        assert caught.value is ours

    def test_unread_counts_what_was_not_returned(
        self, cluster: Cluster, joining: Callable[..., Member]
    ) -> None:
        """Unread is the log's end less the next record; it ends at nothing."""
        topic = cluster.create_topic("unread")
        produce(cluster.bootstrap, topic, [b"x"] * 30)
        member = joining(topic)
        where = TopicPartition(topic, 0)
        member.on_assigned = member.source.pause
        member.poll_until(lambda: member.source.unread() == {where: 30})
        assert member.source.has_joined
        member.source.resume([where])
        member.poll_until(lambda: member.source.unread() == {where: 0})
        assert len(member.records) == 30

    def test_a_member_tells_what_alerts_ask(self, cluster: Cluster, joining: Callable[..., Member]) -> None:
        """Joined, it says so, keeps knowing the log's end, and never takes an old record for a new one."""
        topic = cluster.create_topic("alerts")
        produce(cluster.bootstrap, topic, [b"x"])
        member = joining(topic)
        where = TopicPartition(topic, 0)
        assert not member.source.is_member
        assert member.source.log_ends_at is None
        began = time.time()
        member.poll_until(lambda: member.source.is_member)
        member.poll_until(lambda: (member.source.log_ends_at or 0) > began + 1)
        # Whatever comes now was written after the last look at an empty log, not after the first record.
        member.poll_until(lambda: member.source.unread_since().get(where, 0) > began + 1)
        assert member.records[0].timestamp_ms / 1000 < began + 1

    def test_closing_twice_is_harmless(self, cluster: Cluster, joining: Callable[..., Member]) -> None:
        """Shutdown paths may meet."""
        member = joining(cluster.create_topic("twice"))
        member.poll_until(lambda: member.held == {0})
        member.source.close()
        member.source.close()
        assert member.told[-1][0] == "revoked"
