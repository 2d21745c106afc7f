"""Who is at fault when requests fail or are refused: one operation, all of them, or Planhat."""

import random

import pytest

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Fate,
    RefusedWhole,
    Transient,
    TransientReason,
    Verdict,
)
from tests.engine.fakes import Bench, accept, group, identify, track

DOWN = Transient(TransientReason.SERVER_ERROR)
TOO_LARGE = Transient(TransientReason.TOO_LARGE)


def holds_bad(batch: Batch) -> bool:
    """Whether one of its operations is about somebody whose id begins with "bad"."""
    return any(key.partition(":")[2].startswith("bad") for each in batch.operations for key in each.keys)


def by_name(batch: Batch) -> Answer:
    """Planhat refuses those alone."""
    bad = [any(":bad" in key for key in each.keys) for each in batch.operations]
    return Answered(tuple(Verdict.REFUSED if is_bad else Verdict.ACCEPTED for is_bad in bad))


def letters(bench: Bench) -> list[tuple[str, bool]]:
    """Reason of each letter, and whether its record is about one of the bad."""
    return [(each.reason, b'"bad' in (each.record.value or b"")) for each in bench.dead_letters.produced]


def steadily(bench: Bench, minutes: float, every: float, *, bad_every: int = 0) -> None:
    """One enduser and one activity of another user each so many seconds, of which each so many-th is bad."""
    end, due, number = bench.clock.now + 60 * minutes, bench.clock.now, 0
    while bench.clock.now < end:
        while due <= bench.clock.now:
            number += 1
            is_bad = bad_every and number % bad_every == 0
            bench.source.feed(identify(f"{'bad' if is_bad else 'u'}-{due}", company=None))
            bench.source.feed(track(f"u-{due}-{number}", company=None))
            due += every
        bench.turn(1, seconds=0.2)


# --- failures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_requests_that_fail_by_chance_make_no_letters(share: float) -> None:
    """One of two machines behind Planhat's balancer answers 503: some are unlucky five times, none is bad."""
    dice = random.Random(7)
    bench = Bench(answer=lambda b: DOWN if dice.random() < share else accept(b), dice=dice.random)
    steadily(bench, 45, 0.5)
    assert letters(bench) == []
    bench.sink.answer = accept
    bench.turn(1_000, seconds=1.0)
    assert bench.streamer.ledger.in_flight == 0


def test_what_makes_requests_fail_is_found_where_others_fail_by_chance() -> None:
    """It takes longer, since some failures alone are chance; those who are innocent pass at last."""
    dice = random.Random(5)
    bench = Bench(
        answer=lambda b: DOWN if holds_bad(b) or dice.random() < 0.2 else accept(b), dice=dice.random
    )
    bench.source.feed(identify("bad-1", company=None))
    steadily(bench, 40, 1.0)
    assert letters(bench) == [("refused_alone", True)]


def test_a_trickle_of_bad_ones_is_no_alibi_for_each_of_them() -> None:
    """Every tenth request fails for what is in it: no chance, since nobody who failed alone ever passes."""
    bench = Bench(answer=lambda b: DOWN if holds_bad(b) else accept(b))
    steadily(bench, 60, 5.0, bad_every=10)
    found = letters(bench)
    assert len(found) >= 2
    assert set(found) == {("refused_alone", True)}


def test_several_that_make_requests_fail_are_all_found() -> None:
    """Their own requests fail, and say nothing of how Planhat does."""
    bench = Bench(answer=lambda b: DOWN if holds_bad(b) else accept(b))
    for number in range(200):
        bench.source.feed(identify(f"{'bad' if number % 25 == 0 else 'u'}-{number}", company=None))
    steadily(bench, 20, 2.0)
    assert letters(bench) == [("refused_alone", True)] * 8


def test_nobody_is_at_fault_where_all_fail_for_most_of_the_time() -> None:
    """Planhat works for half a minute in five: whoever is asked between fails, and others pass meanwhile."""
    bench = Bench()
    began = bench.clock.now
    bench.sink.answer = lambda b: accept(b) if (bench.clock.now - began) % 300 < 27 else DOWN
    steadily(bench, 120, 2.0)
    assert letters(bench) == []


def test_a_failure_alone_proves_nothing_while_all_others_fail() -> None:
    """An outage of half a minute at each of its tries, and hundreds of others accepted between them."""
    bench = Bench()
    asked = bench.clock.now

    def answer(batch: Batch) -> Answer:
        nonlocal asked
        if holds_bad(batch):
            asked = bench.clock.now
            return DOWN
        return DOWN if bench.clock.now - asked > 120.0 else accept(batch)

    bench.sink.answer = answer
    bench.source.feed(identify("bad", company=None))
    steadily(bench, 40, 1.0)
    assert bench.told.fates[Fate.DELIVERED] > 3_000
    assert letters(bench) == []


# --- calls ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        RefusedWhole(400),
        TOO_LARGE,
        *(
            Transient(reason)
            for reason in (
                TransientReason.SERVER_ERROR,
                TransientReason.UNREADABLE,
                TransientReason.GATEWAY_TIMEOUT,
                TransientReason.TIMEOUT,
            )
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", [0, 3_333, 9_999])
def test_one_bad_operation_costs_at_most_26_extra_calls(answer: Answer, place: int) -> None:
    """Until all others are delivered, whatever Planhat, or a proxy before it, says of its bulk."""
    total, full = 10_000, 5_000
    bench = Bench(answer=lambda b: answer if holds_bad(b) else accept(b))
    for number in range(total):
        bench.source.feed(identify("bad" if number == place else f"u-{number}", company=None))
    while bench.told.fates[Fate.DELIVERED] < total - 1:
        bench.turn(1, seconds=0.05)
        assert len(bench.sink.sent) <= total // full + 26


def test_an_entry_that_is_too_large_does_not_make_the_bulks_of_others_small() -> None:
    """It is tried alone for ten minutes, and is a letter then; each of these tries says nothing of bulks."""
    bench = Bench(answer=lambda b: TOO_LARGE if holds_bad(b) else accept(b))
    size = bench.streamer.dispatch.outboxes[Endpoint.ENDUSERS].size
    bench.source.feed(identify("bad", company=None))
    for number in range(4_000):
        bench.source.feed(identify(f"u-{number}", company=None))
    bench.turn(60)
    before = size.operations
    assert before >= 400
    for number in range(300):
        bench.source.feed(identify(f"v-{number}", company=None))
        bench.turn(1, seconds=2.5)
    assert size.operations == before
    assert letters(bench) == [("refused_alone", True)]


def test_an_entry_that_is_too_large_for_a_request_of_its_own_says_nothing_of_others() -> None:
    """It comes when nothing else does: its bulk holds it alone."""
    bench = Bench(answer=lambda b: TOO_LARGE if holds_bad(b) else accept(b))
    bench.source.feed(identify("bad", company=None))
    bench.turn(400, seconds=1.0)
    assert bench.streamer.dispatch.outboxes[Endpoint.ENDUSERS].size.operations == 5_000


# --- refused by name, all of them -------------------------------------------------------------------------


def test_a_few_bad_companies_that_come_together_stop_nobody() -> None:
    """A job writes eight bad companies, and no other: they are set aside, and become letters in time."""
    bench = Bench(answer=by_name)
    bench.source.feed(group("acme"))
    steadily(bench, 2, 1.0)
    for number in range(8):
        bench.source.feed(group(f"bad-{number}"))
    steadily(bench, 5, 1.0)
    assert letters(bench) == [], "nothing shows yet that it is not every company"
    steadily(bench, 6, 1.0)
    assert bench.told.holds == []
    assert letters(bench) == [("refused", True)] * 8
    bench.turn(4)
    assert bench.streamer.ledger.in_flight == 0


def test_a_few_bad_ones_right_after_a_start_do_not_end_the_process() -> None:
    """Eight of eight, and nothing accepted yet: no exit, which a restart would only repeat."""
    bench = Bench(answer=by_name)
    for number in range(8):
        bench.source.feed(identify(f"bad-{number}"))
    bench.turn(10)
    steadily(bench, 3, 1.0)
    assert bench.told.holds == []
    assert letters(bench) == [("refused", True)] * 8, "others are accepted at their endpoint"


def test_everything_is_refused_where_a_hundred_are_in_small_bulks() -> None:
    """A field made mandatory, on a quiet topic: each bulk is small, none of its operations is accepted."""
    bench = Bench(answer=by_name)
    bench.source.feed(identify("u-0"))
    bench.turn(4)
    for number in range(100):
        if number % 20 == 0:
            assert bench.told.holds == []
            bench.turn(8)
        bench.source.feed(identify(f"bad-{number}"))
    bench.turn(8)
    assert bench.told.holds[:1] == ["entered everything_refused"]
    bench.turn(400)
    assert letters(bench) == []
    bench.sink.answer = accept
    bench.turn(800)
    assert bench.told.holds[-1] == "left everything_refused"
    assert bench.committed() == 101


def test_a_few_are_everything_where_nothing_else_passes_for_long() -> None:
    """Forty refused by name and nothing accepted anywhere for ten minutes: hold, and no letter of them."""
    bench = Bench(answer=by_name)
    bench.source.feed(identify("u-0"))
    bench.turn(4)
    for number in range(40):
        bench.source.feed(identify(f"bad-{number}"))
    bench.turn(1_500)
    assert bench.told.holds[:1] == ["entered everything_refused"]
    assert letters(bench) == []
    bench.sink.answer = accept
    bench.turn(800)
    assert bench.committed() == 41


@pytest.mark.parametrize("answer", [RefusedWhole(422), TOO_LARGE])
def test_who_is_left_of_a_group_was_not_refused_alone(answer: Answer) -> None:
    """The other one went back to Kafka with its partition, and may be why: this one is asked again first."""
    limits = Limits(
        alone_refusals=1, alone_seconds=0.0, alone_others=0, suspect_failures=1, dead_letter_ratio=1.0
    )
    bench = Bench(limits=limits, partitions=2, answer=None)
    bench.source.feed(identify("u-1"))
    bench.source.feed(identify("u-2"), number=1)
    bench.turn(10)
    bench.sink.answer = lambda batch: answer if len(batch.operations) > 1 else accept(batch)
    bench.source.revoke(1)
    bench.turn(20)
    assert [len(batch.operations) for batch in bench.sink.sent] == [2, 1]
    assert letters(bench) == []
    assert bench.committed() == 1


def test_a_small_bulk_refused_as_a_whole_is_not_everything() -> None:
    """The sample is all of it: eight bad companies where no other was accepted for long."""
    bench = Bench(answer=lambda b: RefusedWhole(400) if holds_bad(b) else accept(b))
    bench.source.feed(group("acme"))
    steadily(bench, 2, 1.0)
    for number in range(8):
        bench.source.feed(group(f"bad-{number}"))
    steadily(bench, 14, 1.0)
    assert bench.told.holds == []
    assert letters(bench) == [("refused_alone", True)] * 8
