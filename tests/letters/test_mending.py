"""Later calls that go once more: all of them, in order, behind what they are newer than, not for ever."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from hypothesis import assume, given
from hypothesis import strategies as st

from streamer.letters.journal import ReplayFate
from streamer.letters.letter import LetterId
from streamer.letters.mending import ROUNDS
from streamer.letters.replay_source import NOTE_SECONDS, ReplaySource
from streamer.letters.standing import MOST_LATER
from streamer.letters.told import Overtaking, Unmended
from streamer.outcomes import Fate
from streamer.records import Record
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


Says = Mapping[int, tuple[frozenset[str], frozenset[str]]]
"""By offset: the objects that a call upserts, and the traits that it sets."""


class Table:
    """Planhat as the offset that wrote each trait of each object last."""

    def __init__(self, says: Says) -> None:
        self._says = says
        self._reached: set[int] = set()
        self.stored: dict[tuple[str, str], int] = {}

    def apply(self, offset: int) -> None:
        """A call reaches Planhat."""
        self._reached.add(offset)
        self.stored.update(dict.fromkeys(product(*self._says[offset]), offset))

    def newest(self) -> dict[tuple[str, str], int]:
        """What is right: of all that reached it, the newest call that sets the trait."""
        return {each: offset for offset in sorted(self._reached) for each in product(*self._says[offset])}


upserts = st.tuples(
    st.frozensets(st.sampled_from(["co:a", "ext:b", "mail:c"]), min_size=1),
    st.frozensets(st.sampled_from(["plan", "level"]), min_size=1),
)
kinds = st.sampled_from(["delivered", "open", "in doubt", "in doubt, delivered"])


@given(
    st.lists(st.tuples(upserts, kinds), min_size=1, max_size=5),
    st.lists(upserts, max_size=4),
    st.lists(st.sampled_from(["arrive", "poll", "answer"]), max_size=20),
)
def test_nothing_ends_over_newer_state(
    first: list[tuple[tuple[frozenset[str], frozenset[str]], str]],
    then: list[tuple[frozenset[str], frozenset[str]]],
    steps: list[str],
) -> None:
    """Whatever is replayed and arrives meanwhile: each trait of each object is what the newest call said.

    A letter that a killed replay sent and did not note was put over all that had been delivered.
    """
    says = dict(enumerate([*(each for each, _ in first), *then]))
    planhat = Table(says)
    of_kind = {kind: [n for n, (_, each) in enumerate(first) if each == kind] for _, kind in first}
    for offset in (*of_kind.get("delivered", ()), *of_kind.get("in doubt, delivered", ())):
        planhat.apply(offset)
    keys_of = {offset: tuple(sorted(keys)) for offset, (keys, _) in says.items()}
    source, outside = source_of(
        [
            replace(chosen(offset, *keys_of[offset]), is_in_doubt=kind != "open")
            for offset, (_, kind) in enumerate(first)
            if kind != "delivered"
        ]
    )
    outside.upserts = keys_of
    outside.arriving = [(place(offset), keys_of[offset]) for offset in of_kind.get("delivered", ())]
    coming = list(range(len(first), len(says)))
    pending: list[Record] = []
    for step in [*steps, *["arrive"] * len(then), *["poll", "answer"] * 25]:
        if step == "arrive" and coming:
            planhat.apply(coming[0])
            outside.arriving.append((place(coming[0]), keys_of[coming.pop(0)]))
        elif step == "poll":
            outside.now += NOTE_SECONDS
            pending += source.poll(500, 0.1)
        elif step == "answer":
            for record in pending:
                planhat.apply(record.timestamp_ms)
            settle(source, pending)
            pending.clear()

    assert outside.ended > 0
    assert outside.replay.is_done
    assume(not outside.replay.told.unmended)
    assert planhat.stored == planhat.newest()
