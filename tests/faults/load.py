"""The load: the generator's events and some that Planhat refuses, produced as far as they are let.

Of some people Planhat takes nothing. Of others it takes what is good: all that is said of them comes in one
go, so that good and bad wait for the same bulk and are told as one.
"""

import json
import threading
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any, Final

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.errors import SourceError
from streamer.outcomes import CallType, Fate, InvalidReason
from streamer.standins.composer import MadeEvent
from streamer.standins.demo_topic import DemoTopic
from streamer.standins.expectations import Effect, Expectation, event_key, mark_of
from tests.faults.plant import ODD, REFUSED
from tests.real_kafka.pipeline import Pipeline

REFUSED_EVERY: Final = 1_000
MIXED_EVERY: Final = 250
MIXED: Final = 64
"""People of whom some calls are refused.

So many that nobody's pile up: told apart they go one by one, and a tail of them alone, half of it bad, would
rightly be too many bad ones.
"""
_REFUSAL: Final = Expectation(CallType.IDENTIFY, Fate.DEAD_LETTERED, InvalidReason.REFUSED)
_COMPANY: Final = "acme-1"
"""One that the generator's opening has made."""
_FLUSHES: Final = 12

Handed = tuple[bytes, bytes, Expectation]
"""Key, value, and what must come of it."""


class Load(threading.Thread):
    """Produces on a thread of its own, never beyond what `let` allows."""

    def __init__(self, pipeline: Pipeline, events: Iterator[MadeEvent], per_second: float) -> None:
        super().__init__(daemon=True)
        self._pipeline = pipeline
        self._events = events
        self.per_second = per_second
        """The pace; may be changed at any time."""
        self._topic = DemoTopic(pipeline.kafka.bootstrap, pipeline.topic)
        self._encode = Encoder(load_schemas()).encode
        self._allowed = 0
        self._may_go = threading.Condition()
        self._is_over = False
        self._mixed = [_Mixed(number) for number in range(MIXED)]
        self.handed = 0
        """Events given to the producer."""
        self.records = 0
        """Likewise, with what Planhat refuses beside them."""
        self.record_bytes = 0
        """Of their values."""
        self.error: Exception | None = None

    def let(self, allowed: int) -> None:
        """It may produce up to this many in all."""
        with self._may_go:
            self._allowed = allowed
            self._may_go.notify()

    def end(self) -> None:
        """No more than was produced so far."""
        with self._may_go:
            self._is_over = True
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
                while self.handed >= self._allowed and not self._is_over:
                    self._may_go.wait()
                    due = monotonic()
            if self._is_over:
                break
            if self.handed % 50 == 0:
                due = max(due + 50 / self.per_second, monotonic() - 1.0)
                sleep(max(0.0, due - monotonic()))
            self._hand(made.key, made.value_bytes(self._encode), made.expectation)
            for extra in self._extras():
                self._hand(*extra)
            self.handed += 1
        for _ in range(_FLUSHES):
            try:
                self._topic.settle()
            except SourceError:
                self._topic.check()
            else:
                return
        raise SourceError("the broker does not acknowledge what was produced")

    def _extras(self) -> Iterator[Handed]:
        if self.handed % REFUSED_EVERY == 0:
            yield _refused(self.handed // REFUSED_EVERY)
        if self.handed % MIXED_EVERY == 0:
            yield from self._mixed[self.handed // MIXED_EVERY % MIXED].burst()

    def _hand(self, key: bytes | None, value: bytes | None, expectation: Expectation) -> None:
        expected = self._pipeline.expected
        self.records += 1
        self.record_bytes += len(value or b"")
        self._topic.produce(
            key, value, lambda partition, offset: expected.add(partition, offset, expectation)
        )


class _Mixed:
    """A person of whom Planhat takes all but what is odd."""

    def __init__(self, number: int) -> None:
        self._user = f"mixed-{number}"
        self._subject = f"ext:{self._user}"
        self._sequence = 0

    def burst(self) -> Iterator[Handed]:
        """Good ones before, between and after the bad ones, as far as there is a bulk to share."""
        yield self._identify()
        yield self._track()
        yield self._identify(is_odd=True)
        yield self._identify()
        yield self._identify(is_odd=True)
        yield self._track()

    def _identify(self, *, is_odd: bool = False) -> Handed:
        traits: dict[str, Any] = {"email": f"{self._user}@{_COMPANY}.example"}
        if is_odd:
            return self._numbered(CallType.IDENTIFY, "traits", traits | {ODD: "yes"}, Effect.NOTHING)
        traits[mark_of(self._sequence + 1)] = self._sequence + 1
        return self._numbered(CallType.IDENTIFY, "traits", traits, Effect.ENDUSER)

    def _track(self) -> Handed:
        return self._numbered(CallType.TRACK, "properties", {}, Effect.ACTIVITY, event="Odd Seen")

    def _numbered(
        self, call: CallType, name: str, open_part: dict[str, Any], effect: Effect, **more: str
    ) -> Handed:
        self._sequence += 1
        key = event_key(self._subject, self._sequence)
        event = {
            "type": call.value,
            "userId": self._user,
            "messageId": key,
            "context": {"groupId": _COMPANY},
            name: open_part | {"sequence": self._sequence, "eventKey": key},
            **more,
        }
        is_bad = effect is Effect.NOTHING
        expectation = Expectation(
            call,
            Fate.DEAD_LETTERED if is_bad else Fate.DELIVERED,
            InvalidReason.REFUSED if is_bad else None,
            effect,
            self._subject,
            self._sequence,
            _COMPANY,
        )
        return self._user.encode(), json.dumps(event).encode(), expectation


def _refused(number: int) -> Handed:
    user = REFUSED[number % len(REFUSED)]
    event = {
        "type": "identify",
        "userId": user,
        "messageId": f"{user}-{number}",
        "context": {"groupId": _COMPANY},
        "traits": {"email": f"{user}@{_COMPANY}.example", "number": number},
    }
    return user.encode(), json.dumps(event).encode(), _REFUSAL
