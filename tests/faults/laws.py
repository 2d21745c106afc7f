"""The laws: what may come again, and why; what may come late, and from whom.

An event that arrives again must be one of these, or the law is broken:

(a) the request that brought it before was not answered, or was under way when its member's way with
    the partition ended;
(b) it was answered since that member's last acknowledged commit of the partition;
(c) it was answered before that commit, and its offset is not below it: settled behind a record in
    flight, which the commit's metadata should have told. Allowed only where a run says so.

In every case the group's last commit did not tell that it was settled when it came again, neither by its
offset nor by its metadata.

An event that comes after a later one of the same subject and kind is out of order, unless it is such a
repetition by a member that reads its partition now. A member that was stopped or cut off and does not
know yet that another reads its partitions is late: what it had sent is listed.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from tests.faults.evidence import (
    COMMIT_ARRIVES_SECONDS,
    Arrivals,
    Asked,
    Careers,
    Commits,
    Ending,
    Places,
    Told,
)

SLACK_SECONDS: Final = 0.05
"""Clocks of one machine, logs of milliseconds."""
ANSWER_SECONDS: Final = 0.5
"""An answer given this shortly before a commit of every day may have been taken up only after it began."""


class Why(StrEnum):
    """Why something came again."""

    UNANSWERED = "a"
    SINCE_COMMIT = "b"
    BEHIND = "c"
    LATE = "late"
    """Sent by a member that others had taken the partition from: under way when it was stopped."""
    UNEXPLAINED = "unexplained"


_REASONS: Final = (Why.UNANSWERED, Why.SINCE_COMMIT, Why.LATE, Why.BEHIND, Why.UNEXPLAINED)
"""The best first."""


class Again(NamedTuple):
    """One event's arrival after the first."""

    slot: int
    before: Asked
    now: Asked
    why: Why
    ending: Ending | None
    """The end of `before`'s member's way with the partition; None where it only asked again."""


@dataclass
class Judged:
    """What came again, by cause, and what came out of order."""

    again: list[Again] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    inversions: list[tuple[int, Asked]] = field(default_factory=list)
    """Slots, and the requests that brought them too late, of members that were late."""
    disorder: list[str] = field(default_factory=list)
    """Inversions of anybody else: there must be none."""

    def counts(self) -> Counter[Why]:
        """How much came again, by cause."""
        return Counter(each.why for each in self.again)


class Judge:
    """Holds arrivals against the laws."""

    def __init__(
        self,
        places: Places,
        asked: Mapping[int, Asked],
        commits: Commits,
        careers: Careers,
        names: "Names",
    ) -> None:
        self._places = places
        self._asked = asked
        self._commits = commits
        self._careers = careers
        self._names = names

    def judge(self, arrivals: Arrivals, asked_twice: frozenset[int] = frozenset()) -> Judged:
        """All arrivals of one kind (activities, or upserts).

        `asked_twice` are requests whose answer left open what was saved: some of it is sent again.
        """
        judged = Judged()
        # The newest slot that arrived and its request, by subject: slots of one subject are in order.
        latest: dict[int, tuple[int, int]] = {}
        seen: dict[int, list[int]] = defaultdict(list)
        repeated: dict[int, list[Again]] = defaultdict(list)
        often = {slot for slot, count in Counter(arrivals.slots).items() if count > 1}
        for slot, number in arrivals:
            now = self._asked[number]
            again = None
            if slot in often:
                again = self._again(slot, seen[slot], now, asked_twice)
                seen[slot].append(number)
                if again is not None:
                    repeated[slot].append(again)
            subject = self._places.subject[slot]
            newest, brought_by = latest.get(subject, (-1, 0))
            if slot < newest:
                self._note_order(judged, slot, now, again, f"behind {self._named(newest, brought_by)}")
            else:
                latest[subject] = slot, number
        for slot, all_again in repeated.items():
            self._note(judged, slot, all_again)
        return judged

    def _again(self, slot: int, seen: Sequence[int], now: Asked, asked_twice: frozenset[int]) -> Again | None:
        """Why it comes again; None where it comes for the first time."""
        if not seen:
            return None
        # Copies may share a request; what does not is looked for among the others.
        others = [number for number in seen if number != now.number]
        if not others:
            return Again(slot, now, now, Why.UNEXPLAINED, None)
        return self._why(slot, self._asked[others[-1]], now, asked_twice)

    def _why(self, slot: int, before: Asked, now: Asked, asked_twice: frozenset[int]) -> Again:
        partition, offset = self._places.partition[slot], self._places.offset[slot]
        late = self._careers.is_blind(now.caller, now.until)
        if late is not None and now.caller != before.caller:
            return Again(slot, before, now, Why.LATE, late)
        blind = self._careers.is_blind(before.caller, before.until)
        ending = (
            self._careers.ending_between(before.caller, before.at - SLACK_SECONDS, now.at + SLACK_SECONDS)
            or blind
        )
        if not before.is_answered or before.number in asked_twice:
            return Again(slot, before, now, Why.UNANSWERED, ending)
        told = self._commits.last(partition, now.at - SLACK_SECONDS)
        if ending is None or told.has(offset):
            return Again(slot, before, now, Why.UNEXPLAINED, ending)
        if before.until > ending.at - SLACK_SECONDS:
            return Again(slot, before, now, Why.UNANSWERED, ending)
        # Cut off, it learns of its loss when another reads already: what is committed then is the other's.
        is_since = before.until > last_commit(self._commits, partition, blind or ending).at
        return Again(slot, before, now, Why.SINCE_COMMIT if is_since else Why.BEHIND, ending)

    def _note(self, judged: Judged, slot: int, again: list[Again]) -> None:
        # A copy is a record of its own: one arrival for each needs no reason. Which of them that was
        # nobody knows, so those are counted as repetitions that have the best of reasons.
        copies = self._places.copies[slot]
        if copies > 1:
            again = sorted(again, key=lambda each: _REASONS.index(each.why))[: len(again) + 1 - copies]
        for each in again:
            judged.again.append(each)
            if each.why is Why.UNEXPLAINED:
                judged.unexplained.append(f"{self._names.of(slot)}: {self._told(each)}")

    def _named(self, slot: int, number: int) -> str:
        asked = self._asked[number]
        answered = "answered" if asked.is_answered else "not answered"
        return (
            f"{self._names.of(slot)} in request {number} of {asked.caller} "
            f"{asked.at:.3f}-{asked.until:.3f} ({answered})"
        )

    def _note_order(self, judged: Judged, slot: int, now: Asked, again: Again | None, behind: str) -> None:
        late = self._careers.is_blind(now.caller, now.until)
        if late is not None and (again is None or again.why is Why.LATE):
            judged.inversions.append((slot, now))
        elif again is None:
            judged.disorder.append(f"{self._named(slot, now.number)} came for the first time {behind}")
        elif again.why is Why.UNEXPLAINED and self._places.copies[slot] == 1:
            judged.disorder.append(f"{self._names.of(slot)} {behind}: {self._told(again)}")

    def _told(self, again: Again) -> str:
        partition, offset = self._places.partition[again.slot], self._places.offset[again.slot]
        before, now = again.before, again.now
        return (
            f"partition {partition} offset {offset}: request {before.number} of {before.caller} "
            f"{before.at:.3f}-{before.until:.3f}, then {now.number} of {now.caller} at {now.at:.3f}, when "
            f"{self._commits.last(partition, now.at)[:2]} was committed; ending {again.ending}"
        )


def last_commit(commits: Commits, partition: int, ending: Ending) -> Told:
    """A member's last acknowledged commit before this ending of its way with the partition.

    What was answered after its `at` may have been unknown to it.
    """
    # A member that hands over commits when the last answer is in; else one may be waiting to be taken up.
    grace = COMMIT_ARRIVES_SECONDS if ending.is_blind else SLACK_SECONDS
    told = commits.last(partition, ending.at + grace)
    return told if ending.is_orderly else told._replace(at=told.at - ANSWER_SECONDS)


class Names:
    """Slots by name, for the words of a report."""

    def __init__(self, subjects: Mapping[str, int], first: Sequence[int]) -> None:
        self._subjects = {number: subject for subject, number in subjects.items()}
        self._first = first

    def of(self, slot: int) -> str:
        """Subject and sequence number."""
        number = bisect_right(self._first, slot) - 1
        return f"{self._subjects[number]}#{slot - self._first[number] + 1}"

    def subject_of(self, slot: int) -> str:
        """Whose event it is."""
        return self._subjects[bisect_right(self._first, slot) - 1]
