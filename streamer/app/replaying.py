"""`streamer dead-letters replay`: letters straight through the engine, once each, none over newer state.

What happens is decided in `letters/`; here it is given Kafka, Planhat and the clock.
"""

import random
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import Final

from streamer.app.building import SINK_CLOSE_SECONDS, SystemClock, limits_of, sink_of
from streamer.app.replay_letters import PASS_LETTERS, ReplayLetters, Report, Screen, Wanted
from streamer.app.shelf import Shelf
from streamer.app.signals import StopRequest, stop_on_signal
from streamer.app.tracing import make_delivery_of
from streamer.app.verifying import ends_start, probe_planhat, refused
from streamer.config import Settings
from streamer.engine.limits import Limits
from streamer.engine.loop import Streamer
from streamer.engine.ports import Lot
from streamer.kafka.letter_journal import LetterJournal
from streamer.kafka.replay_group import ReplayGroup
from streamer.letters import journal
from streamer.letters.replay_source import Doors, ReplaySource
from streamer.logs import LogObserver, Observers
from streamer.planhat.items import encode_operation
from streamer.planhat.sink import MakeDelivery

GROUP_SUFFIX: Final = ".replay"


class Stopped(Exception):
    """A signal came before there was anything to stop."""


class Ending:
    """How a replay ends when it is told to: at once while nothing was sent, in order from then on."""

    def __init__(self, request: StopRequest) -> None:
        self._request = request
        self._is_running = False

    @property
    def is_asked_for(self) -> bool:
        """Whether the replay was told to stop."""
        return self._request.is_made

    def go_on(self) -> None:
        """Raises Stopped where the end was asked for, until the engine runs.

        Raised through the engine it would cost what is under way: nothing would wait for its answers, and
        what is known by then would go unnoted.
        """
        if self._request.is_made and not self._is_running:
            raise Stopped

    def run(self, stop: Callable[[], None]) -> None:
        """From now on `stop` is called when the end is asked for; at once, if that was before."""
        self._is_running = True
        self._request.tell(stop)


def replay_letters(settings: Settings, wanted: Wanted, screen: Screen, report: Report) -> None:
    """Replay what is wanted; ends at the end, or when told to stop. `report` holds what it came to.

    Raises StreamerError where it cannot go on; the report is good then too.
    """
    with stop_on_signal() as request, ExitStack() as stack, suppress(Stopped):
        ending = Ending(request)

        def note_stop() -> None:
            report.is_stopped = ending.is_asked_for

        stack.callback(note_stop)
        group_id = (wanted.group or settings.kafka_group_id) + GROUP_SUFFIX
        topic = settings.kafka_dead_letter_topic
        make_delivery = make_delivery_of(settings, stack, topic=topic, group=group_id)
        answered = probe_planhat(settings)
        if ends_start(answered):
            raise refused(settings, answered)
        shelf = stack.enter_context(Shelf(settings, "dead-letters replay", wanted.group))
        group = ReplayGroup(
            settings.kafka_bootstrap_servers,
            group_id,
            topic,
            len(shelf.letters().stretches()),
            settings.kafka_properties,
        )
        stack.enter_context(group)
        group.join(screen.say, ending.go_on)

        def meanwhile() -> None:
            ending.go_on()
            group.check()

        letters = ReplayLetters(
            settings, wanted, shelf, screen, report, meanwhile, lambda: ending.is_asked_for
        )
        if not report.selected:
            return
        doors = _doors(settings, letters, group, screen)
        source = ReplaySource(uuid.uuid4().hex, letters.replay, doors, per_second=wanted.per_second)
        streamer = _engine(settings, wanted, shelf, source, make_delivery, stack)
        source.when_finished(streamer.stop)
        ending.run(streamer.stop)
        streamer.run()
        if source.problem is not None:
            raise source.problem


def rehearse(settings: Settings, wanted: Wanted, screen: Screen, report: Report) -> None:
    """What a replay would send, hold back, skip and fail on; nothing is sent or noted."""
    report.is_dry = True
    with Shelf(settings, "dead-letters show", wanted.group) as shelf:  # it writes nothing, joins no group
        letters = ReplayLetters(settings, wanted, shelf, screen, report, _nothing)
        while chosen := letters.more():
            letters.catch_up(may_stop=False)
            letters.replay.add(chosen)
            while numbered := letters.replay.hand_out(PASS_LETTERS):
                for number, each in numbered:
                    letters.rehearse(number, each)
                letters.replay.take_answers()


def _doors(settings: Settings, letters: ReplayLetters, group: ReplayGroup, screen: Screen) -> Doors:
    notes = LetterJournal(
        settings.kafka_bootstrap_servers, settings.kafka_dead_letter_topic, settings.kafka_properties
    )

    def write(entries: Sequence[journal.JournalEntry]) -> None:
        notes.write([(each.partition, journal.written(each)) for each in entries], journal.headers())
        for each in entries:
            letters.history.note(each)

    report = letters.report
    return Doors(
        write=write,
        catch_up=lambda: letters.catch_up(may_stop=False),
        look_ahead=lambda: letters.catch_up(may_stop=True),
        fetch=letters.fetch,
        more=letters.more,
        stay_alone=group.check,
        progress=lambda: screen.show("replaying", report.told.settled, report.selected),
        monotonic=time.monotonic,
        time=time.time,
        sleep=time.sleep,
    )


def _limits(settings: Settings, wanted: Wanted) -> Limits:
    """The engine's numbers, but for what protects the dead-letter topic, into which a replay puts nothing.

    What Planhat refuses stays the letter it is, so little proof is needed; and where nothing can be sent a
    replay ends at once, since whoever started it is there to see it. Its own group
    sees that it is alone, and each letter was chosen: a copy among them goes too. Nothing is taken for
    unchanged: the program that reads the topic writes the same endusers meanwhile. Nothing is kept to be told
    with a later call: what is skipped here is named, and may be replayed.
    """
    return replace(
        limits_of(settings),
        membership_seconds=None,
        duplicates_window=0,
        calls_per_minute=wanted.calls_per_minute,
        dead_letter_ratio=2.0,
        dead_letter_evidence=1,
        alone_refusals=2,
        alone_seconds=5.0,
        alone_others=0,
        unchanged_seconds=0.0,
        revived_endusers=0,
        on_hold_exit_seconds=0.0,
    )


class ReplayObserver(Observers):
    """The log, and the replay's own books."""

    def __init__(self, source: ReplaySource) -> None:
        super().__init__(LogObserver())
        self._source = source

    def settled(self, lot: Lot, time: float) -> None:
        """For the books alone: the log would speak of a new dead letter."""
        self._source.settled(lot.records)


def _engine(
    settings: Settings,
    wanted: Wanted,
    shelf: Shelf,
    source: ReplaySource,
    make_delivery: MakeDelivery,
    stack: ExitStack,
) -> Streamer:
    # In no group, whose membership would have to be proved: nobody takes a replay's work over.
    sink = sink_of(settings, lambda: 0, make_delivery)
    stack.callback(partial(sink.close, SINK_CLOSE_SECONDS))
    return Streamer(
        limits=_limits(settings, wanted),
        rules=settings.rules,
        source=source,
        decoder=shelf.decoder,
        encode=encode_operation,
        sink=sink,
        dead_letters=source,
        observer=ReplayObserver(source),
        clock=SystemClock(),
        dice=random.random,
    )


def _nothing() -> None:
    """A rehearsal has no membership to keep."""
