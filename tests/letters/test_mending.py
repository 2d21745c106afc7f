"""Later calls that go once more: all of them, in order, behind what they are newer than, not for ever."""

from dataclasses import replace

from streamer.letters.journal import ReplayFate
from streamer.letters.letter import LetterId
from streamer.letters.mending import ROUNDS
from streamer.letters.replay_source import NOTE_SECONDS, ReplaySource
from streamer.letters.standing import MOST_LATER
from streamer.letters.told import Overtaking, Unmended
from streamer.outcomes import Fate
from tests.letters.test_replay import KEYS, Outside, chosen, ended, place, settle, source_of

BOTH = ("co:acme", "ext:u-1")


def turns(source: ReplaySource, outside: Outside, times: int = 12) -> None:
    """Turns in which Planhat takes everything."""
    for _ in range(times):
        outside.now += NOTE_SECONDS
        settle(source, source.poll(500, 0.1))


def under_way(outside: Outside, source: ReplaySource, later: dict[int, tuple[str, ...]]) -> None:
    """The letters are sent, and these calls arrive before they are answered."""
    records = source.poll(500, 0.1)
    outside.upserts = later
    outside.arriving = [(place(offset), keys) for offset, keys in later.items()]
    settle(source, records)


def test_every_later_call_goes_again_in_its_order() -> None:
    """One sets some traits and another others: the newest alone would leave the letter over the rest."""
    source, outside = source_of([chosen(1, *KEYS)])
    under_way(outside, source, {9: KEYS, 12: KEYS})
    turns(source, outside)

    assert outside.sent_again == [9, 12]
    assert ended(outside) == [(1, ReplayFate.DELIVERED)]
    assert outside.replay.told.overtaken == [Overtaking(LetterId(0, 1), place(12))]


def test_each_object_of_a_letter_gets_its_later_calls() -> None:
    """A letter of a company and of an enduser is followed by the later calls of both."""
    source, outside = source_of([chosen(1, *BOTH)])
    under_way(outside, source, {9: ("ext:u-1",), 12: ("co:acme", "ext:u-2")})
    turns(source, outside)

    assert outside.sent_again == [9, 12]


def test_a_letter_in_doubt_is_mended_by_every_later_call() -> None:
    """What an earlier replay may have put over three calls is followed by all three."""
    source, outside = source_of([replace(chosen(1, *KEYS), is_in_doubt=True)])
    outside.arriving = [(place(offset), KEYS) for offset in (9, 12, 15)]
    turns(source, outside)

    assert outside.sent_again == [9, 12, 15]
    assert outside.replay.told.unmended == []


def test_what_is_sent_again_is_put_over_nothing_newer() -> None:
    """A later call is of an object more, of which there is a newer call that no letter watched."""
    source, outside = source_of([chosen(1, *BOTH)])
    under_way(outside, source, {9: ("co:acme", "ext:u-2"), 12: ("ext:u-2",)})
    turns(source, outside)

    assert outside.sent_again == [9, 12]
    assert ended(outside) == [(1, ReplayFate.DELIVERED)]


def test_a_later_letter_of_the_same_replay_overtakes_none() -> None:
    """Letters of one object go in their order: the later one's answer, noted first, is no later call."""
    source, outside = source_of([chosen(1, "co:acme"), chosen(5, "co:acme")])
    first, second = source.poll(500, 0.1)
    settle(source, [second])
    outside.now += NOTE_SECONDS
    source.poll(500, 0.1)
    settle(source, [first])
    turns(source, outside)

    assert outside.sent_again == []
    assert sorted(ended(outside)) == [(1, ReplayFate.DELIVERED), (5, ReplayFate.DELIVERED)]
    assert outside.replay.told.overtaken == []


def test_a_letter_of_this_replay_is_newer_than_what_is_sent_again() -> None:
    """A call between two letters goes behind the first, and so over the second, which goes once more."""
    source, outside = source_of([chosen(1, "ext:u-1"), chosen(12, "co:acme")])
    under_way(outside, source, {9: BOTH, 12: ("co:acme",)})
    outside.arriving = outside.arriving[:1]
    turns(source, outside)

    assert outside.sent_again == [9, 12]


def test_an_object_that_never_rests_is_not_chased_for_ever() -> None:
    """After some rounds a letter whose company is always busy is named, and the replay ends."""
    source, outside = source_of([chosen(1, "co:acme")])
    records = source.poll(500, 0.1)
    for offset in range(9, 99):
        outside.arriving = [(place(offset), ("co:acme",))]
        outside.upserts[offset] = ("co:acme",)
        settle(source, records)
        outside.now += NOTE_SECONDS
        records = source.poll(500, 0.1)
    source.poll(500, 0.1)

    assert len(outside.sent_again) == ROUNDS
    assert ended(outside) == []
    assert outside.replay.told.unmended == [Unmended(LetterId(0, 1), place(9 + ROUNDS))]
    assert outside.ended > 0


def test_too_many_later_calls_are_named_and_not_sent() -> None:
    """What was overtaken by more than are kept is not mended by some of them."""
    source, outside = source_of([chosen(1, "co:acme")])
    under_way(outside, source, dict.fromkeys(range(9, 10 + MOST_LATER), ("co:acme",)))
    turns(source, outside)

    assert outside.sent_again == []
    assert [each.letter for each in outside.replay.told.unmended] == [LetterId(0, 1)]
    assert outside.ended > 0


def test_a_part_that_was_delivered_is_mended_too() -> None:
    """Of a group call the company may be accepted and the enduser refused: later calls go behind that."""
    source, outside = source_of([replace(chosen(1, *BOTH), upserts=2)])
    records = source.poll(500, 0.1)
    outside.arriving = [(place(9), ("co:acme",))]
    settle(source, records, Fate.DEAD_LETTERED)
    turns(source, outside)

    assert outside.sent_again == [9]
    assert ended(outside) == [(1, ReplayFate.FAILED)]
