"""High water counts no less than what records in flight take of memory.

Measured by Python's own account of what is allocated, of the engine with all that hangs on a record: bytes as
Kafka's edge hands them out, entry, tickets, keys, encoded operations, and what upserts say.
"""

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streamer.engine.limits import Limits
from tests.engine.fakes import Bench, identify, track

Event = dict[str, Any]
Made = Callable[[int], Event]
TURN = 100
"""Records fed, and read, at once."""


def _made(number: int) -> Event:
    """As most are: what a user did, now and then who it is."""
    user, company = f"u-{number % 700}", f"acme-{number % 70}"
    if number % 4 == 0:
        return identify(user, company, plan="pro", visits=number, email=f"{user}@acme.example")
    return track(user, "Report Opened", company, report=number, path="/reports/monthly", is_first=False)


def _track_of(size_bytes: int) -> Made:
    properties = {f"Answer {place:04}": f"what was said to {place:06}" for place in range(size_bytes // 42)}
    return lambda number: track(f"u-{number % 700}", "Form Sent", None, **properties, number=number)


def _identify_of(traits: int, size_bytes: int) -> Made:
    def made(number: int) -> Event:
        said = {f"answer {place:04}": f"{number:010}".ljust(size_bytes, "x") for place in range(traits)}
        return identify(f"u-{number}", None, **said)

    return made


def _measured(made: Made, records: int) -> tuple[float, float]:
    """Bytes that a record in flight takes, and what is counted for it."""
    limits = Limits(poll_records=TURN, high_water_records=1 << 30, high_water_bytes=1 << 40)
    bench = Bench(limits=limits, answer=None)
    _feed(bench, made, 0, TURN)  # what is made once, of all records, is made now
    gc.collect()
    ledger = bench.streamer.ledger
    in_flight, size_bytes = ledger.in_flight, ledger.size_bytes
    tracemalloc.start()
    try:
        for first in range(TURN, TURN + records, TURN):
            _feed(bench, made, first, TURN)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert ledger.in_flight - in_flight == records
    return taken / records, limits.held_bytes(records, ledger.size_bytes - size_bytes) / records


def _feed(bench: Bench, made: Made, first: int, count: int) -> None:
    for number in range(first, first + count):
        event = made(number) | {"messageId": f"m-{number}"}
        bench.source.feed(bytes(memoryview(msgspec.json.encode(event))), key=event["userId"].encode())
    bench.turn(1, seconds=0.01)


@pytest.mark.parametrize(
    ("made", "records"),
    [
        pytest.param(_made, 4_000, id="made"),
        pytest.param(_track_of(1_000), 2_000, id="activities-1kb"),
        pytest.param(_track_of(30_000), 300, id="activities-30kb"),
        pytest.param(_identify_of(10, 10), 1_000, id="upserts-of-10-short"),
        pytest.param(_identify_of(60, 4), 500, id="upserts-of-60-short"),
        pytest.param(_identify_of(200, 4), 300, id="upserts-of-200-short"),
        pytest.param(_identify_of(200, 150), 200, id="upserts-30kb"),
    ],
)
def test_high_water_counts_what_a_record_takes(made: Made, records: int) -> None:
    """All of it, whatever it says; and not much more, or memory would lie idle."""
    taken, counted = _measured(made, records)

    assert taken <= counted
    assert counted <= 1.35 * taken
