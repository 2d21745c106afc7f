"""Python looks for cycles once a minute, and events leave none."""

import gc
from collections.abc import Iterator
from threading import Event
from threading import enumerate as enumerate_threads
from weakref import finalize

import pytest

from streamer.app.garbage import MOST_NEW, CycleLooks, look_seldom
from tests.engine.fakes import Bench, group, identify, track


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


def _feed(bench: Bench, events: int) -> None:
    """Calls of all kinds that are delivered, merged, copies, and dead letters."""
    for number in range(events):
        user = f"u-{number % 20}"
        bench.source.feed(identify(user, company="c-1", name="Ada", seats=number))
        bench.source.feed(group("c-1", user, plan="pro"))
        bench.source.feed(track(user, "Viewed", company="c-1"))
        if number % 10 == 0:
            bench.source.feed({"type": "track", "userId": user})  # no event: a dead letter


def test_events_leave_no_cycles() -> None:
    """What a record was made of goes with it: the collector finds next to nothing after thousands of them."""
    bench = Bench()
    _feed(bench, 10)
    bench.turn(20)
    gc.collect()
    gc.disable()

    _feed(bench, 500)
    bench.turn(100, seconds=2.0)

    assert bench.streamer.ledger.in_flight == 0
    assert bench.told.reasons["polled"] == 1_581
    assert gc.collect() < 500, "of 1,550 records"


def test_what_is_there_already_is_not_looked_at_again() -> None:
    """Modules and schemas stay for good; Python looks by itself all the same where very much is new."""
    look_seldom()

    assert gc.get_freeze_count() > 10_000
    assert gc.isenabled()
    assert gc.get_threshold()[0] == MOST_NEW


def test_cycles_are_found_by_the_clock_while_nothing_is_read() -> None:
    """As when Planhat is away: no object is made that would count towards a look."""

    class Ring:
        """Holds itself."""

        def __init__(self) -> None:
            self.itself = self

    looks = CycleLooks(pause_seconds=0.01)
    looks.start()
    try:
        gone = Event()
        finalize(Ring(), gone.set)
        assert gone.wait(20.0)
    finally:
        looks.stop()
    assert "cycles" not in {thread.name for thread in enumerate_threads()}
