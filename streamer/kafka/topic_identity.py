"""Whether the topic is still the one we began to read: a topic made anew bears the name and other records.

Where the new log is longer than our offset nothing else tells: librdkafka goes on at that offset, and what
lies before it would never be read.
"""

from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streamer.kafka.configuration import logger
from streamer.kafka.faults import text_of

ANSWER_SECONDS: Final = 10.0
"""How long an answer is waited for before the question is put again."""


class TopicIdentity:
    """Kafka's id of one topic, as it was first and as it is: asked beside the consumer, never waited for."""

    def __init__(self, admin: AdminClient, topic: str) -> None:
        """Prepare to ask through `admin`, which connects at the first question."""
        self._admin = admin
        self._topic = topic
        self._first = ""
        self._asked: Future[Any] | None = None
        self.is_another = False
        """The topic was deleted and made anew since we began to read it."""

    def seen(self, topic_id: str) -> None:
        """The topic has this id; "" tells nothing."""
        self._first = self._first or topic_id
        self.is_another = self.is_another or bool(topic_id and topic_id != self._first)

    def ask(self) -> None:
        """Take an answer that came, or ask. Only of a cluster that has told an id before. Never waits."""
        if self._asked is None and self._first:
            topics = TopicCollection([self._topic])
            (self._asked,) = self._admin.describe_topics(topics, request_timeout=ANSWER_SECONDS).values()
        elif self._asked is not None and self._asked.done():
            self._take(self._asked)
            self._asked = None

    def _take(self, answer: Future[Any]) -> None:
        try:
            self.seen(id_of(answer.result()))
        except KafkaException as exception:
            # Deleted, which the consumer reports by itself, or a broker that is away.
            logger.debug("kafka: no id of %s: %s", self._topic, text_of(exception))


def id_of(description: Any) -> str:  # noqa: ANN401 -- confluent_kafka's TopicDescription has no types
    """The id in a topic's description; "" from a cluster that gives none."""
    found = description.topic_id
    has_one = found.get_most_significant_bits() or found.get_least_significant_bits()
    return str(found) if has_one else ""
