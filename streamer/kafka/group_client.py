"""The librdkafka client behind the source: made, listened to, replaced once it is of no use, closed."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streamer.engine.ports import CommitResult
from streamer.kafka.commits import commit_result
from streamer.kafka.configuration import Configuration, logger
from streamer.kafka.faults import error_of, text_of
from streamer.kafka.leaving import Leaving
from streamer.kafka.nouns import kafka_marks, kafka_partitions
from streamer.records import Mark, TopicPartition


class Callbacks(NamedTuple):
    """Who is told what a client tells, on the thread that polls or closes it."""

    on_assign: Callable[[Consumer, list[KafkaPartition]], None]
    on_revoke: Callable[[Consumer, list[KafkaPartition]], None]
    on_lost: Callable[[Consumer, list[KafkaPartition]], None]
    on_commit: Callable[[KafkaError | None, list[KafkaPartition]], None]
    on_statistics: Callable[[str], None]
    on_error: Callable[[KafkaError], None]


class GroupClient:
    """A consumer, and another one in its place where it must be."""

    def __init__(self, configuration: Configuration, topic: str, callbacks: Callbacks) -> None:
        """Make it. Nothing is connected before `subscribe`."""
        self._configuration = configuration
        self._topic = topic
        self._callbacks = callbacks
        self._is_subscribed = False
        self._connect()

    def subscribe(self) -> None:
        """Join the group."""
        self._is_subscribed = True
        heard, told = self._heard, self._callbacks
        self.consumer.subscribe(
            [self._topic],
            on_assign=heard(told.on_assign),
            on_revoke=heard(told.on_revoke),
            on_lost=heard(told.on_lost),
        )

    def replace(self) -> None:
        """Go on with another client, which joins the group as this one did.

        The old one is closed, however long that takes, and nothing of what it tells is heard any more.
        """
        old = self.consumer
        self._connect()
        Leaving(old)
        if self._is_subscribed:
            self.subscribe()

    def commit_now(
        self, marks: Mapping[TopicPartition, Mark], sign_of_life_seconds: float | None
    ) -> CommitResult:
        """Commit and wait for the answer; None for the seconds while the client is being closed.

        librdkafka's waiting commit has no time-out: with a broker that hangs (SIGSTOP, a silent
        network) it waited for as long as that lasted, whatever the socket time-out. A look-up of
        committed offsets asks the same coordinator and has one. So that goes first, and only a
        coordinator that just answered is sent the commit. While closing, librdkafka no longer
        answers look-ups; there the commit goes alone.
        """
        try:
            if sign_of_life_seconds is not None:
                self.consumer.committed(kafka_partitions(marks), timeout=sign_of_life_seconds)
            answers = self.consumer.commit(offsets=kafka_marks(marks), asynchronous=False)
        except KafkaException as exception:
            return commit_result(error_of(exception))
        results = [commit_result(each.error) for each in answers]
        return next((each for each in results if each is not CommitResult.COMMITTED), CommitResult.COMMITTED)

    def close(self, seconds: float) -> bool:
        """Leave the group; whether that ended within this time. It goes on by itself where it did not."""
        leaving = Leaving(self.consumer)
        leaving.join(seconds)
        if leaving.is_alive():
            logger.warning("leaving the group took too long; it is missed after the session time-out")
            return False
        if leaving.failure is not None:
            logger.warning("leaving the group failed: %s", text_of(leaving.failure))
        return True

    def _connect(self) -> None:
        self._current = object()
        heard, told = self._heard, self._callbacks
        self.consumer = Consumer(
            {
                **self._configuration,
                "on_commit": heard(told.on_commit),
                "stats_cb": heard(told.on_statistics),
                "error_cb": heard(told.on_error),
            }
        )

    def _heard(self, callback: Callable[..., None]) -> Callable[..., None]:
        """This callback for as long as the client is the one we have."""
        current = self._current

        def call(*told: Any) -> None:  # noqa: ANN401 - whatever librdkafka tells
            if self._current is current:
                callback(*told)

        return call
