"""A commit's metadata: what cannot be ours is ignored, and what is believed never claims too much.

The first byte picks the law. Even: the rest is metadata as somebody may have committed it; where the second
bit is set it is bytes under a checksum and a place that fit, so that the search gets past them. Odd: the
rest is a pattern of what is settled, which is written within a limit and read again.
"""

from base64 import b85encode
from collections.abc import Iterator
from typing import Final

from streamer.engine.settled import PREFIX, Settled, _checksum, _fingerprint, _varint, decode, encode
from streamer.records import Found, Mark, MarkIgnored
from tests.fuzz import Target

PLACE: Final = "topic-id 3"
BASE: Final = 1000
LOG_END: Final = 1 << 40
MOST_UNSETTLED: Final = (128 << 10) * 8
"""A bit each, in the largest form that is read."""


def _one(value: bytes) -> None:
    if not value:
        return
    kind, rest = value[0], value[1:]
    if kind & 1:
        _written_and_read(rest)
    elif kind & 2:
        _read(_sealed(rest))
    else:
        _read(rest.decode("utf-8", "replace"))


def _sealed(rest: bytes) -> str:
    sealed = _fingerprint(PLACE) + rest
    return PREFIX + b85encode(_checksum(sealed) + sealed).decode()


def _read(text: str) -> None:
    found = decode(Found(Mark(BASE, text), LOG_END, "topic-id"), PLACE)
    if isinstance(found, MarkIgnored) or not found.end:
        return
    assert found.base == BASE
    assert BASE <= found.end <= LOG_END
    assert len(found.unsettled) <= MOST_UNSETTLED
    assert all(low < high for low, high in zip(found.unsettled, found.unsettled[1:], strict=False))
    assert not found.unsettled or found.base <= found.unsettled[0] <= found.unsettled[-1] < found.end
    # Written again it says the same of every offset that somebody may ask of.
    again = decode(Found(Mark(BASE, encode(found, PLACE, 1 << 20).text), LOG_END, "topic-id"), PLACE)
    assert isinstance(again, Settled | MarkIgnored)
    if isinstance(again, Settled) and again.end:
        assert list(again.unsettled) == [each for each in found.unsettled if each < again.end]


def _written_and_read(pattern: bytes) -> None:
    """Each byte is so many settled offsets and one that is not; the first two are the limit."""
    if len(pattern) < 3:
        return
    limit = int.from_bytes(pattern[:2], "big") % 4097
    at, unsettled = BASE, []
    for step in pattern[2:]:
        at += step * (257 if step > 250 else 1)
        unsettled.append(at)
        at += 1
    end = at + pattern[2] % 3
    encoded = encode(Settled(BASE, unsettled, end), PLACE, limit)
    assert len(encoded.text) <= limit
    found = decode(Found(Mark(BASE, encoded.text), LOG_END, "topic-id"), PLACE)
    assert isinstance(found, Settled)
    # Nothing is called settled that is not: else a crash would lose it.
    assert found.end <= end
    assert list(found.unsettled) == [each for each in unsettled if each < found.end]


def _seeds() -> Iterator[bytes]:
    for unsettled in ((1000,), (1000, 1003, 1010), range(1000, 1600, 2), range(1000, 9000, 7)):
        for place in (PLACE, "another 0"):
            yield b"\0" + encode(Settled(BASE, list(unsettled), 10_000), place, 4096).text.encode()
    head = _varint(BASE) + _varint(40)
    yield b"\2" + head + b"\0" + bytes([3, 4, 5])
    yield b"\2" + head + b"\1" + bytes(5)
    yield b"\2" + head + b"\2" + bytes([3, 0])
    yield b"\2" + head + b"\3" + bytes([3, 0])
    yield b"\1\x0f\xff" + bytes(range(256))
    yield b"\1\0\x60" + bytes(range(200))
    yield b"\0streamer2:x"


TARGET: Final = Target(_one, _seeds(), [PREFIX.encode(), b"streamer2:"])
