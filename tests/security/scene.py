"""The engine with the real decoder, reading of replies, log and metrics; and all that it said."""

import io
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from prometheus_client import generate_latest

from streamer.avro.decoder import Decoder
from streamer.avro.schemas import load_schemas
from streamer.engine.limits import Limits
from streamer.engine.loop import Streamer
from streamer.engine.ports import Batch, Delivery, HoldReason, Lot
from streamer.errors import StreamerError
from streamer.kafka.dead_letters import Size, letter_headers
from streamer.letters.letter import HEADER_PREFIX
from streamer.logs import LogObserver, Observers
from streamer.metrics import Metrics, registry_of
from streamer.outcomes import Answer, Endpoint, Misconfigured, Transient
from streamer.planhat.items import encode_operation
from streamer.planhat.responses import read_answer
from streamer.records import MarkIgnored
from streamer.transform import Rules
from tests.engine.fakes import FakeDeadLetters, FakeSink, FakeSource, ManualClock, Told
from tests.security.marks import PERSONAL

LARGEST_EVENT: Final = 20_000
Reply = tuple[int, Any]
"""Status and body: bytes, or what becomes JSON."""
Replies = Callable[[Batch], Reply | Answer]


class Stage:
    """Where a failure plays: everything that anybody could read of it afterwards, and how far it got."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream
        """The log."""
        self.texts: list[str] = []
        self.reached: set[object] = set()
        """Members of our vocabularies: the reasons that were given."""

    def tell(self, *things: object) -> None:
        """These can be read as well: as text, and as a debugger would show them."""
        for thing in things:
            self.texts += [str(thing), repr(thing)]

    def fell(self, error: BaseException) -> None:
        """An error came out: it and what it came of are printed by whoever shows a traceback."""
        self.reached.add(type(error))
        link: BaseException | None = error
        while link is not None:
            self.tell(link)
            link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)

    def everything(self) -> str:
        """All of it."""
        return "\n".join([self.stream.getvalue(), *self.texts])


class _Reached(Told):
    """Remembers reasons on the stage."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def settled(self, lot: Lot, time: float) -> None:
        for ended in lot.records:
            self._stage.reached.add(ended.reason)
            self._stage.tell(ended.record, ended.call, ended.fate, ended.reason)

    def delivered(self, delivery: Delivery) -> None:
        self._stage.tell(delivery, delivery.answer)
        if isinstance(delivery.answer, Transient | Misconfigured):
            self._stage.reached.add(delivery.answer.reason)

    def hold_entered(self, reason: HoldReason) -> None:
        super().hold_entered(reason)
        self._stage.reached.add(reason)

    def mark_ignored(self, reason: MarkIgnored) -> None:
        self._stage.reached.add(reason)

    def failed(self, error: Exception) -> None:
        """Kept from the stage: whoever is told of it may know the error itself."""


class Scene:
    """An engine on a stage; `replies` says what Planhat answers to a batch."""

    def __init__(
        self,
        stage: Stage,
        replies: "Replies | None" = None,
        *,
        rules: Rules | None = None,
        decoder: Any = None,
        limits: Limits | None = None,
    ) -> None:
        self._stage = stage
        self._replies = replies or accepting
        self._is_over = False
        self.clock = ManualClock()
        self.source = FakeSource(self.clock)
        self.letters = FakeDeadLetters()
        self.metrics = Metrics(mode="api")
        self.streamer = Streamer(
            limits=limits or Limits(duplicates_window=0),
            rules=rules or Rules(),
            source=self.source,
            decoder=decoder or Decoder(load_schemas(), max_bytes=LARGEST_EVENT),
            encode=encode_operation,
            sink=FakeSink(self.clock, self._answer),
            dead_letters=self.letters,
            observer=Observers(_Reached(stage), self.metrics, LogObserver(monotonic=self.clock.monotonic)),
            clock=self.clock,
            dice=lambda: 0.5,
        )
        self.source.subscribe(self.streamer)

    def play(self, events: Iterable[object], *, turns: int = 12, seconds: float = 0.5) -> "Scene":
        """Feed these, a call or bytes each, turn, and keep what can be read afterwards."""
        for each in events:
            self.source.feed(each, key=PERSONAL["key"].encode())
        if not self.source.assigned:
            self.source.assign(0)
        self.turn(turns, seconds)
        self.ended()
        return self

    def turn(self, times: int, seconds: float = 0.5) -> None:
        """Turns, with time between them, unless an error of ours ends them: it is told too."""
        for _ in range(times):
            if self._is_over:
                return
            try:
                self.streamer.run_once()
            except StreamerError as error:
                self._is_over = True
                self._stage.fell(error)
            self.clock.advance(seconds)

    def ended(self) -> None:
        """Put metrics and what we write into letters on the stage."""
        self._stage.texts.append(generate_latest(registry_of(self.metrics)).decode())
        for letter in self.letters.produced:
            self._stage.tell(letter)
            for size in Size:
                headers = letter_headers(letter, "group", size)
                ours = [(name, value) for name, value in headers if name.startswith(HEADER_PREFIX)]
                self._stage.texts.append(str(ours))

    def _answer(self, batch: Batch) -> Answer:
        replied = self._replies(batch)
        if not isinstance(replied, tuple):
            return replied
        status, body = replied
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        echo = {"Retry-After": "1", "X-Echo": str(batch.items)}
        return read_answer(batch.endpoint, batch.operations, status, echo, encoded, now=self.clock.time())


def accepting(batch: Batch) -> Reply:
    """Planhat takes everything, and repeats it."""
    return 200, {"created": len(batch.operations), "insertsKeys": items_of(batch), "echo": items_of(batch)}


def items_of(batch: Batch) -> list[Any]:
    """What was sent, as a reply may repeat it; of a deletion it is no JSON."""
    if batch.endpoint is Endpoint.DELETIONS:
        return [item.decode() for item in batch.items]
    return [json.loads(item) for item in batch.items]
