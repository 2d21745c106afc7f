"""A consumer's goodbye to its group, on a thread of its own: it waits for the coordinator, which may hang."""

import threading

from confluent_kafka import Consumer, KafkaException


class Leaving(threading.Thread):
    """Closes a consumer. Whoever does not care when it ends need not wait: it does not keep the program."""

    def __init__(self, consumer: Consumer) -> None:
        """Begin to close it; nobody may use it any more."""
        super().__init__(name="kafka-close", daemon=True)
        self._consumer = consumer
        self.failure: Exception | None = None
        """Why it could not say goodbye, once the thread has ended."""
        self.start()

    def run(self) -> None:
        """Close it, for as long as that takes."""
        try:
            self._consumer.close()
        except (KafkaException, RuntimeError) as error:
            self.failure = error
