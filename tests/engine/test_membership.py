"""Nothing is sent without a proof, younger than the session time-out, that our partitions are still ours."""

from collections import deque

from streamer.engine.limits import Limits
from streamer.engine.membership import Membership
from streamer.engine.ports import CommitResult
from streamer.outcomes import Endpoint, Misconfigured, MisconfiguredReason
from streamer.records import Mark, TopicPartition
from tests.engine.fakes import Bench, identify, partition, track

HERE = TopicPartition("t", 0)
SESSION = 45.0
GUARDED = Limits(membership_seconds=SESSION)
COMMITTED, FENCED, RETRY = CommitResult.COMMITTED, CommitResult.FENCED, CommitResult.RETRY


# --- the proof ------------------------------------------------------------------------------------


def test_a_commit_proves_from_the_moment_it_was_started() -> None:
    """Not from that of its acknowledgement, which may have come in before a freeze and be read after it."""
    membership = Membership(SESSION)
    assert not membership.is_proved(0.0)
    membership.asked(0.0, {HERE: 5})
    membership.answered({HERE: 5}, COMMITTED)
    assert membership.is_proved(SESSION - 0.1)
    assert not membership.is_proved(SESSION)

    membership.asked(50.0, {HERE: 6})
    membership.answered({HERE: 6}, COMMITTED)  # read at 200, after a freeze
    assert not membership.is_proved(200.0)


def test_an_acknowledgement_of_before_the_freeze_proves_nothing_of_a_repetition_after_it() -> None:
    """A commit is started, the process freezes, wakes, starts the same again, and reads the old answer."""
    membership = Membership(SESSION)
    membership.asked(0.0, {HERE: 5})
    membership.asked(100.0, {HERE: 5})
    membership.answered({HERE: 5}, COMMITTED)
    assert not membership.is_proved(100.0)
    membership.asked(101.0, {HERE: 5})
    membership.answered({HERE: 5}, COMMITTED)
    assert membership.is_proved(101.0)


def test_what_is_not_acknowledged_is_no_proof() -> None:
    """A commit that failed, was never answered, or of which another offset is answered."""
    membership = Membership(SESSION)
    membership.asked(0.0, {HERE: 5})
    membership.answered({HERE: 4}, COMMITTED)
    membership.answered({HERE: 5}, RETRY)
    membership.asked(1.0, {HERE: 5})
    membership.answered({}, RETRY)  # before it came to partitions
    membership.answered({HERE: 5}, COMMITTED)
    assert not membership.is_proved(1.0)


def test_who_is_fenced_or_loses_everything_proves_itself_anew() -> None:
    """A static member that was replaced learns of it by a commit, long before its session is over."""
    membership = Membership(SESSION)
    membership.asked(0.0, {HERE: 5})
    membership.answered({HERE: 5}, COMMITTED)
    assert membership.is_proved(1.0)
    membership.answered({HERE: 6}, FENCED)
    assert not membership.is_proved(1.0)

    membership.asked(0.0, {HERE: 5})
    membership.answered({HERE: 5}, COMMITTED)
    assert membership.is_proved(1.0)
    membership.lost()
    assert not membership.is_proved(1.0)


def test_who_comes_back_is_another_member() -> None:
    """What was begun before must not be finished by the proof of the next membership."""
    membership = Membership(SESSION)
    assert membership.proved(0.0) is None
    membership.asked(0.0, {HERE: 5})
    membership.answered({HERE: 5}, COMMITTED)
    first = membership.proved(1.0)
    assert first is not None
    membership.asked(20.0, {HERE: 6})
    membership.answered({HERE: 6}, COMMITTED)
    assert membership.proved(21.0) == first
    assert membership.proved(20.0 + SESSION) is None

    membership.lost()
    assert membership.proved(21.0) is None
    membership.asked(22.0, {HERE: 6})
    membership.answered({HERE: 6}, COMMITTED)
    assert membership.proved(23.0) not in (None, first)


def test_another_proof_is_asked_for_in_good_time() -> None:
    """After a third of the session: two more tries before it runs out."""
    membership = Membership(SESSION)
    assert membership.needs_proof(0.0)
    membership.asked(0.0, {HERE: 5})
    membership.answered({HERE: 5}, COMMITTED)
    assert not membership.needs_proof(SESSION / 3 - 0.1)
    assert membership.needs_proof(SESSION / 3)


def test_a_replay_needs_no_proof() -> None:
    """It has a group of its own that guards it."""
    membership = Membership(None)
    assert membership.is_proved(1e9)
    assert not membership.needs_proof(1e9)


# --- the engine -----------------------------------------------------------------------------------


def test_the_first_records_wait_for_one_commit_of_where_they_begin() -> None:
    """An assignment is no proof. What is committed is the offset of the first record, not more."""
    bench = Bench(limits=GUARDED)
    bench.source.feed(identify(), offset=7)
    bench.source.feed(track(), offset=9)
    bench.turn()
    assert not bench.sink.sent
    bench.turn(2)
    assert bench.source.commit_calls[0][partition()].offset == 7
    assert bench.sink.operations(Endpoint.ENDUSERS)
    bench.turn(3)
    assert bench.committed() == 10


def test_rare_commits_do_not_keep_proofs_back() -> None:
    """However long the pause between commits: a proof is asked for when it is needed."""
    bench = Bench(limits=Limits(membership_seconds=6.0, commit_interval_seconds=60.0))
    for number in range(30):
        bench.source.feed(identify(f"u-{number}"))
        bench.turn(4)
    assert len(bench.sink.operations(Endpoint.ENDUSERS)) >= 29


def test_an_idle_replica_commits_nothing_for_proof() -> None:
    """With nothing to send there is nothing to prove."""
    bench = Bench(limits=GUARDED)
    bench.source.feed(identify())
    bench.turn(4)
    before = len(bench.source.commit_calls)
    bench.turn(10, seconds=SESSION)
    assert len(bench.source.commit_calls) == before


def test_a_proof_is_renewed_while_something_is_in_flight() -> None:
    """The same offset again, every third of the session: a slow request is no reason to fall silent."""
    bench = Bench(limits=GUARDED, answer=None)
    bench.source.feed(identify())
    bench.turn(3)
    assert len(bench.sink.under_way) == 1
    bench.turn(90, seconds=1.0)
    again = [calls for calls in bench.source.commit_calls if calls == {partition(): Mark(0)}]
    assert 5 <= len(again) <= 7
    bench.source.feed(track("u-2"))
    bench.turn(2)
    assert bench.sink.operations(Endpoint.ACTIVITIES), "others are sent at once: the proof is young"


def test_what_was_told_as_proof_is_not_taken_back() -> None:
    """A gap in front of what is read next is told with the proof; nothing is settled since, nor told anew."""
    bench = Bench(limits=GUARDED)
    bench.source.feed(identify("u-1"))
    bench.turn(6)
    bench.sink.answer = None
    bench.source.feed(identify("u-2"), offset=5)
    bench.turn(60, seconds=1.0)
    told = [calls[partition()] for calls in bench.source.commit_calls if calls[partition()].metadata]
    assert told
    since = bench.source.commit_calls.index({partition(): told[0]})
    assert bench.source.commit_calls[since:] == [{partition(): told[0]}] * len(told)


def test_who_wakes_after_its_session_sends_nothing_and_forgets() -> None:
    """Frozen past the session: what it reads and holds stays unsent, until it learns that all is lost."""
    bench = Bench(limits=GUARDED)
    bench.source.feed(identify("u-1"))
    bench.turn(6)
    assert bench.committed() == 1
    sent = len(bench.sink.sent)
    bench.clock.advance(SESSION + 10)  # frozen; meanwhile another member took over
    bench.source.commit_script = deque([FENCED] * 100)
    bench.source.feed(identify("u-2"))
    bench.turn(5)
    assert len(bench.sink.sent) == sent
    bench.source.lose(0)
    bench.source.commit_script.clear()
    bench.turn(5)
    assert len(bench.sink.sent) == sent
    assert bench.committed() == 1


def test_without_a_coordinator_nothing_is_sent_and_it_recovers_by_itself() -> None:
    """Nobody can say whose the partitions are: the records wait, and go on with the first commit."""
    bench = Bench(limits=GUARDED)
    bench.source.feed(identify("u-1"))
    bench.turn(6)
    sent = len(bench.sink.sent)
    bench.source.commit_script = deque([RETRY] * 100)
    bench.clock.advance(SESSION)
    bench.source.feed(identify("u-2"))
    bench.turn(100, seconds=0.6)
    assert len(bench.sink.sent) == sent
    bench.source.commit_script.clear()
    bench.turn(6)
    assert len(bench.sink.sent) == sent + 1
    assert bench.committed() == 2


def test_a_hold_asks_nothing_of_planhat_without_a_proof() -> None:
    """A probe is a request like any other."""
    refused = Misconfigured(MisconfiguredReason.CREDENTIALS, 401)
    bench = Bench(limits=GUARDED)
    bench.source.feed(identify("u-1"))
    bench.turn(6)
    bench.sink.answer = lambda _: refused
    bench.source.feed(identify("u-2"))
    bench.turn(6)
    assert bench.streamer.hold.reason is not None
    sent = len(bench.sink.sent)
    bench.source.commit_script = deque([RETRY] * 1_000)
    bench.turn(200, seconds=1.0)
    probes_before_it_ran_out = len(bench.sink.sent) - sent
    assert probes_before_it_ran_out <= 1
    bench.source.commit_script.clear()
    bench.turn(70, seconds=1.0)
    assert len(bench.sink.sent) > sent + probes_before_it_ran_out
