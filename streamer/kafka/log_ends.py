"""Where the log of each partition ends: asked beside the consumer, never waited for.

The consumer's own numbers stand still as soon as it stops fetching, that is, exactly when records
pile up because Planhat is slow or away.
"""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

from confluent_kafka import IsolationLevel, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as Place  # type: ignore[attr-defined] # not in its __all__

from streamer.kafka.configuration import logger
from streamer.kafka.faults import text_of
from streamer.kafka.nouns import kafka_partitions
from streamer.records import TopicPartition

ANSWER_SECONDS: Final = 10.0
"""How long an answer is waited for before the question is put again."""


class LogEnd(NamedTuple):
    """An answer of the broker."""

    offset: int
    """What the next committed record will have."""
    as_of: float
    """When it was asked, in seconds since 1970: what was written before lies below `offset`."""


class LogEnds:
    """The latest known end of each partition."""

    def __init__(self, admin: AdminClient, now: Callable[[], float] = time.time) -> None:
        """Prepare to ask through `admin`, which connects at the first question."""
        self._admin = admin
        self._now = now
        self._asked: dict[TopicPartition, Future[Any]] = {}
        self._asked_at = 0.0
        self._since: dict[TopicPartition, float] = {}
        """When each partition was first asked about: what `as_of` falls back to."""
        self._known: dict[TopicPartition, LogEnd] = {}

    def ask(self, partitions: Collection[TopicPartition]) -> None:
        """Take the answers that came, and ask anew once all did. Never waits."""
        self._take()
        now = self._now()
        self._known = {each: end for each, end in self._known.items() if each in partitions}
        self._since = {each: self._since.get(each, now) for each in partitions}
        if self._asked or not partitions:
            return
        latest: Any = Place.latest()  # type: ignore[no-untyped-call]
        answers = self._admin.list_offsets(
            dict.fromkeys(kafka_partitions(partitions), latest),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=ANSWER_SECONDS,
        )
        self._asked = {TopicPartition(each.topic, each.partition): future for each, future in answers.items()}
        self._asked_at = now

    def known(self) -> Mapping[TopicPartition, LogEnd]:
        """Ends as far as they were answered."""
        self._take()
        return self._known

    def as_of(self) -> float | None:
        """Since when the end of some partition is unknown, in seconds since 1970; None without partitions."""
        known = self.known()
        return min(
            (known[each].as_of if each in known else since for each, since in self._since.items()),
            default=None,
        )

    def _take(self) -> None:
        for partition in [each for each, future in self._asked.items() if future.done()]:
            try:
                offset = self._asked.pop(partition).result().offset
            except KafkaException as exception:
                logger.debug("kafka: no log end of %s: %s", partition, text_of(exception))
            else:
                self._known[partition] = LogEnd(offset, self._asked_at)
