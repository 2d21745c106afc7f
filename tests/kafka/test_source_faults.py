"""The source when the broker misbehaves, with the mock cluster's faults."""

import time

import pytest

from streamer.engine.ports import CommitResult
from streamer.errors import SourceError
from streamer.kafka.start import resolve_start
from streamer.records import Mark, TopicPartition
from tests.kafka.mock_cluster import FETCH, OFFSET_COMMIT, OFFSET_FETCH, MockCluster, mock_cluster, produce
from tests.kafka.source_contract import PROPERTIES, Member

ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS = 22, 25, 27
TOPIC_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED = 29, 30


def _member(cluster: MockCluster, records: int = 10) -> Member:
    """A member that has read everything of a fresh topic."""
    topic = cluster.create_topic("faults")
    produce(cluster.bootstrap, topic, [b"x"] * records)
    resolve_start(cluster.bootstrap, f"g.{topic}", topic, "earliest", PROPERTIES)
    member = Member(cluster, topic, f"g.{topic}", session_timeout_ms="1500")
    member.source.subscribe(member)
    member.poll_until(lambda: len(member.records) == records)
    return member


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (REBALANCE_IN_PROGRESS, CommitResult.RETRY),
        (ILLEGAL_GENERATION, CommitResult.FENCED),
        (UNKNOWN_MEMBER_ID, CommitResult.FENCED),
    ],
)
@pytest.mark.parametrize("is_waiting", [True, False])
def test_a_refused_commit_is_never_called_committed(
    cluster: MockCluster, code: int, expected: CommitResult, is_waiting: bool
) -> None:
    """Both kinds of commit tell what the broker answered, and the next turn still works."""
    member = _member(cluster)
    marks = {TopicPartition(member.topic, 0): Mark(5, "ahead")}
    # librdkafka repeats a commit a few times where that may help, so the answer is the same each time.
    cluster.push_errors(OFFSET_COMMIT, *[code] * 10)
    if is_waiting:
        result = member.source.commit_now(marks)
    else:
        member.source.start_commit(marks)
        ((told, result),) = member.commits_until(1)
        assert told == marks
    assert result is expected
    cluster.clear_errors(OFFSET_COMMIT)
    member.poll_for(0.2)
    member.source.close()


def test_a_last_commit_that_nobody_tells_is_no_hindrance(cluster: MockCluster) -> None:
    """The question what was committed fails once, at the assignment: records come all the same."""
    first = _member(cluster)
    assert (
        first.source.commit_now({TopicPartition(first.topic, 0): Mark(4, "ahead")}) is CommitResult.COMMITTED
    )
    first.source.close()
    second = Member(cluster, first.topic, f"g.{first.topic}", session_timeout_ms="1500")
    cluster.push_errors(OFFSET_FETCH, GROUP_AUTHORIZATION_FAILED)
    second.source.subscribe(second)
    second.poll_until(lambda: len(second.records) >= 6)
    assert second.found == {TopicPartition(first.topic, 0): None}
    assert [each.offset for each in second.records] == [4, 5, 6, 7, 8, 9]
    second.source.close()


def test_a_waiting_commit_ends_while_the_broker_is_away() -> None:
    """A waiting commit is bounded: a broker that is gone means RETRY within seconds."""
    with mock_cluster() as cluster:
        member = _member(cluster)
        cluster.set_down()
        began = time.monotonic()
        assert member.source.commit_now({TopicPartition(member.topic, 0): Mark(5)}) is CommitResult.RETRY
        assert time.monotonic() - began < 8
        began = time.monotonic()
        member.source.close()
        assert time.monotonic() - began < 12


def test_a_broker_that_comes_back_is_read_on() -> None:
    """An outage of the broker raises nothing and loses nothing."""
    with mock_cluster() as cluster:
        member = _member(cluster)
        cluster.set_down()
        member.poll_for(1.0)
        cluster.set_up()
        produce(cluster.bootstrap, member.topic, [b"y"] * 5)
        member.poll_until(lambda: len(member.records) >= 15)
        assert [each.offset for each in member.records] == list(range(15))
        member.source.close()


def test_a_topic_that_may_not_be_read_stops_the_reader(cluster: MockCluster) -> None:
    """What a person has to mend is a SourceError that says which right is missing."""
    member = _member(cluster)
    cluster.push_errors(FETCH, *[TOPIC_AUTHORIZATION_FAILED] * 20)
    with pytest.raises(SourceError, match="Read on topic faults") as caught:
        member.poll_for(10)
    assert member.topic in str(caught.value)
    assert cluster.bootstrap in str(caught.value)
    cluster.clear_errors(FETCH)
    member.source.close()


@pytest.mark.parametrize("position", ["behind", "beyond"])
def test_an_offset_the_log_does_not_hold_stops_the_reader(cluster: MockCluster, position: str) -> None:
    """Never a silent jump: both offsets are named, and the command that mends it."""
    member = _member(cluster)
    member.source.commit_now({TopicPartition(member.topic, 0): Mark(2 if position == "behind" else 99)})
    member.source.close()
    cluster.delete_records(member.topic, 0, 6)
    again = Member(cluster, member.topic, f"g.{member.topic}", session_timeout_ms="1500")
    again.source.subscribe(again)
    with pytest.raises(SourceError) as caught:
        again.poll_for(15)
    text = str(caught.value)
    wanted = 2 if position == "behind" else 99
    assert f"wants offset {wanted} of {member.topic}[0], but the log holds 6 to 10" in text
    assert f"--topic {member.topic}:0 --reset-offsets" in text
    assert again.records == []
    again.source.close()


def test_partitions_without_an_offset_start_at_their_beginning(cluster: MockCluster) -> None:
    """A partition the group never committed is read from its start; one started paused stays paused."""
    topic = cluster.create_topic("added", 3)
    for partition in range(3):
        produce(cluster.bootstrap, topic, [b"x"] * 10, partition)
    member = Member(cluster, topic, f"g.{topic}", session_timeout_ms="1500")
    quiet = TopicPartition(topic, 2)
    member.on_assigned = lambda _: member.source.pause([quiet])
    member.source.subscribe(member)
    member.poll_until(lambda: len(member.records) >= 20)
    member.poll_for(0.5)
    assert {each.partition for each in member.records} == {0, 1}
    member.source.resume([quiet])
    member.poll_until(lambda: len(member.records) >= 30)
    assert sorted(each.offset for each in member.records if each.partition == 2) == list(range(10))
    member.source.close()
