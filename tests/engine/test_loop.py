from collections.abc import Callable
from typing import NoReturn

import pytest

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch, CommitResult, OperationFate
from streamer.errors import LedgerError, PlanhatMisconfigured, SourceError, TooManyDeadLetters
from streamer.events.calls import Call, JsonDict
from streamer.outcomes import (
    Answer,
    Answered,
    CallType,
    Endpoint,
    Fate,
    Misconfigured,
    MisconfiguredReason,
    RefusedWhole,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.transform.rules import Rules
from tests.engine.fakes import Bench, accept, group, identify, partition, track, with_one_uncommitted

DOWN = Transient(TransientReason.SERVER_ERROR)


def users(batch: Batch) -> list[str]:
    """Who a batch is about."""
    return [operation.keys[0].removeprefix("ext:") for operation in batch.operations]


def refuse_user(bad: str, verdict: Verdict = Verdict.REFUSED) -> Callable[[Batch], Answer]:
    """A Planhat that names one user as at fault."""
    return lambda batch: Answered(
        tuple(verdict if user == bad else Verdict.ACCEPTED for user in users(batch))
    )


# --- the way of one event -------------------------------------------------------------------------


def test_an_event_is_committed_only_after_planhat_accepted_it() -> None:
    """Offsets follow deliveries, never reads."""
    bench = Bench(answer=None)
    bench.source.feed(identify())
    bench.turn(4)
    assert len(bench.sink.under_way) == 1
    assert bench.committed() is None
    bench.sink.reply(bench.sink.under_way[0], accept(bench.sink.under_way[0]))
    bench.turn(2)
    assert bench.committed() == 1
    assert bench.told.fates == {Fate.DELIVERED: 1}


def test_no_offset_is_committed_past_a_record_in_flight() -> None:
    """A later record's success does not cover an earlier one that is not answered."""
    bench = Bench(answer=None)
    bench.source.feed(identify("u-1"))
    bench.turn(4)
    bench.source.feed(track("u-2"))
    bench.turn(4)
    early, late = bench.sink.under_way
    bench.sink.reply(late, accept(late))
    bench.turn(4)
    assert bench.committed() == 0  # with metadata that speaks of the later one
    bench.sink.reply(early, accept(early))
    bench.turn(4)
    assert bench.committed() == 2


def test_company_then_enduser_then_activity() -> None:
    """One user's first three calls reach Planhat in an order it can make sense of."""
    bench = Bench()
    bench.source.feed(group("acme", name="Acme"))
    bench.source.feed(identify("u-1", email="u-1@acme.example"))
    bench.source.feed(track("u-1"))
    bench.turn(12)
    order = [batch.endpoint for batch in bench.sink.sent]
    assert order == [Endpoint.COMPANIES, Endpoint.ENDUSERS, Endpoint.ACTIVITIES]
    assert bench.committed() == 3


def test_an_activity_is_not_sent_before_its_enduser_is_answered() -> None:
    """Planhat drops activities of endusers it does not know, and says nothing."""
    bench = Bench(answer=None)
    bench.source.feed(identify("u-1"))
    bench.source.feed(track("u-1"))
    bench.turn(10)
    assert [batch.endpoint for batch in bench.sink.sent] == [Endpoint.ENDUSERS]
    bench.sink.reply(bench.sink.sent[0], accept(bench.sink.sent[0]))
    bench.turn(2)
    assert [batch.endpoint for batch in bench.sink.sent] == [Endpoint.ENDUSERS, Endpoint.ACTIVITIES]


def test_no_two_operations_of_one_object_in_one_bulk() -> None:
    """Three identifies of a user, each of another company, are three bulks, in order."""
    bench = Bench()
    for number in range(3):
        bench.source.feed(identify("u-1", company=f"c-{number}", plan=number))
    bench.source.feed(identify("u-2"))
    bench.turn(20)
    for batch in bench.sink.sent:
        assert len(set(users(batch))) == len(batch.operations)
    plans = [op.custom["plan"] for op in bench.sink.operations(Endpoint.ENDUSERS) if op.external_id == "u-1"]
    assert plans == [0, 1, 2]


def test_one_bulk_in_flight_per_main_model() -> None:
    """Overlapping bulks of one model make Planhat refuse duplicates."""
    bench = Bench(answer=None)
    for number in range(5):
        bench.source.feed(identify(f"u-{number}"))
        bench.turn(4)
    assert len([batch for batch in bench.sink.under_way if batch.endpoint is Endpoint.ENDUSERS]) == 1


def test_skips_are_settled_with_their_reason() -> None:
    """What we choose not to send is counted and committed."""
    bench = Bench()
    bench.source.feed(None)
    bench.source.feed({"type": "alias", "userId": "u-1", "previousId": "u-0", "messageId": "m"})
    bench.turn(3)
    assert bench.told.reasons["tombstone"] == 1
    assert bench.told.reasons["unsupported_type"] == 1
    assert bench.committed() == 2


# --- dead letters ---------------------------------------------------------------------------------


def test_a_dead_letter_counts_only_when_acknowledged() -> None:
    """Until the broker has it, its record holds the commit back."""
    bench = Bench()
    bench.dead_letters.acknowledges = False
    bench.source.feed(b"{broken")
    bench.source.feed(identify())
    bench.turn(6)
    assert len(bench.dead_letters.produced) == 1
    assert bench.committed() == 0
    assert bench.told.fates[Fate.DEAD_LETTERED] == 0
    bench.dead_letters.acknowledges = True
    bench.turn(3)
    assert bench.committed() == 2
    assert bench.told.fates == {Fate.DELIVERED: 1, Fate.DEAD_LETTERED: 1}


def test_an_invalid_call_is_counted_with_its_type() -> None:
    """Who looks for broken track calls must find them among the track calls."""
    bench = Bench()
    bench.source.feed({"type": "track", "userId": "u-1", "messageId": "m"})
    bench.source.feed({"type": "nonsense", "userId": "u-1"})
    bench.turn(4)
    assert bench.told.calls == {CallType.TRACK: 1, CallType.UNKNOWN: 1}


def test_the_original_bytes_survive() -> None:
    """Key, value and headers of a dead letter are those of the record, byte for byte."""
    bench = Bench()
    record = bench.source.feed(b"{broken", key=b"\x00key")
    bench.turn(3)
    assert bench.dead_letters.produced[0].record is record


def test_a_letter_the_broker_refuses_is_offered_again_and_intake_stops() -> None:
    """A dead-letter topic that is down loses nothing and fills no memory."""
    bench = Bench()
    bench.dead_letters.acknowledges = False
    bench.source.feed(b"{broken")
    bench.turn(2)
    bench.dead_letters.refuse()
    bench.turn(1)
    assert bench.source.paused == {partition()}
    bench.dead_letters.acknowledges = True
    bench.turn(6)
    assert len(bench.dead_letters.produced) == 2
    assert bench.source.paused == set()
    assert bench.committed() == 1


def test_a_full_producer_queue_stops_intake_too() -> None:
    """Refused by the producer itself: kept, and offered again."""
    bench = Bench()
    bench.dead_letters.is_full = True
    bench.source.feed(b"{broken")
    bench.turn(2)
    assert bench.source.paused == {partition()}
    bench.dead_letters.is_full = False
    bench.turn(6)
    assert bench.committed() == 1


def test_an_item_named_as_refused_is_dead_lettered_alone() -> None:
    """The others of its bulk are delivered; the letter tells how it went."""
    bench = Bench(answer=refuse_user("u-2"))
    for number in range(4):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(8)
    assert bench.told.fates == {Fate.DELIVERED: 3, Fate.DEAD_LETTERED: 1}
    letter = bench.dead_letters.produced[0]
    assert (letter.reason, letter.attempts, letter.http_status) == ("refused", 1, 200)
    assert letter.record.offset == 2


def test_children_of_a_refused_parent_are_judged_by_their_own_answers() -> None:
    """A refused enduser does not take its activities along."""
    bench = Bench(
        answer=lambda batch: Answered(
            tuple(
                Verdict.REFUSED if batch.endpoint is Endpoint.ENDUSERS else Verdict.ACCEPTED
                for _ in batch.operations
            )
        )
    )
    bench.source.feed(identify("u-1"))
    bench.source.feed(track("u-1"))
    bench.turn(8)
    assert bench.told.fates == {Fate.DELIVERED: 1, Fate.DEAD_LETTERED: 1}


def test_a_record_of_two_operations_has_the_worst_fate() -> None:
    """A group whose company is accepted and whose user is refused is a dead letter."""
    bench = Bench(
        answer=lambda batch: Answered(
            tuple(
                Verdict.REFUSED if batch.endpoint is Endpoint.ENDUSERS else Verdict.ACCEPTED
                for _ in batch.operations
            )
        )
    )
    bench.source.feed(group("acme", user="u-1"))
    bench.turn(8)
    assert bench.told.fates == {Fate.DEAD_LETTERED: 1}
    assert bench.told.done == {OperationFate.DELIVERED: 1, OperationFate.REFUSED: 1}


def test_our_own_bug_makes_a_letter_not_a_crash() -> None:
    """One record that our code fails on must not stop the others."""

    def broken(call: Call, decoded: JsonDict, rules: Rules) -> NoReturn:
        raise ZeroDivisionError

    bench = Bench(tell=broken)
    bench.source.feed(identify())
    bench.turn(4)
    assert bench.dead_letters.produced[0].reason == "internal"
    assert isinstance(bench.told.errors[0], ZeroDivisionError)
    assert bench.committed() == 1


# --- retries --------------------------------------------------------------------------------------


def test_an_outage_retries_for_as_long_as_it_lasts() -> None:
    """Age alone never makes a dead letter."""
    is_down = True
    bench = Bench(answer=lambda batch: DOWN if is_down else accept(batch))
    bench.source.feed(identify())
    bench.turn(4_000, seconds=10.0)
    assert bench.committed() is None
    assert bench.dead_letters.produced == []
    is_down = False
    bench.turn(20, seconds=10.0)
    assert bench.committed() == 1


def test_order_survives_a_failed_bulk() -> None:
    """A retry goes back to the head of its lanes."""
    failures = iter([DOWN, DOWN])
    bench = Bench(answer=lambda batch: next(failures, None) or accept(batch))
    for number in range(3):
        bench.source.feed(identify("u-1", company=f"c-{number}", plan=number))
    bench.turn(60)
    plans = [op.custom["plan"] for op in bench.sink.operations(Endpoint.ENDUSERS)]
    assert plans == [0, 0, 0, 1, 2]


def test_a_poison_that_breaks_bulks_is_found_while_others_go_on() -> None:
    """Persistent 5xx with others succeeding is not an outage: split, ask alone, dead-letter that one."""
    bench = Bench(answer=lambda batch: DOWN if "u-7" in users(batch) else accept(batch))
    for number in range(20):
        bench.source.feed(identify(f"u-{number}"))
    fresh = 100
    for _ in range(500):
        bench.source.feed(identify(f"u-{fresh}"))
        fresh += 1
        bench.turn(1, seconds=5.0)
    letters = [(letter.reason, letter.record.offset) for letter in bench.dead_letters.produced]
    assert letters == [("refused_alone", 7)]
    bench.turn(40, seconds=5.0)
    assert bench.committed() == 520


def test_a_whole_bulk_4xx_is_isolated() -> None:
    """A 400 that names nobody: the one at fault is found, the others are delivered at once."""
    bench = Bench(answer=lambda batch: RefusedWhole(400) if "u-30" in users(batch) else accept(batch))
    for number in range(64):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(200)
    assert bench.told.fates[Fate.DELIVERED] == 63
    assert bench.dead_letters.produced == []  # one refusal alone is no proof yet
    for number in range(200):
        bench.source.feed(identify(f"u-{100 + number}"))
        bench.turn(1, seconds=5.0)
    assert [letter.record.offset for letter in bench.dead_letters.produced] == [30]


def test_413_halves_until_it_fits() -> None:
    """Too large is a matter of size, not of time: smaller at once, no waiting."""
    bench = Bench(answer=lambda b: Transient(TransientReason.TOO_LARGE) if len(b.items) > 10 else accept(b))
    for number in range(64):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(90)
    assert bench.committed() == 64


def test_a_missing_enduser_is_looked_at_once_more_then_skipped() -> None:
    """Planhat saved nothing for want of a company: asked once more, then counted as no_company."""
    bench = Bench(answer=refuse_user("u-1", Verdict.MISSING))
    bench.source.feed(identify("u-1", company=None))
    bench.source.feed(identify("u-2"))
    bench.turn(20)
    assert len([op for op in bench.sink.operations(Endpoint.ENDUSERS) if op.external_id == "u-1"]) == 2
    assert bench.told.reasons["no_company"] == 1
    assert bench.committed() == 2


def test_a_missing_company_is_unconfirmed_and_its_enduser_is_judged_by_itself() -> None:
    """A company needs none: nobody may read that it has no company, nor lose the enduser told with it."""

    def answer(batch: Batch) -> Answer:
        verdict = Verdict.MISSING if batch.endpoint is Endpoint.COMPANIES else Verdict.ACCEPTED
        return Answered((verdict,) * len(batch.operations))

    bench = Bench(answer=answer)
    bench.source.feed(group("acme", user="u-1"))
    bench.turn(20)
    assert [batch.endpoint for batch in bench.sink.sent] == [
        Endpoint.COMPANIES, Endpoint.COMPANIES, Endpoint.ENDUSERS,
    ]  # fmt: skip
    assert bench.told.reasons["unconfirmed"] == 1
    assert not bench.told.reasons["no_company"]
    assert bench.committed() == 1


def test_a_holding_company_takes_only_what_was_not_saved() -> None:
    """`unassigned` is used for endusers whose absence the reply shows, never up front."""

    def answer(batch: Batch) -> Answer:
        return Answered(
            tuple(
                Verdict.MISSING if getattr(op, "company_external_id", None) is None else Verdict.ACCEPTED
                for op in batch.operations
            )
        )

    bench = Bench(answer=answer, limits=Limits(unassigned_company="lobby"))
    bench.source.feed(identify("u-1", company=None))
    bench.turn(30)
    companies = [op.company_external_id for op in bench.sink.operations(Endpoint.ENDUSERS)]
    assert companies == [None, None, "lobby"]
    assert bench.told.fates == {Fate.DELIVERED: 1}


def test_unclear_counts_are_asked_in_ever_smaller_groups() -> None:
    """Unchanged or not saved: halves tell them apart; what stays unclear is skipped as unconfirmed."""

    def answer(batch: Batch) -> Answer:
        unsaved = sum(user == "u-3" for user in users(batch))
        if not unsaved:
            return accept(batch)
        one = Verdict.MISSING if len(batch.items) == 1 else Verdict.UNCLEAR
        return Answered((one,) * len(batch.items))

    bench = Bench(answer=answer)
    for number in range(8):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(200)
    assert bench.told.fates[Fate.DELIVERED] >= 6
    assert bench.told.reasons["no_company"] + bench.told.reasons["unconfirmed"] >= 1
    assert bench.committed() == 8


def test_duplicated_is_transient_for_two_minutes() -> None:
    """Another replica was at the same object: tried again at least five times before it is refused."""
    bench = Bench(answer=refuse_user("u-1", Verdict.DUPLICATED))
    bench.source.feed(identify("u-1"))
    bench.turn(150)
    assert bench.dead_letters.produced == []
    bench.turn(300)
    assert [letter.reason for letter in bench.dead_letters.produced] == ["duplicated"]
    assert len(bench.sink.sent) >= 6


def test_a_name_is_made_up_only_when_a_create_lacks_one() -> None:
    """It would overwrite a real name otherwise."""
    bench = Bench(
        answer=lambda batch: Answered(
            tuple(
                Verdict.ACCEPTED if getattr(op, "fields", {}).get("name") else Verdict.NAME_MISSING
                for op in batch.operations
            )
        )
    )
    bench.source.feed(identify("u-1"))
    bench.turn(10)
    names = [op.fields.get("name") for op in bench.sink.operations(Endpoint.ENDUSERS)]
    assert names == [None, "u-1"]
    assert bench.committed() == 1


def test_429_stops_every_main_model_and_no_other() -> None:
    """The quota is the tenant's; the analytics host is not metered."""
    answers: list[Answer] = [Transient(TransientReason.THROTTLED)]
    bench = Bench(
        answer=lambda b: answers.pop() if answers and b.endpoint is Endpoint.ENDUSERS else accept(b)
    )
    bench.source.feed(identify("u-1"))
    bench.turn(2)
    bench.source.feed(group("acme"))
    bench.source.feed(track("u-2", company=None))
    bench.turn(20)
    assert [batch.endpoint for batch in bench.sink.sent] == [Endpoint.ENDUSERS, Endpoint.ACTIVITIES]
    bench.turn(20)
    assert bench.committed() == 3


def test_the_share_follows_the_partitions() -> None:
    """Of eight partitions: none, two, one, and what they come to when the topic grows."""
    bench = Bench(partitions=0, topic_partitions=8)
    calls = bench.streamer.dispatch.quota.calls_per_minute
    assert calls(bench.clock.now) == 0.0
    bench.source.assign(0, 5)
    assert calls(bench.clock.now) == 40.0
    bench.source.revoke(0)
    assert calls(bench.clock.now) == 20.0
    bench.topic_partitions = 16
    bench.turn(4)
    assert calls(bench.clock.now) == 10.0
    bench.source.lose(5)
    assert calls(bench.clock.now) == 0.0


# --- hold -----------------------------------------------------------------------------------------

NO_TOKEN = Misconfigured(MisconfiguredReason.CREDENTIALS, 401)


def test_bad_credentials_at_start_end_the_process_with_4() -> None:
    """Nothing was ever accepted: a person is watching, so say it and stop; commit nothing."""
    bench = Bench(answer=lambda _: NO_TOKEN)
    bench.source.feed(identify())
    with pytest.raises(PlanhatMisconfigured) as caught:
        bench.streamer.run()
    assert caught.value.exit_code == 4
    assert bench.committed() is None
    assert bench.dead_letters.produced == []
    assert bench.source.is_closed


def test_bad_credentials_later_hold_and_are_read_again() -> None:
    """Running, joined, sending nothing but one probe a minute; a new token ends it."""
    token_works = True
    bench = Bench(answer=lambda batch: accept(batch) if token_works else NO_TOKEN)
    bench.source.feed(identify("u-1"))
    bench.turn(4)
    token_works = False
    for number in range(2, 6):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(4)
    assert bench.told.holds == ["entered credentials"]
    assert bench.source.paused == {partition()}
    sent = len(bench.sink.sent)
    bench.turn(240)
    assert len(bench.sink.sent) - sent in {1, 2}
    assert bench.sink.refreshed in {1, 2}
    assert bench.told.holds[-1] == "holding credentials"
    token_works = True
    bench.turn(150)
    assert bench.told.holds[-1] == "left credentials"
    assert bench.source.paused == set()
    assert bench.committed() == 5


def test_an_answer_of_another_endpoint_does_not_end_a_hold() -> None:
    """Activities need no API token: their success says nothing about it."""
    token_works = True

    def answer(batch: Batch) -> Answer:
        return accept(batch) if token_works or batch.endpoint is Endpoint.ACTIVITIES else NO_TOKEN

    bench = Bench(answer=answer)
    bench.source.feed(identify("u-1"))
    bench.turn(4)
    token_works = False
    bench.sink.answer = None
    bench.source.feed(identify("u-1", plan="pro"))
    bench.source.feed(track("u-2"))
    bench.turn(4)
    main, activities = sorted(bench.sink.under_way, key=lambda batch: batch.endpoint is Endpoint.ACTIVITIES)
    bench.sink.reply(main, NO_TOKEN, 401)
    bench.sink.reply(activities, accept(activities))
    bench.turn(3)
    assert bench.told.holds == ["entered credentials"]
    assert bench.source.paused == {partition()}


def test_a_hold_ends_when_all_that_was_refused_went_back_to_kafka() -> None:
    """Nothing is left to ask with, and nothing to hold for."""
    token_works = True
    bench = Bench(answer=lambda batch: accept(batch) if token_works else NO_TOKEN, partitions=2)
    bench.source.feed(identify("u-1"))
    bench.turn(4)
    token_works = False
    bench.source.feed(identify("u-2"))
    bench.turn(4)
    bench.source.revoke(0)
    token_works = True
    bench.turn(150)
    assert bench.told.holds[-1] == "left credentials"
    bench.source.feed(identify("u-3"), number=1)
    bench.turn(6)
    assert bench.source.committed[partition(1)] == 1


def test_hold_exits_when_told_to() -> None:
    """`STREAMER_ON_HOLD=exit` lets the orchestrator see it, after fifteen minutes."""
    token_works = True
    bench = Bench(
        answer=lambda b: accept(b) if token_works else NO_TOKEN, limits=Limits(on_hold_exit_seconds=900)
    )
    bench.source.feed(identify("u-1"))
    bench.turn(4)
    token_works = False
    bench.source.feed(identify("u-2"))
    bench.turn(1_500)
    with pytest.raises(PlanhatMisconfigured):
        bench.turn(600)


def test_everything_refused_holds_with_nothing_dead_lettered() -> None:
    """A field made mandatory at Planhat refuses every create: the records are not at fault."""
    refuses = False
    verdict = Verdict.REFUSED
    bench = Bench(answer=lambda b: Answered((verdict,) * len(b.items)) if refuses else accept(b))
    bench.source.feed(identify("u-0"))
    bench.turn(4)
    refuses = True
    for number in range(1, 150):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(10)
    assert bench.told.holds == ["entered everything_refused"]
    bench.turn(500)  # several probes, each refused: none of them is a letter, none ends the hold
    assert set(bench.told.holds) == {"entered everything_refused", "holding everything_refused"}
    assert bench.dead_letters.produced == []
    refuses = False
    bench.turn(150)
    assert bench.committed() == 150


def test_an_all_bad_topic_ends_with_5_and_at_most_ten_letters() -> None:
    """The fault is not in the records, so they are not moved out of the way."""
    bench = Bench()
    for _ in range(400):
        bench.source.feed(b"\x07nonsense")
    with pytest.raises(TooManyDeadLetters) as caught:
        bench.streamer.run()
    assert caught.value.exit_code == 5
    assert len(bench.dead_letters.produced) <= 10
    assert (bench.committed() or 0) <= 10


# --- back-pressure --------------------------------------------------------------------------------


def test_memory_is_bounded_while_planhat_stalls_and_membership_is_kept() -> None:
    """In flight stays near high water however much the topic holds; polling goes on, paused."""
    bench = Bench(answer=None, limits=Limits(high_water_records=1_000, poll_records=100))
    for number in range(3_000):
        bench.source.feed(track(f"u-{number}"))
    bench.turn(100)
    assert bench.streamer.ledger.in_flight <= 1_100
    assert bench.told.stages[:2] == ["still", "paused"]
    polls = bench.source.polls
    bench.turn(10)
    assert bench.source.polls == polls + 10
    bench.sink.answer = accept
    bench.turn(100)
    assert bench.committed() == 3_000
    assert bench.source.paused == set()


def test_partitions_assigned_while_pressed_start_paused() -> None:
    """Otherwise a rebalance is a hole in the dam; and none stays paused for ever."""
    bench = Bench(answer=None, limits=Limits(high_water_records=100, poll_records=100))
    for number in range(200):
        bench.source.feed(track(f"u-{number}"))
    bench.turn(20)
    bench.source.assign(1)
    assert bench.source.paused == {partition(0), partition(1)}
    bench.sink.answer = accept
    bench.turn(20)
    assert bench.source.paused == set()


def test_a_key_in_trouble_pauses_its_partition_and_no_other() -> None:
    """Poison under retry must not crowd out everybody's memory."""
    bench = Bench(
        answer=refuse_user("u-bad", Verdict.DUPLICATED), partitions=2, limits=Limits(high_water_records=1_000)
    )
    for number in range(100):
        bench.source.feed(identify("u-bad", plan=number), number=0)
    bench.turn(30)
    assert bench.source.paused == {partition(0)}
    bench.source.feed(identify("u-good"), number=1)
    bench.turn(6)
    assert bench.source.committed[partition(1)] == 1


def test_an_awaited_schema_parks_its_partition_and_no_other() -> None:
    """A registry that is down is not poison; other partitions go on."""
    bench = Bench(partitions=2)
    bench.decoder.is_awaiting = True
    bench.source.feed(b'avro{"type":"track","userId":"u-1","event":"A"}', number=0)
    bench.source.feed(identify("u-1"), number=0)
    bench.source.feed(identify("u-2"), number=1)
    bench.turn(10)
    assert bench.source.committed == {partition(1): 1}
    bench.decoder.is_awaiting = False
    bench.turn(10)
    assert bench.source.committed == {partition(0): 2, partition(1): 1}


# --- commits --------------------------------------------------------------------------------------


def test_a_refused_commit_is_repeated_with_what_came_since() -> None:
    """A rebalance in progress is neither success nor the end."""
    bench = Bench()
    bench.source.commit_script.append(CommitResult.RETRY)
    bench.source.feed(identify())
    bench.turn(6)
    assert bench.committed() == 1
    assert bench.told.commits == {CommitResult.RETRY: 1, CommitResult.COMMITTED: 1}


def test_what_a_crash_sends_again_is_bounded_by_count_too() -> None:
    """However fast records are settled: about as many as one commit waits for are not told to Kafka yet."""
    bench = Bench(limits=Limits(commit_interval_seconds=1_000.0, commit_records=200, poll_records=100))
    for _ in range(2_000):
        bench.source.feed(None)
    while bench.source.logs[partition()]:
        bench.turn()
        assert sum(book.polled for book in bench.streamer.ledger) - (bench.committed() or 0) <= 300
    assert 8 <= len(bench.source.commit_calls) <= 12


# --- revoke and shutdown --------------------------------------------------------------------------


def test_a_revoke_waits_for_what_was_sent_and_gives_back_the_rest() -> None:
    """Sent work is answered and committed; unsent work is released, and waits for no token."""
    bench = Bench(answer=None)
    bench.source.feed(identify("u-1"))
    bench.turn(3)
    bench.source.feed(identify("u-1", plan=2))
    bench.source.feed(identify("u-3"))
    bench.turn(3)
    assert len(bench.sink.under_way) == 1
    bench.sink.answer = accept
    bench.source.revoke(0)
    assert bench.committed() == 1
    assert bench.told.rebalances[-1] == ("revoked", 1, 2)
    assert bench.told.fates == {Fate.DELIVERED: 1, Fate.RELEASED: 2}
    bench.turn(4)
    assert len(bench.sink.sent) == 1


def test_a_late_answer_after_a_revoke_does_not_advance_the_commit() -> None:
    """The deadline passed without an answer; when it comes, the offsets are somebody else's."""
    bench = Bench(answer=None)
    bench.source.feed(identify("u-1"))
    bench.turn(3)
    (late,) = bench.sink.under_way
    bench.source.revoke(0)
    assert bench.committed() is None
    bench.source.assign(0)
    bench.sink.reply(late, accept(late))
    bench.turn(4)
    assert bench.committed() is None
    assert bench.told.answers_fenced == 1


def test_an_operation_of_a_new_epoch_waits_for_the_unanswered_one_of_the_old() -> None:
    """Otherwise the old request, still under way, could overwrite the newer state."""
    bench = Bench(answer=None)
    record = bench.source.feed(identify("u-1", plan="old"))
    bench.turn(3)
    (late,) = bench.sink.under_way
    bench.source.lose(0)
    bench.source.logs[partition()].append(record)
    bench.source.assign(0)
    bench.turn(6)
    assert len(bench.sink.sent) == 1
    bench.sink.reply(late, DOWN, 500)
    bench.sink.answer = accept
    bench.turn(20)
    assert bench.committed() == 1
    assert len(bench.sink.sent) == 2


def test_lost_partitions_are_forgotten_without_a_commit() -> None:
    """Somebody else reads them already."""
    bench = Bench()
    bench.source.feed(identify())
    bench.turn(1)
    calls = len(bench.source.commit_calls)
    bench.source.lose(0)
    assert len(bench.source.commit_calls) == calls
    assert not bench.streamer.ledger.partitions


def test_a_commit_during_a_rebalance_is_retried() -> None:
    """REBALANCE_IN_PROGRESS is not the end: the commit is tried again, and counts when it succeeds."""
    bench = with_one_uncommitted()
    bench.source.commit_script.extend([CommitResult.RETRY] * 3)
    bench.source.revoke(0)
    assert bench.committed() == 2
    assert bench.told.commits[CommitResult.RETRY] == 3
    assert bench.told.last_commits[-1]


def test_a_commit_during_a_rebalance_is_given_up_in_time() -> None:
    """Five seconds before the deadline we let go, and never call it success."""
    bench = with_one_uncommitted()
    bench.source.commit_script.extend([CommitResult.RETRY] * 10_000)
    before = bench.clock.now
    bench.source.revoke(0)
    assert 60 <= bench.clock.now - before <= 66
    assert bench.committed() == 1
    assert not bench.told.last_commits[-1]


@pytest.mark.parametrize("result", [CommitResult.FENCED, CommitResult.DENIED])
def test_a_final_refusal_of_a_commit_is_not_repeated_on_leaving(result: CommitResult) -> None:
    """The group has moved on, or does not let us: repeating it can only be refused again."""
    bench = with_one_uncommitted()
    bench.source.commit_script.extend([result] * 5)
    calls = len(bench.source.commit_calls)
    bench.source.revoke(0)
    assert len(bench.source.commit_calls) == calls + 1
    assert bench.told.commits[result] == 1
    assert bench.committed() == 1
    assert not bench.told.last_commits[-1]


def test_a_revoke_waits_for_letters_already_produced() -> None:
    """A letter the broker may have taken is worth the wait; one not produced goes back."""
    bench = Bench()
    bench.dead_letters.acknowledges = False
    bench.source.feed(b"{broken")
    bench.turn(2)
    bench.dead_letters.acknowledges = True
    bench.source.revoke(0)
    assert bench.committed() == 1


def test_a_revoke_does_not_wait_for_a_letter_that_was_refused() -> None:
    """No receipt is to come for it: its record goes back to Kafka at once."""
    bench = Bench()
    bench.dead_letters.acknowledges = False
    bench.source.feed(b"{broken")
    bench.turn(2)
    bench.dead_letters.refuse()
    bench.turn(1)
    before = bench.clock.now
    bench.source.revoke(0)
    assert bench.clock.now - before < 1.0
    assert bench.told.fates == {Fate.RELEASED: 1}


def test_shutdown_drains_commits_and_leaves() -> None:
    """SIGTERM: what was sent is answered, committed, and the group is left."""
    bench = Bench(answer=None)
    bench.source.feed(identify())
    bench.turn(3)
    bench.sink.answer = accept
    bench.streamer.stop()
    bench.streamer.run()
    assert bench.committed() == 1
    assert bench.source.is_closed


def test_shutdown_ends_in_time_when_planhat_never_answers() -> None:
    """The deadline, not the answer, ends the wait; what was unanswered is read again."""
    bench = Bench(answer=None)
    bench.source.feed(identify())
    bench.turn(3)
    before = bench.clock.now
    bench.streamer.stop()
    bench.streamer.run()
    assert bench.clock.now - before <= 70
    assert bench.committed() is None
    assert bench.told.fates == {Fate.RELEASED: 1}


def test_a_broken_account_commits_nothing_more() -> None:
    """When our own books are wrong, what they call committable is not to be trusted."""
    bench = Bench()
    bench.source.feed(identify())
    bench.turn(3, seconds=0.1)
    calls = len(bench.source.commit_calls)
    for book in bench.streamer.ledger:
        book.polled += 1
    with pytest.raises(LedgerError):
        bench.streamer.run()
    assert len(bench.source.commit_calls) <= calls + 1
    assert bench.source.is_closed


def test_a_source_error_still_hands_over() -> None:
    """The topic was deleted: what is settled is committed before the process ends."""
    bench = Bench()
    bench.source.feed(identify())
    bench.turn(3, seconds=0.1)

    def gone(max_records: int, timeout_seconds: float) -> list[object]:
        raise SourceError("topic is gone")

    bench.source.poll = gone  # type: ignore[assignment,method-assign]
    with pytest.raises(SourceError):
        bench.streamer.run()
    assert bench.committed() == 1


@pytest.mark.parametrize("fault", ["credentials", "letters"])
def test_nothing_is_sent_on_hold(fault: str) -> None:
    """Hold means silence, whatever waits."""
    works = True
    bench = Bench(answer=lambda batch: accept(batch) if works else NO_TOKEN)
    bench.source.feed(identify("u-1"))
    bench.turn(4)
    works = fault == "letters"
    if fault == "letters":
        for _ in range(300):
            bench.source.feed(b"\x07")
    else:
        bench.source.feed(identify("u-2"))
    bench.turn(4)
    sent = len(bench.sink.sent)
    bench.source.feed(identify("u-9"))
    bench.turn(50)
    assert len(bench.sink.sent) == sent
    assert bench.told.holds[0].startswith("entered")


def test_a_refused_letter_that_went_back_to_kafka_blocks_nothing() -> None:
    """The letter was not taken, then its partition left: no receipt will come to lift the block."""
    bench = Bench(partitions=2)
    bench.dead_letters.acknowledges = False
    bench.source.feed(b"{broken", number=0)
    bench.turn(2)
    bench.dead_letters.refuse()
    bench.turn(1)
    assert bench.source.paused == {partition(0), partition(1)}
    bench.source.revoke(0)
    bench.dead_letters.acknowledges = True
    bench.source.feed(identify(), number=1)
    bench.turn(8)
    assert bench.source.committed == {partition(1): 1}


def test_a_refusal_alone_proves_nothing_while_nothing_else_succeeds() -> None:
    """On a quiet topic a record refused for hours stays: the fault may be anybody's."""
    bench = Bench(answer=lambda batch: RefusedWhole(400) if "u-1" in users(batch) else accept(batch))
    bench.source.feed(identify("u-0"))
    bench.source.feed(identify("u-1"))
    bench.turn(1_000, seconds=20.0)
    assert bench.dead_letters.produced == []
    for number in range(100):
        bench.source.feed(identify(f"u-{2 + number}"))
    bench.turn(20, seconds=20.0)
    assert [letter.reason for letter in bench.dead_letters.produced] == ["refused_alone"]
