"""Copies: skipped when their original was delivered or skipped, kept waiting while it is in flight."""

from typing import Any

from streamer.engine.duplicates import Duplicates
from streamer.engine.ledger import Ledger
from streamer.engine.limits import Limits
from streamer.engine.ports import Batch, CommitResult
from streamer.mapping import read_mapping
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Fate,
    SkipReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.records import Record
from tests.engine.fakes import Bench, accept, identify, partition, track

WINDOW = Limits(duplicates_window=100, duplicates_seconds=60.0)


def _track(message_id: str | None = "m-1", user: str = "u-1") -> dict[str, Any]:
    event = track(user)
    del event["messageId"]
    return event if message_id is None else {**event, "messageId": message_id}


def _activities(bench: Bench) -> int:
    return len(bench.sink.operations(Endpoint.ACTIVITIES))


def _refuse(batch: Batch) -> Answer:
    return Answered((Verdict.REFUSED,) * len(batch.operations))


# --- the window -----------------------------------------------------------------------------------


def test_a_copy_of_what_was_delivered_is_skipped() -> None:
    """It counts as `duplicate`, and is committed like everything settled."""
    bench = Bench(limits=WINDOW)
    bench.source.feed(_track())
    bench.turn(3)
    bench.source.feed(_track())
    bench.turn(3)
    assert _activities(bench) == 1
    assert bench.told.reasons[SkipReason.DUPLICATE] == 1
    assert bench.committed() == 2


def test_a_copy_is_known_on_every_partition() -> None:
    """The window is the process's, not a partition's."""
    bench = Bench(limits=WINDOW, partitions=2)
    bench.source.feed(_track(), number=0)
    bench.turn(3)
    bench.source.feed(_track(), number=1)
    bench.turn(3)
    assert _activities(bench) == 1


def test_other_types_and_records_without_an_id_are_no_copies() -> None:
    """An identify and a track call may share an id; what has none is always delivered."""
    bench = Bench(limits=WINDOW)
    for event in (_track("m-1"), {**identify(), "messageId": "m-1"}, _track(None), _track(None)):
        bench.source.feed(event)
        bench.turn(3)
    assert _activities(bench) == 3
    assert bench.told.reasons[SkipReason.DUPLICATE] == 0


def test_the_window_is_bounded_by_count() -> None:
    """The oldest ids go first."""
    bench = Bench(limits=Limits(duplicates_window=2))
    for name in ("m-1", "m-2", "m-3"):
        bench.source.feed(_track(name))
        bench.turn(3)
    assert len(bench.streamer.duplicates) == 2
    bench.source.feed(_track("m-3"))
    bench.source.feed(_track("m-1"))
    bench.turn(3)
    assert _activities(bench) == 4


def test_the_window_is_bounded_by_age() -> None:
    """What is older than that is delivered again, and old ids take no memory for ever."""
    bench = Bench(limits=WINDOW)
    bench.source.feed(_track("m-1"))
    bench.source.feed(_track("m-2"))
    bench.turn(3)
    bench.clock.advance(60.0)
    bench.source.feed(_track("m-1"))
    bench.turn(3)
    assert _activities(bench) == 3
    assert len(bench.streamer.duplicates) == 1


def test_only_what_is_too_old_is_forgotten() -> None:
    """Each id has its own time, which does not begin again where a copy is met."""
    bench = Bench(limits=WINDOW)

    def feed(*names: str) -> int:
        for name in names:
            bench.source.feed(_track(name))
        bench.turn(4, 0.25)
        bench.clock.advance(34.0)
        return bench.told.reasons[SkipReason.DUPLICATE]

    assert [feed("m-1"), feed("m-2"), feed("m-1", "m-2"), feed("m-2"), feed("m-1")] == [0, 0, 1, 1, 1]
    assert _activities(bench) == 5


def _settled_one_by_one(duplicates: Duplicates, count: int, seconds: float) -> None:
    """Settle records with an id each, so far apart from one another."""
    book = Ledger().open_book(partition())
    for offset in range(count):
        entry = book.track(Record("segment.events", 0, offset, 0, None, b""), 0.0)
        duplicates.meet(entry, f"m-{offset}", offset * seconds, ())
        book.settle(entry)
        duplicates.settled((entry,), offset * seconds)


def test_what_settles_one_by_one_takes_no_more_memory() -> None:
    """A quiet topic, or what is skipped as unchanged: their ages are not kept for each."""
    duplicates = Duplicates(1_000, 60.0)
    _settled_one_by_one(duplicates, 400, 0.01)
    assert len(duplicates) == 400
    assert len(duplicates._lots) <= 4.0 / 0.06 + 1


def test_a_lot_is_as_old_as_its_first() -> None:
    """Ids that come without a pause grow old all the same, and none of them too old."""
    duplicates = Duplicates(1_000_000, 60.0)
    _settled_one_by_one(duplicates, 4_000, 0.03)
    assert 1_995 <= len(duplicates) <= 2_001


def test_without_a_window_everything_is_delivered() -> None:
    """0 switches it off."""
    bench = Bench(limits=Limits(duplicates_window=0))
    for _ in range(2):
        bench.source.feed(_track())
    bench.turn(3)
    assert _activities(bench) == 2


def test_a_dead_letter_is_not_remembered() -> None:
    """Whoever publishes the event again under its id, mended, wants it delivered."""
    bench = Bench(limits=WINDOW, answer=_refuse)
    bench.source.feed({**identify(), "messageId": "m-1"})
    bench.turn(5)
    assert len(bench.dead_letters.produced) == 1
    bench.sink.answer = accept
    bench.source.feed({**identify(), "messageId": "m-1"})
    bench.turn(3)
    assert bench.told.fates[Fate.DELIVERED] == 1
    assert bench.told.reasons[SkipReason.DUPLICATE] == 0


def test_what_was_answered_after_the_loss_of_its_partition_is_not_remembered() -> None:
    """Its record comes again, and nobody vouches for what became of it: it is delivered."""
    bench = Bench(limits=WINDOW, answer=None)
    bench.source.feed(_track())
    bench.turn(2)
    (batch,) = bench.sink.under_way
    bench.source.lose(0)
    bench.sink.reply(batch, accept(batch))
    bench.turn(2)
    bench.sink.answer = accept
    bench.source.assign(0)
    bench.source.feed(_track(), offset=0)
    bench.turn(3)
    assert _activities(bench) == 2
    assert bench.committed() == 1


def test_what_was_settled_and_not_committed_is_known_when_it_comes_again() -> None:
    """A partition that left and came back: what was delivered behind a slow record is not sent again."""
    bench = Bench(limits=WINDOW, answer=None)
    bench.source.feed(_track("m-1", "u-1"))
    bench.turn(2)
    bench.source.feed(_track("m-2", "u-2"))
    bench.turn(2)
    slow, quick = bench.sink.under_way
    bench.source.commit_script.extend([CommitResult.RETRY] * 4)
    bench.sink.reply(quick, accept(quick))
    bench.turn(1)
    bench.source.lose(0)
    bench.sink.reply(slow, Transient(TransientReason.CONNECTION))
    bench.turn(1)
    bench.sink.answer = accept
    bench.source.commit_script.clear()
    bench.source.assign(0)
    bench.source.feed(_track("m-1", "u-1"), offset=0)
    bench.source.feed(_track("m-2", "u-2"), offset=1)
    bench.turn(4)
    assert _activities(bench) == 3
    assert bench.told.reasons[SkipReason.DUPLICATE] == 1
    assert bench.committed() == 2


def test_an_upsert_goes_again_when_it_is_read_again_be_there_a_metric_beside_it_or_not() -> None:
    """Else Planhat hears the older state last: the call without a metric goes again as well."""
    rules = read_mapping('[identify]\nmetrics = ["score"]\n').rules
    bench = Bench(limits=WINDOW, rules=rules)
    calls = [
        {**identify("u-1", plan="old"), "messageId": "m-1"},
        {**identify("u-1", plan="new", score=5), "messageId": "m-2"},
    ]
    bench.source.commit_script.extend([CommitResult.RETRY] * 50)
    for call in calls:
        bench.source.feed(call)
        bench.turn(8)
    bench.source.lose(0)
    bench.source.commit_script.clear()
    bench.source.assign(0)
    for offset, call in enumerate(calls):
        bench.source.feed(call, offset=offset)
        bench.turn(8)
    plans = [each.custom.get("plan") for each in bench.sink.operations(Endpoint.ENDUSERS)]
    assert plans == ["old", "new", "old", "new"]
    assert bench.committed() == 2


# --- in flight ------------------------------------------------------------------------------------


def _with_copy_in_flight(**event: Any) -> Bench:
    bench = Bench(limits=WINDOW, answer=None, partitions=2)
    for _ in range(3):
        bench.source.feed({**identify(), "messageId": "m-1", **event})
    bench.turn(2)
    assert len(bench.sink.sent) == 1
    assert bench.streamer.ledger.in_flight == 3
    return bench


def test_copies_of_what_is_in_flight_wait_and_are_skipped() -> None:
    """They hold the commit back as long as it does, count as in flight, and end with it."""
    bench = _with_copy_in_flight()
    bench.turn(4)
    assert bench.committed() is None
    assert len(bench.sink.sent) == 1
    (batch,) = bench.sink.under_way
    bench.sink.reply(batch, accept(batch))
    bench.turn(3)
    assert bench.told.reasons[SkipReason.DUPLICATE] == 2
    assert bench.streamer.ledger.in_flight == 0
    assert bench.committed() == 3


def test_copies_of_what_cannot_be_delivered_are_letters_too() -> None:
    """Each with its own place, and the same reason: a replay finds them all."""
    bench = _with_copy_in_flight()
    (batch,) = bench.sink.under_way
    bench.sink.reply(batch, _refuse(batch), status=422)
    bench.turn(6)
    letters = bench.dead_letters.produced
    assert [letter.record.offset for letter in letters] == [0, 1, 2]
    assert {letter.reason for letter in letters} == {"refused"}
    assert {letter.http_status for letter in letters} == {422}
    assert bench.committed() == 3


def test_copies_go_back_with_their_original() -> None:
    """At a revoke before the answer: nothing of the three is committed, all are read again."""
    bench = _with_copy_in_flight()
    bench.source.revoke(0)
    bench.streamer.check()
    assert bench.told.fates[Fate.RELEASED] == 3
    assert bench.source.committed == {}


def test_copies_end_with_an_original_that_is_answered_during_the_drain() -> None:
    """The request was sent; its answer settles all three, and the commit passes them."""
    bench = _with_copy_in_flight()
    bench.sink.answer = accept
    bench.source.revoke(0)
    assert bench.told.fates[Fate.SKIPPED] == 2
    assert bench.committed() == 3


def test_copies_are_lost_with_their_original() -> None:
    """A late answer changes nothing for any of them."""
    bench = _with_copy_in_flight()
    (batch,) = bench.sink.under_way
    bench.source.lose(0)
    bench.sink.reply(batch, accept(batch))
    bench.turn(2)
    assert bench.told.fates[Fate.RELEASED] == 3
    assert len(bench.streamer.duplicates) == 0


def test_a_copy_on_another_partition_waits_for_nobody() -> None:
    """Else a copy could go out after what overtook it, when the first goes back to Kafka unsent."""
    bench = Bench(limits=WINDOW, answer=None, partitions=2)
    bench.source.feed(_track(), number=0)
    bench.turn(2)
    bench.source.feed(_track(), number=1)
    bench.turn(2)
    (first,) = bench.sink.under_way
    bench.sink.reply(first, accept(first))
    bench.turn(2)
    assert _activities(bench) == 2


def test_copies_count_against_a_user_in_trouble() -> None:
    """Behind an operation that keeps failing they take memory, so their partition pauses in time."""
    limits = Limits(duplicates_window=100, high_water_records=20_000, stuck_ratio=0.0005)
    bench = Bench(limits=limits, answer=lambda batch: Answered((Verdict.DUPLICATED,) * len(batch.operations)))
    for _ in range(11):
        bench.source.feed({**identify(), "messageId": "m-1"})
    bench.turn(5)
    assert bench.streamer.ledger.in_flight == 11
    assert bench.source.paused
