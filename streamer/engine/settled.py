"""What is settled ahead of the committed offset, as text that a commit can carry.

A commit says "everything below this offset". What is settled beyond it, behind a record that is not, travels
in the commit's metadata, so that whoever reads on does not send it again. Told are the offsets that are *not*
settled, up to an end: they are few. Offsets that were never read need no word: Kafka left them out
(compaction, aborted transactions, markers of transactions) and only ever takes more away, so that calling
them settled is as idle as it is below a committed offset.

The text: `streamer1:`, then in base 85 a checksum (4 bytes), a fingerprint of topic and partition (8), the
committed offset and the distance from it to the end (varints), the form (1), and the unsettled offsets in the
smallest form. Reading is total: whatever is not exactly what `encode` writes is ignored, for a reason; never
an exception, never much memory.
"""

import re
import zlib
from array import array
from base64 import b85decode, b85encode
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate
from operator import sub
from typing import Final, NamedTuple

from streamer.records import Found, MarkIgnored

PREFIX: Final = "streamer1:"
"""Names us and the version of what follows."""
LONGEST: Final = 32_767
"""Characters that Kafka's protocol can carry at all."""

_OURS: Final = re.compile(r"streamer(\d{1,9}):")
_DISTANCES, _BITS = 0, 1
_DEFLATED: Final = 2
"""Added to the form where it is deflated."""
_MOST_BYTES: Final = 128 << 10
"""Of one form inflated. What is larger is not written, so it is not ours."""
_MOST_OFFSET: Final = (1 << 63) - 1
_HEAD_BYTES: Final = 12
_ONE: Final = ord("1")
_SMALL: Final = [bytes([number]) for number in range(128)]


class Settled(NamedTuple):
    """Offsets from `base` on and before `end` are settled, except for the unsettled ones."""

    base: int = 0
    unsettled: Sequence[int] = ()
    """Ascending, within those bounds."""
    end: int = 0

    def trimmed(self) -> "Settled":
        """The same without the unsettled ones that nothing settled follows: mostly the bulk in flight.

        They are those that end in an unbroken row: each is as far above its place in the list as the last.
        """
        base, unsettled, end = self
        count = len(unsettled)
        kept, beyond = 0, count
        while kept < beyond:
            at = (kept + beyond) // 2
            if unsettled[at] - at < end - count:
                kept = at + 1
            else:
                beyond = at
        return Settled(base, unsettled[:kept], end - (count - kept)) if kept < count else self

    def has(self, offset: int) -> bool:
        """Whether this offset is settled."""
        if not self.base <= offset < self.end:
            return False
        at = bisect_left(self.unsettled, offset)
        return at == len(self.unsettled) or self.unsettled[at] != offset


NOTHING: Final = Settled()


class Encoded(NamedTuple):
    """Metadata, and what it would have come to without a limit."""

    text: str
    characters: int
    """Of the whole; more than the text has where only its front fitted."""


# --- writing ------------------------------------------------------------------------------------------


def encode(settled: Settled, place: str, limit: int) -> Encoded:
    """Metadata for a commit of `settled.base`: at most `limit` characters, "" where nothing is settled ahead.

    `place` names topic and partition for good: a topic of the same name made later has another. Where the
    whole does not fit, the end moves to the front until the rest does: what is nearest to the committed
    offset is kept, since there the fewest are unsettled for each that is settled.
    """
    base, unsettled, end = settled.trimmed()
    whole = text = _text(Settled(base, unsettled, end), place)
    count = len(unsettled)
    while len(text) > limit:
        if not count:
            text = ""  # not even the head fits
            break
        # Proportional, and a little less: two or three rounds, whatever the pattern.
        count = min(count - 1, int(count * limit / len(text) * 0.97))
        text = _text(Settled(base, unsettled[:count], unsettled[count]), place)
    return Encoded(text, len(whole))


def _text(settled: Settled, place: str) -> str:
    if settled.end == settled.base:
        return ""
    form, body = min(_forms(settled), key=_length_of)
    numbers = _varint(settled.base) + _varint(settled.end - settled.base)
    rest = _fingerprint(place) + numbers + bytes([form]) + body
    return PREFIX + b85encode(_checksum(rest) + rest).decode()


def _length_of(form: tuple[int, bytes]) -> int:
    return len(form[1])


def _forms(settled: Settled) -> Iterator[tuple[int, bytes]]:
    """Each form that might be the smallest. A deflated one is coded by how often each byte comes.

    Where half or more are unsettled, bits are as short as distances, but for one byte in a hundred; where
    fewer than one in sixteen, never. To make both costs as much as all the rest of a commit.
    """
    span, count = settled.end - settled.base, len(settled.unsettled)
    if span <= 16 * count and span <= 8 * _MOST_BYTES:
        bits = _bits(settled)
        yield _BITS, bits
        yield _BITS + _DEFLATED, _deflate(bits)
        if span <= 2 * count:
            return
    distances = _distances(settled)
    yield _DISTANCES, distances
    if len(distances) <= _MOST_BYTES:
        yield _DISTANCES + _DEFLATED, _deflate(distances)


def _distances(settled: Settled) -> bytes:
    """From the base to the first unsettled offset, and from each to the next."""
    unsettled = settled.unsettled
    if not unsettled:
        return b""
    steps = [unsettled[0] - settled.base, *map(sub, unsettled[1:], unsettled)]
    return b"".join([_SMALL[step] if step < 128 else _varint(step) for step in steps])


def _bits(settled: Settled) -> bytes:
    """A bit for each offset from the base on, set where it is not settled: the base's is the lowest."""
    span, last = settled.end - settled.base, settled.end - 1
    digits = bytearray(b"0") * span
    for offset in settled.unsettled:
        digits[last - offset] = _ONE
    return int(digits, 2).to_bytes((span + 7) // 8, "little")


def _deflate(raw: bytes) -> bytes:
    deflating = zlib.compressobj(6, zlib.DEFLATED, -15)
    return deflating.compress(raw) + deflating.flush()


def _varint(number: int) -> bytes:
    written = bytearray()
    while number >= 128:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)


def _fingerprint(place: str) -> bytes:
    return blake2b(place.encode(), digest_size=8).digest()


def _checksum(rest: bytes) -> bytes:
    return zlib.crc32(rest).to_bytes(4)


# --- reading ------------------------------------------------------------------------------------------


def decode(found: Found, place: str) -> Settled | MarkIgnored:
    """What the metadata of the last commit says, or why it is not listened to. Never raises.

    `place` as it was encoded: metadata of another topic or partition is ignored; without one, all is.
    """
    mark = found.committed
    if mark is None or not mark.metadata:
        return NOTHING
    raw = _bytes_of(mark.metadata)
    if isinstance(raw, MarkIgnored):
        return raw
    try:
        settled = _settled_of(raw)
    except (ValueError, IndexError, zlib.error):
        return MarkIgnored.DAMAGED
    if not place or found.log_end is None:
        return MarkIgnored.UNKNOWN
    if raw[4:_HEAD_BYTES] != _fingerprint(place):
        return MarkIgnored.TOPIC
    return _doubt(settled, mark.offset, found.log_end) or settled


def _doubt(settled: Settled, committed: int, log_end: int) -> MarkIgnored | None:
    """Why this cannot be said of what the log holds, if so."""
    if settled.base != committed:
        return MarkIgnored.OFFSET
    return MarkIgnored.LOG_END if settled.end > log_end else None


def _bytes_of(text: str) -> bytes | MarkIgnored:
    """Whole and undamaged bytes of ours."""
    ours = _OURS.match(text)
    if ours is None:
        return MarkIgnored.FOREIGN
    if ours[0] != PREFIX:
        return MarkIgnored.VERSION
    if len(text) > LONGEST:
        return MarkIgnored.DAMAGED
    body = text[len(PREFIX) :]
    try:
        raw = b85decode(body)
    except ValueError:
        return MarkIgnored.DAMAGED
    # Several texts stand for the same bytes; one of them is ours.
    is_whole = len(raw) > _HEAD_BYTES and b85encode(raw).decode() == body
    return raw if is_whole and raw[:4] == _checksum(raw[4:]) else MarkIgnored.DAMAGED


def _settled_of(raw: bytes) -> Settled:
    """What whole and undamaged bytes say. Raises ValueError, IndexError or zlib.error."""
    base, at = _number(raw, _HEAD_BYTES)
    span, at = _number(raw, at)
    form, body = raw[at], raw[at + 1 :]
    if base + span > _MOST_OFFSET or form > _BITS + _DEFLATED:
        raise ValueError
    if form & _DEFLATED:
        body = _inflate(body)
    unsettled = _from_bits(body, base, span) if form & _BITS else _from_distances(body, base, span)
    return Settled(base, unsettled, base + span)


def _inflate(body: bytes) -> bytes:
    inflating = zlib.decompressobj(-15)
    raw = inflating.decompress(body, _MOST_BYTES)
    if not inflating.eof or inflating.unused_data:
        raise ValueError
    return raw


def _from_distances(body: bytes, base: int, span: int) -> Sequence[int]:
    steps: Sequence[int] = body if max(body, default=0) < 128 else list(_numbers(body))
    if not steps:
        return ()
    if 0 in steps[1:] or sum(steps) >= span:
        raise ValueError
    return array("q", accumulate(steps[1:], initial=base + steps[0]))


def _from_bits(body: bytes, base: int, span: int) -> Sequence[int]:
    if len(body) != (span + 7) // 8:
        raise ValueError
    return array("q", (base + at for at in range(span) if body[at >> 3] >> (at & 7) & 1))


def _numbers(raw: bytes) -> Iterator[int]:
    at = 0
    while at < len(raw):
        number, at = _number(raw, at)
        yield number


def _number(raw: bytes, at: int) -> tuple[int, int]:
    """A varint, and where the next one begins; the same number is written in one way only."""
    number = shift = 0
    while shift < 63:
        byte = raw[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            if not byte and shift:
                break
            return number, at
        shift += 7
    raise ValueError
