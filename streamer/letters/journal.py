"""What replays did, noted in the dead-letter topic itself, beside the letters of which it speaks.

An entry is a record without key, marked by a header, whose value is JSON. It lies in the partition of
its letters and names them by their offsets there, so it lives exactly as long as they do: a group's
offsets would be forgotten after a week, and could not tell letters that a filter left out.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

import msgspec

from streamer.letters.letter import REASON_HEADER
from streamer.records import Record

JOURNAL_HEADER: Final = "streamer.journal"
VERSION: Final = b"1"
_END_OF_CALENDAR_MS: Final = 253_402_300_799_000
"""The last second of the year 9999."""

Each = TypeVar("Each")


class ReplayFate(StrEnum):
    """What became of a letter in a replay."""

    DELIVERED = "delivered"
    """Planhat accepted it (activities: received)."""
    SKIPPED = "skipped"
    """Rules in force now say that it is not to be sent, or Planhat did not save it."""
    FAILED = "failed"
    """It still cannot be delivered, and stays the letter it is."""
    RELEASED = "released"
    """Taken, and given back unsent when the replay was told to stop."""


class Settlement(NamedTuple):
    """What became of one letter."""

    offset: int
    fate: ReplayFate
    reason: str = ""
    detail: str = ""
    http_status: int | None = None


class JournalEntry(NamedTuple):
    """One note of one replay about letters of one partition of the dead-letter topic."""

    partition: int
    run: str
    """Which replay: a word of its own."""
    at_ms: int
    taken: tuple[int, ...] = ()
    """Letters about to be sent. Until they are settled they may have been delivered."""
    settled: tuple[Settlement, ...] = ()


class _Written(msgspec.Struct, omit_defaults=True):
    """The JSON of an entry; a contract between versions."""

    run: str
    at: int
    taken: list[int] = []
    settled: list[tuple[int, str, str, str, int | None]] = []


_decoder: Final = msgspec.json.Decoder(_Written)


def headers() -> list[tuple[str, str | bytes | None]]:
    """The headers of an entry's record."""
    return [(JOURNAL_HEADER, VERSION)]


def written(entry: JournalEntry) -> bytes:
    """The value of an entry's record."""
    settled = [(each.offset, str(each.fate), *each[2:]) for each in entry.settled]
    return msgspec.json.encode(_Written(entry.run, entry.at_ms, list(entry.taken), settled))


def is_entry(record: Record) -> bool:
    """Whether this record of the dead-letter topic is a note of ours and no letter.

    A letter bears its original's headers, and whoever writes events may write any: taken for a note, it
    would be no letter any more, and its value could settle others. The producer of letters gives each a
    reason, and no note has one.
    """
    names = {name for name, _ in record.headers}
    return JOURNAL_HEADER in names and REASON_HEADER not in names


def read_entry(record: Record) -> JournalEntry | None:
    """The entry that this record is; None where it cannot be read (a later version's, or damaged)."""
    if dict(record.headers).get(JOURNAL_HEADER) != VERSION:
        return None
    try:
        found = _decoder.decode(record.value or b"")
        settled = tuple(
            Settlement(offset, ReplayFate(fate), reason, detail, status)
            for offset, fate, reason, detail, status in found.settled
        )
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Anybody who may write to the topic may write notes, of any depth.
        return None
    return JournalEntry(record.partition, found.run, found.at, tuple(found.taken), settled)


def taken_entries(run: str, at_ms: int, letters: Iterable[tuple[int, int]]) -> list[JournalEntry]:
    """Notes that letters, each by partition and offset, are about to be sent: one a partition."""
    grouped = _grouped((partition, offset) for partition, offset in letters)
    return [JournalEntry(each, run, at_ms, taken=tuple(offsets)) for each, offsets in grouped.items()]


def settled_entries(
    run: str, at_ms: int, settlements: Iterable[tuple[int, Settlement]]
) -> list[JournalEntry]:
    """Notes of what became of letters, each by its partition: one a partition."""
    grouped = _grouped(settlements)
    return [JournalEntry(each, run, at_ms, settled=tuple(ended)) for each, ended in grouped.items()]


def time_of(at_ms: int) -> str:
    """Milliseconds since 1970 as an ISO time, to the second; `-` where there is none. Total."""
    if not 0 <= at_ms < _END_OF_CALENDAR_MS:
        return "-"
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _grouped(pairs: Iterable[tuple[int, Each]]) -> Mapping[int, list[Each]]:
    groups: dict[int, list[Each]] = {}
    for partition, each in pairs:
        groups.setdefault(partition, []).append(each)
    return groups
