"""The source when Apache Kafka stops, hangs, grows or loses a topic."""

import os
import signal
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from streamer.engine.ports import CommitResult
from streamer.errors import SourceError
from streamer.kafka.configuration import onlooker_configuration
from streamer.kafka.log_ends import LogEnds
from streamer.kafka.retention import Retention
from streamer.kafka.start import resolve_start
from streamer.records import Mark, TopicPartition
from tests.kafka.mock_cluster import produce
from tests.kafka.source_contract import Member, committed
from tests.real_kafka.cluster import RealKafka

pytestmark = pytest.mark.real_kafka


def _member(kafka: RealKafka, topic: str, **properties: str) -> Member:
    """A member of the topic's group, which starts at the beginning."""
    resolve_start(kafka.bootstrap, f"g.{topic}", topic, "earliest")
    member = Member(kafka, topic, f"g.{topic}", **{"session_timeout_ms": "6000", **properties})
    member.source.subscribe(member)
    return member


def _ask_until_known(ends: LogEnds, partition: TopicPartition, asked_after: float) -> None:
    """Ask until an answer is there to a question asked then or later."""
    deadline = time.monotonic() + 60
    while partition not in ends.known() or ends.known()[partition].as_of < asked_after:
        assert time.monotonic() < deadline, f"waited in vain for the end of {partition}"
        ends.ask([partition])
        time.sleep(0.2)


def _seconds(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def test_reading_goes_on_after_the_broker_restarts(own_kafka: RealKafka) -> None:
    """A restart of the broker raises nothing, loses nothing, repeats nothing, and commits work again."""
    topic = own_kafka.create_topic("restart")
    produce(own_kafka.bootstrap, topic, [b"x"] * 10)
    # Longer than any restart takes: what happens to a member that is missed is another test's business.
    member = _member(own_kafka, topic, session_timeout_ms="45000")
    member.poll_until(lambda: len(member.records) == 10)
    own_kafka.restart()
    produce(own_kafka.bootstrap, topic, [b"x"] * 10)
    member.poll_until(lambda: len(member.records) >= 20)
    assert [each.offset for each in member.records] == list(range(20))
    where = TopicPartition(topic, 0)
    results: list[CommitResult] = []
    deadline = time.monotonic() + 30
    while CommitResult.COMMITTED not in results:
        assert time.monotonic() < deadline, f"no commit after the restart: {results}"
        member.poll_for(0.1)
        results.append(member.source.commit_now({where: Mark(20)}))
    member.poll_until(lambda: member.source.is_member)
    back = time.time()
    member.poll_until(lambda: (member.source.log_ends_at or 0) > back)
    member.source.close()
    assert committed(own_kafka, f"g.{topic}", topic) == 20


def test_nothing_waits_for_a_broker_that_hangs(own_kafka: RealKafka) -> None:
    """With the broker stopped in its tracks (SIGSTOP) a waiting commit and leaving are bounded.

    The controller takes it for dead meanwhile; once it is back, the ends of its logs are told again.
    """
    topic = own_kafka.create_topic("hang")
    produce(own_kafka.bootstrap, topic, [b"x"] * 10)
    ends = LogEnds(AdminClient(onlooker_configuration(own_kafka.bootstrap)))
    member = _member(own_kafka, topic)
    member.poll_until(lambda: len(member.records) == 10)
    where = TopicPartition(topic, 0)
    _ask_until_known(ends, where, 0)
    os.kill(own_kafka.pid, signal.SIGSTOP)
    try:
        assert _seconds(lambda: member.poll_for(0.5)) < 2
        member.source.start_commit({where: Mark(5)})
        results: list[CommitResult] = []
        assert _seconds(lambda: results.append(member.source.commit_now({where: Mark(7)}))) < 5
        assert results == [CommitResult.RETRY]
        assert _seconds(member.source.close) < 12
    finally:
        os.kill(own_kafka.pid, signal.SIGCONT)
    # The commit that was started is the broker's to take or leave; the one that was not sent is not there.
    assert committed(own_kafka, f"g.{topic}", topic) in {0, 5}
    _ask_until_known(ends, where, time.time())


def test_partitions_added_later_are_read_from_their_beginning(real_kafka: RealKafka) -> None:
    """Records written to a new partition before this member heard of it are not passed over."""
    topic = real_kafka.create_topic("grows")
    member = _member(real_kafka, topic, topic_metadata_refresh_interval_ms="1000")
    member.poll_until(lambda: member.held == {0})
    admin = real_kafka.admin()
    admin.create_partitions([NewPartitions(topic, 2)])[topic].result(30)
    written = 0
    while written < 20:
        try:
            produce(real_kafka.bootstrap, topic, [b"x"] * 20, partition=1)
            written = 20
        except AssertionError:
            time.sleep(0.2)
    member.poll_until(lambda: len(member.records) >= 20)
    assert [each.offset for each in member.records] == list(range(20))
    member.source.close()


def test_metadata_that_is_too_long_is_told_apart(real_kafka: RealKafka) -> None:
    """By both kinds of commit, so that the next one goes with less; what we write by default is taken."""
    topic = real_kafka.create_topic("long")
    produce(real_kafka.bootstrap, topic, [b"x"])
    member = _member(real_kafka, topic)
    member.poll_until(lambda: len(member.records) == 1)
    where = TopicPartition(topic, 0)
    assert member.source.commit_now({where: Mark(0, "x" * 4_097)}) is CommitResult.TOO_LARGE
    marks = {where: Mark(0, "x" * 4_097)}
    member.source.start_commit(marks)
    assert member.commits_until(1) == [(marks, CommitResult.TOO_LARGE)]
    assert member.source.commit_now({where: Mark(1, "x" * 4_000)}) is CommitResult.COMMITTED
    member.source.close()


def test_a_deleted_topic_stops_the_reader(real_kafka: RealKafka) -> None:
    """A topic that is gone is a SourceError that names it and what to do."""
    topic = real_kafka.create_topic("gone")
    member = _member(real_kafka, topic, topic_metadata_refresh_interval_ms="1000")
    member.poll_until(lambda: member.held == {0})
    admin = real_kafka.admin()
    admin.delete_topics([topic])[topic].result(30)
    with pytest.raises(SourceError, match="create the topic, or correct STREAMER_KAFKA_TOPIC") as caught:
        member.poll_for(40)
    assert topic in str(caught.value)
    member.source.close()


@pytest.mark.parametrize("later", [5, 50], ids=["shorter", "longer"])
def test_a_topic_made_anew_stops_the_reader(real_kafka: RealKafka, later: int) -> None:
    """Its offsets are another log's: whether that is shorter or longer, nothing is passed over in silence."""
    topic = real_kafka.create_topic("anew")
    produce(real_kafka.bootstrap, topic, [b"old"] * 20)
    member = _member(real_kafka, topic, **{"statistics.interval.ms": "500"})
    member.poll_until(lambda: len(member.records) == 20)
    admin = real_kafka.admin()  # kept until it has answered
    admin.delete_topics([topic])[topic].result(20)
    real_kafka.create_topic_named(topic)
    produce(real_kafka.bootstrap, topic, [b"new"] * later)
    with pytest.raises(SourceError, match="made anew") as stopped:
        member.poll_until(lambda: False)
    assert topic in str(stopped.value)
    assert "--reset-offsets --to-earliest" in str(stopped.value)
    member.source.close()


def test_a_member_that_was_evicted_is_fenced(real_kafka: RealKafka) -> None:
    """Who stays silent too long cannot commit any more, and joins anew with nothing paused."""
    real_kafka.require_owned()
    topic = real_kafka.create_topic("evicted")
    produce(real_kafka.bootstrap, topic, [b"x"] * 10)
    member = _member(real_kafka, topic, max_poll_interval_ms="6000")
    member.poll_until(lambda: len(member.records) == 10)
    member.source.pause([TopicPartition(topic, 0)])
    time.sleep(8)  # no poll for longer than max.poll.interval.ms: librdkafka leaves the group
    result = member.source.commit_now({TopicPartition(topic, 0): Mark(10)})
    assert result is CommitResult.FENCED
    assert committed(real_kafka, f"g.{topic}", topic) == 0
    member.poll_until(lambda: ("lost", {0}) in member.told)
    member.poll_until(lambda: member.told[-1] == ("assigned", {0}))
    member.poll_until(lambda: len(member.records) == 20)
    assert [each.offset for each in member.records[10:]] == list(range(10))
    member.source.close()


def test_a_huge_record_comes_whole(real_kafka: RealKafka) -> None:
    """A record far beyond what is fetched at a time is returned, and so are its neighbours."""
    topic = real_kafka.create_topic("huge", max_message_bytes="40000000")
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap, "message.max.bytes": 40_000_000})
    for value in (b"before", b"x" * 30_000_000, b"after"):
        producer.produce(topic, value)
    assert producer.flush(60) == 0
    member = _member(real_kafka, topic)
    member.poll_until(lambda: len(member.records) == 3)
    assert [len(each.value or b"") for each in member.records] == [6, 30_000_000, 5]
    member.source.close()


def test_aborted_transactions_leave_gaps_and_no_records(real_kafka: RealKafka) -> None:
    """Offsets may have holes: committed records come, the others never do."""
    topic = real_kafka.create_topic("gaps")
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap, "transactional.id": topic})
    producer.init_transactions(30)
    for number in range(4):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number)
        producer.flush(30)
        if number % 2:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    member = _member(real_kafka, topic)
    member.poll_until(lambda: len(member.records) == 2)
    assert [(each.offset, each.value) for each in member.records] == [(0, b"0"), (4, b"2")]
    # Behind the last record lie a marker, an aborted record and its marker: nothing that waits for us.
    where = TopicPartition(topic, 0)
    assert real_kafka.end_offsets(topic) == {0: 8}
    member.poll_until(lambda: member.source.unread() == {where: 0})
    member.source.close()


@pytest.mark.parametrize(("milliseconds", "seconds"), [("86400000", 86_400), ("-1", None)])
def test_the_retention_is_what_the_topic_is_configured_to(
    real_kafka: RealKafka, milliseconds: str, seconds: float | None
) -> None:
    """The broker's answer is taken when it is there; a topic that keeps its records for ever has none."""
    retention = Retention(real_kafka.admin(), real_kafka.create_topic("kept", retention_ms=milliseconds))
    retention.ask()
    deadline = time.monotonic() + 30
    while retention.is_asking:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        retention.ask()
    assert retention.seconds == seconds
