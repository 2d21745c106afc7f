"""Where the log of each partition ends: asked beside the consumer, never waited for.

The consumer's own numbers stand still as soon as it stops fetching, that is, exactly when records
pile up because Planhat is slow or away.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as Place  # type: ignore[attr-defined] # not in its __all__

from streamer.kafka.configuration import admin_configuration, logger
from streamer.kafka.faults import text_of
from streamer.kafka.nouns import kafka_partitions
from streamer.records import TopicPartition

_ANSWER_SECONDS = 10.0


class LogEnds:
    """The latest known end of each partition: the offset the next committed record will have."""

    def __init__(self, bootstrap_servers: str, properties: Mapping[str, str] | None = None) -> None:
        """Prepare a client; it connects at the first question."""
        self._admin = AdminClient(admin_configuration(bootstrap_servers, properties))
        self._asked: dict[TopicPartition, Future[Any]] = {}
        self._known: dict[TopicPartition, int] = {}

    def ask(self, partitions: Collection[TopicPartition]) -> None:
        """Take the answers that came, and ask anew once all did. Never waits."""
        self._take()
        self._known = {each: end for each, end in self._known.items() if each in partitions}
        if self._asked or not partitions:
            return
        latest: Any = Place.latest()  # type: ignore[no-untyped-call]
        answers = self._admin.list_offsets(
            dict.fromkeys(kafka_partitions(partitions), latest),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_ANSWER_SECONDS,
        )
        self._asked = {TopicPartition(each.topic, each.partition): future for each, future in answers.items()}

    def known(self) -> Mapping[TopicPartition, int]:
        """Ends as far as they were answered."""
        self._take()
        return self._known

    def _take(self) -> None:
        for partition in [each for each, future in self._asked.items() if future.done()]:
            try:
                self._known[partition] = self._asked.pop(partition).result().offset
            except KafkaException as exception:
                logger.debug("kafka: no log end of %s: %s", partition, text_of(exception))
