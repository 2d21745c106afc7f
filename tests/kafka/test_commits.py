"""What a broker's answer to a commit means."""

import pytest
from confluent_kafka import KafkaError, TopicPartition

from streamer.engine.ports import CommitResult
from streamer.kafka.commits import commit_result, finished
from streamer.records import Mark
from streamer.records import TopicPartition as Place


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError._ASSIGNMENT_LOST,
    ],
)
def test_a_group_that_moved_on_fences(code: int) -> None:
    """Offsets that are no longer ours are never called committed, nor tried again."""
    assert commit_result(KafkaError(code)) is CommitResult.FENCED


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._WAIT_COORD,
        KafkaError._TIMED_OUT,
        KafkaError._STATE,
        KafkaError.UNKNOWN,
    ],
)
def test_everything_else_is_tried_again(code: int) -> None:
    """An error that does not take the partition from us leaves its offset to be committed."""
    assert commit_result(KafkaError(code)) is CommitResult.RETRY


@pytest.mark.parametrize(
    "code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED]
)
def test_what_an_acl_forbids_is_told_apart(code: int) -> None:
    """A commit that we are not allowed is neither ours to repeat for long nor somebody else's."""
    assert commit_result(KafkaError(code)) is CommitResult.DENIED


def test_too_much_metadata_is_told_apart() -> None:
    """It is no use to send the same again; with less of it, it is."""
    assert commit_result(KafkaError(KafkaError.OFFSET_METADATA_TOO_LARGE)) is CommitResult.TOO_LARGE


def test_partitions_of_one_commit_can_differ() -> None:
    """A result is told for the partitions it is true of."""
    good, bad = TopicPartition("t", 0, 5, metadata="ahead"), TopicPartition("t", 1, 6)
    taken = {Place("t", 0): Mark(5, "ahead")}
    assert finished(None, [good]) == [(taken, CommitResult.COMMITTED)]
    fence = KafkaError(KafkaError.ILLEGAL_GENERATION)
    assert finished(fence, [good, bad]) == [({**taken, Place("t", 1): Mark(6)}, CommitResult.FENCED)]


def test_a_commit_that_failed_before_it_came_to_partitions_is_told() -> None:
    """Otherwise the next one would wait for its answer for ever."""
    assert finished(KafkaError(KafkaError._WAIT_COORD), []) == [({}, CommitResult.RETRY)]
