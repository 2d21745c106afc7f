"""That the rivals are at-least-once, as they say: nothing is committed before Planhat has it.

Their libraries are not installed where this runs: doubles stand in for Kafka, a scripted server for Planhat.
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import httpx
import msgspec
import pytest

from benchmarks.rivals import careful
from benchmarks.rivals.mapping import ACTIVITIES, Mapping
from benchmarks.rivals.told import Told

GOOD = msgspec.json.encode(
    {"type": "track", "userId": "u-1", "messageId": "m-1", "event": "Seat Added", "properties": {}}
)
POISON = b"\x7fneither Avro nor JSON"


class Exhausted(Exception):
    """All that the topic held was read and dealt with."""


class Scripted(HTTPServer):
    """Answers with these statuses in turn, then with 200; what happens is written into `happened`."""

    def __init__(self, statuses: Sequence[int], happened: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.statuses = list(statuses)
        self.happened = happened
        self.bodies: list[bytes] = []


class Answers(BaseHTTPRequestHandler):
    server: Scripted

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.server.happened.append(str(status))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Place(SimpleNamespace):
    """Kafka's doubles and Planhat's, and what happened, in order."""

    happened: list[str]
    values: list[bytes]
    letters: list[bytes]
    planhat: Scripted

    def told(self) -> Told:
        return Told("", "events", "letters", "group", f"http://127.0.0.1:{self.planhat.server_port}")

    def next_values(self) -> list[bytes]:
        if not self.values:
            raise Exhausted
        values, self.values = self.values, []
        return values

    def letter(self, _topic: str, value: bytes, *_: Any, **__: Any) -> None:
        self.letters.append(value)
        self.happened.append("letter")

    def note(self, what: str) -> None:
        self.happened.append(what)


@pytest.fixture
def place() -> Iterator[Place]:
    """One for each test."""
    happened: list[str] = []
    planhat = Scripted([], happened)
    thread = Thread(target=planhat.serve_forever)
    thread.start()
    yield Place(happened=happened, values=[], letters=[], planhat=planhat)
    planhat.shutdown()
    thread.join()
    planhat.server_close()


class Async:
    """aiokafka's consumer and producer in one."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __call__(self, *_: Any, **__: Any) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def getmany(self, **_: Any) -> dict[int, list[Any]]:
        return {0: [SimpleNamespace(value=value, key=b"u-1") for value in self._place.next_values()]}

    async def send(self, *arguments: Any, **named: Any) -> None:
        self._place.letter(*arguments, **named)

    async def flush(self) -> None:
        self._place.note("confirmed")

    async def commit(self) -> None:
        self._place.note("commit")


def run_careful(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hand-written loop, until the topic is exhausted."""

    def messages(*_: Any) -> list[Any]:
        return [
            SimpleNamespace(error=lambda: None, value=lambda value=value: value, key=lambda: b"u-1")
            for value in place.next_values()
        ]

    def flushed(_seconds: float) -> int:
        place.note("confirmed")
        return 0

    consumer = SimpleNamespace(
        subscribe=lambda _: None, consume=messages, commit=lambda **_: place.note("commit")
    )
    producer = SimpleNamespace(produce=place.letter, poll=lambda _: 0, flush=flushed)
    monkeypatch.setattr(careful, "Consumer", lambda _: consumer)
    monkeypatch.setattr(careful, "Producer", lambda _: producer)
    monkeypatch.setattr(careful, "LINGER_SECONDS", -1.0)
    careful.Loop(place.told()).run()


def run_aiokafka(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop on asyncio, until the topic is exhausted."""
    library = ModuleType("aiokafka")
    both = Async(place)
    vars(library).update(AIOKafkaConsumer=both, AIOKafkaProducer=both)
    monkeypatch.setitem(sys.modules, "aiokafka", library)
    monkeypatch.delitem(sys.modules, "benchmarks.rivals.aiokafka_loop", raising=False)
    loop: Any = import_module("benchmarks.rivals.aiokafka_loop")
    monkeypatch.setattr(loop, "LINGER_SECONDS", -1.0)
    asyncio.run(loop.run(place.told()))


LOOPS = pytest.mark.parametrize("run", [run_careful, run_aiokafka])


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are as short as chance may make them."""
    monkeypatch.setattr("random.uniform", lambda _low, _high: 0.0)


@LOOPS
def test_what_may_pass_is_sent_again_and_then_committed(
    run: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 and 500: the same bulk until it is taken; the letter confirmed; and only then the commit."""
    place.values = [GOOD, POISON, GOOD]
    place.planhat.statuses = [429, 500]
    with pytest.raises(Exhausted):
        run(place, monkeypatch)
    assert place.happened == ["letter", "429", "500", "200", "confirmed", "commit"]
    assert place.letters == [POISON]
    assert len(set(place.planhat.bodies)) == 1
    assert len(msgspec.json.decode(place.planhat.bodies[0])) == 2


@LOOPS
def test_what_will_not_pass_ends_the_loop_without_a_commit(
    run: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """401: whoever starts it again reads the same records again."""
    place.values = [GOOD]
    place.planhat.statuses = [401]
    with pytest.raises(SystemExit, match="nothing is committed"):
        run(place, monkeypatch)
    assert place.happened == ["401"]


class Backpressure(Exception):
    """Quix Streams seeks back to the last checkpoint."""


@pytest.fixture
def quix(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The rival's module, over a double of its library."""
    library, sinks = ModuleType("quixstreams"), ModuleType("quixstreams.sinks")
    vars(library).update(Application=None)
    vars(sinks).update(BatchingSink=object, SinkBackpressureError=Backpressure, SinkBatch=None)
    monkeypatch.setitem(sys.modules, "quixstreams", library)
    monkeypatch.setitem(sys.modules, "quixstreams.sinks", sinks)
    monkeypatch.delitem(sys.modules, "benchmarks.rivals.quix", raising=False)
    return import_module("benchmarks.rivals.quix")


def test_quix_streams_is_told_to_go_back_where_a_bulk_may_pass_later(quix: Any, place: Place) -> None:
    """The checkpoint is not committed: neither then, nor where the bulk will never pass."""
    sink = quix.BulkSink(place.told())
    batch = [SimpleNamespace(value=[(ACTIVITIES, b"{}")])]
    place.planhat.statuses = [429, 500, 401]
    for expected in (Backpressure, Backpressure, httpx.HTTPStatusError):
        with pytest.raises(expected):
            sink.write(batch)
    sink.write(batch)
    assert place.planhat.bodies == [b"[{}]"] * 4


def test_quix_streams_skips_what_cannot_be_read(quix: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With a warning: less than the others do, and its file says so."""
    mapping = Mapping()
    assert quix.items_of(mapping, POISON) == []
    assert quix.items_of(mapping, None) == []
    assert len(quix.items_of(mapping, GOOD)) == 1
    assert [record.message for record in caplog.records] == ["skipped a record: DecodeError"]
