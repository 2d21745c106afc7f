"""The dead-letter topic as a shelf to look through: everything it holds, read once, joining nothing."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from streamer.app.building import reader_properties
from streamer.app.interpreting import Interpreter
from streamer.app.verifying import verify_access
from streamer.config import Settings
from streamer.engine.interpret import Interpreted
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent, NoTopic
from streamer.kafka.topic_reader import Stretch, TopicReader
from streamer.letters.history import Filed, History
from streamer.letters.letter import Letter, LetterId, Place, read_letter
from streamer.letters.standing import Keys
from streamer.letters.subjects import NOBODY, Subject, subject_of
from streamer.records import Record
from streamer.transform.facts import overwrites
from streamer.transform.operations import Operation
from streamer.transform.rules import Rules


class Shelf:
    """Reads letters, and the events they were. Raises SourceError where a topic cannot be read."""

    def __init__(self, settings: Settings, command: str, group: str | None = None) -> None:
        """`command` is who asks, as the list of ACLs knows it: what it may not do is told at once.

        `group`: whose letters are meant, where they are not of the settings' own group.
        """
        verify_access(settings, command)
        self._settings = settings
        self.group = group or settings.kafka_group_id
        self._stack = ExitStack()
        self._readers: dict[str, TopicReader] = {}
        self._interpreter = self._stack.enter_context(Interpreter(settings))
        self.decoder = self._interpreter.decoder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def reader(self, topic: str) -> TopicReader:
        """A reader of this topic."""
        if topic not in self._readers:
            settings = self._settings
            reader = TopicReader(
                settings.kafka_bootstrap_servers,
                settings.kafka_group_id,
                topic,
                reader_properties(settings),
            )
            self._readers[topic] = self._stack.enter_context(reader)
        return self._readers[topic]

    def letters(self) -> TopicReader:
        """A reader of the dead-letter topic."""
        return self.reader(self._settings.kafka_dead_letter_topic)

    def history(self, *, rules: Rules | None = None, meanwhile: Callable[[], None] | None = None) -> History:
        """Every letter of the group up to the end seen now, and what replays noted.

        With `rules` it is also told what each upserts. `meanwhile` is called now and then.
        """
        history = History(self.group)
        reader = self.letters()
        for records in reader.read(reader.stretches()):
            for record in records:
                letter = history.add(record)
                filed = None if letter is None else history.find(letter.id)
                if letter is not None and filed is not None and filed.subject is NOBODY:
                    filed.subject = self.subject(letter)
                    if rules is not None and letter.record.value is not None:
                        found = self.interpreted(letter.record, rules)
                        filed.keys, filed.upserts = upserted(found), len(upserts_of(found))
            if meanwhile is not None:
                meanwhile()
        return history

    def letter(self, letter_id: LetterId) -> Letter | None:
        """One letter with its value; a stub's original is put in its place where it is still to be had."""
        found = next(iter(self._at(self.letters(), letter_id.partition, letter_id.offset)), None)
        letter = None if found is None else read_letter(found)
        return None if letter is None else self.whole(letter) or letter

    def whole(self, letter: Letter) -> Letter | None:
        """The letter with the original's bytes; None for a stub whose original is gone."""
        if not letter.is_stub:
            return letter
        original = self.original(letter.place)
        if original is None or hashlib.sha256(original.value or b"").hexdigest() != letter.sha256:
            return None
        return replace(letter, record=original)

    def original(self, place: Place) -> Record | None:
        """The record at a source place, if the topic still holds it."""
        with suppress(NoTopic):
            return next(iter(self._at(self.reader(place.topic), place.partition, place.offset)), None)
        return None

    @staticmethod
    def _at(reader: TopicReader, partition: int, offset: int) -> Iterator[Record]:
        held = reader.stretches().get(partition)
        if held is None or not held.low <= offset < held.high:
            return
        for records in reader.read({partition: Stretch(offset, offset + 1)}):
            yield from (record for record in records if record.offset == offset)

    def decoded(self, record: Record) -> object | None:
        """The event as far as it can be decoded; None where it cannot."""
        try:
            found = self._interpreter.decoded(record.value or b"")
        except InvalidEvent:
            return None
        return found.value if isinstance(found, Decoded) else None

    def interpreted(self, record: Record, rules: Rules) -> Interpreted | None:
        """What the record asks for by the rules in force; None while its schema cannot be had."""
        return self._interpreter.interpreted(record, rules)

    def subject(self, letter: Letter) -> Subject:
        """Whom it is about."""
        return subject_of(self.decoded(letter.record), letter.record.key)


def upserted(found: Interpreted | None) -> Keys:
    """The objects that a record upserts or deletes, or whose calls it forwards that do."""
    return tuple(key for each in upserts_of(found) for key in each.keys)


def upserts_of(found: Interpreted | None) -> list[Operation]:
    """The operations of a record that would put older words over newer ones."""
    operations = () if found is None else found.operations
    return [each for each in operations if overwrites(each)]


def newest_last(letters: Iterable[Filed]) -> list[Filed]:
    """In the order in which they were written."""
    return sorted(letters, key=lambda filed: (filed.letter.written_ms, filed.letter.id))
