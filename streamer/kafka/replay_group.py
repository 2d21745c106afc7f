"""Membership of a replay's own group: one replay of a dead-letter topic at a time.

Offsets are not what the group is for (they would be forgotten after a week without members). Whoever
finds the group without members joins it; whoever then holds every partition is alone, and notices when
that ends. Looking first spares a replay that runs: a second member would be given its partitions. Of two
that start at the very same moment both may end.
"""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from streamer.errors import SourceError
from streamer.kafka.configuration import admin_configuration, consumer_configuration
from streamer.kafka.faults import error_of, never_works, source_error, text_of, unreachable
from streamer.kafka.refusals import is_for_want_of_a_token
from streamer.kafka.start import ANSWER_SECONDS

SESSION_SECONDS: Final = 10
"""After how long a replay that was killed is missed."""
EMPTY_SECONDS: Final = SESSION_SECONDS + 5.0
"""How long to wait for members to leave: the end of a killed replay's session."""
JOIN_SECONDS: Final = 30.0
"""How long to wait for all partitions."""
_LOOK_SECONDS: Final = 0.1
_NOBODY_TOLD: Final = frozenset({
    KafkaError.GROUP_ID_NOT_FOUND,
    # The embedded broker does not say who is in a group. Joining finds out too, at the cost of the other.
    KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001 - librdkafka's own name for it
})  # fmt: skip


class ReplayGroup:
    """A member of the group that must be its only one."""

    def __init__(
        self,
        bootstrap_servers: str,
        group_id: str,
        topic: str,
        partitions: int,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._group_id = group_id
        self._topic = topic
        self._partitions = partitions
        self._held: set[int] = set()
        self._is_in = False
        self._carried: KafkaError | None = None
        self._asking = admin_configuration(bootstrap_servers, properties)
        self._admin = AdminClient(self._asking)
        configuration = consumer_configuration(bootstrap_servers, group_id, properties)
        if "partition.assignment.strategy" in configuration:  # the classic protocol's, set by the client
            configuration["session.timeout.ms"] = SESSION_SECONDS * 1000
        configuration["error_cb"] = self._on_error
        self._consumer = Consumer(configuration)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def join(self, say: Callable[[str], None], go_on: Callable[[], None]) -> None:
        """Wait until this replay is alone; `say` is told when that takes a while.

        `go_on` is called again and again meanwhile; what it raises ends the waiting.

        Raises SourceError when another one goes on.
        """
        self._wait_until_empty(say, go_on)
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )
        deadline = time.monotonic() + JOIN_SECONDS
        while len(self._held) < self._partitions:
            go_on()
            self._look()
            if time.monotonic() > deadline:
                raise self._another()
        self._is_in = True

    def check(self) -> None:
        """Stay a member; raises SourceError as soon as this replay is not alone. Does not wait."""
        self._look(0)
        if self._is_in and len(self._held) < self._partitions:
            raise SourceError(
                f"group {self._group_id} took partitions of {self._topic} away: another replay was started, "
                "or this one was out of touch. The replay stops; what it had sent and not noted is sent "
                "again by the next one, which names it. To do: see that only one replay runs, then replay "
                "again."
            )

    def _wait_until_empty(self, say: Callable[[str], None], go_on: Callable[[], None]) -> None:
        deadline = time.monotonic() + EMPTY_SECONDS
        is_said = False
        while self._members():
            go_on()
            if time.monotonic() > deadline:
                raise self._another()
            if not is_said:
                is_said = True
                say(
                    f"waiting for group {self._group_id} to be empty: a replay that was killed is missed "
                    f"after {SESSION_SECONDS} s"
                )
            time.sleep(_LOOK_SECONDS)

    def _members(self) -> int:
        try:
            asked = self._admin.describe_consumer_groups([self._group_id], request_timeout=ANSWER_SECONDS)
            (answer,) = asked.values()
            return len(answer.result().members)
        except KafkaException as exception:
            # The one that asked must not be there when a coordinator comes back after that: librdkafka 2.16
            # may end the process then (docs/decisions/0028).
            self._admin = AdminClient(self._asking)
            error = error_of(exception)
            if error is not None and error.code() in _NOBODY_TOLD:
                return 0
            if error is not None and never_works(error):
                raise source_error(error, self._bootstrap_servers, f"group {self._group_id}") from exception
            raise unreachable(self._bootstrap_servers, ANSWER_SECONDS, [text_of(exception)]) from exception

    def _another(self) -> SourceError:
        return SourceError(
            f"another replay of {self._topic} is running: group {self._group_id} has another member, and two "
            "would send the same letters. Nothing was sent. To do: wait for its end, or stop it."
        )

    def _look(self, seconds: float = _LOOK_SECONDS) -> None:
        try:
            self._consumer.poll(seconds)  # nothing is fetched: every partition is paused as it comes
        except KafkaException as exception:
            self._carried = self._carried or error_of(exception)
        error = self._carried
        if error is not None:
            raise source_error(error, self._bootstrap_servers, f"group {self._group_id}")

    def _on_assign(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        for each in partitions:
            each.offset = 0
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self._held |= {each.partition for each in partitions}

    def _on_revoke(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        self._held -= {each.partition for each in partitions}
        if not consumer.assignment():
            return
        consumer.incremental_unassign(partitions)

    def _on_error(self, error: KafkaError) -> None:
        if self._is_in and is_for_want_of_a_token(error):
            return  # it is asked for again, and what we have may serve until then
        if error.fatal() or never_works(error):
            self._carried = self._carried or error
