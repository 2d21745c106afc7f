"""Records into a topic, with an account of what the broker acknowledged: for `publish` and the demo."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streamer.errors import SourceError
from streamer.kafka.configuration import producer_configuration
from streamer.kafka.faults import error_of, text_of

_FULL_QUEUE_SECONDS: Final = 0.1

# librdkafka's defaults for "you choose".
_ANY: Final = -1
_NOW: Final = 0


class Publisher:
    """Produces records to one topic. Counts are of acknowledgements."""

    def __init__(
        self, bootstrap_servers: str, topic: str, properties: Mapping[str, str] | None = None
    ) -> None:
        """Prepare a producer; nothing is connected before the first record."""
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._producer = Producer(producer_configuration(bootstrap_servers, properties))
        self._failed: Counter[str] = Counter()
        self.acknowledged = 0
        """Records the broker has."""

    @property
    def failed(self) -> Mapping[str, int]:
        """Records the broker does not have, by what was reported of them."""
        return self._failed

    def publish(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, str | bytes | None]] = (),
        *,
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> None:
        """Produce one record; waits while the producer's queue is full.

        Without `partition` the key chooses it (murmur2, as Java clients do). Raises SourceError for a
        record that is too large to be handed over.
        """
        while True:
            try:
                self._producer.produce(
                    self._topic, value=value, key=key, headers=list(headers),
                    partition=_ANY if partition is None else partition,
                    timestamp=_NOW if timestamp_ms is None else timestamp_ms,
                    on_delivery=self._on_delivery,
                )  # fmt: skip
            except BufferError:
                self._producer.poll(_FULL_QUEUE_SECONDS)
                continue
            except KafkaException as exception:
                raise self._refused(exception) from exception
            break
        self._producer.poll(0)

    def flush(self, timeout_seconds: float) -> int:
        """Wait for acknowledgements; returns how many are still missing after `timeout_seconds`."""
        return int(self._producer.flush(timeout_seconds))

    def _on_delivery(self, error: KafkaError | None, _produced: Message) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self._failed[text_of(error)] += 1

    def _refused(self, exception: KafkaException) -> SourceError:
        error = error_of(exception)
        return SourceError(
            f"a record could not be produced to {self._topic} at {self._bootstrap_servers}: "
            f"{text_of(error if error is not None else exception)}. It was not written; those before it were."
        )
