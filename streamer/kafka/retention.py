"""How long Kafka keeps a topic's records: asked beside the consumer, seldom, never waited for.

It needs the operation DescribeConfigs on the topic. Whoever may not ask does without: it is no error.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import ConfigResource as Resource  # type: ignore[attr-defined] # not in its __all__

from streamer.kafka.configuration import logger
from streamer.kafka.faults import text_of

ANSWER_SECONDS: Final = 10.0
ASK_AGAIN_SECONDS: Final = 3600.0
"""After an answer: somebody may change it while we run."""
RETRY_SECONDS: Final = 60.0
"""After none, be it that the broker is away or that we may not ask."""


class Retention:
    """The time for which one topic's records are kept, as the broker last told."""

    def __init__(
        self, admin: AdminClient, topic: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare to ask through `admin`, which connects at the first question."""
        self._admin = admin
        self._topic = topic
        self._monotonic = monotonic
        self._asked: Future[Any] | None = None
        self._due_at = monotonic()
        self.seconds: float | None = None
        """None where it is not known, not told to us, or without limit."""

    @property
    def is_asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._asked is not None

    def ask(self) -> None:
        """Take an answer that came, or ask when that is due. Never waits."""
        if self._asked is not None:
            if self._asked.done():
                self._take(self._asked)
                self._asked = None
        elif self._monotonic() >= self._due_at:
            topic = Resource(Resource.Type.TOPIC, self._topic)
            (self._asked,) = self._admin.describe_configs([topic], request_timeout=ANSWER_SECONDS).values()

    def _take(self, answer: Future[Any]) -> None:
        try:
            configuration = {name: entry.value for name, entry in answer.result().items()}
        except KafkaException as exception:
            # An answer we had stays: a broker that is away has not changed it.
            logger.debug("kafka: no retention of %s: %s", self._topic, text_of(exception))
            self._due_at = self._monotonic() + RETRY_SECONDS
        else:
            self.seconds = retention_seconds(configuration)
            self._due_at = self._monotonic() + ASK_AGAIN_SECONDS


def retention_seconds(configuration: Mapping[str, str | None]) -> float | None:
    """Seconds after which a topic so configured loses records by their age; None for never."""
    if "delete" not in (configuration.get("cleanup.policy") or ""):
        return None
    milliseconds = int(configuration.get("retention.ms") or -1)
    return milliseconds / 1000 if milliseconds >= 0 else None
