"""Bugs of other engines that no other test of ours is about (see tests/test_known_bugs.py)."""

from collections.abc import Mapping

import pytest

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch, CommitResult
from streamer.outcomes import Answer, Fate, Transient, TransientReason
from streamer.records import Mark, TopicPartition
from tests.engine.fakes import Bench, accept, identify, partition, track


def test_a_failed_record_is_not_passed_over_by_the_next_success() -> None:
    """One user's request fails, those behind it succeed: the commit stays before it, then passes all."""
    is_down = True

    def answer(batch: Batch) -> Answer:
        fails = is_down and any("ext:u-1" in operation.keys for operation in batch.operations)
        return Transient(TransientReason.CONNECTION) if fails else accept(batch)

    bench = Bench(answer=answer)
    bench.source.feed(track("u-1"))
    bench.turn(2)
    for number in range(2, 12):
        bench.source.feed(identify(f"u-{number}"))
        bench.turn(2)
    bench.turn(4)
    assert bench.told.fates[Fate.DELIVERED] == 10
    assert bench.committed() == 0, "what is settled ahead of it is told in the commit's metadata"
    is_down = False
    bench.turn(200)
    assert bench.told.fates[Fate.DELIVERED] == 11
    assert bench.committed() == 11


def test_a_revoke_does_not_wait_for_the_commit_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer comes by callbacks that the revoke itself holds up: another one goes in its place."""
    bench = Bench(partitions=2)
    started: list[Mapping[TopicPartition, Mark]] = []
    monkeypatch.setattr(bench.source, "start_commit", started.append)  # and is never answered
    for number in range(2):
        bench.source.feed(identify(f"u-{number}"), number=number)
    bench.turn(4)
    assert started
    assert not bench.source.committed
    before = bench.clock.now
    bench.source.revoke(0)
    assert bench.clock.now == before
    assert bench.source.committed == {partition(0): 1}


@pytest.mark.parametrize("result", [each for each in CommitResult if each is not CommitResult.COMMITTED])
def test_no_error_of_a_commit_ends_the_loop(result: CommitResult) -> None:
    """Told as what it is, never as success; the loop turns on, and the next commit carries the newest."""
    bench = Bench()
    bench.source.commit_script.extend([result] * 3)
    for number in range(4):
        bench.source.feed(identify(f"u-{number}"))
        bench.turn(2)
    assert bench.told.commits[result] == 3
    bench.turn(3)
    assert bench.committed() == 4


@pytest.mark.parametrize("result", [CommitResult.RETRY, CommitResult.FENCED])
def test_a_commit_that_fails_in_a_rebalance_sets_off_no_other(result: CommitResult) -> None:
    """Whoever leaves for that, or joins anew, has the group rebalance again, and so on: we stay.

    Nor is it asked for at every turn: a coordinator that rebalances a large group has enough to do.
    """
    bench = Bench(partitions=3)
    for number in range(60):
        bench.source.feed(identify(f"u-{number}"), number=number % 3)
    bench.source.commit_script.extend([result] * 1_000)
    changes, began = len(bench.told.rebalances), bench.clock.now
    bench.turn(400, seconds=0.05)
    assert bench.told.commits[result] > 0
    assert len(bench.source.commit_calls) <= (bench.clock.now - began) / Limits().commit_interval_seconds + 1
    assert not bench.source.is_closed
    assert len(bench.told.rebalances) == changes
    assert bench.streamer.ledger.partitions == {partition(number) for number in range(3)}
    bench.source.commit_script.clear()
    bench.turn(20)
    assert bench.source.committed == {partition(number): 20 for number in range(3)}


def test_every_pause_ends_when_its_reason_does() -> None:
    """Pressure, then letters that are not taken: after each, all partitions are read again."""
    bench = Bench(answer=None, partitions=3, limits=Limits(high_water_records=10, still_seconds=1.0))
    for number in range(30):
        bench.source.feed(track(f"u-{number}"), number=number % 3)
    bench.turn(20)
    assert bench.source.paused == {partition(number) for number in range(3)}
    bench.sink.answer = accept
    bench.turn(20)
    assert bench.source.paused == set()

    bench.dead_letters.is_full = True
    bench.source.feed(b"{broken", number=1)
    bench.turn(4)
    assert bench.source.paused == {partition(number) for number in range(3)}
    bench.dead_letters.is_full = False
    bench.turn(8)
    assert bench.source.paused == set()


def test_a_pause_does_not_outlive_the_assignment_it_was_made_for() -> None:
    """Paused, revoked, and back when there is no reason any more: it is read."""
    bench = Bench(answer=None, partitions=2, limits=Limits(high_water_records=10, still_seconds=1.0))
    for number in range(20):
        bench.source.feed(track(f"u-{number}"), number=0)
    bench.turn(20)
    assert partition(0) in bench.source.paused
    bench.sink.answer = accept
    bench.source.revoke(0)
    bench.turn(10)
    assert bench.source.paused == set()
    bench.source.assign(0)
    bench.source.feed(track("u-99"), number=0)
    bench.turn(6)
    assert bench.source.paused == set()
    assert bench.committed() == 21


def test_letters_that_nobody_takes_are_bounded() -> None:
    """A topic full of bad records and no room for letters: reading stops, memory does not grow."""
    limits = Limits(poll_records=50, dead_letter_ratio=2.0, dead_letter_evidence=1)
    bench = Bench(limits=limits)
    bench.dead_letters.is_full = True
    for _ in range(2_000):
        bench.source.feed(b"{broken")
    bench.turn(100)
    assert bench.streamer.ledger.in_flight <= 2 * limits.poll_records
    assert bench.streamer.letters.held == bench.streamer.ledger.in_flight
    bench.dead_letters.is_full = False
    bench.turn(200)
    assert bench.committed() == 2_000
