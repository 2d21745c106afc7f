"""What became of a commit, from the broker's error codes."""

from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError
from confluent_kafka import TopicPartition as KafkaPartition

from streamer.engine.ports import CommitResult
from streamer.kafka.faults import FENCED
from streamer.kafka.permissions import DENIED
from streamer.records import Mark, TopicPartition

Finished = tuple[Mapping[TopicPartition, Mark], CommitResult]
"""The marks of one commit, and what became of them."""


def commit_result(error: KafkaError | None) -> CommitResult:
    """What became of a commit that ended with this error.

    Only the codes that say "this is no longer yours" are final. Everything else (rebalance in
    progress, coordinator moving or loading, time-outs, connection lost) leaves the offsets ours to
    commit, so the newest are tried again; also where we are not allowed to, but that is not worth
    waiting for when we leave.
    """
    if error is None:
        return CommitResult.COMMITTED
    if error.code() in DENIED:
        return CommitResult.DENIED
    if error.code() == KafkaError.OFFSET_METADATA_TOO_LARGE:
        return CommitResult.TOO_LARGE
    return CommitResult.FENCED if error.code() in FENCED else CommitResult.RETRY


def finished(error: KafkaError | None, partitions: Sequence[KafkaPartition]) -> list[Finished]:
    """What librdkafka reports of one asynchronous commit, split by result.

    An error of the whole commit outranks those of its partitions, and may come without any.
    """
    if error is not None and not partitions:
        return [({}, commit_result(error))]
    by_result: dict[CommitResult, dict[TopicPartition, Mark]] = {}
    for each in partitions:
        result = commit_result(error if error is not None else each.error)
        mark = Mark(each.offset, each.metadata or "")
        by_result.setdefault(result, {})[TopicPartition(each.topic, each.partition)] = mark
    return [(marks, result) for result, marks in by_result.items()]
