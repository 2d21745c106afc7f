"""The letters of one replay: which they are, in what portions, and what their topics hold after them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from streamer.app.shelf import Shelf, upserted, upserts_of
from streamer.config import Settings
from streamer.errors import NoTopic, SourceError, UsageError
from streamer.kafka.topic_reader import Stretch, TopicReader
from streamer.letters.history import Filed, History, State
from streamer.letters.letter import LetterId, Place, read_letter
from streamer.letters.originals import Originals
from streamer.letters.replay import Replay
from streamer.letters.selection import Selection
from streamer.letters.standing import EVERYTHING, Keys, Standing
from streamer.letters.told import Chosen, Told
from streamer.outcomes import Fate
from streamer.records import Record, TopicPartition

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
    group: str | None = None
    """Whose letters, where they are not of the settings' own group."""


@dataclass(slots=True)
class Report:
    """What a replay came to, or would; filled while it runs, so that it can be told however it ends."""

    selected: int = 0
    told: Told = field(default_factory=Told)
    uncertain: list[tuple[LetterId, str]] = field(default_factory=list)
    """Letters, with the type of their call, that an earlier replay took and did not live to note."""
    is_dry: bool = False
    is_stopped: bool = False
    """Told to stop before it came to its end."""
    operations: Counter[str] = field(default_factory=Counter)
    """By endpoint; of a dry run alone."""

    @property
    def left(self) -> int:
        """Letters without an answer."""
        return self.selected - self.told.settled


class ReplayLetters:
    """The letters of one replay, and what the source topics hold after them."""

    def __init__(
        self,
        settings: Settings,
        wanted: Wanted,
        shelf: Shelf,
        screen: Screen,
        report: Report,
        meanwhile: Callable[[], None],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """`meanwhile` is called now and then while topics are read.

        `is_stopping`: whether to give up reading for letters that were not sent yet.
        """
        self._settings = settings
        self._is_forced = wanted.is_forced
        self._shelf = shelf
        self._screen = screen
        self._meanwhile = meanwhile
        self._is_stopping = is_stopping
        self._history = shelf.history(rules=settings.rules, meanwhile=meanwhile)
        _check_ids(wanted.selection.ids, self._history)
        selected = [filed for filed in self._history if wanted.selection.accepts(filed)]
        selected.sort(key=lambda filed: filed.letter.place)
        self._later_passes = {filed.letter.id for filed in selected}
        """Letters of passes that were not read yet."""
        self._to_come: set[LetterId] = set()
        """Letters that were read and can be sent."""
        self._passes = _passes(selected)
        self._standing = Standing()
        self._looked_at: dict[TopicPartition, int] = {}
        """By source partition: up to where it was looked at for later calls."""
        self._originals = Originals()
        self.replay = Replay(self._standing, at_once=AT_ONCE, is_forced=wanted.is_forced)
        self.report = report
        report.selected, report.told = len(selected), self.replay.told
        report.uncertain = [(filed.letter.id, filed.subject.call) for filed in selected if filed.is_in_doubt]

    @property
    def history(self) -> History:
        """Everything the dead-letter topic told."""
        return self._history

    def more(self) -> Sequence[Chosen]:
        """The letters of the next pass that can be sent at all, in the order of their originals.

        None when there are no more, and when the replay is told to stop.
        """
        for filed in self._passes:
            chosen = self._chosen(filed)
            if chosen or self._is_stopping():
                return chosen
        return ()

    def _chosen(self, filed: Sequence[Filed]) -> list[Chosen]:
        wanted = {letter_id for each in filed for letter_id in each.ids}
        reader = self._shelf.letters()
        by_partition: dict[int, list[int]] = {}
        for letter_id in wanted:
            by_partition.setdefault(letter_id.partition, []).append(letter_id.offset)
        stretches = {
            number: Stretch(min(offsets), max(offsets) + 1) for number, offsets in by_partition.items()
        }
        found: dict[LetterId, Record] = {}
        for records in reader.read(stretches):
            for record in records:
                letter_id = LetterId(record.partition, record.offset)
                if letter_id in wanted:
                    found[letter_id] = record
            self._meanwhile()
            if self._is_stopping():
                return []
        self._later_passes -= {each.letter.id for each in filed}
        chosen: list[Chosen] = []
        for each in filed:
            # Of copies the lowest may be deleted by now, and another be there.
            lying = next((found[letter_id] for letter_id in sorted(each.ids) if letter_id in found), None)
            chosen += self._read(each, lying)
        self._to_come |= {each.ids[0] for each in chosen}
        chosen.sort(key=lambda each: each.place)
        if not self._is_forced:
            self._watch(chosen)
        return chosen

    def _read(self, filed: Filed, record: Record | None) -> Iterator[Chosen]:
        letter = None if record is None else read_letter(record)
        whole = None if letter is None else self._shelf.whole(letter)
        if whole is None:
            self.replay.told.gone.append(filed.letter.id)
            return
        found = self._shelf.interpreted(whole.record, self._settings.rules)
        if found is None:
            # What it upserts cannot be told, so neither can whether it may go.
            self.replay.told.unread.append(filed.letter.id)
            if filed.is_in_doubt:
                # Whatever it is of may be newer than older letters of its partition.
                self._standing.lose(filed.letter.place.source, filed.letter.place.offset + 1)
            return
        ids = tuple(sorted(filed.ids))
        upserts = len(upserts_of(found))
        yield Chosen(ids, whole.record, upserted(found), found.call.value, filed.is_in_doubt, upserts)

    def _watch(self, chosen: Sequence[Chosen]) -> None:
        """Look out for later calls of what these upsert: in the source topics, and among the letters."""
        for each in chosen:
            if each.keys:
                # What an earlier replay may have put over later calls is mended by all of these.
                watch = self._standing.follow if each.is_in_doubt else self._standing.watch
                watch(each.place, each.keys)
                # From its own original on, to see whether that still is what stands there.
                self._look_from(each.place.source, each.place.offset)
                if not self._originals.add(each.record):
                    self._standing.lose(each.place.source, EVERYTHING)
        self._see_letters()

    def _look_from(self, source: TopicPartition, offset: int) -> None:
        """Look once more at what stands from there: before, it was looked at for others."""
        self._looked_at[source] = min(offset, self._looked_at.get(source, offset))

    def _see_letters(self) -> None:
        for filed in self._history:
            # A letter's original may be gone from its topic, and yet it was delivered.
            if self._is_later_call(filed):
                self._standing.see(filed.letter.place, filed.keys)

    def _is_later_call(self, filed: Filed) -> bool:
        """Whether a letter was delivered, or a part of it may have been.

        Of a letter of several upserts one may have been accepted before another was refused. What is to come
        in this replay is sent in its order; of a later pass, who knows whether it goes?
        """
        if filed.state is State.DELIVERED:
            return True
        letter_id, is_in_doubt = min(filed.ids), filed.is_in_doubt
        if letter_id in self._to_come and letter_id not in self.replay.held_back:
            return False
        if letter_id in self._later_passes and not is_in_doubt:
            return False
        return is_in_doubt or filed.state is State.SKIPPED or filed.upserts > 1

    def catch_up(self, *, may_stop: bool) -> bool:
        """Look at the source partitions of watched letters, up to their present ends.

        `may_stop`: give up when the replay is told to stop. Returns whether the ends were reached.
        """
        for topic in {source.topic for source in self._looked_at}:
            reader = self._shelf.reader(topic)
            wanted = {}
            for source, begin in self._looked_at.items():
                if source.topic != topic:
                    continue
                held = self._held(reader, source.partition)
                if held.high < begin or held.high <= self._originals.last(source):
                    # The topic is gone or was made anew: offsets of then say nothing of now.
                    self._standing.lose(source, EVERYTHING)
                elif held.low > begin:
                    self._standing.lose(source, held.low)
                if held.high > begin:
                    wanted[source.partition] = Stretch(max(begin, held.low), held.high)
            if wanted and not self._look(topic, wanted, may_stop=may_stop):
                return False
        return True

    def _look(self, topic: str, wanted: dict[int, Stretch], *, may_stop: bool) -> bool:
        total = sum(each.high - each.low for each in wanted.values())
        seen, is_whole = 0, True
        reached = {number: each.low for number, each in wanted.items()}
        for records in self._shelf.reader(topic).read(wanted):
            for record in records:
                reached[record.partition] = record.offset + 1
                self._see_record(record)
            seen += len(records)
            if total > PASS_LETTERS:
                self._screen.show(f"looking for later calls in {topic}", min(seen, total), total)
            self._meanwhile()
            if may_stop and self._is_stopping():
                is_whole = False
                break
        # Not the ends that were wanted: a transaction that is open now hides what it holds until it is
        # committed, and that must not be passed over.
        for number, offset in reached.items():
            self._looked_at[TopicPartition(topic, number)] = offset
            # Retention may have cut what was still to be read, which the reader passes over.
            low = self._held(self._shelf.reader(topic), number).low
            if low > wanted[number].low:
                self._standing.lose(TopicPartition(topic, number), low)
        return is_whole

    @staticmethod
    def _held(reader: TopicReader, partition: int) -> Stretch:
        try:
            return reader.stretch(partition)
        except NoTopic:
            return Stretch(0, 0)

    def _see_record(self, record: Record) -> None:
        place = Place(record.topic, record.partition, record.offset)
        if not self._originals.is_there(record):
            self._standing.lose(place.source, EVERYTHING)
        filed = self._history.at(place, record.timestamp_ms)
        if filed is None:
            self._standing.see(place, self._keys(record))
        elif self._is_later_call(filed):
            found = self._shelf.interpreted(record, self._settings.rules)
            if found is None:
                self._standing.lose(place.source, place.offset + 1)
            self._standing.see(place, upserted(found))

    def _keys(self, record: Record) -> Keys:
        found = self._shelf.interpreted(record, self._settings.rules)
        if found is None:
            place = Place(record.topic, record.partition, record.offset)
            raise SourceError(
                f"{place} may be a later call of a letter's user or company, and the schema registry does "
                "not give its schema. The replay stops; what it sent is noted. To do: bring the registry "
                "back, or replay what you are sure of with --force."
            )
        return upserted(found)

    def fetch(self, places: Sequence[Place]) -> Sequence[Chosen]:
        """Later calls, to be sent once more; those that are gone are left out.

        So are letters that wait to be delivered themselves: what became of them would be noted nowhere.
        What they are about is looked at from there, since they may be put over what is newer than they.
        """
        found = []
        for place in places:
            record = self._shelf.original(place)
            filed = None if record is None else self._history.at(place, record.timestamp_ms)
            is_open = filed is not None and filed.state not in {State.DELIVERED, State.TAKEN}
            if record is not None and not is_open:
                found.append(Chosen((), record, self._keys(record)))
        for each in found:
            self._standing.follow(each.place, each.keys)
            self._look_from(each.place.source, each.place.offset + 1)
        self._see_letters()
        return found

    def rehearse(self, number: int, chosen: Chosen) -> None:
        """What the engine would make of it."""
        found = self._shelf.interpreted(chosen.record, self._settings.rules)
        if found is None:
            self.replay.settle(number, Fate.RELEASED, "", was_sent=False)
        elif found.invalid is not None:
            self.replay.settle(number, Fate.DEAD_LETTERED, found.invalid, found.detail, None)
        elif found.skipped is not None:
            self.replay.settle(number, Fate.SKIPPED, found.skipped, "", None)
        else:
            self.report.operations.update(each.endpoint.value for each in found.operations)
            self.replay.settle(number, Fate.DELIVERED, "", "", None)


def _check_ids(ids: Collection[LetterId], history: History) -> None:
    missing = [str(each) for each in ids if history.find(each) is None]
    if missing:
        raise UsageError(
            f"no letter of this group lies at {', '.join(missing)}: see `dead-letters list --all`"
        )


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
