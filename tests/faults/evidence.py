"""What the sandbox, the broker and the members' logs tell, in columns: a million activities fit.

An arrival is one event in one request. Events are known by their slot (subject and sequence number).
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from streamer.engine.settled import NOTHING, Settled, decode
from streamer.records import Found, Mark
from streamer.standins.account_books import Expected, Slots
from streamer.standins.account_view import brought_along
from streamer.standins.expectations import event_key, parse_event_key
from streamer.standins.planhat.rows import ActivityRow, EntryRow, RequestRow
from tests.real_kafka.commits import Commit


class Asked(NamedTuple):
    """A request as the sandbox saw it; `until` is when it was answered or cut off."""

    number: int
    caller: str
    at: float
    until: float
    is_answered: bool
    """With a 2xx that reached whoever asked, as far as the sandbox can know."""


def asked_of(rows: Iterable[RequestRow], longest_seconds: float) -> dict[int, Asked]:
    """By number. An answer that took longer than a member waits reached nobody."""
    return {
        row.number: Asked(
            row.number,
            row.caller,
            row.time,
            row.time + row.seconds,
            200 <= row.status < 300 and row.seconds < longest_seconds,
        )
        for row in rows
    }


@dataclass
class Arrivals:
    """Arrivals in the order in which the sandbox applied them."""

    slots: "array[int]" = field(default_factory=lambda: array("q"))
    requests: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, slot: int, request: int) -> None:
        """The next one."""
        self.slots.append(slot)
        self.requests.append(request)

    def __len__(self) -> int:
        return len(self.slots)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.slots, self.requests, strict=True)

    def latest_first(self) -> Iterator[tuple[int, int]]:
        """Backwards."""
        return zip(reversed(self.slots), reversed(self.requests), strict=True)


def activities_of(rows: Iterable[ActivityRow], slots: Slots) -> Arrivals:
    """Activities that somebody produced; the account names the others."""
    found = Arrivals()
    for row in rows:
        facts = row.info
        slot = slots.of_event_key(facts.get("eventKey")) if isinstance(facts, Mapping) else None
        if slot is not None:
            found.add(slot, row.request)
    return found


def upserts_of(entries: Iterable[EntryRow], slots: Slots) -> Arrivals:
    """Writes that carry a number of their own: group calls that name a person do not.

    An item that was merged from several upserts brings each of them: each wrote a mark of its own.
    """
    writes = []
    for entry in entries:
        for write in entry.history:
            custom = write.sent.get("custom")
            if isinstance(custom, Mapping):
                brought = {slots.of_event_key(name) for name in _event_keys(custom)}
                writes += [(write.arrival, slot, write.request) for slot in brought if slot is not None]
    found = Arrivals()
    for _, slot, request in sorted(writes):
        found.add(slot, request)
    return found


def _event_keys(custom: Mapping[str, object]) -> Iterator[str]:
    """Of the upsert that is named, and of those before it whose marks are there."""
    parsed = parse_event_key(custom.get("eventKey"))
    if parsed is not None:
        subject, sequence = parsed
        yield event_key(subject, sequence)
        for earlier in brought_along(custom, sequence):
            yield event_key(subject, earlier)


class Places:
    """Where each event's record is: its partition, and the offsets of it and of its copies."""

    def __init__(self, expected: Expected, slots: Slots) -> None:
        self.partition = array("h", [-1]) * len(slots.effect)
        self.offset = array("q", [-1]) * len(slots.effect)
        """The last one, where a record has copies."""
        self.subject = array("q", [-1]) * len(slots.effect)
        columns = (expected.numbers, expected.sequences, expected.partitions, expected.offsets)
        for number, sequence, partition, offset in zip(*columns, strict=True):
            slot = slots.first[number] + sequence - 1
            self.partition[slot] = partition
            self.subject[slot] = number
            self.offset[slot] = max(self.offset[slot], offset)
        self.copies = slots.records
        """How often each was produced."""


class Told(NamedTuple):
    """What a partition's last commit up to a moment says."""

    at: float
    """Seconds since 1970; 0 before the first."""
    offset: int
    ahead: Settled

    def has(self, offset: int) -> bool:
        """Whether whoever reads on from this commit passes over this record."""
        return offset < self.offset or self.ahead.has(offset)


class Commits:
    """Every commit of the group, by partition and time. Without a topic id their metadata tells nothing."""

    def __init__(self, commits: Iterable[Commit], topic_id: str = "") -> None:
        self._topic_id = topic_id
        self._at: dict[int, list[float]] = {}
        self._commits: dict[int, list[Commit]] = {}
        self._ahead: dict[Commit, Settled] = {}
        self.backward: list[str] = []
        """Commits that went back: there must be none."""
        for each in sorted(commits, key=lambda commit: commit.at):
            earlier = self._commits.setdefault(each.partition, [])
            if earlier and each.offset < earlier[-1].offset:
                self.backward.append(f"partition {each.partition}: {earlier[-1].offset}, then {each.offset}")
            self._at.setdefault(each.partition, []).append(each.at)
            earlier.append(each)

    def last(self, partition: int, at: float) -> Told:
        """The last commit up to then."""
        place = bisect_right(self._at.get(partition, []), at)
        if not place:
            return Told(0.0, 0, NOTHING)
        commit = self._commits[partition][place - 1]
        if commit not in self._ahead:
            self._ahead[commit] = self._read(commit)
        return Told(commit.at, commit.offset, self._ahead[commit])

    def _read(self, commit: Commit) -> Settled:
        if not self._topic_id:
            return NOTHING
        found = Found(Mark(commit.offset, commit.metadata), 1 << 62)
        told = decode(found, f"{self._topic_id}:{commit.partition}")
        assert isinstance(told, Settled), (told, commit)
        return told


class How(StrEnum):
    """How a member's way with partitions ended."""

    BLIND = "blind"
    """Killed, stopped or cut off: it gave nothing back, and commits under way may still arrive."""
    LOST = "lost"
    """It learned that others read them."""
    REVOKED = "revoked"
    """It handed over, and Kafka did not take its last commit."""
    ORDERLY = "orderly"
    """It handed over: a last commit, when the last answer was in, and Kafka took it."""


class Ending(NamedTuple):
    """A member's way with some partitions ended, whatever the reason."""

    at: float
    how: How
    partitions: frozenset[int]
    sends_until: float = 0.0
    """Of a blind one: what Planhat sees of it from then on was sent when it had no right to."""

    @property
    def is_blind(self) -> bool:
        """The member did not know."""
        return self.how is How.BLIND

    @property
    def is_orderly(self) -> bool:
        """Everything answered by then was committed."""
        return self.how is How.ORDERLY


COMMIT_ARRIVES_SECONDS: Final = 1.0
"""How long after a blind ending a commit of its may still be written; nobody else's comes so soon."""


@dataclass
class Careers:
    """What each member went through: when its ways with each partition began and ended."""

    begun: Mapping[str, Mapping[int, Sequence[float]]]
    """By member and partition, in order."""
    ended: Mapping[str, Sequence[Ending]]
    """By member, in order."""
    unheard: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By member, when it said that Kafka did not tell it in time what was settled before."""

    def ending_between(self, member: str, partition: int, after: float, before: float) -> Ending | None:
        """The first ending of its way with the partition between two moments."""
        return next((each for each in self._ended(member, partition) if after <= each.at <= before), None)

    def blind_since(self, member: str, partition: int, at: float) -> Ending | None:
        """The blind ending after which it was not given the partition up to then, if there is one."""
        for each in self._ended(member, partition):
            if each.is_blind and each.at <= at and self.tenure(member, partition, at) <= each.at:
                return each
        return None

    def tenure(self, member: str, partition: int, at: float) -> float:
        """When the way with the partition began that it was on then; 0 where that is not known."""
        begun = self.begun.get(member, {}).get(partition, ())
        place = bisect_right(begun, at)
        return begun[place - 1] if place else 0.0

    def did_not_hear(self, member: str, after: float, before: float) -> bool:
        """Whether it said so between two moments."""
        return any(after <= at <= before for at in self.unheard.get(member, ()))

    def _ended(self, member: str, partition: int) -> Iterator[Ending]:
        return (each for each in self.ended.get(member, ()) if partition in each.partitions)
