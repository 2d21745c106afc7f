from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.engine.commit import CommitSchedule
from streamer.engine.dead_letter_guard import MOST_COHORTS, Cohorts, DeadLetterGuard, Window
from streamer.engine.gate import BulkSize, Gate, Permit
from streamer.engine.hold import Hold
from streamer.engine.limits import Limits
from streamer.engine.ports import CommitResult, HoldReason
from streamer.engine.pressure import LEAST_RECORDS, Pressure, Stage
from streamer.outcomes import Endpoint
from streamer.records import Mark, TopicPartition

LIMITS = Limits()
HERE, THERE = TopicPartition("t", 0), TopicPartition("t", 1)


# --- gate ---


def test_a_gate_closes_then_lets_one_probe_through_then_opens() -> None:
    """Open, closed until a moment, one probe; an answer opens it."""
    gate = Gate(LIMITS)
    assert gate.permit(0.0) is Permit.EVERYTHING
    gate.failed(0.0, dice=1.0, sent_at=0.0)
    assert gate.permit(0.4) is Permit.NOTHING
    assert gate.permit(0.5) is Permit.PROBE
    gate.is_probing = True
    assert gate.permit(9.0) is Permit.NOTHING
    gate.answered()
    assert gate.permit(9.0) is Permit.EVERYTHING


def test_the_longest_wait_doubles_to_a_minute() -> None:
    """Full jitter between nothing and 0.5, 1, 2 ... 60 seconds."""
    gate = Gate(LIMITS)
    waits = []
    now = 0.0
    for _ in range(10):
        gate.failed(now, dice=1.0, sent_at=now)
        waits.append(gate.closed_until - now)
        now = gate.closed_until
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_several_requests_meeting_one_outage_count_once() -> None:
    """Four workers failing together must not look like four failures in a row."""
    gate = Gate(LIMITS)
    gate.failed(10.0, dice=1.0, sent_at=9.0)
    gate.failed(10.1, dice=1.0, sent_at=9.0)
    gate.failed(10.2, dice=1.0, sent_at=9.5)
    assert gate.failures == 1


def test_probes_halve_so_that_one_of_them_misses_a_poison() -> None:
    """100, 50, 25 ... 1: otherwise a poison among the first hundred looks like an outage for ever."""
    gate = Gate(LIMITS)
    sizes = []
    for failure in range(9):
        gate.failed(100.0 * failure, dice=0.0, sent_at=100.0 * failure)
        sizes.append(gate.probe_size())
    assert sizes == [100, 50, 25, 12, 6, 3, 1, 1, 1]


def test_retry_after_is_honoured_but_not_beyond_ten_minutes() -> None:
    """A server may ask us to wait; it may not stop us for a day."""
    gate = Gate(LIMITS)
    gate.failed(0.0, dice=0.0, sent_at=0.0, retry_after_seconds=30.0)
    assert gate.closed_until == 30.0
    gate.answered()
    gate.failed(100.0, dice=0.0, sent_at=100.0, retry_after_seconds=86_400.0)
    assert gate.closed_until == 700.0


def test_a_bulk_halves_on_too_much_and_grows_a_tenth_on_success() -> None:
    """Evidence of "too much" halves what was sent; success of a full one grows it, up to the limit."""
    size = BulkSize(5_000)
    size.too_much(3_000)
    assert size.operations == 1_500
    size.answered(100)
    assert size.operations == 1_500
    size.answered(1_500)
    assert size.operations == 1_650
    for _ in range(40):
        size.too_much(size.operations)
    assert size.operations == 1
    for _ in range(200):
        size.answered(size.operations)
    assert size.operations == 5_000


# --- pressure ---


def test_pressure_is_still_first_then_pauses_then_flows_below_low_water() -> None:
    """Stage 1 for at most five seconds, stage 2 until below 70 %."""
    pressure = Pressure(LIMITS)
    assert pressure.step(0.0, 59_999, 0) is Stage.FLOWING
    assert pressure.step(1.0, 60_000, 0) is Stage.STILL
    assert pressure.step(5.9, 60_000, 0) is Stage.STILL
    assert pressure.step(6.0, 60_000, 0) is Stage.PAUSED
    assert pressure.step(7.0, 42_000, 0) is Stage.PAUSED
    assert pressure.step(8.0, 41_999, 0) is Stage.FLOWING


def test_bytes_press_like_records() -> None:
    """A few huge records fill memory as well as many small ones."""
    pressure = Pressure(LIMITS)
    assert pressure.step(0.0, 4, 128 << 20) is Stage.STILL


def test_what_records_take_besides_their_bytes_presses_too() -> None:
    """Events of 1 KB, in flight with their encoded form, fill memory long before there are 60,000 of them."""
    pressure = Pressure(LIMITS)
    assert pressure.step(0.0, 42_000, 42_000 * 1_600) is Stage.FLOWING
    assert pressure.step(1.0, 43_000, 43_000 * 1_600) is Stage.STILL


# --- commit ---


def test_only_changes_are_committed_twice_a_second_one_at_a_time() -> None:
    """No commit while one is under way, none too early, none without news."""
    commits = CommitSchedule(0.5, records=100)
    assert commits.is_due(0.0, 0)
    commits.started(0.0, {HERE: Mark(5)}, 0)
    assert not commits.is_due(9.0, 0)
    commits.finished({HERE: Mark(5)}, CommitResult.COMMITTED)
    assert not commits.is_due(0.4, 0)
    assert commits.is_due(0.5, 0)
    assert commits.changed({HERE: Mark(5)}) == {}
    assert commits.changed({HERE: Mark(6), THERE: Mark(1)}) == {HERE: Mark(6), THERE: Mark(1)}


def test_what_is_settled_ahead_is_news_of_its_own() -> None:
    """The same offset with other metadata is committed; an earlier one never."""
    commits = CommitSchedule(0.5, records=100)
    commits.acknowledge({HERE: Mark(5, "a")})
    assert commits.changed({HERE: Mark(5, "b")}) == {HERE: Mark(5, "b")}
    assert commits.changed({HERE: Mark(5, "a")}) == {}
    assert commits.changed({HERE: Mark(4, "b")}) == {}


def test_much_that_is_settled_is_committed_before_its_time() -> None:
    """Since the last commit began; never while it is under way."""
    commits = CommitSchedule(0.5, records=100)
    commits.started(0.0, {HERE: Mark(5)}, 40)
    assert not commits.is_due(0.1, 400)
    commits.finished({HERE: Mark(5)}, CommitResult.COMMITTED)
    assert not commits.is_due(0.1, 139)
    assert commits.is_due(0.1, 140)


def test_after_a_commit_that_failed_much_that_is_settled_waits_for_its_time() -> None:
    """Till all of it is acknowledged; a partition that is no longer ours keeps nothing waiting."""
    commits = CommitSchedule(0.5, records=100)
    commits.started(0.0, {HERE: Mark(5), THERE: Mark(5)}, 0)
    commits.finished({HERE: Mark(5), THERE: Mark(5)}, CommitResult.RETRY)
    assert not commits.is_due(0.1, 400)
    commits.started(0.5, {HERE: Mark(9)}, 800)
    commits.finished({HERE: Mark(9)}, CommitResult.COMMITTED)
    assert not commits.is_due(0.6, 1_200)
    commits.forget([THERE])
    assert commits.is_due(0.6, 1_200)


def test_a_failed_commit_is_replaced_by_the_newest() -> None:
    """What was refused is committed again, with what came since."""
    commits = CommitSchedule(0.5, records=100)
    commits.started(0.0, {HERE: Mark(5)}, 0)
    commits.finished({HERE: Mark(5)}, CommitResult.RETRY)
    assert commits.is_due(0.5, 0)
    assert commits.changed({HERE: Mark(8)}) == {HERE: Mark(8)}


def test_a_commit_that_failed_may_have_been_applied() -> None:
    """What the broker took before it is news again, until it takes it once more."""
    commits = CommitSchedule(0.5, records=100)
    commits.acknowledge({HERE: Mark(5, "a")})
    commits.started(0.0, {HERE: Mark(5, "b")}, 0)
    commits.finished({HERE: Mark(5, "b")}, CommitResult.RETRY)
    assert commits.changed({HERE: Mark(5, "a")}) == {HERE: Mark(5, "a")}
    commits.acknowledge({HERE: Mark(5, "a")})
    assert commits.changed({HERE: Mark(5, "a")}) == {}


def test_partitions_of_one_commit_may_end_differently() -> None:
    """What the broker took is acknowledged; what it did not is committed again."""
    commits = CommitSchedule(0.5, records=100)
    commits.started(0.0, {HERE: Mark(5), THERE: Mark(7)}, 0)
    commits.finished({HERE: Mark(5)}, CommitResult.COMMITTED)
    assert not commits.is_due(1.0, 0)
    commits.finished({THERE: Mark(7)}, CommitResult.RETRY)
    assert commits.is_due(1.0, 0)
    assert commits.changed({HERE: Mark(5), THERE: Mark(8)}) == {THERE: Mark(8)}


@pytest.mark.parametrize("ends", [True, False])
def test_a_commit_without_an_answer_does_not_end_committing(ends: bool) -> None:
    """One that failed as a whole frees the way at once, one that is never answered after a minute."""
    commits = CommitSchedule(0.5, records=100)
    commits.started(0.0, {HERE: Mark(5)}, 0)
    if ends:
        commits.finished({}, CommitResult.RETRY)
    assert commits.is_due(1.0, 0) is ends
    assert commits.is_due(61.0, 0)


def test_a_partition_that_comes_back_is_committed_afresh() -> None:
    """What an older epoch had acknowledged says nothing about the new one."""
    commits = CommitSchedule(0.5, records=100)
    commits.acknowledge({HERE: Mark(9)})
    commits.started(0.0, {HERE: Mark(10), THERE: Mark(3)}, 0)
    commits.forget([HERE])
    commits.finished({HERE: Mark(10), THERE: Mark(3)}, CommitResult.COMMITTED)
    assert commits.changed({HERE: Mark(4), THERE: Mark(3)}) == {HERE: Mark(4)}


# --- dead-letter guard ---


def judged(window: Window, good: int, bad: int) -> None:
    """So many good records, then so many bad ones."""
    for _ in range(good):
        window.judge(is_bad=False)
    for _ in range(bad):
        window.judge(is_bad=True)


def test_an_all_bad_topic_leaves_ten_letters_a_start() -> None:
    """Ten restarts on an all-bad topic leave at most a hundred dead letters."""
    guard = DeadLetterGuard(LIMITS)
    produced = 0
    for _ in range(5_000):
        guard.reading.judge(is_bad=True)
        if guard.may_produce(guard.reading):
            guard.produced()
            produced += 1
    assert produced == 10
    assert guard.is_tripped


def test_letters_flow_with_evidence_that_few_are_bad() -> None:
    """A hundred records of which fewer than a fifth are bad: letters are produced."""
    guard = DeadLetterGuard(LIMITS)
    judged(guard.reading, good=90, bad=12)
    for _ in range(12):
        assert guard.may_produce(guard.reading)
        guard.produced()


def test_at_the_whole_everything_may_be_bad() -> None:
    """An operator who knows that a stretch of the topic is bad for good must get past it."""
    guard = DeadLetterGuard(replace(LIMITS, dead_letter_ratio=1.0))
    for _ in range(2_000):
        guard.reading.judge(is_bad=True)
        assert guard.may_produce(guard.reading), "nor may the last ones of a quiet topic wait for evidence"
        guard.produced()


def test_a_fifth_bad_trips() -> None:
    """Exactly at 20 % of a hundred records the fault is not in the records."""
    guard = DeadLetterGuard(LIMITS)
    judged(guard.reading, good=80, bad=19)
    assert guard.may_produce(guard.reading)
    guard.reading.judge(is_bad=True)
    assert guard.is_tripped
    assert not guard.may_produce(guard.reading)


def test_reading_and_answers_are_judged_apart() -> None:
    """Sixty thousand records read ahead say nothing about whether Planhat takes them."""
    guard = DeadLetterGuard(LIMITS)
    judged(guard.reading, good=1_000, bad=0)
    for _ in range(100):
        guard.answers.judge(0.0, is_bad=True)
    assert guard.is_tripped
    guard = DeadLetterGuard(LIMITS)
    judged(guard.reading, good=1_000, bad=0)
    for _ in range(10):
        guard.produced()
    assert guard.may_produce(guard.reading)
    assert not guard.may_produce(guard.answers)


def answered(cohorts: Cohorts, read_at: float, good: int, bad: int) -> None:
    """Planhat's answers for so many of those read then."""
    for number in range(good + bad):
        cohorts.judge(read_at, is_bad=number >= good)


def test_records_are_judged_beside_those_they_were_read_with() -> None:
    """Refused merged and told again one by one, the bad ones come last: they are not all there is."""
    cohorts = Cohorts(LIMITS)
    for second in range(40):
        cohorts.read(1_000, float(second))
        answered(cohorts, float(second), good=980, bad=0)
    assert not cohorts.is_tripped
    for second in range(40):
        answered(cohorts, float(second), good=0, bad=20)
    assert not cohorts.is_tripped


def test_a_release_that_breaks_records_trips_however_good_those_before_were() -> None:
    """From one record on every third is bad: known when a fifth of a thousand are, at the latest."""
    cohorts = Cohorts(LIMITS)
    for second in range(50):
        cohorts.read(1_000, float(second))
        answered(cohorts, float(second), good=1_000, bad=0)
    bad = 0
    while not cohorts.is_tripped:
        cohorts.read(3, 100.0 + bad)
        answered(cohorts, 100.0 + bad, good=2, bad=1)
        bad += 1
    assert bad <= 350


def test_few_of_a_cohort_are_judged_with_those_before_them() -> None:
    """Two fifths of its first answers are bad; with the thousand before that is little, and no evidence."""
    cohorts = Cohorts(LIMITS)
    cohorts.read(1_000, 0.0)
    cohorts.read(1_000, 1.0)
    answered(cohorts, 0.0, good=1_000, bad=0)
    answered(cohorts, 1.0, good=90, bad=60)
    assert not cohorts.is_tripped


def test_most_records_need_no_call_and_the_others_are_judged_all_the_same() -> None:
    """Of each thousand read forty ask for something, and all of those are refused."""
    cohorts = Cohorts(LIMITS)
    for second in range(3):
        cohorts.read(1_000, float(second))
        answered(cohorts, float(second), good=0, bad=40)
    assert cohorts.is_tripped


def test_what_was_read_too_long_ago_counts_with_all_before() -> None:
    """More than is kept apart behind the newest, refusals come in for minutes: few of all read until then."""
    cohorts = Cohorts(LIMITS)
    for second in range(3 * MOST_COHORTS):
        cohorts.read(1_000, float(second))
        answered(cohorts, float(second), good=990, bad=0)
    for second in range(2 * MOST_COHORTS):
        answered(cohorts, float(second), good=0, bad=10)
        assert not cohorts.is_tripped
    assert len(cohorts._cohorts) == MOST_COHORTS


@given(st.lists(st.tuples(st.integers(1, 120), st.booleans()), max_size=30))
def test_the_window_counts_its_last_records(runs: list[tuple[int, bool]]) -> None:
    """The count of bad records is that of the last ones, no more and no fewer, told in runs or one by one."""
    window, alone = (Window(Limits(dead_letter_window=50)) for _ in range(2))
    history: list[bool] = []
    for count, is_bad in runs:
        history += [is_bad] * count
        window.judge(count, is_bad=is_bad)
        for _ in range(count):
            alone.judge(is_bad=is_bad)
        assert window._bad == alone._bad == sum(history[-50:])
        assert window.is_tripped == alone.is_tripped


# --- hold ---


def test_hold_probes_and_speaks_once_a_minute() -> None:
    """One request and one line a minute, no more."""
    hold = Hold(LIMITS)
    assert hold.enter(HoldReason.CREDENTIALS, Endpoint.ENDUSERS, 0.0)
    assert not hold.enter(HoldReason.CREDENTIALS, Endpoint.ENDUSERS, 1.0)
    probes = sum(hold.probe_is_due(second) for second in range(601))
    words = sum(hold.word_is_due(second) for second in range(601))
    assert (probes, words) == (10, 10)
    assert hold.leave(0.0, is_proved=True) is HoldReason.CREDENTIALS
    assert not hold.probe_is_due(9_999.0)


@pytest.mark.parametrize(
    ("is_proved", "again_at", "since"), [(False, 559, 500), (False, 560, 560), (True, 501, 501)]
)
def test_a_hold_goes_on_only_where_nothing_was_well_in_between(
    is_proved: bool, again_at: int, since: int
) -> None:
    """By what its patience is counted: a probe interval after nothing was heard of it, it is another."""
    hold = Hold(LIMITS)
    hold.enter(HoldReason.CREDENTIALS, Endpoint.ENDUSERS, 500.0)
    hold.leave(500.0, is_proved=is_proved)
    assert hold.enter(HoldReason.CREDENTIALS, Endpoint.ENDUSERS, float(again_at))
    assert hold.since == since


def test_bad_records_are_not_probed() -> None:
    """Too many dead letters mend by a person and a restart, not by sending more."""
    hold = Hold(LIMITS)
    hold.enter(HoldReason.DEAD_LETTERS, None, 0.0)
    assert not hold.probe_is_due(3_600.0)


@pytest.mark.parametrize(("patience", "ends"), [(None, False), (900.0, True)])
def test_hold_ends_the_process_only_when_told_to(patience: float | None, ends: bool) -> None:
    """`STREAMER_ON_HOLD=exit` ends after 15 minutes; the default holds on."""
    hold = Hold(Limits(on_hold_exit_seconds=patience))
    hold.enter(HoldReason.PERMISSION, Endpoint.COMPANIES, 0.0)
    assert not hold.is_over_patience(899.0)
    assert hold.is_over_patience(900.0) is ends


@given(records=st.integers(0, 70_000), size_bytes=st.integers(0, 256 << 20))
@example(records=1_900, size_bytes=120 << 20)  # 67 KB each: room for eighty, not for all of a poll
def test_a_poll_asks_for_what_there_is_room_for(records: int, size_bytes: int) -> None:
    """Of records as large as those in flight, no more than high water takes; a few in any case."""
    limits = Limits()
    most = Pressure(limits).room(records, size_bytes)
    assert min(LEAST_RECORDS, limits.poll_records) <= most <= limits.poll_records
    if records and most > LEAST_RECORDS:
        held_bytes = limits.held_bytes(records, size_bytes)
        assert held_bytes + most * held_bytes / records <= limits.high_water_bytes
    elif not records:
        assert most == limits.poll_records
