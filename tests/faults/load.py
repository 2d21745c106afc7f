"""The load: the generator's events and some that Planhat refuses, produced as far as they are let."""

import json
import threading
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Final

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.errors import SourceError
from streamer.outcomes import CallType, Fate, InvalidReason
from streamer.standins.composer import MadeEvent
from streamer.standins.demo_topic import DemoTopic
from streamer.standins.expectations import Expectation
from tests.faults.plant import REFUSED
from tests.real_kafka.pipeline import Pipeline

REFUSED_EVERY: Final = 1_000
_REFUSAL: Final = Expectation(CallType.IDENTIFY, Fate.DEAD_LETTERED, InvalidReason.REFUSED)
_FLUSHES: Final = 12


class Load(threading.Thread):
    """Produces on a thread of its own, never beyond what `let` allows."""

    def __init__(self, pipeline: Pipeline, events: Iterator[MadeEvent], per_second: float) -> None:
        super().__init__(daemon=True)
        self._pipeline = pipeline
        self._events = events
        self._per_second = per_second
        self._topic = DemoTopic(pipeline.kafka.bootstrap, pipeline.topic)
        self._encode = Encoder(load_schemas()).encode
        self._allowed = 0
        self._may_go = threading.Condition()
        self.handed = 0
        """Events given to the producer."""
        self.error: Exception | None = None

    def let(self, allowed: int) -> None:
        """It may produce up to this many in all."""
        with self._may_go:
            self._allowed = allowed
            self._may_go.notify()

    def wait_for(self, handed: int) -> None:
        """Wait until so many were produced, or it ended."""
        while self.handed < handed and self.is_alive():
            sleep(0.05)
        if self.error is not None:
            raise self.error

    def run(self) -> None:
        """Produce."""
        try:
            self._produce()
        except Exception as error:  # noqa: BLE001 -- told by whoever waits
            self.error = error

    def _produce(self) -> None:
        due = monotonic()
        for made in self._events:
            with self._may_go:
                while self.handed >= self._allowed:
                    self._may_go.wait()
                    due = monotonic()
            if self.handed % 50 == 0:
                due = max(due + 50 / self._per_second, monotonic() - 1.0)
                sleep(max(0.0, due - monotonic()))
            self._hand(made.key, made.value_bytes(self._encode), made.expectation)
            if self.handed % REFUSED_EVERY == 0:
                self._hand(*_refused(self.handed // REFUSED_EVERY))
            self.handed += 1
        for _ in range(_FLUSHES):
            try:
                self._topic.settle()
            except SourceError:
                self._topic.check()
            else:
                return
        raise SourceError("the broker does not acknowledge what was produced")

    def _hand(self, key: bytes | None, value: bytes | None, expectation: Expectation) -> None:
        expected = self._pipeline.expected
        self._topic.produce(
            key, value, lambda partition, offset: expected.add(partition, offset, expectation)
        )


def _refused(number: int) -> tuple[bytes, bytes, Expectation]:
    user = REFUSED[number % len(REFUSED)]
    event = {
        "type": "identify",
        "userId": user,
        "messageId": f"{user}-{number}",
        "context": {"groupId": "acme-1"},
        "traits": {"email": f"{user}@acme-1.example", "number": number},
    }
    return user.encode(), json.dumps(event).encode(), _REFUSAL
