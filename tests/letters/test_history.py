"""The topic folded: where each letter stands, whatever replays did and however often it was written."""

import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cli.letter_tables import closing_lines, row_of
from streamer.engine.ports import DeadLetter
from streamer.letters.history import Filed, History, State
from streamer.letters.journal import JournalEntry, ReplayFate, Settlement, headers, written
from streamer.letters.letter import LetterId, Place
from streamer.letters.selection import Selection, moment_ms
from streamer.letters.subjects import Subject, subject_of
from streamer.outcomes import InvalidReason
from streamer.records import Record
from tests.letters.test_letter import in_topic

NOW_MS = 1_700_000_000_000
PAGE: Final = Path(__file__).parents[2] / "docs" / "dead-letters.md"


def a_letter(
    offset: int, source_offset: int, partition: int = 0, reason: InvalidReason = InvalidReason.REFUSED
) -> Record:
    """A letter's record in the topic."""
    original = Record("events", 1, source_offset, 5, b"u-1", b"{}")
    return in_topic(DeadLetter(original, reason))._replace(partition=partition, offset=offset)


def note(entry: JournalEntry) -> Record:
    """An entry's record in the topic."""
    return Record("letters", entry.partition, 999, 1, None, written(entry), tuple(note_headers()))


def note_headers() -> list[tuple[str, bytes | None]]:
    """The headers of an entry, as the broker gives them back."""
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in headers()]


note_like = st.binary(max_size=20) | st.sampled_from(ReplayFate).map(
    lambda fate: written(JournalEntry(0, "a", 1, settled=(Settlement(0, fate),)))
)


def filed(history: History, source_offset: int) -> Filed:
    """The letter of that original."""
    found = history.at(Place("events", 1, source_offset), 5)
    assert found is not None
    return found


def ended(run: str, at_ms: int, offset: int, fate: ReplayFate, reason: str = "") -> JournalEntry:
    """A note of one letter's end."""
    return JournalEntry(0, run, at_ms, settled=(Settlement(offset, fate, reason),))


def test_a_letter_goes_from_open_to_its_end() -> None:
    """Open, taken, and then what the newest note says; released is open again."""
    history = History()
    history.add(a_letter(0, 10))
    states = [filed(history, 10).state]
    for entry in (
        JournalEntry(0, "a", 1, taken=(0,)),
        ended("a", 2, 0, ReplayFate.RELEASED),
        JournalEntry(0, "b", 3, taken=(0,)),
        ended("b", 4, 0, ReplayFate.FAILED, "internal"),
        JournalEntry(0, "c", 5, taken=(0,)),
        ended("c", 6, 0, ReplayFate.DELIVERED),
    ):
        history.add(note(entry))
        states.append(filed(history, 10).state)

    assert states == [
        State.OPEN, State.TAKEN, State.OPEN, State.TAKEN, State.FAILED, State.TAKEN, State.DELIVERED,
    ]  # fmt: skip
    assert filed(history, 10).attempts == 3
    assert filed(history, 10).reason == "internal", "the newest word on why it cannot be delivered"


def test_copies_are_one_letter() -> None:
    """A letter written twice is one, with its lowest id, and what is noted of one copy holds for both."""
    history = History()
    history.add(a_letter(5, 10, partition=1))
    history.add(a_letter(3, 10))
    history.add(note(ended("a", 1, 3, ReplayFate.DELIVERED)))
    history.add(a_letter(9, 10))

    assert len(history) == 1
    assert filed(history, 10).letter.id == LetterId(0, 3)
    assert sorted(filed(history, 10).ids) == [(0, 3), (0, 9), (1, 5)]
    assert filed(history, 10).state is State.DELIVERED
    assert history.find(LetterId(1, 5)) is history.find(LetterId(0, 9))


@given(note_like)
def test_no_original_passes_for_a_note(value: bytes) -> None:
    """A letter whose original bore the header of our notes is a letter, and settles no other."""
    history = History()
    history.add(a_letter(0, 10))
    original = Record("events", 1, 11, 5, None, value, tuple(note_headers()))
    history.add(in_topic(DeadLetter(original, InvalidReason.NOT_AVRO))._replace(partition=0, offset=1))

    assert [filed(history, source_offset).state for source_offset in (10, 11)] == [State.OPEN] * 2
    assert (history.foreign, history.unreadable) == (0, 0)


def test_what_was_delivered_stays_delivered_whatever_the_clocks_say() -> None:
    """Notes of one partition are in order: a clock that was set back makes nothing open again."""
    history = History()
    history.add(a_letter(0, 10))
    history.add(note(JournalEntry(0, "a", 1_000, taken=(0,))))
    history.add(note(ended("a", 900, 0, ReplayFate.RELEASED)))
    assert filed(history, 10).state is State.OPEN
    history.add(note(JournalEntry(0, "b", 800, taken=(0,))))
    history.add(note(ended("b", 700, 0, ReplayFate.DELIVERED)))
    history.add(note(JournalEntry(0, "c", 2_000, taken=(0,))))

    assert filed(history, 10).state is State.DELIVERED


def test_what_may_have_gone_twice_is_told_for_good() -> None:
    """A replay that noted no end, and another like it or one that delivered: perhaps twice."""
    history = History()
    history.add(a_letter(0, 10))
    one = filed(history, 10)
    told = [one.is_perhaps_twice]
    for entry in (
        JournalEntry(0, "a", 1, taken=(0,)),  # killed
        JournalEntry(0, "b", 2, taken=(0,)),
        ended("b", 3, 0, ReplayFate.RELEASED),  # certainly unsent
        JournalEntry(0, "c", 4, taken=(0,)),
        ended("c", 5, 0, ReplayFate.DELIVERED),
    ):
        history.add(note(entry))
        told.append(one.is_perhaps_twice)

    assert told == [False, False, True, False, True, True]


@pytest.mark.parametrize("fate", [ReplayFate.RELEASED, ReplayFate.FAILED, ReplayFate.SKIPPED])
def test_the_end_of_one_replay_says_nothing_of_another(fate: ReplayFate) -> None:
    """What a killed replay may have delivered stays in doubt, whatever others note, until it is."""
    history = History()
    history.add(a_letter(0, 10))
    one = filed(history, 10)
    history.note(JournalEntry(0, "a", 1, taken=(0,)))  # killed
    history.note(JournalEntry(0, "b", 2, taken=(0,)))
    history.note(ended("b", 3, 0, fate))

    assert one.is_in_doubt
    assert one.state is (State.TAKEN if fate is ReplayFate.RELEASED else State(fate))
    history.note(ended("c", 4, 0, ReplayFate.DELIVERED))
    assert not one.is_in_doubt


def test_another_original_at_the_same_place_is_another_letter() -> None:
    """Where the topic was made anew, what a replay delivered of the old one settles nothing of the new."""
    history = History()
    history.add(a_letter(0, 10))
    history.note(ended("a", 1, 0, ReplayFate.DELIVERED))
    newer = Record("events", 1, 10, 999, b"u-2", b"{}")
    history.add(in_topic(DeadLetter(newer, InvalidReason.REFUSED))._replace(partition=0, offset=3))

    assert [each.state for each in history] == [State.DELIVERED, State.OPEN]


def test_letters_of_other_groups_are_left_alone() -> None:
    """A topic may be shared: another group's letters are counted, and none of them is ours to replay."""
    history = History("mine")
    history.add(a_letter(0, 10))

    assert (len(history), history.others) == (0, {"group": 1})
    assert History("group").add(a_letter(0, 10)) is not None


def test_other_groups_are_named_so_that_they_can_be_asked_for() -> None:
    """Whoever lists the letters of the wrong group learns the right one's name; no terminal obeys it."""
    history = History("mine")
    for group in ("group", "gr\x1b[2Joup"):
        letter = a_letter(0, 10)
        header = ("streamer.group", group.encode())
        others = [each for each in letter.headers if each[0] != "streamer.group"]
        history.add(letter._replace(headers=(*others, header)))

    (line,) = closing_lines([], 0, history, has_all=False)[1:]
    assert line == "2 letters are of other groups, which --group shows: group, gr\ufffd[2Joup"


def test_what_is_none_of_ours_is_counted() -> None:
    """Foreign records and unreadable notes are counted and harm nothing."""
    history = History()
    history.add(Record("letters", 0, 0, 1, b"k", b"v"))
    history.add(Record("letters", 0, 1, 1, None, b"?", (("streamer.journal", b"9"),)))
    history.add(note(JournalEntry(0, "a", 1, taken=(77,))))

    assert (len(history), history.foreign, history.unreadable) == (0, 1, 1)


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(ReplayFate)), max_size=12))
def test_partitions_may_be_read_in_any_order(notes: list[tuple[int, ReplayFate]]) -> None:
    """Notes of copies in two partitions come to the same end, whichever partition is read first."""
    first, second = [a_letter(0, 10)], [a_letter(0, 10, partition=1)]
    for at_ms, (partition, fate) in enumerate(notes):
        entry = ended("a", at_ms, 0, fate)._replace(partition=partition)
        (second if partition else first).append(note(entry))
    forwards, backwards = History(), History()
    for record in [*first, *second]:
        forwards.add(record)
    for record in [*second, *first]:
        backwards.add(record)

    assert filed(forwards, 10).state is filed(backwards, 10).state


def test_filters_are_all_kept() -> None:
    """A letter is meant when it passes every filter that is set."""
    history = History()
    history.add(a_letter(0, 10))
    one = filed(history, 10)
    one.subject = Subject("track", ("u-1", "U-1@acme.example"))
    written_ms = one.letter.written_ms

    assert Selection().accepts(one)
    assert Selection(user="u-1@ACME.example", partition=1, reasons={"refused"}).accepts(one)
    assert Selection(since_ms=written_ms, until_ms=written_ms + 1, ids={LetterId(0, 0)}).accepts(one)
    for other in (
        Selection(user="u-2"),
        Selection(partition=0),
        Selection(reasons={"internal"}),
        Selection(since_ms=written_ms + 1),
        Selection(until_ms=written_ms),
        Selection(ids={LetterId(0, 1)}),
    ):
        assert not other.accepts(one)
    history.note(ended("a", 1, 0, ReplayFate.SKIPPED))
    assert not Selection().accepts(one)
    assert Selection(is_settled_too=True).accepts(one)
    assert Selection(ids={LetterId(0, 0)}).accepts(one), "skipped, and named to be tried again"
    history.note(ended("a", 2, 0, ReplayFate.DELIVERED))
    assert not Selection(ids={LetterId(0, 0)}).accepts(one), "delivered is delivered"


def test_moments_are_times_or_spans() -> None:
    """An ISO time with its zone, or a span back from now; nothing else."""
    assert moment_ms("2023-11-14T22:13:20Z", 0) == NOW_MS
    assert moment_ms("2h", NOW_MS) == NOW_MS - 7_200_000
    assert moment_ms("90m", NOW_MS) == NOW_MS - 5_400_000
    assert [moment_ms(text, 0) for text in ("", "2", "h", "-2h", "2023-11-14T22:13:20", "2w")] == [None] * 6
    beyond = ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00")
    assert [moment_ms(text, 0) for text in beyond] == [None] * 2, "no calendar has them in UTC"


def test_the_keys_for_programs_are_documented() -> None:
    """`list --json` prints the keys and the states that the page of dead letters names, and no others."""
    history = History()
    history.add(a_letter(0, 10))
    table = PAGE.read_text().partition("`list --json` prints one line")[2].partition("## Replaying")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]

    documented = [key for row in rows for key in re.findall(r"`(\w+)`", row[1])]
    assert documented == list(row_of(filed(history, 10), reveal=False))
    (states,) = (row[2] for row in rows if "`state`" in row[1])
    assert set(re.findall(r"`(\w+)`", states)) == set(State)


def test_subjects_are_found_in_any_event() -> None:
    """Ids and addresses of user and company are names, however broken the event is around them."""
    event = {
        "type": "track", "userId": 7, "traits": {"email": "a@acme.example"}, "context": {"groupId": "acme"},
        "properties": [], "anonymousId": None,
    }  # fmt: skip

    assert subject_of(event, b"u-7") == Subject("track", ("7", "a@acme.example", "acme", "u-7"))
    assert subject_of(None, b"\xff") == Subject("", ("�",))
    assert subject_of([1], None) == Subject()
    assert subject_of({"type": "a b"}, None).call == ""
    assert [subject_of({"type": spelt}, None).call for spelt in ("Track", "Tracked")] == ["track", "Tracked"]
    assert "7" not in repr(Subject("track", ("7",)))
