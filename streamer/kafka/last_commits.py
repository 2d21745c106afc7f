"""What is known of partitions as they are assigned: asked from inside the callback, for a bounded time.

Before their fetching begins: so that what is read can only be of the topic whose id was told here, or of a
later one (for which our marks, bearing this id, count for nothing).
"""

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from time import monotonic
from typing import Any, Final

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as Place  # type: ignore[attr-defined] # not in its __all__

from streamer.kafka.configuration import logger
from streamer.kafka.faults import text_of
from streamer.kafka.nouns import kafka_partitions
from streamer.kafka.topic_identity import id_of
from streamer.records import Found, Mark, TopicPartition

LOOKUP_SECONDS: Final = 5.0
"""For all questions together. What is not told by then is only sent again."""


class LastCommits:
    """Asks what the group committed last, where logs end, and which topic that is."""

    def __init__(self, admin: AdminClient, topic: str) -> None:
        """Prepare to ask through `admin`, which connects at the first question."""
        self._admin = admin
        self._topic = topic
        self._has_ids = False
        """Somebody is there to describe topics: known from the first answer on."""

    def look_up(
        self, consumer: Consumer, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, Found | None]:
        """What is known of these; None where nobody told in time."""
        if not partitions:
            return {}
        until = monotonic() + LOOKUP_SECONDS
        try:
            answers = consumer.committed(kafka_partitions(partitions), timeout=LOOKUP_SECONDS)
        except KafkaException as exception:
            logger.warning("kafka: what was committed last is not known: %s", text_of(exception))
            return dict.fromkeys(partitions)
        marks = {_place(each): _mark(each) for each in answers if each.error is None}
        # After the marks, or those of a topic deleted meanwhile would bear the id that was told before. And
        # together with where logs end: a broker that just came back is slow to answer each in turn.
        described = self._ask_topic_id(until)
        ends = self._ends([each for each, mark in marks.items() if mark and mark.metadata], until)
        topic_id = self._topic_id(described, until)
        return {
            each: Found(marks[each], ends.get(each), topic_id) if each in marks else None
            for each in partitions
        }

    def _ask_topic_id(self, until: float) -> Future[Any] | None:
        """Ask for it; None where there is nobody to ask, or who there is was not told in time."""
        try:
            if not self._has_ids:
                cluster = self._admin.list_topics(self._topic, timeout=_left(until))
                if cluster.controller_id not in cluster.brokers:
                    return None  # librdkafka's mock: nobody there to describe a topic, and no id
                self._has_ids = True
            topics = TopicCollection([self._topic])
            (asked,) = self._admin.describe_topics(topics, request_timeout=LOOKUP_SECONDS).values()
        except KafkaException as exception:
            self._has_no_id(text_of(exception))
            return None
        return asked

    def _topic_id(self, asked: Future[Any] | None, until: float) -> str:
        """Kafka's id of the topic; "" from a cluster that has none, or is slow to tell."""
        try:
            return id_of(asked.result(_left(until))) if asked is not None else ""
        except (KafkaException, TimeoutError) as error:
            self._has_no_id(_words(error))
            return ""

    def _has_no_id(self, why: str) -> None:
        logger.warning("kafka: the id of topic %s is not known: %s", self._topic, why)

    def _ends(self, partitions: list[TopicPartition], until: float) -> dict[TopicPartition, int]:
        """Where these logs end, as far as it is told in time."""
        if not partitions:
            return {}
        latest: Any = Place.latest()  # type: ignore[no-untyped-call]
        answers = self._admin.list_offsets(
            dict.fromkeys(kafka_partitions(partitions), latest),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=LOOKUP_SECONDS,
        )
        ends = {}
        for each, answer in answers.items():
            try:
                ends[_place(each)] = int(answer.result(_left(until)).offset)
            except (KafkaException, TimeoutError) as error:
                logger.warning("kafka: no log end of %s: %s", _place(each), _words(error))
        return ends


def _place(each: KafkaPartition) -> TopicPartition:
    return TopicPartition(each.topic, each.partition)


def _mark(each: KafkaPartition) -> Mark | None:
    return Mark(each.offset, each.metadata or "") if each.offset >= 0 else None


def _left(until: float) -> float:
    return max(0.1, until - monotonic())


def _words(error: Exception) -> str:
    return text_of(error) if isinstance(error, KafkaException) else "no answer in time"
