"""Letters read back: what was written, and whatever else may lie in the topic."""

from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.ports import DeadLetter
from streamer.kafka.dead_letters import HEADER_PREFIX as WRITTEN_PREFIX
from streamer.kafka.dead_letters import Size, letter_headers
from streamer.letters.letter import HEADER_PREFIX, NAMES, LetterId, read_letter, read_letter_id
from streamer.outcomes import InvalidReason
from streamer.records import Record

MARK = "marked-value"

names = st.text(max_size=30) | st.sampled_from([HEADER_PREFIX + name for name in sorted(NAMES)])
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=30)), max_size=20).map(tuple)
originals = st.builds(
    Record,
    st.text(min_size=1, max_size=20),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**62),
    st.integers(-1, 2**42),
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=50),
    headers,
)


def in_topic(letter: DeadLetter, size: Size = Size.WHOLE) -> Record:
    """The letter's record in the dead-letter topic, as the producer writes it."""
    pairs = [
        (name, value.encode() if isinstance(value, str) else value)
        for name, value in letter_headers(letter, "group", size)
    ]
    value = letter.record.value if size is Size.WHOLE else None
    return Record("letters", 3, 1042, 1_700_000_000_000, letter.record.key, value, tuple(pairs))


@given(originals, st.sampled_from(InvalidReason), st.text(max_size=20))
def test_a_letter_is_read_as_it_was_written(original: Record, reason: InvalidReason, detail: str) -> None:
    """The original comes back byte for byte, its headers too, even where they are spelled like ours."""
    letter = read_letter(in_topic(DeadLetter(original, reason, detail, "7", 400, 3, 1_700_000_000.0)))

    assert letter is not None
    assert letter.record == original
    assert (letter.reason, letter.detail, letter.schema_id) == (reason, detail, "7")
    assert (letter.http_status, letter.attempts, letter.group) == ("400", 3, "group")
    assert letter.first_failure == "2023-11-14T22:13:20.000+00:00"
    assert letter.id == LetterId(3, 1042)
    assert not letter.is_stub


def test_a_stub_says_where_its_original_is() -> None:
    """A letter that could not carry its original has the place and the digest of it."""
    original = Record("events", 2, 991, 5, b"k", b"v" * 100)
    letter = read_letter(in_topic(DeadLetter(original, InvalidReason.REFUSED, "d"), Size.STUB))

    assert letter is not None
    assert letter.is_stub
    assert letter.value_bytes == 100
    assert str(letter.place) == "events[2]@991"
    assert (letter.reason, letter.detail) == ("oversize", "refused: d")


@given(headers, st.none() | st.binary(max_size=20))
def test_any_record_is_a_letter_or_none(
    anything: "tuple[tuple[str, bytes | None], ...]", value: bytes
) -> None:
    """Whatever headers a record has, reading it ends in a letter or in None."""
    letter = read_letter(Record("letters", 0, 0, -1, None, value, anything))

    assert letter is None or letter.reason


def test_another_versions_letter_is_read_for_what_is_known() -> None:
    """A reason and a header that only a later version knows: the original is whole, the reason is told."""
    original = Record("events", 2, 991, 5, b"k", b"v", (("trace", b"t"),))
    written = in_topic(DeadLetter(original, InvalidReason.REFUSED, "d"))
    known = {HEADER_PREFIX + "reason": b"reason_to_come", HEADER_PREFIX + "version": b"99.0.0"}
    later = [(name, known.get(name, value)) for name, value in written.headers]
    letter = read_letter(written._replace(headers=(*later, (HEADER_PREFIX + "to_come", b"x"))))

    assert letter is not None
    assert letter.record == original
    assert (letter.reason, letter.detail, letter.version) == ("reason_to_come", "d", "99.0.0")


def test_names_are_those_that_are_written() -> None:
    """Every header that is written for a letter is known to whoever reads it, prefix included."""
    letter = DeadLetter(Record("e", 0, 0, 0, b"", b""), InvalidReason.REFUSED, "d", "1", 400, 1, 1.0)
    written = {name.removeprefix(WRITTEN_PREFIX) for name, _ in letter_headers(letter, "g", Size.STUB)}

    assert WRITTEN_PREFIX == HEADER_PREFIX
    assert written == NAMES


def test_ids_are_read_as_they_are_shown() -> None:
    """An id is partition:offset; nothing else is one."""
    assert read_letter_id(str(LetterId(3, 1042))) == LetterId(3, 1042)
    wrong = ("", "3", "3:", ":3", "a:1", "3:-1", "3:1:2", "3 : 1", "٣:1", "1:" + "9" * 40)
    assert [read_letter_id(text) for text in wrong] == [None] * len(wrong)


def test_no_repr_tells_what_an_event_says() -> None:
    """A letter's repr shows places and reasons alone."""
    original = Record("events", 2, 991, 5, MARK.encode(), MARK.encode(), ((MARK, MARK.encode()),))
    letter = read_letter(in_topic(DeadLetter(original, InvalidReason.REFUSED)))

    assert MARK not in repr(letter)
    assert letter is not None
    assert letter.without_value().record.value is None
