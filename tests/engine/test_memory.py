"""What is held in memory of an event is counted, or not held."""

import gc
import weakref
from typing import NoReturn

import msgspec

from streamer.events.calls import Call, JsonDict
from streamer.outcomes import Endpoint
from streamer.transform.facts import VALUE_BYTES
from streamer.transform.operations import ForwardCall, LogActivity
from streamer.transform.rules import Rules
from tests.engine.fakes import Bench, identify, partition, track

LONG = "x" * 20_000


def _size_in_flight(event: dict[str, object], **choices: object) -> tuple[Bench, int]:
    """An engine that has read one event and sent it, and what it counts beyond the record's own bytes."""
    bench = Bench(answer=None, **choices)  # type: ignore[arg-type]
    record = bench.source.feed(event)
    bench.turn(3)
    return bench, bench.streamer.ledger.size_bytes - record.size_bytes


def test_what_a_large_activity_says_is_held_once_and_sent_whole() -> None:
    """Beside its encoded form only who did it is kept."""
    bench, counted = _size_in_flight(track("u-1", note=LONG))

    (batch,) = bench.sink.sent
    (operation,) = batch.operations
    assert isinstance(operation, LogActivity)
    assert (operation.external_id, operation.info) == ("u-1", {})
    sent = msgspec.json.decode(batch.items[0])
    assert (sent["action"], sent["info"]["note"]) == ("Signed In", LONG)
    assert counted == len(batch.items[0])


def test_a_large_call_is_forwarded_whole_and_held_once() -> None:
    """In passthrough mode too; what type of call it is, is still known."""
    bench, counted = _size_in_flight(identify("u-1", note=LONG), rules=Rules(forwards=True))

    (batch,) = bench.sink.sent
    (operation,) = batch.operations
    assert isinstance(operation, ForwardCall)
    assert (batch.endpoint, operation.call) == (Endpoint.SEGMENT, {"type": "identify"})
    assert msgspec.json.decode(batch.items[0])["traits"]["note"] == LONG
    assert counted == len(batch.items[0])


def test_what_an_upsert_says_is_counted_twice() -> None:
    """It is held as values as well: a later one may be told with it."""
    bench, counted = _size_in_flight(identify("u-1", company=None, note=LONG, plan="pro"))

    assert counted == 2 * len(bench.sink.sent[0].items[0]) + 2 * VALUE_BYTES


def test_nothing_is_counted_once_it_is_settled() -> None:
    """What was counted of an event goes with it."""
    bench = Bench()
    bench.source.feed(identify("u-1", note=LONG))
    bench.source.feed(track("u-1", note=LONG))
    bench.turn(8, seconds=1.0)

    assert bench.streamer.ledger.in_flight == 0
    assert bench.streamer.ledger.size_bytes == 0
    assert bench.committed() == 2
    assert bench.streamer.ledger.book(partition()) is not None


def test_a_record_that_our_code_failed_on_is_let_go() -> None:
    """Its error's traceback knows whoever asked what the record says, who knows the error: a ring."""
    errors = []

    class Bug(Exception):
        """As a builtin one, but that it can be watched."""

    def broken(call: Call, decoded: JsonDict, rules: Rules) -> NoReturn:
        error = Bug()
        errors.append(weakref.ref(error))
        raise error

    bench = Bench(tell=broken)
    bench.source.feed(identify())
    bench.turn(4)
    bench.told.errors.clear()
    gc.collect()

    assert [error() for error in errors] == [None]
