"""Python looks for cycles once a minute, and events leave none."""

import gc
from collections import Counter
from collections.abc import Iterator
from threading import Event
from threading import enumerate as enumerate_threads
from typing import Any
from weakref import finalize

import pytest

from streamer.app.garbage import MOST_NEW, CycleLooks, look_seldom
from streamer.engine.lanes import Part, Ticket
from streamer.engine.ledger import Entry
from streamer.engine.loop import Streamer
from tests.engine.fakes import Bench, group, identify, track
from tests.simulation import member
from tests.simulation.chance import script_of
from tests.simulation.world import World

OF_A_RECORD = (Entry, Part, Ticket)
"""What knows what knows it, as long as it is in flight."""


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


def test_whatever_becomes_of_records_they_leave_no_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, merged, taken apart, revoked, lost: under chance, while all that is no garbage stays."""
    engines = []

    class Kept(Streamer):
        """One whose process was killed is no garbage either."""

        def __init__(self, **parts: Any) -> None:
            super().__init__(**parts)
            engines.append(self)

    monkeypatch.setattr(member, "Streamer", Kept)
    gc.collect()
    gc.disable()
    found: Counter[str] = Counter()
    for seed in range(60):
        first, *steps = script_of(seed)
        world = World(first)
        for step in steps:
            world.do(step)
        world.rest()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found.update(type(each).__name__ for each in gc.garbage if isinstance(each, OF_A_RECORD))
        gc.set_debug(0)
        gc.garbage.clear()
        assert sum(book.polled for engine in engines for book in engine.ledger) > 0
        engines.clear()
        del world
        gc.collect()

    assert found == Counter()


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
