"""The text that tells what is settled ahead of a commit: whole, or ignored for a reason."""

import random
import time
import zlib
from base64 import b85decode, b85encode
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.settled import (
    NOTHING,
    PREFIX,
    Settled,
    _bits,
    _deflate,
    _distances,
    _forms,
    decode,
    encode,
)
from streamer.records import Found, Mark, MarkIgnored

PLACE = "Ttt8Jp8dRyKz0kqjTqYB7A:0"
LIMIT = 4_000
EXAMPLE = Settled(1_000, (1_000, 1_003), 1_400)


def text_of(settled: Settled, limit: int = LIMIT) -> str:
    """The metadata of a commit."""
    return encode(settled, PLACE, limit).text


def read(text: str, offset: int, log_end: int | None = 1 << 62, place: str = PLACE) -> Settled | MarkIgnored:
    """What metadata at a committed offset says."""
    return decode(Found(Mark(offset, text), log_end), place)


def scattered(count: int, share: float, base: int = 5_000_000) -> Settled:
    """So many records from the committed offset on, of which this share is unsettled, at random."""
    dice = random.Random(count)
    unsettled = (base, *(base + at for at in range(1, count) if dice.random() < share))
    return Settled(base, unsettled, base + count)


def is_the_same(told: Settled | MarkIgnored, settled: Settled) -> bool:
    """Whether the same offsets are settled."""
    assert isinstance(told, Settled)
    return (told.base, list(told.unsettled), told.end) == (
        settled.base, list(settled.unsettled), settled.end,
    )  # fmt: skip


def trimmed(settled: Settled) -> Settled:
    """Without the unsettled ones at its end."""
    unsettled, end = list(settled.unsettled), settled.end
    while unsettled and unsettled[-1] == end - 1:
        end = unsettled.pop()
    return Settled(settled.base, unsettled, end)


OFFSETS = st.integers(0, 1 << 40)


@st.composite
def settled_sets(draw: st.DrawFn) -> Settled:
    """Any set: dense or sparse, with long runs, at any offset."""
    base = draw(OFFSETS)
    steps = draw(st.lists(st.one_of(st.just(1), st.integers(1, 200), st.integers(1, 1 << 20)), max_size=300))
    at = base + draw(st.integers(0, 3)) - 1
    unsettled = []
    for step in steps:
        at += step
        unsettled.append(at)
    return Settled(base, tuple(unsettled), max(at + 1, base) + draw(st.integers(0, 3)))


@given(settled_sets())
def test_whatever_is_settled_is_read_as_it_was_written(settled: Settled) -> None:
    """Round trip, for any set that fits."""
    text, characters = encode(settled, PLACE, 1 << 20)
    assert characters == len(text)
    if text:
        assert is_the_same(read(text, settled.base), trimmed(settled))
    else:
        assert trimmed(settled).end == settled.base


@given(settled_sets(), st.integers(0, 2_000))
def test_what_does_not_fit_loses_its_end_and_never_gains(settled: Settled, limit: int) -> None:
    """Cut text claims less than is settled, never more, and keeps to the limit."""
    text = text_of(settled, limit)
    assert len(text) <= limit
    if not text:
        return
    told = read(text, settled.base)
    assert isinstance(told, Settled)
    assert told.end <= settled.end
    assert list(told.unsettled) == [offset for offset in settled.unsettled if offset < told.end]


@given(settled_sets(), st.data())
def test_a_changed_character_is_noticed(settled: Settled, data: st.DataObject) -> None:
    """Whichever it is, and whatever it becomes."""
    text = text_of(settled, 1 << 20)
    if not text:
        return
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[at]))
    assert isinstance(read(text[:at] + other + text[at + 1 :], settled.base), MarkIgnored)


@given(settled_sets(), st.data())
def test_cut_text_is_noticed(settled: Settled, data: st.DataObject) -> None:
    """However little is missing."""
    text = text_of(settled, 1 << 20)
    if text:
        kept = data.draw(st.integers(1, len(text) - 1))
        assert isinstance(read(text[:kept], settled.base), MarkIgnored)


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    """Metadata is whatever somebody committed."""
    for told in (read(text, 0), read(PREFIX + text, 0)):
        assert isinstance(told, MarkIgnored) or (told is NOTHING and not text)


@given(st.binary(max_size=60), OFFSETS)
def test_any_bytes_with_a_right_checksum_are_survived(rest: bytes, offset: int) -> None:
    """Numbers that cannot be, forms there are none of, and garbage that inflates: nothing is raised."""
    head = b85decode(text_of(EXAMPLE)[len(PREFIX) :])[4:12]  # the fingerprint of the place
    for raw in (rest, head + rest):
        text = PREFIX + b85encode(zlib.crc32(raw).to_bytes(4) + raw).decode()
        told = read(text, offset)
        assert isinstance(told, MarkIgnored) or told.base == offset


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("eAFLTEoGAAJYAQA=", MarkIgnored.FOREIGN),  # as the Parallel Consumer writes: base 64
        ("bytes of somebody else", MarkIgnored.FOREIGN),
        ("NO_METADATA", MarkIgnored.FOREIGN),
        ("streamer:1", MarkIgnored.FOREIGN),
        ("streamer2:" + "0" * 40, MarkIgnored.VERSION),
        ("streamer01:" + "0" * 40, MarkIgnored.VERSION),
        (PREFIX, MarkIgnored.DAMAGED),
        (PREFIX + "0" * 40, MarkIgnored.DAMAGED),
        (PREFIX + "0" * 5_000_000, MarkIgnored.DAMAGED),
        (text_of(EXAMPLE) + " ", MarkIgnored.DAMAGED),
        (text_of(EXAMPLE) * 2, MarkIgnored.DAMAGED),
    ],
)
def test_what_is_not_ours_is_ignored_for_a_reason(text: str, reason: MarkIgnored) -> None:
    """Foreign, of a future version, damaged: each is counted apart."""
    assert read(text, EXAMPLE.base) is reason


def test_metadata_of_another_commit_topic_or_partition_is_ignored() -> None:
    """It is true where it was written, and nowhere else."""
    text = text_of(EXAMPLE)
    assert is_the_same(read(text, 1_000), EXAMPLE)
    assert read(text, 999) is MarkIgnored.OFFSET
    assert read(text, 1_001) is MarkIgnored.OFFSET
    assert read(text, 1_000, place="Ttt8Jp8dRyKz0kqjTqYB7A:1") is MarkIgnored.TOPIC
    assert read(text, 1_000, place="9pxpZ4TqR9q8bW3WmQ2u2w:0") is MarkIgnored.TOPIC
    assert read(text, 1_000, place="") is MarkIgnored.UNKNOWN
    assert read(text, 1_000, log_end=None) is MarkIgnored.UNKNOWN


def test_metadata_that_speaks_of_records_to_come_is_ignored() -> None:
    """A log that ends before it was cut, or made anew: nothing is skipped on the word of the old one."""
    text = text_of(EXAMPLE)
    assert is_the_same(read(text, 1_000, log_end=1_400), EXAMPLE)
    assert read(text, 1_000, log_end=1_399) is MarkIgnored.LOG_END


@pytest.mark.parametrize("span", [1 << 31, 1 << 62])
def test_a_run_beyond_the_log_completes_nothing(span: int) -> None:
    """A run of 2^31 settled records, however well it is signed, does not outrank the log's end."""
    text = text_of(Settled(1_000, (1_000,), 1_000 + span))
    assert read(text, 1_000, log_end=50_000) is MarkIgnored.LOG_END


def test_no_commit_and_no_metadata_are_no_trouble() -> None:
    """A new group, an older streamer, Kafka's own tools: nothing is settled ahead, nothing is counted."""
    assert decode(Found(), PLACE) is NOTHING
    assert read("", 5) is NOTHING


def test_the_committed_offset_counts_as_settled_only_if_it_is() -> None:
    """By its own place in the set, never by being the base."""
    assert not EXAMPLE.has(1_000)
    assert [offset for offset in range(998, 1_005) if EXAMPLE.has(offset)] == [1_001, 1_002, 1_004]
    assert EXAMPLE.has(1_399)
    assert not EXAMPLE.has(1_400)
    assert not NOTHING.has(0)


@pytest.mark.parametrize(
    ("settled", "most"),
    [
        (Settled(7_000_000, (7_000_000,), 7_240_000), 45),  # one stuck record, however far it was read past
        (Settled(7_000_000, range(7_000_000, 7_060_000), 7_060_000), 0),  # everything in flight
        (
            Settled(7_000_000, (7_000_000, *range(7_200_000, 7_260_000)), 7_260_000),
            45,
        ),  # one stuck, and the newest
        (
            Settled(7_000_000, (7_000_000, *range(7_200_000, 7_260_000)), 7_260_001),
            150,
        ),  # ... the last one done
        (scattered(10_000, 0.02), 400),  # 200 of 10,000
        (scattered(15_000, 0.7), 2_300),  # of a backlog: most are in flight, the others were activities
        (scattered(15_000, 0.12), 1_500),
    ],
)
def test_usual_shapes_are_short(settled: Settled, most: int) -> None:
    """What is usual is told in a few hundred characters."""
    assert len(text_of(settled)) <= most


def by_steps(steps: list[int]) -> Settled:
    """Unsettled offsets so far apart, and one more that is settled."""
    unsettled = [7_000_000 + at for at in accumulate(steps, initial=0)]
    return Settled(unsettled[0], unsettled, unsettled[-1] + 2)


@pytest.mark.parametrize("count", [300, 5_000, 20_000])
@pytest.mark.parametrize(
    "steps", [(2,), (1, 2), (1, 3), (1, 1, 1, 4), (1, 6), (1, 12), (7, 8), (7,), (20,)], ids=str
)
def test_no_form_that_is_not_made_would_be_shorter(steps: tuple[int, ...], count: int) -> None:
    """Regular distances and random ones of few values, at any density: by one in fifty at most."""
    dice = random.Random(count)
    shapes = [(steps * count)[:count], dice.choices(steps, k=count), sorted((steps * count)[:count])]
    for settled in (by_steps(list(shape)) for shape in shapes):
        plain = [_distances(settled), _bits(settled)]
        shortest = min(len(form) for form in (*plain, *map(_deflate, plain)))
        assert min(len(body) for _, body in _forms(settled)) <= shortest * 1.02 + 8


def test_a_bomb_is_not_inflated() -> None:
    """Text of 4,000 characters cannot ask for more than a fixed amount of memory and time."""
    started = time.perf_counter()
    huge = Settled(0, range(0, 60_000_000, 20), 60_000_001)
    text = text_of(huge)
    assert len(text) <= LIMIT
    raw = zlib.crc32(b"").to_bytes(4) + b85decode(text[len(PREFIX) :])[4:12]
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = bomb.compress(b"\x01" * 3_000_000) + bomb.flush()
    rest = raw[4:] + b"\x00" + b"\xff\xff\xff\x7f" + b"\x02" + body
    text = PREFIX + b85encode(zlib.crc32(rest).to_bytes(4) + rest).decode()
    assert read(text, 0) is MarkIgnored.DAMAGED
    assert time.perf_counter() - started < 20
