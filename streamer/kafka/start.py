"""Before the engine runs: are the topics there, and where does a new group start?"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streamer.errors import SettingsError
from streamer.kafka.faults import FENCED, error_of, never_works, source_error, text_of, unreachable
from streamer.kafka.permissions import denied
from streamer.kafka.probe import Probe

ANSWER_SECONDS: Final = 15.0
"""How long a broker may take to answer at start."""

START_VALUES: Final = "earliest, latest or an ISO 8601 time such as 2026-11-01T00:00:00Z"

_RETRY_SECONDS: Final = 0.2


def start_problem(text: str) -> str | None:
    """What is wrong with a value of STREAMER_START, or None."""
    if text in {"earliest", "latest"} or _time_ms(text) is not None:
        return None
    return f"STREAMER_START: {text!r} is none of: {START_VALUES} (with its zone)"


def check_topics(
    bootstrap_servers: str,
    topics: Sequence[str],
    properties: Mapping[str, str] | None = None,
    timeout_seconds: float = ANSWER_SECONDS,
) -> dict[str, int]:
    """How many partitions each topic has; raises SourceError for the first that cannot be used.

    Nothing is created: a topic's partitions and replicas are its owner's to choose.
    """
    with Probe(bootstrap_servers, "planhat-streamer-check", properties) as probe:
        return {topic: probe.partitions(topic, timeout_seconds) for topic in topics}


def check_start(
    bootstrap_servers: str,
    group_id: str,
    topic: str,
    start: str | None,
    properties: Mapping[str, str] | None = None,
    timeout_seconds: float = ANSWER_SECONDS,
) -> bool:
    """Whether the group has committed offsets of this topic; if not, `start` says where it begins.

    Commits nothing. Raises SettingsError when the group is new and `start` is None or no start;
    SourceError when the broker does not answer.
    """
    with Probe(bootstrap_servers, group_id, properties) as probe:
        count = probe.partitions(topic, timeout_seconds)
        places = [KafkaPartition(topic, number) for number in range(count)]
        try:
            committed = probe.consumer.committed(places, timeout=timeout_seconds)
        except KafkaException as exception:
            error = error_of(exception)
            if error is not None and never_works(error):
                need = denied(error, topic, group_id)
                raise source_error(error, bootstrap_servers, f"group {group_id}", need) from exception
            raise probe.unanswered(timeout_seconds) from exception
    has_place = any(each.offset >= 0 for each in committed)
    if not has_place:
        _required(start, group_id)
    return has_place


def resolve_start(
    bootstrap_servers: str,
    group_id: str,
    topic: str,
    start: str | None,
    properties: Mapping[str, str] | None = None,
    timeout_seconds: float = ANSWER_SECONDS,
) -> dict[int, int] | None:
    """Where the group starts, if it never committed anything of this topic: resolved and committed once.

    Returns the offsets it committed by partition, or None where the group had some already (then
    `start` is of no account). Replicas that start together may all come here: whoever is second finds
    the group in use and takes what the first committed.

    Raises SettingsError when the group is new and `start` is None or no start; SourceError when the
    broker does not answer within `timeout_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    with Probe(bootstrap_servers, group_id, properties) as probe:
        consumer = probe.consumer
        count = probe.partitions(topic, timeout_seconds)
        places = [KafkaPartition(topic, number) for number in range(count)]
        last: KafkaException | None = None
        while time.monotonic() < deadline:
            try:
                committed = consumer.committed(places, timeout=_left(deadline))
                if any(each.offset >= 0 for each in committed):
                    return None
                offsets = _resolve(consumer, places, _required(start, group_id), deadline)
                consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as exception:
                error = error_of(exception)
                if error is not None and never_works(error) and error.code() not in FENCED:
                    need = denied(error, topic, group_id)
                    raise source_error(error, bootstrap_servers, f"group {group_id}", need) from exception
                last = exception  # another replica was first, or the coordinator is not there yet
                time.sleep(_RETRY_SECONDS)
                continue
            return {each.partition: each.offset for each in offsets}
        if last is None:
            raise probe.unanswered(timeout_seconds)
        raise unreachable(bootstrap_servers, timeout_seconds, [text_of(last)])


def _required(start: str | None, group_id: str) -> str:
    if start is None:
        problem = (
            f"STREAMER_START: the consumer group {group_id} has no committed offset yet, so it must be said "
            f"where to start: {START_VALUES}. Once the group has committed it is ignored."
        )
        raise SettingsError([problem])
    wrong = start_problem(start)
    if wrong is not None:
        raise SettingsError([wrong])
    return start


def _resolve(
    consumer: Consumer, places: Sequence[KafkaPartition], start: str, deadline: float
) -> list[KafkaPartition]:
    ends = [consumer.get_watermark_offsets(each, timeout=_left(deadline)) for each in places]
    if start in {"earliest", "latest"}:
        chosen = [low if start == "earliest" else high for low, high in ends]
    else:
        # The look-up by time takes milliseconds where an offset would stand; -1 means "after the end".
        asked = [KafkaPartition(each.topic, each.partition, _time_ms(start) or 0) for each in places]
        found = consumer.offsets_for_times(asked, timeout=_left(deadline))
        at = {each.partition: each.offset for each in found}
        chosen = [
            at[each.partition] if at[each.partition] >= 0 else high
            for each, (_, high) in zip(places, ends, strict=True)
        ]
    return [
        KafkaPartition(each.topic, each.partition, offset)
        for each, offset in zip(places, chosen, strict=True)
    ]


def _time_ms(text: str) -> int | None:
    """An ISO 8601 time with its zone, as milliseconds since 1970; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return int(moment.astimezone(UTC).timestamp() * 1000)


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())
