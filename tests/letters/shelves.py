"""A shelf in memory, with its topics, for replays without a broker."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from streamer.app.replay_letters import ReplayLetters, Report, Screen, Wanted
from streamer.app.shelf import Shelf
from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.config import Settings
from streamer.engine.interpret import Interpreted, interpret
from streamer.engine.ports import DeadLetter
from streamer.kafka.topic_reader import Stretch
from streamer.letters.journal import JournalEntry, headers, written
from streamer.letters.letter import Letter
from streamer.letters.selection import Selection
from streamer.outcomes import Fate, InvalidReason
from streamer.records import Record
from streamer.transform.rules import Rules
from tests.letters.test_letter import in_topic

DECODER = Decoder(load_schemas())
_encode = Encoder(load_schemas()).encode


def identify(user: str, mail: str | None = None, **traits: Any) -> dict[str, Any]:
    """An identify call."""
    named = {"email": mail, **traits} if mail else traits
    return {"type": "identify", "messageId": "m", "userId": user, "traits": named}


def group(user: str, company: str, **traits: Any) -> dict[str, Any]:
    """A group call: it upserts a company and an enduser."""
    return {"type": "group", "messageId": "m", "userId": user, "groupId": company, "traits": traits}


def track(user: str, number: int) -> dict[str, Any]:
    """A track call."""
    return {"type": "track", "messageId": f"t{number}", "userId": user, "event": "E", "properties": {}}


def original(offset: int, event: dict[str, Any], timestamp_ms: int = 5) -> Record:
    """The record of an event in the source topic."""
    return Record("events", 0, offset, timestamp_ms, b"k", _encode(event))


def letter(offset: int, record: Record, partition: int = 0) -> Record:
    """The record of its letter."""
    found = in_topic(DeadLetter(record, InvalidReason.REFUSED))
    return found._replace(partition=partition, offset=offset)


def note(offset: int, entry: JournalEntry) -> Record:
    """The record of a note."""
    pairs = ((name, value.encode() if isinstance(value, str) else value) for name, value in headers())
    return Record("letters", entry.partition, offset, 1, None, written(entry), tuple(pairs))


class FakeReader:
    """A topic of one partition, or of the partitions that its records name."""

    def __init__(self, records: Sequence[Record], low: int = 0, high: int | None = None) -> None:
        self.records = list(records)
        self.low = low
        self._high = high
        self.cut = 0
        """Where retention cuts while the topic is read."""

    def stretch(self, partition: int) -> Stretch:
        last = max((each.offset for each in self.records if each.partition == partition), default=-1)
        return Stretch(self.low, self._high if self._high is not None else last + 1)

    def stretches(self) -> dict[int, Stretch]:
        return {number: self.stretch(number) for number in {0, *(each.partition for each in self.records)}}

    def read(self, wanted: Mapping[int, Stretch]) -> Iterator[Sequence[Record]]:
        self.low = max(self.low, self.cut)
        for each in list(self.records):
            stretch = wanted.get(each.partition)
            if stretch is not None and stretch.low <= each.offset < stretch.high and each.offset >= self.low:
                yield [each]


class FakeShelf(Shelf):
    """Letters and their source in memory."""

    def __init__(self, letters: Sequence[Record], source: FakeReader) -> None:
        self.topic = FakeReader(letters)
        self.source = source
        self.group = "group"

    def letters(self) -> Any:
        return self.topic

    def reader(self, topic: str) -> Any:
        return self.source

    def whole(self, letter: Letter) -> Letter | None:
        return letter

    def original(self, place: Any) -> Record | None:
        held = (each for each in self.source.records if each.offset == place.offset)
        return next((each for each in held if each.offset >= self.source.low), None)

    def decoded(self, record: Record) -> object | None:
        return {"userId": record.key}

    def interpreted(self, record: Record, rules: Rules) -> Interpreted | None:
        found = interpret(record, DECODER, rules)
        return found if isinstance(found, Interpreted) else None


def replay_of(
    shelf: FakeShelf,
    selection: Selection | None = None,
    meanwhile: Callable[[], None] = lambda: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> tuple[ReplayLetters, Report]:
    """The letters of a replay over this shelf."""
    report = Report()
    settings = cast("Settings", SimpleNamespace(rules=Rules()))
    screen = cast("Screen", SimpleNamespace(say=print, show=lambda *_: None))
    wanted = Wanted(selection or Selection(), 20)
    return ReplayLetters(settings, wanted, shelf, screen, report, meanwhile, is_stopping), report


def delivered(letters: ReplayLetters) -> list[int]:
    """Offsets of the originals that go when Planhat takes everything; none is sent again."""
    gone = []
    while chosen := letters.more():
        letters.catch_up(may_stop=False)
        letters.replay.add(chosen)
        for number, each in letters.replay.hand_out(100):
            gone.append(each.place.offset)
            letters.replay.settle(number, Fate.DELIVERED, "")
        letters.replay.take_answers()
    return gone
