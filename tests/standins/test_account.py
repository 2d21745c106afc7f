"""The account is complete for a faithful world, and every planted fault is named."""

from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

import pytest

from streamer.outcomes import CallType, Fate, InvalidReason, SkipReason
from streamer.standins.account import audit
from streamer.standins.account_books import Expected
from streamer.standins.account_findings import (
    EXAMPLES,
    Audit,
    Fault,
    Seen,
    SeenActivity,
    SeenLetter,
    SeenObject,
    Write,
)
from streamer.standins.expectations import Effect, Expectation, mark_of
from streamer.standins.generator import Generator

FIRST = "ext:u-1"
ACME = "co:acme-1"


@dataclass
class World:
    """Expectations, and a sandbox that did exactly what they say."""

    expected: Expected = field(default_factory=Expected)
    activities: list[SeenActivity] = field(default_factory=list)
    objects: dict[str, SeenObject] = field(default_factory=dict)
    ignored: list[tuple[str, ...]] = field(default_factory=list)
    letters: list[SeenLetter] = field(default_factory=list)
    committed: dict[int, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    merged: int | None = 0
    resent: dict[int, list[range]] = field(default_factory=dict)
    arrival: int = 0

    def live(self, about: Expectation, partition: int = 0) -> None:
        """Produce a record and let Planhat take it."""
        offset = self.committed.get(partition, 0)
        self.committed[partition] = offset + 1
        self.expected.add(partition, offset, about)
        self.arrival += 1
        reason = about.reason.value if about.reason is not None else ""
        if about.fate is Fate.SKIPPED:
            self.skipped[reason] = self.skipped.get(reason, 0) + 1
        elif about.fate is Fate.DEAD_LETTERED:
            self.letters.append(SeenLetter(partition, offset, reason))
        elif about.subject is not None:
            self._take(about, about.subject)

    def _take(self, about: Expectation, subject: str) -> None:
        if about.effect is Effect.ACTIVITY:
            self.activities.append(SeenActivity(about.event_key, (subject,), self.arrival))
        elif about.effect is Effect.IGNORED:
            self.ignored.append((subject,))
        else:
            numbered = about.effect is not Effect.LINK
            company = None if subject.startswith("co:") else about.company
            known = self.objects.get(subject, SeenObject((subject,), company, {}, ()))
            write = Write(self.arrival, about.sequence if numbered else None)
            custom = {mark_of(about.sequence): about.sequence, "sequence": about.sequence}
            self.objects[subject] = known._replace(
                custom={**known.custom, **(custom if numbered else {})}, writes=(*known.writes, write)
            )

    def audit(self) -> Audit:
        """Close the account."""
        people = [one for subject, one in self.objects.items() if not subject.startswith("co:")]
        companies = [one for subject, one in self.objects.items() if subject.startswith("co:")]
        return audit(
            self.expected,
            Seen(
                self.activities,
                people,
                companies,
                self.ignored,
                self.letters,
                self.committed,
                self.skipped,
                self.merged,
                self.resent,
            ),
        )


def _about(sequence: int, effect: Effect, subject: str = FIRST, **more: bool) -> Expectation:
    call = {Effect.ACTIVITY: CallType.TRACK, Effect.ENDUSER: CallType.IDENTIFY}.get(effect, CallType.GROUP)
    return Expectation(call, Fate.DELIVERED, None, effect, subject, sequence, "acme-1", **more)


def _skip(sequence: int) -> Expectation:
    reason = SkipReason.INTEGRATIONS
    return Expectation(CallType.TRACK, Fate.SKIPPED, reason, Effect.NOTHING, FIRST, sequence, "acme-1")


def _bad(reason: InvalidReason = InvalidReason.NOT_AVRO) -> Expectation:
    return Expectation(CallType.UNKNOWN, Fate.DEAD_LETTERED, reason)


@pytest.fixture
def world() -> World:
    """First of Acme: linked, identified, active, identified again, active; one opt-out, two bad records."""
    made = World()
    made.live(_about(1, Effect.COMPANY, ACME), partition=1)
    made.live(_about(1, Effect.LINK))
    made.live(_about(2, Effect.ENDUSER))
    made.live(_about(3, Effect.ACTIVITY))
    made.live(_bad())
    made.live(_about(4, Effect.ACTIVITY))
    made.live(_skip(5))
    made.live(_about(6, Effect.ENDUSER))
    made.live(_about(7, Effect.ACTIVITY))
    made.live(_bad(InvalidReason.BAD_JSON), partition=1)
    return made


def test_a_faithful_world_is_complete(world: World) -> None:
    """Nothing is reported where everything is in its place."""
    account = world.audit()
    assert account.lines() == []
    assert account.is_complete
    assert account.produced == 10


def test_twenty_thousand_made_events_taken_faithfully_are_complete() -> None:
    """The generator's own stream, copies and all, leaves no fault when each event comes to what it must."""
    made = World()
    for number, one in enumerate(Generator(5, 20_000)):
        made.live(one.expectation, partition=crc32(one.key) % 4 if one.key else number % 4)
    account = made.audit()
    assert account.lines() == []
    assert account.produced == 20_000
    assert 0 < account.duplicates_from_copies <= made.expected.copies
    assert account.duplicates_from_resends == 0


# --- planted faults -------------------------------------------------------------------------------


def _lose_activity(world: World) -> None:
    del world.activities[1]


def _lose_last_upsert(world: World) -> None:
    first = world.objects[FIRST]
    world.objects[FIRST] = first._replace(writes=first.writes[:-1])


def _lose_enduser(world: World) -> None:
    del world.objects[FIRST]


def _lose_company(world: World) -> None:
    del world.objects[ACME]


def _lose_letter(world: World) -> None:
    del world.letters[0]


def _letter_of_a_good_record(world: World) -> None:
    world.letters.append(SeenLetter(0, 0, "refused"))


def _wrong_reason(world: World) -> None:
    world.letters[0] = world.letters[0]._replace(reason="internal")


def _deliver_the_opted_out(world: World) -> None:
    world.activities.append(SeenActivity(f"{FIRST}#5", (FIRST,), 99))


def _write_the_opted_out(world: World) -> None:
    first = world.objects[FIRST]
    world.objects[FIRST] = first._replace(writes=(*first.writes[:-1], Write(7, 5), first.writes[-1]))


def _ignore_what_should_be_kept(world: World) -> None:
    world.ignored.append((FIRST,))


def _ignore_nobodys(world: World) -> None:
    world.ignored.append(("ext:u-2", "mail:a@b.example"))


def _activity_of_nobody(world: World) -> None:
    world.activities.append(SeenActivity("ext:u-2#1", ("ext:u-2",), 99))


def _activity_without_a_key(world: World) -> None:
    world.activities.append(SeenActivity(None, (FIRST,), 99))


def _second_enduser(world: World) -> None:
    world.objects["twin"] = world.objects[FIRST]


def _activity_with_somebody_else(world: World) -> None:
    world.activities[0] = world.activities[0]._replace(keys=("ext:u-9",))


def _another_company(world: World) -> None:
    world.objects[FIRST] = world.objects[FIRST]._replace(company="acme-2")


def _stale_field(world: World) -> None:
    first = world.objects[FIRST]
    world.objects[FIRST] = first._replace(custom={**first.custom, mark_of(2): 1})


def _stale_sequence(world: World) -> None:
    first = world.objects[FIRST]
    world.objects[FIRST] = first._replace(custom={**first.custom, "sequence": 2})


def _swap_activities(world: World) -> None:
    one, two = world.activities[0], world.activities[1]
    world.activities[:2] = [one._replace(arrival=two.arrival), two._replace(arrival=one.arrival)]


def _swap_upserts(world: World) -> None:
    link, one, two = world.objects[FIRST].writes
    swapped = (link, Write(one.arrival, two.sequence), Write(two.arrival, one.sequence))
    world.objects[FIRST] = world.objects[FIRST]._replace(writes=swapped)


def _activity_before_its_upsert(world: World) -> None:
    link, one, two = world.objects[FIRST].writes
    late = (link, one, two._replace(arrival=1000))
    world.objects[FIRST] = world.objects[FIRST]._replace(writes=late)


def _activity_before_its_enduser_exists(world: World) -> None:
    world.activities[0] = world.activities[0]._replace(arrival=1)


def _count_twice(world: World) -> None:
    world.activities.append(world.activities[0]._replace(arrival=50))


def _skip_count_differs(world: World) -> None:
    world.skipped["integrations"] = 2


def _skip_count_invented(world: World) -> None:
    world.skipped["unconfirmed"] = 1


def _commit_short(world: World) -> None:
    world.committed[0] -= 1


def _commit_beyond(world: World) -> None:
    world.committed[1] += 1


def _commit_nothing(world: World) -> None:
    del world.committed[1]


def _lose_middle_upsert(world: World) -> None:
    link, _, two = world.objects[FIRST].writes
    world.objects[FIRST] = world.objects[FIRST]._replace(writes=(link, two))


def _merge_without_counting(world: World) -> None:
    link, _, two = world.objects[FIRST].writes
    merged = two._replace(brought=(2,))
    world.objects[FIRST] = world.objects[FIRST]._replace(writes=(link, merged))


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (_lose_activity, Fault.LOST_ACTIVITY),
        (_lose_last_upsert, Fault.LOST_UPSERT),
        (_lose_enduser, Fault.LOST_UPSERT),
        (_lose_company, Fault.LOST_UPSERT),
        (_lose_letter, Fault.LOST_LETTER),
        (_letter_of_a_good_record, Fault.UNEXPECTED_LETTER),
        (_wrong_reason, Fault.WRONG_REASON),
        (_deliver_the_opted_out, Fault.LEAKED),
        (_write_the_opted_out, Fault.LEAKED),
        (_ignore_what_should_be_kept, Fault.UNEXPECTED_IGNORED),
        (_ignore_nobodys, Fault.UNKNOWN),
        (_activity_of_nobody, Fault.UNKNOWN),
        (_activity_without_a_key, Fault.UNKNOWN),
        (_second_enduser, Fault.UNKNOWN),
        (_activity_with_somebody_else, Fault.MISPLACED),
        (_another_company, Fault.MISPLACED),
        (_stale_field, Fault.STALE),
        (_stale_sequence, Fault.STALE),
        (_swap_activities, Fault.DISORDERED_ACTIVITY),
        (_swap_upserts, Fault.DISORDERED_UPSERT),
        (_activity_before_its_upsert, Fault.EARLY_ACTIVITY),
        (_activity_before_its_enduser_exists, Fault.EARLY_ACTIVITY),
        (_count_twice, Fault.UNEXPLAINED_DUPLICATE),
        (_skip_count_differs, Fault.SKIPPED_DIFFERS),
        (_skip_count_invented, Fault.SKIPPED_DIFFERS),
        (_commit_short, Fault.UNCOMMITTED),
        (_commit_beyond, Fault.UNCOMMITTED),
        (_commit_nothing, Fault.UNCOMMITTED),
        (_lose_middle_upsert, Fault.LOST_UPSERT),
        (_merge_without_counting, Fault.UNEXPLAINED_MERGE),
    ],
)
def test_a_planted_fault_is_named(world: World, plant: Callable[[World], None], fault: Fault) -> None:
    """Whatever goes wrong with one event, the account says so and is not complete."""
    plant(world)
    account = world.audit()
    assert account.faults[fault] >= 1
    assert account.examples[fault]
    assert not account.is_complete


def test_all_that_is_stale_is_told_not_only_the_examples(world: World) -> None:
    """Whoever has an excuse for some of it must have one for each."""
    assert world.audit().stale == set()
    for number in range(100, 100 + 2 * EXAMPLES):
        world.live(Expectation(CallType.IDENTIFY, Fate.DELIVERED, None, Effect.ENDUSER, f"ext:u-{number}", 1))
    people = [subject for subject in world.objects if subject.startswith("ext:u-1")]
    for subject in people:
        found = world.objects[subject]
        world.objects[subject] = found._replace(custom={**found.custom, "sequence": 0})
    account = world.audit()
    assert len(account.examples[Fault.STALE]) == EXAMPLES
    assert len(account.stale) == account.faults[Fault.STALE] >= 2 * EXAMPLES


def test_each_kind_of_fault_can_be_planted() -> None:
    """No kind of fault is out of the reach of the tests (the ignored ones have a test of their own)."""
    planted = {fault for mark in _marks() for _, fault in mark.args[1]}
    assert planted | {Fault.LOST_IGNORED} == set(Fault)


def _marks() -> list[pytest.Mark]:
    marks: list[pytest.Mark] = test_a_planted_fault_is_named.pytestmark  # type: ignore[attr-defined]
    return marks


def test_an_activity_planhat_ignores_must_still_be_sent(world: World) -> None:
    """People without a company: their activities are found among the ignored, or were lost."""
    nobody = "ext:u-77"
    world.live(Expectation(CallType.TRACK, Fate.DELIVERED, None, Effect.IGNORED, nobody, 1))
    assert world.audit().is_complete
    world.ignored.clear()
    assert world.audit().faults == {Fault.LOST_IGNORED: 1}


def test_a_copy_explains_one_more_activity(world: World) -> None:
    """The topic holds the record twice, so Planhat may hold the activity twice, and no more often."""
    world.live(_about(7, Effect.ACTIVITY, is_copy=True))
    account = world.audit()
    assert account.is_complete
    assert account.duplicates_from_copies == 1
    world.activities.append(world.activities[-1])
    assert world.audit().faults == {Fault.UNEXPLAINED_DUPLICATE: 1}


def test_a_copy_that_was_recognised_is_no_loss(world: World) -> None:
    """One activity for two copies is what a window of messageIds makes of them."""
    world.live(_about(7, Effect.ACTIVITY, is_copy=True))
    world.activities.pop()
    assert world.audit().is_complete


def test_a_crash_explains_what_was_read_again(world: World) -> None:
    """Activities of the offsets read twice may be there twice; those before them may not."""
    world.resent = {0: [range(3, 9)]}
    world.activities.append(world.activities[1]._replace(arrival=50))
    account = world.audit()
    assert account.is_complete
    assert account.duplicates_from_resends == 1
    world.activities.append(world.activities[0]._replace(arrival=51))
    assert world.audit().faults == {Fault.UNEXPLAINED_DUPLICATE: 1}


def test_repeats_after_a_crash_are_not_disorder(world: World) -> None:
    """The order of first arrivals counts: a resent stretch starts again from its beginning."""
    world.resent = {0: [range(9)]}
    again = [one._replace(arrival=100 + number) for number, one in enumerate(world.activities)]
    world.activities.extend(again)
    first = world.objects[FIRST]
    repeats = tuple(write._replace(arrival=200 + number) for number, write in enumerate(first.writes))
    world.objects[FIRST] = first._replace(writes=(*first.writes, *repeats))
    assert world.audit().lines() == []


def test_a_merged_upsert_is_there_from_the_merge_on(world: World) -> None:
    """An upsert that a later one stands for is neither lost nor overtaken."""
    first = world.objects[FIRST]
    world.objects[FIRST] = first._replace(writes=(first.writes[0], Write(3, 6, (2,))))
    world.merged = 1
    account = world.audit()
    assert account.lines() == []
    assert account.merged_upserts == 1


@pytest.mark.parametrize("merged", [1, None])
def test_an_upsert_without_a_mark_is_lost_whatever_came_later(world: World, merged: int | None) -> None:
    """A later one of the same user stands for it only if it says so, or if nobody remembers what it said."""
    first = world.objects[FIRST]
    world.objects[FIRST] = first._replace(writes=(first.writes[0], Write(3, 6)))
    world.merged = merged
    account = world.audit()
    assert account.faults[Fault.LOST_UPSERT] == 1
    assert account.examples[Fault.LOST_UPSERT] == [f"{FIRST}#2"]
    world.objects[FIRST] = world.objects[FIRST]._replace(is_whole=False)
    assert world.audit().lines() == []


def test_an_upsert_whose_mark_was_overwritten_in_the_same_write_may_be_merged(world: World) -> None:
    """There are sixteen marks: of more than that told as one, the first are known only by the count."""
    world.live(_about(8 + 10, Effect.ENDUSER))
    first = world.objects[FIRST]
    link, _, _, last = first.writes
    world.merged = 2
    world.objects[FIRST] = first._replace(writes=(link, last._replace(brought=(6,))))
    assert Fault.LOST_UPSERT not in world.audit().faults
    world.objects[FIRST] = first._replace(writes=(link, last))
    account = world.audit()
    assert account.examples[Fault.LOST_UPSERT] == [f"{FIRST}#6"]


def test_a_merged_upsert_may_come_again_by_itself(world: World) -> None:
    """Read again after a crash, the two need not be told as one: the earlier one is a repeat, not late."""
    link, one, two = world.objects[FIRST].writes
    assert one.sequence is not None
    assert two.sequence is not None
    merged = Write(one.arrival, two.sequence, (one.sequence,))
    again = (one._replace(arrival=200), two._replace(arrival=201))
    world.objects[FIRST] = world.objects[FIRST]._replace(writes=(link, merged, *again))
    assert world.audit().lines() == []
    world.objects[FIRST] = world.objects[FIRST]._replace(writes=(link, merged._replace(brought=()), *again))
    assert world.audit().faults == {Fault.DISORDERED_UPSERT: 1}


def test_unconfirmed_stands_for_what_planhat_leaves_open(world: World) -> None:
    """A person without a company, or a copy, may be counted so; nothing else may."""
    nobody = "ext:u-77"
    reason = SkipReason.NO_COMPANY
    world.live(Expectation(CallType.IDENTIFY, Fate.SKIPPED, reason, Effect.NOTHING, nobody, 1))
    world.live(_about(6, Effect.ENDUSER, is_copy=True))
    del world.skipped["no_company"]
    world.skipped["unconfirmed"] = 2
    account = world.audit()
    assert account.lines() == []
    assert account.unconfirmed == 2
    world.skipped["unconfirmed"] = 3
    assert world.audit().faults[Fault.SKIPPED_DIFFERS] == 2


def test_copies_may_be_skipped_whatever_their_originals_were(world: World) -> None:
    """As many as there are, and no more; one whose original was not saved does not count as that."""
    reason = SkipReason.NO_COMPANY
    world.live(
        Expectation(CallType.IDENTIFY, Fate.SKIPPED, reason, Effect.NOTHING, "ext:u-77", 1, is_copy=True)
    )
    world.live(_about(7, Effect.ACTIVITY, is_copy=True))
    world.activities.pop()
    del world.skipped["no_company"]
    world.skipped["duplicate"] = 2
    account = world.audit()
    assert account.lines() == []
    assert account.copies_skipped == 2
    world.skipped["duplicate"] = 3
    assert world.audit().faults[Fault.SKIPPED_DIFFERS] == 1


def test_a_letter_may_come_twice(world: World) -> None:
    """Dead letters are compared by the place they were read from."""
    world.letters.append(world.letters[0])
    account = world.audit()
    assert account.is_complete
    assert account.letters_repeated == 1


def test_examples_are_few_however_many_faults(world: World) -> None:
    """Ten thousand losses are counted, five are named."""
    for sequence in range(8, 10_008):
        world.live(_about(sequence, Effect.ACTIVITY))
    del world.activities[3:]
    account = world.audit()
    assert account.faults[Fault.LOST_ACTIVITY] == 10_000
    assert account.lines()[0].startswith("10000 activities lost: ext:u-1#8, ext:u-1#9, ")
    assert len(account.examples[Fault.LOST_ACTIVITY]) == 5
