"""Notes of replays: read as they were written, and anything else is none."""

from hypothesis import given
from hypothesis import strategies as st

from streamer.letters.journal import (
    JOURNAL_HEADER,
    VERSION,
    JournalEntry,
    ReplayFate,
    Settlement,
    headers,
    is_entry,
    read_entry,
    settled_entries,
    taken_entries,
    time_of,
    written,
)
from streamer.records import Record

ALMOST = (b"{}", b'{"run":"a"}', b'{"run":"a","at":1,"settled":[[1,"x","","",null]]}')
"""JSON that lacks one thing of a note each."""

offsets = st.integers(0, 2**62)
words = st.text(max_size=20)
settlements = st.builds(
    Settlement, offsets, st.sampled_from(ReplayFate), words, words, st.none() | st.integers(100, 599)
)
entries = st.builds(
    JournalEntry,
    st.integers(0, 1000),
    words,
    st.integers(0, 2**42),
    st.lists(offsets, max_size=5).map(tuple),
    st.lists(settlements, max_size=5).map(tuple),
)


def record_of(entry: JournalEntry, value: bytes | None = None, version: bytes | None = VERSION) -> Record:
    """An entry's record in the topic."""
    text = written(entry) if value is None else value
    return Record("letters", entry.partition, 7, 1, None, text, ((JOURNAL_HEADER, version),))


@given(entries)
def test_a_note_is_read_as_it_was_written(entry: JournalEntry) -> None:
    """What is noted of letters comes back whole."""
    assert headers() == [(JOURNAL_HEADER, VERSION)]
    assert is_entry(record_of(entry))
    assert read_entry(record_of(entry)) == entry


@given(st.binary(max_size=60) | st.sampled_from(ALMOST))
def test_anything_else_is_no_note(value: bytes) -> None:
    """Bytes that are no note are told so, and never raise."""
    assert read_entry(record_of(JournalEntry(0, "r", 0), value)) is None


def test_a_note_that_is_too_deep_is_no_note() -> None:
    """Whoever may write to the topic cannot end the commands that read it."""
    deep = b'{"run":"r","at":5,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert read_entry(record_of(JournalEntry(0, "r", 0), deep)) is None


def test_a_later_version_is_not_guessed_at() -> None:
    """A note of another version is left alone, even where it looks familiar."""
    entry = JournalEntry(0, "r", 0, taken=(1,))

    assert read_entry(record_of(entry, version=b"2")) is None
    assert is_entry(record_of(entry, version=b"2"))


def test_notes_lie_beside_their_letters() -> None:
    """One note a partition, with that partition's letters alone, in their order."""
    taken = taken_entries("r", 5, [(1, 10), (0, 3), (1, 11)])
    ended = settled_entries("r", 5, [(2, Settlement(4, ReplayFate.DELIVERED))])

    assert [(each.partition, each.taken) for each in taken] == [(1, (10, 11)), (0, (3,))]
    assert [(each.partition, each.settled[0].offset) for each in ended] == [(2, 4)]


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_number_is_a_time_or_none(at_ms: int) -> None:
    """What no calendar holds is shown as none: a damaged note must not end a listing."""
    assert time_of(at_ms)
    assert time_of(1_700_000_000_000) == "2023-11-14T22:13:20Z"
    assert time_of(2**62) == time_of(-1) == "-"
