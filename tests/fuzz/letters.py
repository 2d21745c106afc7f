"""Records of the dead-letter topic, where others may write too: letters, notes of replays, or none of ours.

The first byte picks the law. Headers come a line each, `name=value`, up to an empty line; the rest is the
value. Even: any record is read, and the whole topic's history with it. Odd: they are an original's, which
is set aside as streamer does, and read back byte for byte.
"""

from collections.abc import Iterator
from typing import Final

from streamer.engine.ports import DeadLetter
from streamer.kafka.dead_letters import Size, letter_headers
from streamer.letters.history import History, State
from streamer.letters.journal import (
    JOURNAL_HEADER,
    JournalEntry,
    ReplayFate,
    Settlement,
    is_entry,
    read_entry,
    time_of,
    written,
)
from streamer.letters.letter import HEADER_PREFIX, NAMES, Headers, read_letter
from streamer.outcomes import InvalidReason
from streamer.records import Record
from tests.fuzz import Target

_REASONS: Final = tuple(InvalidReason)


def _one(value: bytes) -> None:
    if not value:
        return
    kind = value[0]
    head, _, body = value[1:].partition(b"\n\n")
    headers = _headers(head)
    if kind & 1:
        _set_aside(kind, headers, body)
    else:
        _read(Record("letters", 0, 7, 1_700_000_000_000, None, body, headers))


def _headers(head: bytes) -> Headers:
    pairs = (line.partition(b"=") for line in head.split(b"\n") if line)
    return tuple((name.decode("utf-8", "replace"), value if sign else None) for name, sign, value in pairs)


def _read(record: Record) -> None:
    letter = read_letter(record)
    if letter is not None:
        assert letter.reason
        assert letter.place.topic
        assert min(letter.attempts, letter.place.partition, letter.place.offset) >= 0
        assert set(letter.record.headers) <= set(record.headers)
        time_of(letter.record.timestamp_ms)
    if is_entry(record):
        assert letter is None
        entry = read_entry(record)
        if entry is not None:
            time_of(entry.at_ms)
    history = History()
    history.add(Record("letters", 0, 5, 0, None, b"", _LETTER))
    history.add(record)
    history.add(record)
    for filed in history:
        assert isinstance(filed.reason, str)
        assert filed.attempts <= len(filed.tries)
        assert not (filed.is_in_doubt and filed.state is State.DELIVERED)


def _set_aside(kind: int, headers: Headers, body: bytes) -> None:
    size = Size.WHOLE if kind & 2 else Size.STUB
    original = Record("events", 2, 991, 5, body[:3], body, headers)
    detail = body[:20].decode("utf-8", "replace")
    told = DeadLetter(original, _REASONS[kind % len(_REASONS)], detail, None, 400, 3, 1_700_000_000.0)
    lying = tuple(
        (name, value.encode() if isinstance(value, str) else value)
        for name, value in letter_headers(told, "g", size)
    )
    value = body if size is Size.WHOLE else None
    letter = read_letter(Record("letters", 0, 7, 5, original.key, value, lying))
    assert letter is not None
    assert letter.record == original._replace(value=value)
    assert letter.is_stub == (size is Size.STUB)
    assert not is_entry(Record("letters", 0, 7, 5, original.key, value, lying))


def _seeds() -> Iterator[bytes]:
    for kind in (b"\0", b"\1", b"\2", b"\3"):
        yield kind + _LINES + b"\n\n{}"
        yield kind + _LINES + b"\n" + _LINES + b"\n\n{}"
    entry = JournalEntry(0, "run", 5, (5, 6), (Settlement(5, ReplayFate.FAILED, "refused", "d", 400),))
    yield b"\0" + JOURNAL_HEADER.encode() + b"=1\n\n" + written(entry)
    yield b"\1" + JOURNAL_HEADER.encode() + b"=1\n\n" + written(entry)
    deep = b'{"run":"r","at":5,"x":' + b"[" * 2_000 + b"]" * 2_000 + b"}"
    yield b"\0" + JOURNAL_HEADER.encode() + b"=1\n\n" + deep


_LETTER: Final[Headers] = tuple(
    (HEADER_PREFIX + name, value)
    for name, value in (
        *(("reason", b"refused"), ("topic", b"events"), ("partition", b"2"), ("offset", b"991")),
        *(("timestamp", b"5"), ("group", b"g"), ("attempts", b"3")),
    )
)
_LINES: Final = b"\n".join(name.encode() + b"=" + (value or b"") for name, value in _LETTER)
TARGET: Final = Target(
    _one,
    _seeds(),
    [
        *(f"\n{HEADER_PREFIX}{name}=".encode() for name in sorted(NAMES)),
        f"\n{JOURNAL_HEADER}=1\n\n".encode(),
        *(b'"run":', b'"at":', b'"taken":[', b'"settled":[[', *(f'"{fate}"'.encode() for fate in ReplayFate)),
    ],
)
