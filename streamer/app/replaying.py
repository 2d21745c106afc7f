"""`streamer dead-letters replay`: letters straight through the engine, once each, none over newer state.

What happens is decided in `letters/`; here it is given Kafka, Planhat and the clock.
"""

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol

from streamer.app.building import (
    SINK_CLOSE_SECONDS,
    SystemClock,
    limits_of,
    sink_of,
)
from streamer.app.shelf import Shelf
from streamer.app.signals import stop_on_signal
from streamer.app.verifying import ends_start, probe_planhat, refused
from streamer.config import Settings
from streamer.engine.limits import Limits
from streamer.engine.loop import Streamer
from streamer.kafka.letter_journal import LetterJournal
from streamer.kafka.replay_group import ReplayGroup
from streamer.kafka.topic_reader import Stretch
from streamer.letters import journal
from streamer.letters.history import Filed, History, State
from streamer.letters.letter import LetterId, Place, read_letter
from streamer.letters.replay import Chosen, Replay, Told
from streamer.letters.replay_source import Doors, ReplaySource
from streamer.letters.selection import Selection
from streamer.letters.standing import Keys, Standing
from streamer.logs import LogObserver, Observers
from streamer.outcomes import CallType, Endpoint, Fate
from streamer.planhat.requests import encode_operation
from streamer.records import Record, TopicPartition

GROUP_SUFFIX: Final = ".replay"
AT_ONCE: Final = 100
"""Letters under way and not noted: what a crash leaves in doubt, at most."""
PASS_LETTERS: Final = 100_000
PASS_BYTES: Final = 64 * 1024 * 1024
"""What is kept in memory at once, original bytes."""


class Screen(Protocol):
    """Where a replay says how it goes."""

    def say(self, text: str) -> None:
        """A line for a person."""
        ...

    def show(self, stage: str, done: int, total: int) -> None:
        """How far a stage is."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to replay, and how."""

    selection: Selection
    calls_per_minute: float
    per_second: float | None = None
    is_forced: bool = False


@dataclass(slots=True)
class Report:
    """What a replay came to, or would."""

    selected: int
    told: Told = field(default_factory=Told)
    uncertain: list[tuple[LetterId, str]] = field(default_factory=list)
    """Letters, with the type of their call, that an earlier replay took and did not live to note."""
    is_dry: bool = False
    operations: Counter[str] = field(default_factory=Counter)
    """By endpoint; of a dry run alone."""

    @property
    def left(self) -> int:
        """Letters without an answer."""
        return self.selected - self.told.settled


def replay_letters(settings: Settings, wanted: Wanted, screen: Screen) -> Report:
    """Replay what is wanted; returns at the end, or when told to stop. Raises StreamerError."""
    with stop_on_signal() as request, ExitStack() as stack:
        answered = probe_planhat(settings)
        if ends_start(answered):
            raise refused(settings, answered)
        shelf = stack.enter_context(Shelf(settings, "dead-letters replay"))
        group = ReplayGroup(
            settings.kafka_bootstrap_servers,
            settings.kafka_group_id + GROUP_SUFFIX,
            settings.kafka_dead_letter_topic,
            len(shelf.letters().stretches()),
            settings.kafka_properties,
        )
        stack.enter_context(group)
        group.join(screen.say)
        letters = _Letters(settings, wanted, shelf, screen, group.check)
        report = letters.report
        if not report.selected:
            return report
        replay = letters.replay
        source = ReplaySource(
            uuid.uuid4().hex,
            replay,
            _doors(settings, letters, group, screen),
            per_second=wanted.per_second,
        )
        streamer = _engine(settings, wanted, shelf, source, stack)
        source.when_finished(streamer.stop)
        request.tell(streamer.stop)
        streamer.run()
        if source.problem is not None:
            raise source.problem
    return report


def rehearse(settings: Settings, wanted: Wanted, screen: Screen) -> Report:
    """What a replay would send, hold back, skip and fail on; nothing is sent or noted."""
    with Shelf(settings, "dead-letters show") as shelf:  # it writes nothing and joins no group
        letters = _Letters(settings, wanted, shelf, screen, _nothing)
        report = letters.report
        report.is_dry = True
        while chosen := letters.more():
            letters.catch_up()
            letters.replay.add(chosen)
            while numbered := letters.replay.hand_out(PASS_LETTERS):
                for number, each in numbered:
                    letters.rehearse(number, each)
                letters.replay.take_answers()
    return report


class _Letters:
    """The letters of one replay, and what the source topics hold after them."""

    def __init__(
        self,
        settings: Settings,
        wanted: Wanted,
        shelf: Shelf,
        screen: Screen,
        meanwhile: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._is_forced = wanted.is_forced
        self._shelf = shelf
        self._screen = screen
        self._meanwhile = meanwhile
        self._history = shelf.history(meanwhile=meanwhile)
        selected = [filed for filed in self._history if wanted.selection.accepts(filed)]
        selected.sort(key=lambda filed: filed.letter.place)
        self._passes = _passes(selected)
        self._standing = Standing()
        self._looked_at: dict[TopicPartition, int] = {}
        """By source partition: up to where it was looked at for later calls."""
        self.replay = Replay(self._standing, at_once=AT_ONCE, is_forced=wanted.is_forced)
        self.report = Report(len(selected), self.replay.told)
        self.report.uncertain = [
            (filed.letter.id, filed.subject.call) for filed in selected if filed.state is State.TAKEN
        ]

    @property
    def history(self) -> History:
        """Everything the dead-letter topic told."""
        return self._history

    def more(self) -> Sequence[Chosen]:
        """The letters of the next pass that can be sent at all, in the order of their originals."""
        for filed in self._passes:
            chosen = self._chosen(filed)
            if chosen:
                return chosen
        return ()

    def _chosen(self, filed: Sequence[Filed]) -> list[Chosen]:
        wanted = {each.letter.id for each in filed}
        reader = self._shelf.letters()
        by_partition: dict[int, list[int]] = {}
        for letter_id in wanted:
            by_partition.setdefault(letter_id.partition, []).append(letter_id.offset)
        stretches = {
            number: Stretch(min(offsets), max(offsets) + 1) for number, offsets in by_partition.items()
        }
        chosen: list[Chosen] = []
        for records in reader.read(stretches):
            for record in records:
                if LetterId(record.partition, record.offset) in wanted:
                    chosen += self._read(record)
            self._meanwhile()
        chosen.sort(key=lambda each: each.place)
        if not self._is_forced:
            for each in chosen:
                self._watch(each)
        return chosen

    def _read(self, record: Record) -> Iterator[Chosen]:
        letter = read_letter(record)
        whole = None if letter is None else self._shelf.whole(letter)
        if whole is not None:
            keys, call = self._keys(whole.record)
            yield Chosen(whole.id, whole.record, keys, call)
        elif letter is not None:
            self.replay.told.gone.append(letter.id)

    def _watch(self, chosen: Chosen) -> None:
        if not chosen.keys:
            return
        self._standing.watch(chosen.place, chosen.keys)
        source, after = chosen.place.source, chosen.place.offset + 1
        # Of a later pass: what was looked at before was looked at for others.
        self._looked_at[source] = min(after, self._looked_at.get(source, after))

    def _keys(self, record: Record) -> tuple[Keys, str]:
        """What a record upserts by the rules in force, and the type of its call."""
        found = self._shelf.interpreted(record, self._settings.rules)
        if found is None:
            return (), ""
        upserts = [each for each in found.operations if each.endpoint is not Endpoint.ACTIVITIES]
        return tuple(key for each in upserts for key in each.keys), found.call.value

    def catch_up(self) -> None:
        """Look at the source partitions of watched letters, up to their present ends."""
        for topic in {source.topic for source in self._looked_at}:
            reader = self._shelf.reader(topic)
            wanted = {}
            for source, begin in self._looked_at.items():
                if source.topic == topic:
                    held = reader.stretch(source.partition)
                    if held.high > begin:
                        wanted[source.partition] = Stretch(max(begin, held.low), held.high)
            if wanted:
                self._look(topic, wanted)

    def _look(self, topic: str, wanted: dict[int, Stretch]) -> None:
        total = sum(each.high - each.low for each in wanted.values())
        seen = 0
        reached = {number: each.low for number, each in wanted.items()}
        for records in self._shelf.reader(topic).read(wanted):
            for record in records:
                place = Place(record.topic, record.partition, record.offset)
                reached[record.partition] = record.offset + 1
                filed = self._history.at(place)
                if filed is None or not filed.state.is_open:  # an open letter was never delivered
                    self._standing.see(place, self._keys(record)[0])
            seen += len(records)
            if total > PASS_LETTERS:
                self._screen.show(f"looking for later calls in {topic}", min(seen, total), total)
            self._meanwhile()
        # Not the ends that were wanted: a transaction that is open now hides what it holds until it is
        # committed, and that must not be passed over.
        for number, offset in reached.items():
            self._looked_at[TopicPartition(topic, number)] = offset

    def fetch(self, places: Sequence[Place]) -> Sequence[Chosen]:
        """Later calls, to be sent once more."""
        originals = [record for place in places if (record := self._shelf.original(place)) is not None]
        return [Chosen(None, record, *self._keys(record)) for record in originals]

    def rehearse(self, number: int, chosen: Chosen) -> None:
        """What the engine would make of it."""
        found = self._shelf.interpreted(chosen.record, self._settings.rules)
        if found is None:
            self.replay.settle(number, Fate.RELEASED, "", "", None)
        elif found.invalid is not None:
            self.replay.settle(number, Fate.DEAD_LETTERED, found.invalid, found.detail, None)
        elif found.skipped is not None:
            self.replay.settle(number, Fate.SKIPPED, found.skipped, "", None)
        else:
            self.report.operations.update(each.endpoint.value for each in found.operations)
            self.replay.settle(number, Fate.DELIVERED, "", "", None)


def _passes(selected: Sequence[Filed]) -> Iterator[list[Filed]]:
    """Letters in portions that memory can hold."""
    portion: list[Filed] = []
    size = 0
    for filed in selected:
        if portion and (len(portion) >= PASS_LETTERS or size + filed.size_bytes > PASS_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(filed)
        size += filed.size_bytes
    if portion:
        yield portion


def _doors(settings: Settings, letters: _Letters, group: ReplayGroup, screen: Screen) -> Doors:
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
        catch_up=letters.catch_up,
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
    replay ends at once, since whoever started it is there to see it.
    """
    return replace(
        limits_of(settings),
        calls_per_minute=wanted.calls_per_minute,
        dead_letter_ratio=2.0,
        dead_letter_evidence=1,
        alone_refusals=2,
        alone_seconds=5.0,
        alone_others=0,
        on_hold_exit_seconds=0.0,
    )


class _ReplayObserver(Observers):
    """The log, and the replay's own books."""

    def __init__(self, source: ReplaySource) -> None:
        super().__init__(LogObserver())
        self._source = source

    def settled(
        self, record: Record, call: CallType, fate: Fate, reason: str, latency_seconds: float | None
    ) -> None:
        """For the books alone: the log would speak of a new dead letter."""
        self._source.settled(record, call, fate, reason, latency_seconds)


def _engine(
    settings: Settings, wanted: Wanted, shelf: Shelf, source: ReplaySource, stack: ExitStack
) -> Streamer:
    sink = sink_of(settings, may_send=lambda: True)
    stack.callback(partial(sink.close, SINK_CLOSE_SECONDS))
    return Streamer(
        limits=_limits(settings, wanted),
        rules=settings.rules,
        source=source,
        decoder=shelf.decoder,
        encode=encode_operation,
        sink=sink,
        dead_letters=source,
        observer=_ReplayObserver(source),
        clock=SystemClock(),
        dice=random.random,
    )


def _nothing() -> None:
    """A rehearsal has no membership to keep."""
