"""The laws catch what they are for, on arrivals made up by hand."""

from collections.abc import Sequence
from typing import Final

from streamer.outcomes import CallType, Fate
from streamer.standins.account_books import Expected, Slots
from streamer.standins.expectations import Effect, Expectation
from streamer.standins.planhat.rows import EntryRow, WriteRow
from tests.faults.bounds import bounds
from tests.faults.evidence import Arrivals, Asked, Careers, Commits, Ending, Places, upserts_of
from tests.faults.laws import Judge, Judged, Names, Why
from tests.faults.schedule import Kind, Strike, schedule
from tests.faults.strikes import Struck
from tests.real_kafka.commits import Commit

EVENTS: Final = 6
KILL: Final = {"one": [Ending(100.0, is_blind=True)]}


class Scene:
    """One user's events on partition 0, offsets 0 to 5; who brought which of them, and when."""

    def __init__(self, commits: Sequence[tuple[float, int]] = (), copies: Sequence[int] = ()) -> None:
        self.expected = Expected()
        for sequence in range(1, EVENTS + 1):
            self._produce(sequence, sequence - 1)
        for offset, sequence in enumerate(copies, EVENTS):
            self._produce(sequence, offset)
        self.slots = Slots(self.expected, {})
        self.commits = Commits([Commit(at, 0, offset, "") for at, offset in commits])
        self.arrivals = Arrivals()
        self.asked: dict[int, Asked] = {}

    def _produce(self, sequence: int, offset: int) -> None:
        made = Expectation(
            CallType.TRACK, Fate.DELIVERED, effect=Effect.ACTIVITY, subject="ext:u-123", sequence=sequence
        )
        self.expected.add(0, offset, made)

    def bring(self, caller: str, at: float, *sequences: int, is_answered: bool = True) -> None:
        """A request of half a second."""
        number = len(self.asked) + 1
        self.asked[number] = Asked(number, caller, at, at + 0.5, is_answered)
        for sequence in sequences:
            self.arrivals.add(sequence - 1, number)

    def judge(self, ended: dict[str, list[Ending]], begun: dict[str, list[float]] | None = None) -> Judged:
        """What the laws say."""
        self.careers = Careers(begun or {}, ended)
        places, names = Places(self.expected, self.slots), Names(self.slots.subjects, self.slots.first)
        return Judge(places, self.asked, self.commits, self.careers, names).judge(self.arrivals)


def _whys(judged: Judged) -> list[Why]:
    return [each.why for each in judged.again]


def test_what_came_once_in_order_breaks_nothing() -> None:
    """Nothing again, nothing late."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 2, 3)
    scene.bring("one", 2.0, 4, 5, 6)
    assert scene.judge({}) == Judged()


def test_each_cause_of_a_kill_is_told_from_the_others() -> None:
    """Under way, answered since the commit, and settled behind what was in flight."""
    scene = Scene([(98.0, 1)])
    scene.bring("one", 95.0, 1, 2)
    scene.bring("one", 98.5, 3)
    scene.bring("one", 99.8, 4)
    scene.bring("two", 110.0, 2, 3, 4)
    scene.bring("two", 111.0, 5, 6)
    judged = scene.judge(KILL)
    assert _whys(judged) == [Why.BEHIND, Why.SINCE_COMMIT, Why.UNANSWERED]
    assert (judged.unexplained, judged.disorder, judged.inversions) == ([], [], [])


def test_what_a_member_did_cut_off_is_since_its_own_last_commit() -> None:
    """It learns of its loss when another reads the partition already, and commits."""
    scene = Scene([(98.0, 1), (106.02, 1)])
    scene.bring("one", 97.0, 1)
    scene.bring("one", 100.1, 2)
    scene.bring("two", 106.1, 2)
    cut_off = [Ending(100.0, is_blind=True), Ending(106.0, is_blind=False)]
    assert _whys(scene.judge({"one": cut_off})) == [Why.SINCE_COMMIT]


def test_what_was_committed_may_not_come_again() -> None:
    """The commit was past it: no crash explains that."""
    scene = Scene([(99.0, 3)])
    scene.bring("one", 95.0, 1, 2, 3)
    scene.bring("two", 110.0, 3, 4)
    (told,) = scene.judge(KILL).unexplained
    assert "ext:u-123#3: partition 0 offset 2" in told


def test_a_member_that_lives_may_not_repeat_what_was_answered() -> None:
    """No end of its way with the partition, no lost answer: a repetition of its own making."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 2)
    scene.bring("one", 2.0, 2, 3)
    assert _whys(scene.judge({})) == [Why.UNEXPLAINED]


def test_a_lost_answer_may_be_asked_for_again() -> None:
    """The member cannot know."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 2, is_answered=False)
    scene.bring("one", 2.0, 1, 2, 3)
    judged = scene.judge({})
    assert _whys(judged) == [Why.UNANSWERED, Why.UNANSWERED]
    assert (judged.unexplained, judged.disorder) == ([], [])


def test_a_copy_comes_as_often_as_it_was_produced() -> None:
    """Once more needs no reason, twice more does."""
    scene = Scene(copies=[2])
    scene.bring("one", 1.0, 1, 2, 2)
    assert scene.judge({}).unexplained == []
    scene.bring("one", 2.0, 2)
    assert len(scene.judge({}).unexplained) == 1


def test_a_copy_that_another_reads_is_no_repetition() -> None:
    """The first record was settled and committed; its copy comes after, and is a record of its own."""
    scene = Scene([(99.0, 6)], copies=[2])
    scene.bring("one", 95.0, 1, 2, 3, 4, 5, 6)
    scene.bring("two", 110.0, 2)
    assert scene.judge(KILL) == Judged()


def test_twice_in_one_request_is_no_copy() -> None:
    """One record, one request, two items."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 1)
    assert len(scene.judge({}).unexplained) == 1


def test_an_older_event_after_a_newer_is_out_of_order() -> None:
    """Nobody was stopped: there is no excuse."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 3)
    scene.bring("one", 2.0, 2)
    judged = scene.judge({})
    assert len(judged.disorder) == 1
    assert judged.inversions == []


def test_a_stopped_member_that_wakes_is_late_and_listed() -> None:
    """Its partition was taken over meanwhile; once it was given partitions again it is not late."""
    stop = {"one": [Ending(3.0, is_blind=True)]}
    scene = Scene([(2.0, 1)])
    scene.bring("one", 1.0, 1)
    scene.bring("two", 11.0, 2, 3)
    scene.bring("one", 12.0, 2)
    judged = scene.judge(stop)
    assert _whys(judged) == [Why.LATE]
    assert [(slot, request.number) for slot, request in judged.inversions] == [(1, 3)]
    assert judged.disorder == []
    judged = scene.judge(stop, begun={"one": [11.5]})
    assert judged.inversions == []
    assert len(judged.disorder) == 1


def test_bounds_count_what_could_have_come_again() -> None:
    """As many of each cause as were sent and not committed, whether they came again or not."""
    scene = Scene([(98.0, 1)])
    scene.bring("one", 95.0, 1, 2)
    scene.bring("one", 98.5, 3)
    scene.bring("one", 99.8, 4)
    scene.bring("two", 110.0, 4)
    judged = scene.judge(KILL)
    struck = Struck(Strike(1, Kind.SIGKILL, 0.0, 0.0, 0.0), 100.0, 108.0, ())
    places = Places(scene.expected, scene.slots)
    found = bounds([struck], scene.arrivals, scene.asked, places, scene.commits, scene.careers, judged.again)
    assert found[0] == (1, 1, 1)


def test_a_merged_item_brings_every_upsert_whose_mark_it_carries() -> None:
    """Two marks, two upserts; a mark of an older write that is only kept at Planhat is not sent."""
    scene = Scene()
    custom = {"eventKey": "ext:u-123#3", "sequence": 3, "Mark 2": 2, "Mark 3": 3, "Seats": 1}
    entry = EntryRow(
        id="1", external_id="u-123", source_id=None, email=None, company_id=None, company_external_id=None,
        fields={}, custom={}, arrival=1, last_arrival=1, writes=1, activities=0,
        history=[WriteRow(1, 9, {"externalId": "u-123", "custom": custom})],
    )  # fmt: skip
    assert list(upserts_of([entry], scene.slots)) == [(1, 9), (2, 9)]


def test_a_commit_that_goes_back_is_seen() -> None:
    """Offsets of a partition only grow."""
    commits = Commits([Commit(1.0, 0, 5, ""), Commit(2.0, 1, 1, ""), Commit(3.0, 0, 4, "")])
    assert commits.backward == ["partition 0: 5, then 4"]


def test_a_schedule_is_its_seed() -> None:
    """The same again from the same seed, another from another; every kind comes early."""
    assert schedule(7, 100) == schedule(7, 100) != schedule(8, 100)
    assert {strike.kind for strike in schedule(7, 31)} == set(Kind)
