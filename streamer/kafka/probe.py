"""A consumer that joins no group, for questions before the engine runs; and why nobody answers them."""

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException

from streamer.errors import NoTopic, SourceError
from streamer.kafka.configuration import consumer_configuration
from streamer.kafka.faults import error_of, let_in, never_works, source_error, text_of, unreachable
from streamer.kafka.leaving import Leaving
from streamer.kafka.permissions import Need
from streamer.kafka.refusals import Report, hung_up, refusal_of, tokenless

if TYPE_CHECKING:
    from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined] # not in its __all__

REFUSED_SECONDS: Final = 3.0
"""How long we go on asking a broker that refuses us: another may not, and users reach brokers one by one."""

_CLOSE_SECONDS: Final = 2.0


class Probe:
    """Asks; a context manager. `consumer` is for questions that have no method here."""

    def __init__(self, bootstrap_servers: str, group_id: str, properties: Mapping[str, str] | None) -> None:
        """Prepare a client; it connects at once, and nothing waits for that."""
        self._bootstrap_servers = bootstrap_servers
        self._properties = properties or {}
        self._reports: list[Report] = []
        configuration = consumer_configuration(bootstrap_servers, group_id, properties)
        configuration["error_cb"] = self._on_error
        self.consumer = Consumer(configuration)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not waited for: it does not end while a token endpoint that says nothing is being asked.
        Leaving(self.consumer).join(_CLOSE_SECONDS)

    def partitions(self, topic: str, timeout_seconds: float) -> int:
        """How many partitions a topic has. Raises SourceError where it cannot be used."""
        found = self._look_up(topic, timeout_seconds).topics[topic]
        error: KafkaError | None = found.error
        if error is None:
            return len(found.partitions)
        if error.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:  # noqa: SLF001
            raise NoTopic(
                f"there is no topic {topic} at {self._bootstrap_servers}. streamer stops; it creates no "
                "topics. To do: correct the name, or create it:\n"
                f"  kafka-topics.sh --bootstrap-server {self._bootstrap_servers} --create --topic {topic} "
                "--partitions 6 --replication-factor 3"
            )
        need = Need("Describe", "topic", topic)
        raise source_error(error, self._bootstrap_servers, f"topic {topic}", need)

    def has_controller(self, topic: str, timeout_seconds: float) -> bool:
        """Whether the cluster, once it answers about a topic, names a controller: to whom some questions go.

        Raises SourceError where no answer comes; what it says of the topic is of no account.
        """
        cluster = self._look_up(topic, timeout_seconds)
        return cluster.controller_id in cluster.brokers

    def unanswered(self, seconds: float) -> SourceError:
        """The error that says why no broker answered, as far as librdkafka told."""
        self.consumer.poll(0)
        texts = [each.text for each in self._reports]
        return unreachable(self._bootstrap_servers, seconds, texts)

    def _look_up(self, topic: str, timeout_seconds: float) -> "ClusterMetadata":
        first = min(REFUSED_SECONDS, timeout_seconds)
        for patience in (first, timeout_seconds - first):
            try:
                if patience > 0:
                    found: ClusterMetadata = self.consumer.list_topics(topic, timeout=patience)
                    return found
            except KafkaException as exception:
                error = error_of(exception)
                if error is not None and never_works(error):
                    raise source_error(error, self._bootstrap_servers, f"topic {topic}") from exception
            self.consumer.poll(0)  # what was reported meanwhile comes out here
            refusal = refusal_of(self._reports, self._properties)
            if refusal is not None:
                raise let_in(self._bootstrap_servers, refusal.what, refusal.advice)
        refusal = hung_up(self._reports, self._properties) or tokenless(self._properties)
        if refusal is not None:
            raise let_in(self._bootstrap_servers, refusal.what, refusal.advice)
        raise self.unanswered(timeout_seconds)

    def _on_error(self, error: KafkaError) -> None:
        self._reports.append(Report(error.code(), text_of(error)))
