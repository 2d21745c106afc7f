"""Which letters of a topic may go: what other letters and the source topic say of them."""

import pytest

from streamer.app.shelf import Shelf
from streamer.engine.interpret import Interpreted
from streamer.errors import NoTopic
from streamer.kafka.topic_reader import Stretch
from streamer.letters.journal import JournalEntry, ReplayFate, Settlement
from streamer.letters.letter import LetterId, Place
from streamer.letters.replay import Replay
from streamer.letters.selection import Selection
from streamer.outcomes import Fate
from streamer.records import Record
from streamer.transform.rules import Rules
from tests.letters.shelves import (
    FakeReader,
    FakeShelf,
    delivered,
    group,
    identify,
    letter,
    note,
    original,
    replay_of,
)

ONLY_THE_FIRST = Selection(ids=[LetterId(0, 0)])


def taken(run: str, offset: int, at_ms: int = 9) -> JournalEntry:
    """A replay took this letter."""
    return JournalEntry(0, run, at_ms, taken=(offset,))


def ended(run: str, offset: int, fate: ReplayFate, at_ms: int = 10) -> JournalEntry:
    """A replay noted its end."""
    return JournalEntry(0, run, at_ms, settled=(Settlement(offset, fate, "no_company"),))


def notes(*entries: JournalEntry) -> list[Record]:
    """Notes, behind all letters."""
    return [note(50 + number, entry) for number, entry in enumerate(entries)]


def sent_again(letters_replay: Replay) -> list[int]:
    """Later calls that are handed out now, and delivered."""
    numbered = letters_replay.hand_out(100)
    for number, _ in numbered:
        letters_replay.settle(number, Fate.DELIVERED, "")
    return [each.place.offset for _, each in numbered]


def test_what_goes_once_more_is_looked_after() -> None:
    """A later call names an enduser whom no letter names, and of whom there is a newer call."""
    first = original(1, group("u-1", "acme"))
    source = FakeReader([first])
    letters, report = replay_of(FakeShelf([letter(0, first)], source))
    replay = letters.replay
    replay.add(letters.more())
    letters.catch_up(may_stop=False)
    assert sent_again(replay) == [1]
    source.records += [original(9, group("u-2", "acme")), original(12, identify("u-2", level=2))]
    rounds = []
    for _ in range(3):
        letters.catch_up(may_stop=False)
        replay.take_answers()
        wanted = replay.take_wanted()
        replay.add_later_calls(wanted, letters.fetch(wanted))
        rounds.append(sent_again(replay))

    assert rounds == [[9], [12], []]
    assert (report.told.delivered, report.told.unmended) == (1, [])


@pytest.mark.parametrize("fate", [None, ReplayFate.FAILED, ReplayFate.SKIPPED, ReplayFate.RELEASED])
def test_a_letter_of_which_a_part_was_delivered_is_newer_state(fate: ReplayFate | None) -> None:
    """Of a group call the company may be accepted where the enduser is refused: none goes over it."""
    first, second = original(1, group("u-2", "acme", plan="old")), original(5, group("u-1", "acme"))
    entries = [] if fate is None else [taken("a", 1), ended("a", 1, fate)]
    shelf = FakeShelf([letter(0, first), letter(1, second), *notes(*entries)], FakeReader([first, second]))
    alone, report = replay_of(shelf, ONLY_THE_FIRST)
    both, _ = replay_of(shelf, Selection(ids=[LetterId(0, 0), LetterId(0, 1)]))

    assert delivered(alone) == []
    assert [each.later.offset for each in report.told.held_back] == [5]
    assert delivered(both) == [1, 5], "where both are to go they go in their order"


def test_a_letter_in_doubt_is_newer_state_whatever_another_replay_noted() -> None:
    """What a killed replay took stays a later call after the next one gave it back unsent."""
    first, second = original(1, identify("u-1", level=1)), original(5, identify("u-1", level=2))
    entries = [taken("a", 1), taken("b", 1), ended("b", 1, ReplayFate.RELEASED)]
    shelf = FakeShelf([letter(0, first), letter(1, second), *notes(*entries)], FakeReader([first, second]))
    alone, _ = replay_of(shelf, ONLY_THE_FIRST)
    _, report = replay_of(shelf)

    assert delivered(alone) == []
    assert [letter_id for letter_id, _ in report.uncertain] == [LetterId(0, 1)]


def test_a_letter_in_doubt_that_does_not_go_holds_older_ones_back() -> None:
    """A killed replay took the second, which a third call holds back now: the first goes over neither."""
    first, second = original(1, identify("u-1")), original(5, identify("u-1", "x@acme.example"))
    nameless = {"type": "identify", "messageId": "m", "anonymousId": "a"}
    third = original(9, {**nameless, "traits": {"email": "x@acme.example"}})
    topic = [letter(0, first), letter(1, second), *notes(taken("a", 1))]
    letters, report = replay_of(FakeShelf(topic, FakeReader([first, second, third])))

    assert delivered(letters) == []
    assert [each.later.offset for each in report.told.held_back] == [5, 9]


class _WithoutSchema(FakeShelf):
    """Its records at offset 5 cannot be read."""

    def interpreted(self, record: Record, rules: Rules) -> Interpreted | None:
        return None if record.offset == 5 else super().interpreted(record, rules)


def test_a_letter_in_doubt_that_cannot_be_read_holds_older_ones_back() -> None:
    """Of whom it is nobody can tell, so nothing of its partition that is older may go."""
    first, second, third = (original(n, identify(f"u-{n}")) for n in (1, 5, 9))
    topic = [letter(n, each) for n, each in enumerate((first, second, third))]
    shelf = _WithoutSchema([*topic, *notes(taken("a", 1))], FakeReader([first, second, third]))
    letters, report = replay_of(shelf)

    assert delivered(letters) == [9]
    assert (report.told.unread, report.told.unknown) == ([LetterId(0, 1)], [LetterId(0, 0)])


def of_another_topic(count: int) -> list[Record]:
    """What stands in a topic that was made anew: calls of the same user."""
    return [original(n, identify("u-1", level=90 + n)) for n in range(count)]


@pytest.mark.parametrize("count", [0, 3, 11, 12])
def test_a_source_topic_made_anew_tells_nothing(count: int) -> None:
    """Whether the new log is shorter than the letter's place or longer: what followed it then is gone."""
    first = original(10, identify("u-1", level=1))
    letters, report = replay_of(FakeShelf([letter(0, first)], FakeReader(of_another_topic(count))))

    assert delivered(letters) == []
    assert len(report.told.unknown) + len(report.told.held_back) == 1


class _Nowhere(FakeReader):
    """A topic that was deleted."""

    def stretch(self, partition: int) -> Stretch:
        raise NoTopic("there is no topic events")

    def stretches(self) -> dict[int, Stretch]:
        raise NoTopic("there is no topic events")


def test_a_source_topic_that_is_gone_tells_nothing() -> None:
    """The replay goes on without it: what overwrites nothing can be sent."""
    first = original(10, identify("u-1", level=1))
    letters, report = replay_of(FakeShelf([letter(0, first)], _Nowhere([])))

    assert delivered(letters) == []
    assert report.told.unknown == [LetterId(0, 0)]


def test_the_original_of_a_stub_is_gone_with_its_topic() -> None:
    """A stub whose source topic was deleted has nothing left to send; that ends no replay."""
    shelf = FakeShelf([], _Nowhere([]))

    assert Shelf.original(shelf, Place("events", 0, 10)) is None


def test_what_retention_cuts_while_it_is_read_was_not_seen() -> None:
    """The reader passes over what is deleted meanwhile: a later call may have been there."""
    first = original(1, identify("u-1", level=1))
    source = FakeReader([first, original(20, identify("u-1", level=9)), original(3_000, identify("u-2"))])
    source.cut = 2_000
    letters, report = replay_of(FakeShelf([letter(0, first)], source))

    assert delivered(letters) == []
    assert report.told.unknown == [LetterId(0, 0)]


def test_a_letter_is_read_from_another_copy() -> None:
    """Its lowest copy was deleted since the topic was read: another one is sent, and nothing is gone."""
    first = original(1, identify("u-1"))
    shelf = FakeShelf([letter(0, first), letter(7, first, partition=1)], FakeReader([first]))
    letters, report = replay_of(shelf)
    shelf.topic.records = [each for each in shelf.topic.records if each.partition]

    assert delivered(letters) == [1]
    assert report.told.gone == []
