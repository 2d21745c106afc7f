"""A replay's books and its source, turn by turn: what is sent, noted, held back, and left by a crash."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from streamer.errors import SourceError
from streamer.letters.journal import JournalEntry, ReplayFate
from streamer.letters.letter import LetterId, Place
from streamer.letters.replay import Replay
from streamer.letters.replay_source import CHUNK, LANE, NOTE_SECONDS, Doors, ReplaySource
from streamer.letters.standing import Standing
from streamer.letters.told import Chosen, Unmended
from streamer.outcomes import CallType, Fate
from streamer.records import Record
from tests.engine.fakes import Ended

KEYS = ("ext:u-1", "mail:u-1@acme.example")


def chosen(offset: int, *keys: str) -> Chosen:
    """A letter of the original at that offset, of which its time tells too."""
    return Chosen((LetterId(0, offset),), Record("events", 2, offset, offset, b"k", b"v"), keys, "identify")


def place(offset: int, partition: int = 2) -> Place:
    """A place of the source topic."""
    return Place("events", partition, offset)


class Outside:
    """Doors of a replay that remember what went through them."""

    def __init__(self, replay: Replay, passes: Sequence[Sequence[Chosen]]) -> None:
        self.replay = replay
        self.passes = [list(each) for each in passes]
        self.entries: list[JournalEntry] = []
        self.now = 0.0
        self.fails = False
        self.arriving: list[tuple[Place, tuple[str, ...]]] = []
        self.standing = Standing()
        self.gone: set[Place] = set()
        self.upserts: dict[int, tuple[str, ...]] = {}
        """What later calls upsert, by offset, where it is not what all do."""
        self.sent_again: list[int] = []
        self.ended = 0

    def write(self, entries: Sequence[JournalEntry]) -> None:
        if self.fails:
            raise SourceError("the broker is away")
        self.entries += entries

    def catch_up(self) -> None:
        for found, keys in self.arriving:
            self.standing.see(found, keys)

    def look_ahead(self) -> bool:
        self.catch_up()
        return True

    def fetch(self, places: Sequence[Place]) -> Sequence[Chosen]:
        found = [each for each in places if each not in self.gone]
        self.sent_again += [each.offset for each in found]
        calls = [
            Chosen(
                (), Record(*each, each.offset, b"k", b"v"), self.upserts.get(each.offset, KEYS), "identify"
            )
            for each in found
        ]
        for call in calls:
            self.standing.follow(call.place, call.keys)
        return calls

    def more(self) -> Sequence[Chosen]:
        found = self.passes.pop(0) if self.passes else []
        for each in found:
            self.standing.follow(each.place, each.keys)
        return found

    def end(self) -> None:
        self.ended += 1

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def source_of(
    *passes: Sequence[Chosen], at_once: int = 100, per_second: float | None = None, is_forced: bool = False
) -> tuple[ReplaySource, Outside]:
    """A source over these passes, ready to be polled."""
    outside = Outside(None, passes)  # type: ignore[arg-type]
    replay = Replay(outside.standing, at_once=at_once, is_forced=is_forced)
    outside.replay = replay
    doors = Doors(
        write=outside.write, catch_up=outside.catch_up, look_ahead=outside.look_ahead,
        fetch=outside.fetch, more=outside.more, stay_alone=lambda: None, progress=lambda: None,
        monotonic=lambda: outside.now, time=lambda: outside.now, sleep=outside.sleep,
    )  # fmt: skip
    source = ReplaySource("run", replay, doors, per_second=per_second)
    source.when_finished(outside.end)
    return source, outside


def settle(
    source: ReplaySource, records: Sequence[Record], fate: Fate = Fate.DELIVERED, *, was_sent: bool = True
) -> None:
    """The engine is finished with these."""
    source.settled([Ended(record, CallType.TRACK, fate, was_sent=was_sent) for record in records])


def taken(outside: Outside) -> list[int]:
    """Letters noted as taken."""
    return [offset for entry in outside.entries for offset in entry.taken]


def ended(outside: Outside) -> list[tuple[int, ReplayFate]]:
    """Letters noted as settled."""
    return [(each.offset, each.fate) for entry in outside.entries for each in entry.settled]


def test_what_is_handed_out_was_noted_before() -> None:
    """A note that letters are taken is acknowledged before the engine sees them."""
    source, outside = source_of([chosen(1), chosen(2)])
    records = source.poll(500, 0.1)

    assert taken(outside) == [1, 2]
    assert [each.source for each in records] == [LANE, LANE]
    assert [each.offset for each in records] == [0, 1]
    assert [each.value for each in records] == [b"v", b"v"]


def test_what_cannot_be_noted_is_not_handed_out() -> None:
    """Where the note is not acknowledged nothing is sent: the replay ends."""
    source, outside = source_of([chosen(1)])
    outside.fails = True
    with pytest.raises(SourceError):
        source.poll(500, 0.1)


def test_answers_are_noted_soon_and_together() -> None:
    """What became of letters is noted a moment later, one note a partition."""
    source, outside = source_of([chosen(1), chosen(2)])
    records = source.poll(500, 0.1)
    outside.now += NOTE_SECONDS
    source.poll(500, 0.1)
    settle(source, records)
    assert ended(outside) == []
    outside.now += NOTE_SECONDS
    source.poll(500, 0.1)

    assert ended(outside) == [(1, ReplayFate.DELIVERED), (2, ReplayFate.DELIVERED)]
    assert len(outside.entries) == 2
    assert outside.ended == 1


def test_what_a_crash_leaves_in_doubt_is_bounded() -> None:
    """No more letters are under way and not noted than were agreed, however fast the engine takes them."""
    source, outside = source_of([chosen(n) for n in range(500)], at_once=60)
    records = [*source.poll(500, 0.1), *source.poll(500, 0.1), *source.poll(500, 0.1)]
    assert len(records) == 60
    assert len(records) >= CHUNK
    settle(source, records[:20])
    assert source.poll(500, 0.1) == (), "answered and not noted is in doubt as well"
    outside.now += NOTE_SECONDS
    assert len(source.poll(500, 0.1)) == 20


def test_the_end_waits_for_every_pass() -> None:
    """A replay is finished when no pass has letters left, all are settled, and all that is noted."""
    source, outside = source_of([chosen(1)], [chosen(2)])
    for _ in range(2):
        settle(source, source.poll(500, 0.1))
        assert outside.ended == 0
        outside.now += NOTE_SECONDS
        source.poll(0, 0.1)
    source.poll(500, 0.1)

    assert outside.ended >= 1
    assert outside.replay.told.delivered == 2


def test_a_rate_is_kept() -> None:
    """At most so many letters a second are handed out, also after a while in which none could go."""
    source, outside = source_of([chosen(n) for n in range(100)], per_second=10)
    handed = 0
    for _ in range(20):
        handed += len(source.poll(500, 0.1))
        outside.now += 0.1

    assert 15 <= handed <= 21
    assert outside.ended == 0, "waiting for the rate is no end"
    outside.now += 600
    assert len(source.poll(500, 0.1)) <= 10, "what was not used is no credit"


def test_what_a_later_call_has_overtaken_is_held_back() -> None:
    """A letter that upserts is not put over a later upsert of any of its objects; force sends it."""
    older = [chosen(1, *KEYS), chosen(2, "co:acme"), chosen(3)]
    source, outside = source_of(older)
    outside.arriving = [(place(9), ("mail:u-1@acme.example",)), (place(9, 5), ("co:acme",))]
    records = source.poll(500, 0.1)

    assert taken(outside) == [2, 3], "what another partition holds has no order with it"
    assert len(records) == 2
    assert [(each.letter.offset, each.later.offset) for each in outside.replay.told.held_back] == [(1, 9)]
    forced, outside = source_of(older, is_forced=True)
    outside.arriving = [(place(9), KEYS)]
    assert len(forced.poll(500, 0.1)) == 3


def test_a_later_call_that_comes_meanwhile_goes_once_more_behind() -> None:
    """A letter overtaken under way is noted only when the later call went behind it, until none is newer."""
    source, outside = source_of([chosen(1, *KEYS)])
    records = source.poll(500, 0.1)
    outside.arriving = [(place(9), KEYS)]
    settle(source, records)
    outside.now += NOTE_SECONDS
    again = source.poll(500, 0.1)

    assert len(again) == 1
    assert taken(outside) == [1], "a later call is no letter"
    assert ended(outside) == [], "a crash now must leave it taken"
    outside.arriving.append((place(12), KEYS))
    settle(source, again)
    outside.now += NOTE_SECONDS
    settle(source, source.poll(500, 0.1))
    assert ended(outside) == []
    outside.now += NOTE_SECONDS
    source.poll(500, 0.1)
    assert outside.ended == 1
    assert ended(outside) == [(1, ReplayFate.DELIVERED)]
    assert [(each.letter.offset, each.later.offset) for each in outside.replay.told.overtaken] == [(1, 12)]


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_letter_whose_later_call_did_not_go_stays_taken(*, is_gone: bool) -> None:
    """Where the later call is gone, fails or is never sent, nothing calls the letter settled."""
    source, outside = source_of([chosen(1, *KEYS)])
    records = source.poll(500, 0.1)
    outside.arriving = [(place(9), KEYS)]
    outside.gone = {place(9)} if is_gone else set()
    settle(source, records)
    outside.now += NOTE_SECONDS
    settle(source, source.poll(500, 0.1), Fate.DEAD_LETTERED)
    outside.now += NOTE_SECONDS
    source.poll(500, 0.1)
    source.close()

    told = outside.replay.told
    assert ended(outside) == []
    assert (told.delivered, told.settled) == (0, 1)
    assert told.unmended == [Unmended(LetterId(0, 1), place(9))], "and is named"
    assert outside.ended >= 1, "and yet the replay ends"


def test_a_stop_before_the_later_call_leaves_the_letter_taken() -> None:
    """Told to stop between a letter and the later call behind it, the replay notes nothing of the letter."""
    source, outside = source_of([chosen(1, *KEYS)])
    settle(source, source.poll(500, 0.1))
    outside.arriving = [(place(9), KEYS)]
    source.close()

    assert ended(outside) == []
    assert outside.replay.told.unmended == [Unmended(LetterId(0, 1), place(9))]


def test_a_letter_in_doubt_is_mended_by_the_later_call() -> None:
    """One that a killed replay may have put over a later call is held back, and the later call goes again."""
    doubtful = replace(chosen(1, *KEYS), is_in_doubt=True)
    source, outside = source_of([doubtful])
    outside.arriving = [(place(9), KEYS)]
    assert source.poll(500, 0.1) == ()
    again = source.poll(500, 0.1)

    assert [(each.letter.offset, each.later.offset) for each in outside.replay.told.held_back] == [(1, 9)]
    assert len(again) == 1
    settle(source, again)
    outside.now += NOTE_SECONDS
    source.poll(500, 0.1)
    assert (ended(outside), outside.ended) == ([], 1)


def test_what_nobody_can_know_any_more_is_held_back() -> None:
    """Where records after a letter were deleted unseen, an upsert is held back; an activity goes."""
    source, outside = source_of([chosen(1, *KEYS), chosen(2), chosen(30, *KEYS)])
    outside.standing.lose(place(0).source, 30)
    records = source.poll(500, 0.1)

    assert outside.replay.told.unknown == [LetterId(0, 1)]
    assert len(records) == 2


def test_copies_are_noted_wherever_they_lie() -> None:
    """Each place in which a letter lies is noted, so that one copy's end leaves the other settled."""
    twice = replace(chosen(1), ids=(LetterId(0, 1), LetterId(4, 7)))
    source, outside = source_of([twice])
    settle(source, source.poll(500, 0.1))
    outside.now += NOTE_SECONDS
    source.poll(500, 0.1)

    assert sorted(taken(outside)) == [1, 7]
    assert sorted(ended(outside)) == [(1, ReplayFate.DELIVERED), (7, ReplayFate.DELIVERED)]
    assert {entry.partition for entry in outside.entries} == {0, 4}
    assert outside.replay.told.delivered == 1


def test_an_older_letter_of_a_later_pass_is_held_back() -> None:
    """What this replay delivered itself counts as a later call for what it meets afterwards."""
    source, outside = source_of([chosen(5, *KEYS)], [chosen(1, *KEYS)])
    settle(source, source.poll(500, 0.1))
    outside.now += NOTE_SECONDS
    source.poll(500, 0.1)

    assert [each.letter.offset for each in outside.replay.told.held_back] == [1]


def test_what_goes_back_unsent_is_noted_at_the_end() -> None:
    """At an orderly stop unsent letters are noted as released; what was sent stays taken."""
    source, outside = source_of([chosen(1), chosen(2), chosen(3)])
    records = source.poll(500, 0.1)
    settle(source, records[:2], Fate.RELEASED, was_sent=False)
    settle(source, records[2:], Fate.RELEASED)
    source.close()
    assert ended(outside) == [(1, ReplayFate.RELEASED), (2, ReplayFate.RELEASED)]
    assert outside.replay.told.released == 2

    source, outside = source_of([chosen(1)])
    settle(source, source.poll(500, 0.1))
    outside.fails = True
    source.close()
    assert isinstance(source.problem, SourceError)


def test_a_pause_hands_nothing_out() -> None:
    """While the engine holds or is full nothing is taken."""
    source, outside = source_of([chosen(1)])
    source.pause({LANE})
    assert source.poll(500, 0.1) == ()
    assert taken(outside) == []
    source.resume({LANE})
    assert len(source.poll(500, 0.1)) == 1
