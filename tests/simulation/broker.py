"""A scripted broker: partitions with gaps, one consumer group, commits, a dead-letter topic.

What a real broker promises is kept here: a commit counts only from the member that owns the
partition, and a partition has one owner at a time. When things happen is the script's to say.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streamer.engine.ports import Assignment, CommitResult, DeadLetter
from streamer.records import Found, Mark, Record, TopicPartition
from tests.simulation.clock import VirtualClock

TOPIC = "segment.events"
EAGER, COOPERATIVE, INCREMENTAL = "eager", "cooperative", "incremental"
PROTOCOLS = (EAGER, COOPERATIVE, INCREMENTAL)
"""All revoked, then assigned; only what moves; what moves, one partition at a time and late."""
COMMIT_SECONDS = 1.0
"""How long a waiting commit waits for an answer."""

Finished = tuple[Mapping[TopicPartition, Mark], CommitResult]


class Ear(Protocol):
    """Who is told what happens at the broker."""

    def assigned(self, slot: int, source: TopicPartition) -> None:
        """A member begins to read a partition."""

    def taken(self, slot: int, source: TopicPartition) -> None:
        """A member reads it no longer."""

    def committed(self, slot: int, source: TopicPartition, mark: Mark, before: Mark | None) -> None:
        """The broker took a commit."""

    def lettered(self, letter: DeadLetter) -> None:
        """The dead-letter topic holds a letter."""


@dataclass(slots=True)
class Pending:
    """A commit on its way."""

    marks: Mapping[TopicPartition, Mark]
    fate: str
    polls: int = 1
    """Polls until its answer is here."""
    is_applied: bool = False


@dataclass(slots=True)
class Membership:
    """One member of the group as the broker sees it."""

    slot: int
    assignment: Assignment
    owned: list[TopicPartition] = field(default_factory=list)
    is_expelled: bool = False
    must_rejoin: bool = False
    pending: deque[Pending] = field(default_factory=deque)
    finished: list[Finished] = field(default_factory=list)
    patience: int = 0
    """Polls before the next partition is given (incremental protocol)."""


class Broker:
    """The cluster."""

    def __init__(self, clock: VirtualClock, partitions: int, protocol: str, ear: Ear) -> None:
        self._clock = clock
        self._protocol = protocol
        self._ear = ear
        self.sources = [TopicPartition(TOPIC, number) for number in range(partitions)]
        self.logs: dict[TopicPartition, list[Record]] = {source: [] for source in self.sources}
        self.ends = dict.fromkeys(self.sources, 0)
        self.committed: dict[TopicPartition, Mark] = {}
        self.members: dict[int, Membership] = {}
        self.owner: dict[TopicPartition, int | None] = dict.fromkeys(self.sources)
        self.fates: deque[str] = deque()
        """What becomes of the next commits; without one they are answered and count."""
        self.letters: list[DeadLetter] = []
        self.is_hesitant = protocol == INCREMENTAL
        """Whether partitions are given one at a time and late."""
        self._target: dict[TopicPartition, int | None] = dict.fromkeys(self.sources)
        self._shift = 0
        self._topics = 1
        """How often the topic was made."""

    # --- the topic ----------------------------------------------------------------------------------

    def append(self, number: int, key: bytes | None, value: bytes | None) -> Record:
        """One more record."""
        source = self.sources[number]
        written_at = int(self._clock.time() * 1000)
        record = Record(TOPIC, number, self.ends[source], written_at, key, value)
        self.logs[source].append(record)
        self.ends[source] += 1
        return record

    def gap(self, number: int, offsets: int) -> None:
        """Offsets without a record, as compaction and the markers of transactions leave them."""
        self.ends[self.sources[number]] += offsets

    def recreate(self) -> None:
        """The topic is deleted and made anew; what was committed stays."""
        self._topics += 1
        for source in self.sources:
            self.logs[source].clear()
            self.ends[source] = 0

    def cut_off(self, number: int, records: int) -> list[Record]:
        """The newest records are lost, as to a leader that lagged behind; none below what is committed."""
        source = self.sources[number]
        log, start = self.logs[source], self.start_of(source)
        gone = [record for record in log[max(0, len(log) - records) :] if record.offset >= start]
        if gone:
            del log[-len(gone) :]
            self.ends[source] = gone[0].offset
        return gone

    def last_offset(self, source: TopicPartition) -> int:
        """Where reading must have come to for nothing to be left: one past the last record."""
        log = self.logs[source]
        return log[-1].offset + 1 if log else 0

    def start_of(self, source: TopicPartition) -> int:
        """The offset at which a new owner begins."""
        return self.committed.get(source, Mark(0)).offset

    def found(self, source: TopicPartition) -> Found:
        """What a member is told of a partition as it is given."""
        return Found(self.committed.get(source), self.ends[source], f"topic-{self._topics}")

    # --- the group ----------------------------------------------------------------------------------

    def join(self, slot: int, assignment: Assignment) -> None:
        """A member subscribes."""
        if slot not in self.members:
            self.members[slot] = Membership(slot, assignment)
            self.rebalance()

    def remove(self, slot: int) -> None:
        """A member is gone: it left, or died and was missed."""
        member = self.members.get(slot)
        if member is not None:
            for source in list(member.owned):
                self._take(member, source)
            del self.members[slot]
            self.rebalance()

    def expel(self, slot: int, *, at_once: bool) -> None:
        """The group goes on without a member that does not know it yet.

        `at_once`: its partitions are free for others; otherwise only once it has learned of it.
        """
        member = self.members.get(slot)
        if member is None:
            return
        member.is_expelled = True
        if at_once:
            for source in member.owned:
                # Expelled before and still unaware of it, it may list what is another's by now.
                if self.owner[source] == slot:
                    self.owner[source] = None
                    self._ear.taken(slot, source)
        self.rebalance()

    def rebalance(self, shift: int = 0) -> None:
        """Share the partitions out anew."""
        self._shift += shift
        live = sorted(slot for slot, member in self.members.items() if not member.is_expelled)
        for place, source in enumerate(self.sources):
            self._target[source] = live[(place + self._shift) % len(live)] if live else None
        if self._protocol == EAGER:
            for slot in live:
                self.members[slot].must_rejoin = True

    def serve(self, slot: int) -> None:
        """Tell a member that polls what became of its partitions."""
        member = self.members[slot]
        if member.is_expelled:
            self._learn_of_loss(member)
        elif member.must_rejoin:
            member.must_rejoin = False
            self._revoke(member, list(member.owned))
        else:
            moved = [source for source in member.owned if self._target[source] != slot]
            if moved:
                self._revoke(member, moved)
            elif not any(each.must_rejoin for each in self.members.values()):
                self._give(member)

    def _learn_of_loss(self, member: Membership) -> None:
        gone = list(member.owned)
        if gone:
            member.assignment.lost(gone)
        for source in gone:
            self._take(member, source)
        member.is_expelled = False
        self.rebalance()

    def _revoke(self, member: Membership, sources: list[TopicPartition]) -> None:
        if not sources:
            return
        member.assignment.revoked(sources)
        for source in sources:
            self._take(member, source)

    def _take(self, member: Membership, source: TopicPartition) -> None:
        # Nothing any more where leaving the group has taken it already.
        if source in member.owned:
            member.owned.remove(source)
            if self.owner[source] == member.slot:
                self.owner[source] = None
                self._ear.taken(member.slot, source)

    def _give(self, member: Membership) -> None:
        free = [
            source
            for source in self.sources
            if self._target[source] == member.slot and self.owner[source] is None
        ]
        if self.is_hesitant and free:
            member.patience -= 1
            if member.patience > 0:
                return
            member.patience = 3
            free = free[:1]
        for source in free:
            self.owner[source] = member.slot
            member.owned.append(source)
            self._ear.assigned(member.slot, source)
        if free:
            member.assignment.assigned({source: self.found(source) for source in free})

    # --- commits ------------------------------------------------------------------------------------

    def start_commit(self, slot: int, marks: Mapping[TopicPartition, Mark]) -> None:
        """A commit sets out."""
        fate = self.fates.popleft() if self.fates else "ok"
        pending = Pending(marks, fate, polls=4 if fate == "late" else 1)
        self.members[slot].pending.append(pending)
        if fate == "now":
            self._apply(slot, pending)

    def advance_commits(self, slot: int) -> None:
        """A poll: commits under way arrive in order, answers come back."""
        member = self.members[slot]
        for pending in member.pending:
            self._apply(slot, pending)
            pending.polls -= 1
        member.pending = deque(
            each for each in member.pending if each.polls > 0 and not each.fate.startswith("lost")
        )

    def land_commits(self, slot: int, *, is_applied: bool) -> None:
        """The member is gone: its commits under way arrive after all, or never."""
        member = self.members.get(slot)
        if member is not None and is_applied:
            for pending in member.pending:
                self._apply(slot, pending)

    def take_finished(self, slot: int) -> Sequence[Finished]:
        """Answers to commits."""
        member = self.members[slot]
        ended, member.finished = member.finished, []
        return ended

    def commit_now(self, slot: int, marks: Mapping[TopicPartition, Mark]) -> CommitResult:
        """A commit that is waited for."""
        member = self.members[slot]
        for pending in member.pending:  # one connection: what was sent before arrives before
            self._apply(slot, pending)
        fate = self.fates.popleft() if self.fates else "ok"
        if fate in {"ok", "now", "late"}:
            self._clock.advance(0.01)
            taken = self._take_marks(slot, marks)
            return CommitResult.COMMITTED if len(taken) == len(marks) else CommitResult.FENCED
        if fate == "denied":
            return CommitResult.DENIED
        if fate == "lost-applied":
            self._take_marks(slot, marks)
        self._clock.advance(COMMIT_SECONDS if fate.startswith("lost") else 0.01)
        return CommitResult.RETRY

    def _apply(self, slot: int, pending: Pending) -> None:
        if pending.is_applied:
            return
        pending.is_applied = True
        marks, fate = pending.marks, pending.fate
        answers = self.members[slot].finished
        if fate == "void":
            answers.append(({}, CommitResult.RETRY))
        elif fate in {"retry", "denied"}:
            answers.append((marks, CommitResult(fate)))
        elif fate != "lost":
            part = dict(list(marks.items())[:1]) if fate == "partial" else dict(marks)
            taken = self._take_marks(slot, part)
            if fate == "lost-applied":
                return
            fenced = {source: at for source, at in part.items() if source not in taken}
            rest = {source: at for source, at in marks.items() if source not in part}
            results = (CommitResult.COMMITTED, CommitResult.FENCED, CommitResult.RETRY)
            ended = zip((taken, fenced, rest), results, strict=True)
            answers.extend((some, result) for some, result in ended if some)

    def _take_marks(self, slot: int, marks: Mapping[TopicPartition, Mark]) -> dict[TopicPartition, Mark]:
        """What counts of a commit: the partitions that are this member's."""
        taken = {}
        for source, mark in marks.items():
            member = self.members.get(slot)
            if member is None or member.is_expelled or self.owner[source] != slot:
                continue
            before = self.committed.get(source)
            self.committed[source] = mark
            self._ear.committed(slot, source, mark, before)
            taken[source] = mark
        return taken

    # --- the dead-letter topic ------------------------------------------------------------------------

    def store_letter(self, letter: DeadLetter) -> None:
        """The dead-letter topic has it."""
        self.letters.append(letter)
        self._ear.lettered(letter)
