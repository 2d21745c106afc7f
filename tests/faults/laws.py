"""The laws: what may come again, and why; what may come late, and from whom.

An event that arrives again must be one of these, or the law is broken:

(a) the request that brought it before was not answered, or was under way when its member's way with
    the partition ended;
(b) it was answered since that member's last acknowledged commit of the partition was made (see
    `knowledge`), and that way ended without a hand-over in order;
(c) it was answered before an answer that this commit tells of, and its offset is not below it: settled
    behind a record in flight, which the commit's metadata should have told. Allowed only where a run says so.

(d) that commit told of it, and its next reader was not told so in time, which it said; what it committed
    then does not tell of it either.

In every case the group's last commit did not tell that it was settled when it came again, neither by its
offset nor by its metadata; and where another member brings it again, the one before had to end its way with
the partition.

All this holds of upserts too, with one cause more, that counts as (a): the answer left open whether it was
saved. It does so where a bulk's reply names what changed and an item of it was not saved: then what Planhat
had already, unchanged, cannot be told from that item, and is asked again. What a bulk brings for the first
time changes the object by its mark, and is named: that may not come again.

An event that comes after a later one of the same subject and kind is out of order, save what a new reader
and an unanswered request excuse (see `order`). A member that was stopped or cut off and does not know yet
that another reads its partitions is late: what was under way is listed.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from tests.faults.evidence import Arrivals, Asked, Careers, Ending, Places
from tests.faults.knowledge import SLACK_SECONDS, Knowledge, had_to_know
from tests.faults.order import Order, Overtaken

SILENT_SECONDS: Final = 10.0
"""A member says a thing once in so long."""


class Why(StrEnum):
    """Why something came again."""

    UNANSWERED = "a"
    SINCE_COMMIT = "b"
    BEHIND = "c"
    UNHEARD = "unheard"
    """A commit told of it, and its next reader said that it was not told that in time."""
    LATE = "late"
    """Sent by a member that others had taken the partition from: under way when it was stopped."""
    UNEXPLAINED = "unexplained"


_REASONS: Final = (
    Why.UNANSWERED,
    Why.SINCE_COMMIT,
    Why.LATE,
    Why.UNHEARD,
    Why.BEHIND,
    Why.UNEXPLAINED,
)
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
    behind: list[str] = field(default_factory=list)
    """What was settled behind a record in flight, one by one."""
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
        knowledge: Knowledge,
        careers: Careers,
        names: "Names",
    ) -> None:
        self._places = places
        self._asked = asked
        self._knowledge = knowledge
        self._commits = knowledge.commits
        self._careers = careers
        self._names = names

    def judge(self, arrivals: Arrivals, asked_twice: frozenset[int] = frozenset()) -> Judged:
        """All arrivals of one kind (activities, or upserts).

        `asked_twice` are requests whose answer left open what was saved of what was there unchanged.
        """
        judged = Judged()
        order = Order(self._places, self._asked, self._careers, asked_twice)
        seen: dict[int, list[int]] = defaultdict(list)
        repeated: dict[int, list[Again]] = defaultdict(list)
        often = {slot for slot, count in Counter(arrivals.slots).items() if count > 1}
        for slot, number in arrivals:
            now = self._asked[number]
            before = seen[slot] if slot in often else []
            again = self._again(slot, before, now, asked_twice)
            is_again = again is not None and again.why is not Why.UNEXPLAINED
            overtaken = order.overtaken(slot, now, before, is_again=is_again)
            if overtaken is not None:
                self._note_order(judged, slot, now, again, overtaken)
            if again is not None:
                repeated[slot].append(again)
            before.append(number)
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
        last = others[-1]
        is_unchanged = any(number != last for number in others)
        return self._why(slot, self._asked[last], now, is_left_open=is_unchanged and last in asked_twice)

    def _why(self, slot: int, before: Asked, now: Asked, *, is_left_open: bool) -> Again:
        partition, offset = self._places.partition[slot], self._places.offset[slot]
        late = self._careers.blind_since(now.caller, partition, now.until)
        if late is not None and now.caller != before.caller:
            return Again(slot, before, now, Why.LATE if was_sent(now, late) else Why.UNEXPLAINED, late)
        blind = self._careers.blind_since(before.caller, partition, before.until)
        ending = (
            self._careers.ending_between(
                before.caller, partition, before.at - SLACK_SECONDS, now.at + SLACK_SECONDS
            )
            or blind
        )
        told = self._commits.last(partition, now.at - SLACK_SECONDS)
        is_open = not before.is_answered or is_left_open
        may_ask_again = is_open and now.caller == before.caller
        if told.has(offset) or (ending is None and not may_ask_again):
            return Again(slot, before, now, Why.UNEXPLAINED, ending)
        if is_open or ending is None:
            return Again(slot, before, now, Why.UNANSWERED, ending)
        why = self._why_answered(slot, before, now, ending, blind or ending)
        return Again(slot, before, now, why, ending)

    def _why_answered(self, slot: int, before: Asked, now: Asked, ending: Ending, since: Ending) -> Why:
        """Of what was answered, and of which the group's last commit does not tell when it comes again."""
        if before.until > ending.at - SLACK_SECONDS:
            return Why.UNANSWERED
        # Cut off, it learns of its loss when another reads already: what is committed then is the other's.
        last = self._knowledge.last_commit(self._places.partition[slot], since)
        was_told = last.has(self._places.offset[slot])
        if was_told and self._careers.did_not_hear(now.caller, ending.at - SILENT_SECONDS, now.at):
            return Why.UNHEARD
        if had_to_know(last, before.until):
            return Why.BEHIND
        # Who hands over in order commits last what was answered last: nothing is left since then.
        return Why.UNEXPLAINED if ending.is_orderly else Why.SINCE_COMMIT

    def _note(self, judged: Judged, slot: int, again: list[Again]) -> None:
        # A copy is a record of its own: one arrival for each needs no reason. Which of them that was
        # nobody knows, so those are counted as repetitions that have the best of reasons. What repeats
        # events without a reason does so to those without copies too, 99 of a hundred: it shows there.
        copies = self._places.copies[slot]
        if copies > 1:
            again = sorted(again, key=lambda each: _REASONS.index(each.why))[: len(again) + 1 - copies]
        for each in again:
            judged.again.append(each)
            if each.why is Why.UNEXPLAINED:
                judged.unexplained.append(f"{self._names.of(slot)}: {self._told(each)}")
            elif each.why is Why.BEHIND:
                judged.behind.append(f"{self._names.of(slot)}: {self._told(each)}")

    def _named(self, slot: int, number: int) -> str:
        asked = self._asked[number]
        answered = "answered" if asked.is_answered else "not answered"
        return (
            f"{self._names.of(slot)} in request {number} of {asked.caller} "
            f"{asked.at:.3f}-{asked.until:.3f} ({answered})"
        )

    def _note_order(
        self, judged: Judged, slot: int, now: Asked, again: Again | None, overtaken: Overtaken
    ) -> None:
        late = self._careers.blind_since(now.caller, self._places.partition[slot], now.until)
        behind = f"behind {self._named(overtaken.slot, overtaken.by.number)}"
        if late is not None and overtaken.is_by_next and was_sent(now, late):
            judged.inversions.append((slot, now))
        elif again is None:
            judged.disorder.append(f"{self._named(slot, now.number)} came for the first time {behind}")
        else:
            judged.disorder.append(f"{self._names.of(slot)} {behind}: {self._told(again)}")

    def _told(self, again: Again) -> str:
        partition, offset = self._places.partition[again.slot], self._places.offset[again.slot]
        before, now = again.before, again.now
        return (
            f"partition {partition} offset {offset}: request {before.number} of {before.caller} "
            f"{before.at:.3f}-{before.until:.3f}, then {now.number} of {now.caller} at {now.at:.3f}, when "
            f"{self._commits.last(partition, now.at)[:2]} was committed; ending {again.ending}"
        )


def was_sent(request: Asked, late: Ending) -> bool:
    """Whether it was under way when its member, cut off like this, had to send no more."""
    return request.at <= late.sends_until


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
