"""The order of a subject's events, on arrivals made up by hand."""

from tests.faults.evidence import Ending, How
from tests.faults.laws import Why
from tests.faults.scene import ALL, KILL, Scene, whys


def test_what_comes_again_to_the_same_reader_is_in_order() -> None:
    """Two and three came in one request without an answer: three is not told again before two is."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 2, 3, is_answered=False)
    scene.bring("one", 2.0, 1, 3)
    assert scene.judge({}).disorder == []
    scene.bring("one", 3.0, 2)
    judged = scene.judge({})
    assert whys(judged) == [Why.UNANSWERED] * 3
    assert len(judged.disorder) == 1


def test_nothing_overtakes_what_was_not_answered() -> None:
    """The second went on while the first, unanswered, had to be asked for again: answered or not."""
    for is_answered in (False, True):
        scene = Scene()
        scene.bring("one", 1.0, 1, is_answered=False)
        scene.bring("one", 2.0, 2, is_answered=is_answered)
        scene.bring("one", 3.0, 1, 2)
        (told,) = scene.judge({}).disorder[:1]
        assert "ext:u-123#1 behind ext:u-123#2 in request 2" in told


def test_what_was_answered_is_not_told_again_behind_what_came_with_it() -> None:
    """An unanswered request is repeated whole; an answered one is not, nor any part of it."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 2)
    scene.bring("one", 2.0, 1)
    assert len(scene.judge({}).disorder) == 1


def test_upserts_told_as_one_may_be_told_one_by_one() -> None:
    """Where the answer left open what was saved; in order, and not once more."""
    left_open = frozenset({1})
    scene = Scene()
    scene.bring("one", 1.0, 1, 2, 3)
    scene.bring("one", 2.0, 1)
    scene.bring("one", 3.0, 2)
    scene.bring("one", 4.0, 3)
    assert scene.judge({}, asked_twice=left_open).disorder == []
    assert len(scene.judge({}).disorder) == 2
    scene.bring("one", 5.0, 2)
    assert len(scene.judge({}, asked_twice=left_open).disorder) == 1


def test_what_comes_first_to_a_new_reader_is_behind_nothing_of_the_last() -> None:
    """The last one passed it over: that it reads from its commit on excuses repetitions only."""
    scene = Scene([(98.0, 1)])
    scene.bring("one", 98.5, 3)
    scene.bring("two", 110.0, 2, 3)
    (told,) = scene.judge(KILL).disorder
    assert "came for the first time behind ext:u-123#3" in told


def test_a_new_reader_repeats_in_order() -> None:
    """What came before its tenure may come once more; within it the order is that of the log."""
    scene = Scene([(98.0, 1)])
    scene.bring("one", 98.5, 2, 3, 4)
    scene.bring("two", 110.0, 2, 3)
    assert scene.judge(KILL).disorder == []
    scene.bring("two", 111.0, 4)
    assert scene.judge(KILL).disorder == []
    scene = Scene([(98.0, 1)])
    scene.bring("one", 98.5, 2, 3, 4)
    scene.bring("two", 110.0, 3, 4)
    scene.bring("two", 111.0, 2)
    judged = scene.judge(KILL)
    assert whys(judged) == [Why.SINCE_COMMIT] * 3
    assert len(judged.disorder) == 1


def test_an_older_event_that_is_asked_for_once_more_than_it_was_lost_is_out_of_order() -> None:
    """Its answer was lost once; after the repetition, and what followed, there is no reason left."""
    scene = Scene()
    scene.bring("one", 1.0, 1, 2, is_answered=False)
    scene.bring("one", 2.0, 1, 2)
    scene.bring("one", 3.0, 3)
    scene.bring("one", 4.0, 1)
    assert len(scene.judge({}).disorder) == 1


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
    stop = {"one": [Ending(3.0, How.BLIND, ALL, 11.9)]}
    scene = Scene([(2.0, 1)])
    scene.bring("one", 1.0, 1)
    scene.bring("two", 11.0, 2, 3)
    scene.bring("one", 2.9, 2, seconds=9.5)
    judged = scene.judge(stop)
    assert whys(judged) == [Why.LATE]
    assert [(slot, request.number) for slot, request in judged.inversions] == [(1, 3)]
    assert judged.disorder == []
    judged = scene.judge(stop, begun={"one": [2.5, 11.5]})
    assert judged.inversions == []
    assert len(judged.disorder) == 1


def test_what_a_stopped_member_sends_once_awake_is_not_late() -> None:
    """It was not under way: nothing excuses it, neither that it comes again nor that it comes too late."""
    scene = Scene([(2.0, 1)])
    scene.bring("one", 1.0, 1)
    scene.bring("two", 11.0, 2, 3)
    scene.bring("one", 12.0, 2)
    judged = scene.judge({"one": [Ending(3.0, How.BLIND, ALL, 11.9)]})
    assert whys(judged) == [Why.UNEXPLAINED]
    assert judged.inversions == []
    assert len(judged.disorder) == 1
