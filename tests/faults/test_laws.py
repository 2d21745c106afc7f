"""The laws catch what they are for, on arrivals made up by hand."""

from collections import Counter

from streamer.engine.settled import Settled
from streamer.standins.planhat.rows import EntryRow, WriteRow
from tests.faults.bounds import Bound, Windows
from tests.faults.evidence import Careers, Commits, Ending, How, upserts_of
from tests.faults.laws import Judged, Why
from tests.faults.scene import ALL, KILL, Scene, whys
from tests.faults.schedule import Kind, Strike, schedule
from tests.faults.strikes import Struck
from tests.faults.verdict import Row, of_handovers, of_repetition
from tests.real_kafka.commits import Commit


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
    assert whys(judged) == [Why.BEHIND, Why.SINCE_COMMIT, Why.UNANSWERED]
    assert (judged.unexplained, judged.disorder, judged.inversions) == ([], [], [])
    (told,) = of_repetition({}, judged, Judged(), allows_behind=False)
    assert "1 activities came again that were settled behind a record in flight: ext:u-123#2" in told
    assert of_repetition({}, judged, Judged(), allows_behind=True) == []


def test_a_commit_that_was_long_under_way_tells_what_was_known_when_it_was_made() -> None:
    """The broker restarts, and writes at 98 what a member sent at 95.6: the answer of 96.5 is not in that."""
    scene = Scene([(98.0, 1)])
    scene.bring("one", 95.0, 1)
    scene.bring("one", 96.0, 2)
    scene.bring("two", 110.0, 2)
    scene.bring("two", 111.0, 3, 4, 5, 6)
    assert whys(scene.judge(KILL)) == [Why.SINCE_COMMIT]
    assert scene.bounds(100.0) == Bound(since_commit=1)


def test_a_commit_that_tells_of_no_answer_need_not_tell_of_any() -> None:
    """Made to prove that the member is in the group still, before the first answer was taken up."""
    scene = Scene([(98.0, 0)])
    scene.bring("one", 95.0, 1)
    scene.bring("two", 110.0, 1, 2, 3, 4, 5, 6)
    assert whys(scene.judge(KILL)) == [Why.SINCE_COMMIT]


def test_what_the_next_reader_did_not_hear_of_in_time_is_excused_where_it_said_so() -> None:
    """The third was told of beside the second in flight; who reads next commits without it, and sends it."""
    scene = Scene()
    scene.tell_ahead(98.0, Settled(1, [1], 3))
    scene.tell_ahead(109.0, Settled(1, [], 1))
    scene.bring("one", 95.0, 1, 3)
    scene.bring("two", 110.0, 2, 3, 4, 5, 6)
    assert whys(scene.judge(KILL, unheard={"two": [108.9]})) == [Why.UNHEARD]
    assert whys(scene.judge(KILL, unheard={"two": [80.0]})) == [Why.BEHIND]
    assert whys(scene.judge(KILL, unheard={"one": [108.9]})) == [Why.BEHIND]


def test_what_a_member_did_cut_off_is_since_its_own_last_commit() -> None:
    """It learns of its loss when another reads the partition already, and commits."""
    scene = Scene([(98.0, 1), (106.02, 1)])
    scene.bring("one", 97.0, 1)
    scene.bring("one", 100.1, 2)
    scene.bring("two", 106.1, 2)
    cut_off = [Ending(100.0, How.BLIND, ALL, 106.0), Ending(106.0, How.LOST, ALL)]
    assert whys(scene.judge({"one": cut_off})) == [Why.SINCE_COMMIT]


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
    assert whys(scene.judge({})) == [Why.UNEXPLAINED]


def test_a_lost_answer_may_be_asked_for_again() -> None:
    """The member cannot know."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 2, is_answered=False)
    scene.bring("one", 2.0, 1, 2, 3)
    judged = scene.judge({})
    assert whys(judged) == [Why.UNANSWERED, Why.UNANSWERED]
    assert (judged.unexplained, judged.disorder) == ([], [])


def test_a_partition_that_is_given_away_excuses_nothing_in_another() -> None:
    """The revoke of partition 1 is no reason for what partition 0 gets again."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 2)
    scene.bring("one", 3.0, 1, 2)
    other = {"one": [Ending(2.0, How.REVOKED, frozenset({1}))]}
    assert len(scene.judge(other).unexplained) == 2
    assert scene.judge({"one": [Ending(2.0, How.REVOKED, ALL)]}).unexplained == []
    assert scene.bounds(2.0) == Bound(since_commit=2)
    scene.judge(other)
    assert scene.bounds(2.0) == Bound()


def test_nothing_answered_is_left_after_a_hand_over_in_order() -> None:
    """The last commit comes when the last answer is in. Where Kafka did not take it, it may come again."""
    scene = Scene([(95.0, 1)])
    scene.bring("one", 96.0, 2)
    scene.bring("two", 101.0, 2)
    orderly = scene.judge({"one": [Ending(100.0, How.ORDERLY, ALL)]})
    assert whys(orderly) == [Why.UNEXPLAINED]
    assert scene.bounds(100.0) == Bound()
    refused = scene.judge({"one": [Ending(100.0, How.REVOKED, ALL)]})
    assert whys(refused) == [Why.SINCE_COMMIT]
    assert scene.bounds(100.0) == Bound(since_commit=1)


def test_a_last_commit_that_kafka_does_not_take_wants_a_reason() -> None:
    """While the broker is away, or the wire is cut; not when a member is merely asked to end."""
    careers = Careers({}, {"one": [Ending(100.0, How.REVOKED, ALL)]})
    for kind, count in ((Kind.SIGTERM, 1), (Kind.BROKER_KILL, 0)):
        struck = [Struck(Strike(1, kind, 0.0, 0.0, 0.0), 99.0, 108.0, ())]
        assert len(of_handovers(careers, struck, Windows(struck))) == count


def test_a_strike_at_kafka_excuses_no_commit_after_the_group_is_whole_again() -> None:
    """The next strike may be minutes away: what is not taken until then has another reason."""
    struck = [Struck(Strike(1, Kind.BROKER_KILL, 0.0, 0.0, 0.0), 99.0, 108.0, ())]
    for at, count in ((107.9, 0), (110.0, 1), (98.0, 1)):
        careers = Careers({}, {"one": [Ending(at, How.REVOKED, ALL)]})
        assert len(of_handovers(careers, struck, Windows(struck))) == count


def test_an_upsert_that_comes_again_without_a_reason_fails() -> None:
    """Of upserts it is the only law that sees one: the account merges them, and counts none too often."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 2)
    scene.bring("one", 2.0, 1, 2)
    upserts = scene.judge({})
    broken = of_repetition({}, Judged(), upserts, allows_behind=False)
    assert broken[0].startswith("2 upserts came again without a reason: ext:u-123#1: partition 0 offset 0")


def test_an_answer_leaves_open_only_what_planhat_had_already() -> None:
    """What a bulk brings for the first time is named as saved: the item that is missing excuses no other."""
    scene = Scene()
    scene.bring("one", 1.0, 1, is_answered=False)
    scene.bring("one", 2.0, 1, 2)
    scene.bring("one", 3.0, 1)
    assert whys(scene.judge({}, asked_twice=frozenset({2}))) == [Why.UNANSWERED, Why.UNANSWERED]
    assert whys(scene.judge({})) == [Why.UNANSWERED, Why.UNEXPLAINED]
    scene.bring("one", 3.5, 2)
    (told,) = scene.judge({}, asked_twice=frozenset({2})).unexplained
    assert "ext:u-123#2" in told


def test_what_an_answer_left_open_is_asked_again_once() -> None:
    """The next answer told it: another repetition needs a reason of its own."""
    scene = Scene()
    scene.bring("one", 1.0, 1, is_answered=False)
    for at in (2.0, 3.0, 4.0):
        scene.bring("one", at, 1)
    judged = scene.judge({}, asked_twice=frozenset({2}))
    assert whys(judged) == [Why.UNANSWERED, Why.UNANSWERED, Why.UNEXPLAINED]


def test_nothing_excuses_what_a_commit_called_settled() -> None:
    """Not even that no answer came, or that it left something open: whoever committed knew by then."""
    for is_answered in (False, True):
        scene = Scene([(2.0, 1)])
        scene.bring("one", 0.5, 1, is_answered=False)
        scene.bring("one", 1.0, 1, is_answered=is_answered)
        scene.bring("one", 3.0, 1)
        judged = scene.judge({}, asked_twice=frozenset({2}))
        assert whys(judged) == [Why.UNANSWERED, Why.UNEXPLAINED], is_answered


def test_a_lost_answer_lets_no_other_member_ask() -> None:
    """Whose request it was still reads the partition: nobody else may bring the event."""
    scene = Scene()
    scene.bring("one", 1.0, 1, is_answered=False)
    scene.bring("two", 2.0, 1)
    assert whys(scene.judge({})) == [Why.UNEXPLAINED]
    assert whys(scene.judge({"one": [Ending(1.8, How.LOST, ALL)]})) == [Why.UNANSWERED]


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


def test_late_ones_are_held_against_what_was_under_way() -> None:
    """Answered when the member was stopped, it was at Planhat: it cannot arrive once more by that way."""
    scene = Scene([(2.0, 1)])
    scene.bring("one", 1.0, 1)
    scene.bring("one", 2.9, 2, seconds=9.5)
    scene.bring("one", 2.8, 3)
    scene.judge({"one": [Ending(3.0, How.BLIND, ALL, 11.9)]})
    assert scene.bounds(3.0).late == 1
    row = Row(resent=2, duplicates=2, by_why=Counter({Why.LATE: 2}), bound=scene.bounds(3.0))
    assert of_repetition({"sigstop": row}, Judged(), Judged(), allows_behind=False) == [
        "sigstop: 2 activities came late, 1 were under way"
    ]


def test_bounds_count_what_could_have_come_again() -> None:
    """As many of each cause as were sent and not committed, whether they came again or not."""
    scene = Scene([(98.0, 1)])
    scene.bring("one", 95.0, 1, 2)
    scene.bring("one", 98.5, 3)
    scene.bring("one", 99.8, 4)
    scene.bring("two", 110.0, 4)
    scene.judge(KILL)
    assert scene.bounds(100.0) == Bound(unanswered=1, since_commit=1, behind=1)


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
