"""A replay that is told to stop: in the middle of its reading, and beside a pipeline that goes on writing."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from streamer.app.replaying import Ending, ReplayObserver, Stopped
from streamer.app.signals import StopRequest
from streamer.engine.limits import Limits
from streamer.engine.loop import Streamer
from streamer.letters.history import State
from streamer.letters.journal import JournalEntry
from streamer.letters.replay_source import NOTE_SECONDS, Doors, ReplaySource
from streamer.planhat.items import encode_operation
from streamer.transform.rules import Rules
from tests.engine.fakes import FakeSink, ManualClock, accept
from tests.letters.shelves import DECODER, FakeReader, FakeShelf, identify, letter, original, replay_of, track


class Scene:
    """A replay on a live source: each look at it finds a record more."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sink = FakeSink(self.clock, None)
        records = [original(n, track(f"u-{n}", n)) for n in range(20)]
        records.append(original(20, identify("u-x", level=1)))
        self.reader = FakeReader(records)
        self.request = StopRequest()
        self.ending = Ending(self.request)
        self.letters, self.report = replay_of(
            FakeShelf([letter(n, each) for n, each in enumerate(records)], self.reader),
            meanwhile=self.ending.go_on,
            is_stopping=lambda: self.ending.is_asked_for,
        )
        self.is_asked_in_the_next_look = False
        doors = Doors(
            write=self._write, catch_up=lambda: self._look(may_stop=False),
            look_ahead=lambda: self._look(may_stop=True), fetch=self.letters.fetch, more=self.letters.more,
            stay_alone=lambda: None, progress=lambda: None, monotonic=self.clock.monotonic,
            time=self.clock.time, sleep=self.clock.advance,
        )  # fmt: skip
        self.source = ReplaySource("run", self.letters.replay, doors)
        limits = replace(Limits(), calls_per_minute=6_000, dead_letter_ratio=2.0, dead_letter_evidence=1)
        self.streamer = Streamer(
            limits=limits, rules=Rules(), source=self.source, decoder=DECODER, encode=encode_operation,
            sink=self.sink, dead_letters=self.source, observer=ReplayObserver(self.source), clock=self.clock,
            dice=lambda: 0.5,
        )  # fmt: skip
        self.source.when_finished(self.streamer.stop)
        self.ending.run(self.streamer.stop)

    def states(self) -> list[State]:
        """Where the letters stand."""
        return [filed.state for filed in self.letters.history]

    def answer(self) -> None:
        """Planhat takes all that is under way."""
        for batch in list(self.sink.under_way):
            self.sink.reply(batch, accept(batch))

    def turn(self, times: int = 1) -> None:
        """Turns of the engine."""
        for _ in range(times):
            self.clock.advance(0.05)
            self.streamer.run_once()

    def _write(self, entries: Sequence[JournalEntry]) -> None:
        for each in entries:
            self.letters.history.note(each)

    def _look(self, *, may_stop: bool) -> bool:
        self.reader.records.append(original(len(self.reader.records), track("someone", 1)))
        if self.is_asked_in_the_next_look:
            self.request.make()
        return self.letters.catch_up(may_stop=may_stop)


def test_a_stop_beside_a_live_source_notes_what_was_delivered() -> None:
    """A record that arrives while a stopped replay writes its last notes does not keep them from it."""
    scene = Scene()
    turns = iter(range(100))

    def once() -> None:
        next(turns)
        scene.clock.advance(0.05)
        if len(scene.sink.under_way) > 1:
            first = scene.sink.under_way[0]
            scene.sink.reply(first, accept(first))
            run_once()
            scene.answer()  # noted no earlier than a moment after the first
            run_once()
            scene.request.make()
            return
        run_once()

    run_once, scene.streamer.run_once = scene.streamer.run_once, once  # type: ignore[method-assign]
    scene.streamer.run()

    assert scene.source.problem is None
    assert State.TAKEN not in scene.states()
    assert scene.report.told.delivered + scene.states().count(State.OPEN) == 21
    assert scene.report.told.delivered > 0


def test_a_stop_in_the_middle_of_a_look_waits_for_what_is_under_way() -> None:
    """A stop while the source is read is no error to the engine: it waits for the answers still due."""
    scene = Scene()
    turns = iter(range(100))

    def once() -> None:
        next(turns)
        scene.clock.advance(0.05)
        if len(scene.sink.under_way) > 1:
            assert not scene.is_asked_in_the_next_look, "the engine stops after this turn"
            scene.sink.reply(scene.sink.under_way[0], accept(scene.sink.under_way[0]))
            scene.is_asked_in_the_next_look = True
            scene.clock.advance(NOTE_SECONDS)
            run_once()
            scene.sink.answer = accept
            return
        run_once()

    run_once, scene.streamer.run_once = scene.streamer.run_once, once  # type: ignore[method-assign]
    scene.streamer.run()

    assert scene.source.problem is None
    assert State.TAKEN not in scene.states()


def test_a_stop_before_the_first_letter_sends_nothing() -> None:
    """Told to stop while the source is read, a replay reads no further and sends nothing."""
    scene = Scene()
    scene.is_asked_in_the_next_look = True
    scene.streamer.run()

    assert scene.sink.sent == []
    assert set(scene.states()) == {State.OPEN}
    assert scene.report.left == 21


def test_a_stop_while_letters_are_read_loses_none() -> None:
    """Letters that were not read because the replay was told to stop are left, and not gone."""
    scene = Scene()
    scene.request.make()
    scene.streamer.run()

    assert scene.report.told.gone == []
    assert scene.report.left == 21


def test_before_the_engine_runs_a_stop_ends_at_once() -> None:
    """While nothing was sent there is nothing to wait for."""
    request = StopRequest()
    ending = Ending(request)
    ending.go_on()
    request.make()
    with pytest.raises(Stopped):
        ending.go_on()
