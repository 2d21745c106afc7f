"""Stories of trouble that once stood still for ever, blamed the wrong one, or could do so unseen."""

import itertools
from collections.abc import Callable

import pytest

from streamer.engine.isolation import Isolation
from streamer.engine.lanes import Ticket
from streamer.engine.ledger import Book, Entry
from streamer.engine.limits import BulkLimits, Limits
from streamer.engine.loop import Streamer
from streamer.engine.outbox import Kind, Outbox
from streamer.engine.ports import Batch, CommitResult, Delivery, HoldReason
from streamer.engine.suspects import park
from streamer.errors import LedgerError, PlanhatMisconfigured
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Fate,
    InvalidReason,
    Misconfigured,
    MisconfiguredReason,
    RefusedWhole,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.records import Record
from streamer.transform.operations import LogActivity, UpsertEnduser
from tests.engine.fakes import Bench, accept, as_sent, group, identify, partition, track, with_one_uncommitted

DOWN = Transient(TransientReason.SERVER_ERROR)
NO_TOKEN = Misconfigured(MisconfiguredReason.CREDENTIALS, 401)


def who(batch: Batch) -> list[str]:
    """Whom a batch is about."""
    return [operation.keys[0].partition(":")[2] for operation in batch.operations]


def refusing(prefix: str) -> Callable[[Batch], Answer]:
    """A Planhat that refuses, by name, whoever's id starts so."""
    return lambda batch: Answered(
        tuple(Verdict.REFUSED if user.startswith(prefix) else Verdict.ACCEPTED for user in who(batch))
    )


def reasons(bench: Bench) -> dict[str, int]:
    """Dead letters by reason."""
    counts: dict[str, int] = {}
    for letter in bench.dead_letters.produced:
        counts[letter.reason] = counts.get(letter.reason, 0) + 1
    return counts


# --- nothing stands still for ever ----------------------------------------------------------------


def test_a_few_bad_records_alone_do_not_stop_the_good_ones_that_follow() -> None:
    """A hundred refused of as many look like everything refused, until a little is let in and some pass."""
    bench = Bench(answer=refusing("bad"))
    for number in range(300):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(20)
    for number in range(100):
        bench.source.feed(identify(f"bad-{number}"))
    bench.turn(10)
    assert bench.told.holds == ["entered everything_refused"]
    for number in range(1_000):
        bench.source.feed(identify(f"later-{number}"))
    bench.turn(400)
    assert bench.told.holds[-1] == "left everything_refused"
    assert bench.committed() == 1_400
    assert reasons(bench) == {"refused": 100}


def test_a_group_made_of_suspects_proves_nothing_about_everybody() -> None:
    """Second looks travel with their like: all of them refused is no reason to hold."""

    def answer(batch: Batch) -> Answer:
        bad = [user.startswith("bad") for user in who(batch)]
        if all(bad):
            return Answered((Verdict.REFUSED,) * len(bad))
        return Answered(tuple(Verdict.UNCLEAR if is_bad else Verdict.ACCEPTED for is_bad in bad))

    bench = Bench(answer=answer)
    for number in range(20):
        bench.source.feed(identify(f"bad-{number}"))
    for number in range(200):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(100)
    assert bench.told.holds == []
    assert bench.committed() == 220


def test_a_hold_over_activities_ends_though_all_that_is_read_waits_for_upserts() -> None:
    """A few bad activities are all there is to ask with, until the upserts before newer ones are let go.

    Bad activities are refused alone, nothing else comes for minutes: hold. Then identify and track calls
    of others are read. A hold sends none of these upserts, so their activities never get ready, and every
    probe asked of the same bad few, for ever.
    """
    limits = Limits(alone_seconds=30.0, alone_others=5, sample_operations=3, hold_probe_seconds=10.0)

    def answer(batch: Batch) -> Answer:
        return RefusedWhole(400) if any(user.startswith("bad") for user in who(batch)) else accept(batch)

    bench = Bench(limits=limits, answer=answer)
    bench.source.feed(identify("u-0"))
    for number in range(3):
        bench.source.feed(track(f"bad-{number}"))
    bench.turn(200)
    assert bench.told.holds[0] == "entered everything_refused"
    assert "left everything_refused" not in bench.told.holds
    for number in range(1, 20):
        bench.source.feed(identify(f"u-{number}"))
        bench.source.feed(track(f"u-{number}"))
    bench.turn(300)
    assert bench.told.holds[-1] == "left everything_refused"
    bench.turn(300)
    assert reasons(bench) == {InvalidReason.REFUSED_ALONE: 3}
    assert bench.committed() == 42


def test_the_probes_of_a_hold_shrink_while_they_fail() -> None:
    """One that makes requests fail, and few beside it: probes of always the same would fail for ever."""
    limits = Limits(
        alone_seconds=30.0, alone_others=5, sample_operations=3, hold_probe_seconds=10.0, probe_operations=2
    )

    def answer(batch: Batch) -> Answer:
        is_bad = any(user.startswith("bad") for user in who(batch))
        if batch.endpoint is Endpoint.COMPANIES and is_bad:
            return DOWN
        return RefusedWhole(400) if is_bad else accept(batch)

    bench = Bench(limits=limits, answer=answer)
    for number in range(3):
        bench.source.feed(track(f"bad-{number}"))
    bench.source.feed(identify("u-0"))
    bench.turn(200)
    assert bench.told.holds[0] == "entered everything_refused"
    bench.source.feed(group("bad-co"))
    for number in range(1, 10):
        bench.source.feed(group("acme"))
        bench.source.feed(track(f"u-{number}"))
    bench.turn(400)
    assert bench.told.holds[-1] == "left everything_refused"


def test_refused_alone_on_a_quiet_endpoint_waits_without_holding_the_others() -> None:
    """Eight refused one by one become letters once a hundred others have passed."""
    bench = Bench(
        answer=lambda b: RefusedWhole(400) if any(u.startswith("bad") for u in who(b)) else accept(b)
    )
    for number in range(200):
        bench.source.feed(track(f"u-{number}"))
    bench.turn(10)
    for number in range(8):
        bench.source.feed(track(f"bad-{number}"))
    for _ in range(400):
        bench.source.feed(track(f"u-{bench.source.polls}"))
        bench.turn(1, seconds=5.0)
    bench.turn(40, seconds=5.0)
    assert bench.told.holds == []
    assert reasons(bench) == {"refused_alone": 8}


def test_a_second_look_that_fails_does_not_keep_its_endpoint_closed() -> None:
    """At half-open the gate lets a bulk probe; a look that is never answered must not be every probe."""

    def answer(batch: Batch) -> Answer:
        odd = [user.startswith("odd") for user in who(batch)]
        if all(odd):
            return Transient(TransientReason.UNREADABLE)
        return Answered(tuple(Verdict.UNCLEAR if is_odd else Verdict.ACCEPTED for is_odd in odd))

    bench = Bench(answer=answer)
    for number in range(50):
        bench.source.feed(identify(f"odd-{number}"))
    bench.source.feed(identify("u-0"))
    bench.turn(3)
    for number in range(1, 600):
        bench.source.feed(identify(f"u-{number}"))
        bench.turn(1)
    bench.turn(400)
    assert bench.told.fates[Fate.DELIVERED] == 600


def test_a_hold_with_nothing_left_to_ask_with_is_left() -> None:
    """What was refused went away with its partition; what waits there waits for what a hold does not send."""
    is_mended = False

    def answer(batch: Batch) -> Answer:
        if is_mended or (batch.endpoint is Endpoint.ENDUSERS and who(batch) == ["u-0"]):
            return accept(batch)
        return (
            DOWN if batch.endpoint is Endpoint.ENDUSERS else Misconfigured(MisconfiguredReason.NOT_FOUND, 404)
        )

    bench = Bench(answer=answer, partitions=2)
    bench.source.feed(identify("u-0"), number=1)
    bench.turn(4)
    bench.source.feed(identify("u-1"), number=1)
    bench.source.feed(track("u-1"), number=1)
    bench.source.feed(track("u-2"), number=0)
    bench.turn(4)
    assert bench.told.holds == ["entered not_found"]
    bench.source.revoke(0)
    is_mended = True
    bench.turn(400)
    assert bench.told.holds[-1] == "left not_found"
    assert bench.source.committed[partition(1)] == 3


# --- nobody is blamed for what an endpoint does ------------------------------------------------------


@pytest.mark.parametrize("endusers", [1, 7, 20])
def test_an_endpoint_that_is_down_alone_makes_no_dead_letters(endusers: int) -> None:
    """That companies are accepted says nothing about endusers: their outage may be theirs alone."""
    bench = Bench(answer=lambda b: DOWN if b.endpoint is Endpoint.ENDUSERS else accept(b))
    bench.source.feed(group("c-0"))
    bench.turn(4)
    for number in range(endusers):
        bench.source.feed(identify(f"u-{number}"))
    for number in range(1, 400):
        bench.source.feed(group(f"c-{number}"))
        bench.turn(1, seconds=5.0)
    assert bench.dead_letters.produced == []
    assert bench.told.holds == []
    assert bench.committed() == 1


def test_an_outage_in_the_middle_of_a_hunt_teaches_nothing() -> None:
    """Sampled operations that get a 503 were not refused."""
    is_down = False

    def answer(batch: Batch) -> Answer:
        if is_down:
            return DOWN
        return RefusedWhole(400) if "bad" in who(batch) else accept(batch)

    bench = Bench(answer=answer)
    bench.source.feed(identify("u-0"))
    bench.turn(4)
    bench.source.feed(identify("bad"))
    for number in range(1, 40):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(2)
    is_down = True
    bench.turn(200, seconds=5.0)
    assert bench.told.holds == []
    is_down = False
    bench.turn(200)
    assert bench.told.fates[Fate.DELIVERED] == 40
    assert bench.dead_letters.produced == []


def test_one_slow_operation_does_not_shrink_every_bulk() -> None:
    """A time-out of a single operation, or of a small probe, is no evidence about bulks of thousands."""
    bench = Bench(answer=lambda b: Transient(TransientReason.TIMEOUT) if "slow" in who(b) else accept(b))
    bench.source.feed(identify("slow"))
    for number in range(2_000):
        bench.source.feed(identify(f"u-{number}"))
        if number % 4 == 0:
            bench.turn(1, seconds=2.0)
    size = bench.streamer.dispatch.outboxes[Endpoint.ENDUSERS].size.operations
    assert size >= 100


@pytest.mark.parametrize("refusals", [1, 2])
def test_the_smallest_allowed_settings_work(refusals: int) -> None:
    """One refusal alone as proof is a choice an operator may make."""
    bench = Bench(
        answer=lambda b: RefusedWhole(400) if "bad" in who(b) else accept(b),
        limits=Limits(alone_refusals=refusals, alone_seconds=0.0, alone_others=0),
    )
    bench.source.feed(identify("u-0"))
    bench.source.feed(identify("bad"))
    bench.turn(100)
    assert reasons(bench) == {"refused_alone": 1}


# --- memory and time ----------------------------------------------------------------------------------


def test_what_is_settled_past_a_stuck_record_is_bounded() -> None:
    """A partition pauses when a crash would resend too much of it; the others go on."""
    bench = Bench(
        answer=lambda b: DOWN if "stuck" in who(b) else accept(b),
        partitions=2,
        limits=Limits(high_water_records=100, poll_records=50, span_ratio=2.0),
    )
    bench.source.feed(identify("stuck"), number=0)
    for number in range(1_000):
        bench.source.feed(track(f"u-{number}"), number=0)
        bench.source.feed(track(f"v-{number}"), number=1)
    bench.turn(100)
    (stuck,) = [book for book in bench.streamer.ledger if book.source == partition(0)]
    assert stuck.span <= 250
    assert bench.source.paused == {partition(0)}
    assert bench.source.committed[partition(1)] == 1_000


HOT = Limits(
    high_water_records=240, poll_records=100, alone_others=5,
    bulks={Endpoint.ACTIVITIES: BulkLimits(10, 1 << 20, 0.25, 4)},
)  # fmt: skip


def first_event_fails(batch: Batch) -> Answer:
    """A Planhat that fails, as in an outage, wherever one activity is."""
    names = [each.action for each in as_sent(batch) if isinstance(each, LogActivity)]
    return DOWN if "Event 0" in names else accept(batch)


def _until_a_letter(bench: Bench, feed: Callable[[int], object], most: int) -> None:
    """Turn, and feed, until the first letter; never is more in flight than `most`."""
    for number in range(3_000):
        feed(number)
        bench.turn()
        assert bench.streamer.ledger.in_flight <= most
        if bench.dead_letters.produced:
            return


@pytest.mark.parametrize("partitions", [1, 2])
def test_a_hot_user_does_not_stop_the_reading_that_ends_it(partitions: int) -> None:
    """One activity fails as in an outage, and all of its user waits: others are read, even beside it."""
    bench = Bench(answer=first_event_fails, partitions=partitions, limits=HOT)
    for number in range(30):
        bench.source.feed(track("bad", event=f"Event {number}"), number=0)
    _until_a_letter(bench, lambda n: bench.source.feed(track(f"u-{n}"), number=partitions - 1), most=100)
    assert [letter.record.offset for letter in bench.dead_letters.produced] == [0]


def test_all_of_high_water_behind_one_user_does_not_stop_the_reading_that_ends_it() -> None:
    """Read before it was known to be in trouble: others are read beside it, a tenth of high water more."""
    bench = Bench(answer=first_event_fails, partitions=2, limits=HOT)
    for number in range(600):
        bench.source.feed(track("bad", event=f"Event {number}"), number=0)
    _until_a_letter(bench, lambda n: bench.source.feed(track(f"u-{n}"), number=1), most=340)
    assert reasons(bench) == {"refused_alone": 1}


def test_all_of_high_water_behind_one_company_does_not_stop_the_reading_that_ends_it() -> None:
    """Its users are in every partition, and in none of them more than what pauses it."""
    partitions = 25
    bench = Bench(answer=lambda b: DOWN if "acme" in who(b) else accept(b), partitions=partitions, limits=HOT)
    bench.source.feed(group("acme", user="u"), number=0)

    def feed(number: int) -> None:
        bench.source.feed(identify(f"u-{number}", company="acme"), number=number % partitions)
        bench.source.feed(group(f"co-{number}", user=f"v-{number}"), number=number % partitions)

    _until_a_letter(bench, feed, most=340)
    assert [letter.record.offset for letter in bench.dead_letters.produced] == [0]


@pytest.mark.parametrize("stop", ["hold", "letters"])
def test_nothing_trickles_where_reading_has_no_use(stop: str) -> None:
    """On hold, or while the dead-letter topic takes nothing: what is read would only wait."""
    bench = Bench(answer=first_event_fails, partitions=2, limits=HOT)
    bench.source.feed(track("good"), number=1)
    for number in range(30):
        bench.source.feed(track("bad", event=f"Event {number}"), number=0)
    for number in range(120):
        bench.source.feed(track(f"u-{number}"), number=1)
        bench.turn()
    assert partition(0) in bench.source.paused
    if stop == "hold":
        bench.sink.answer = lambda batch: NO_TOKEN
        bench.source.feed(track("last"), number=1)
        bench.turn(4)
    else:
        bench.dead_letters.is_full = True
        bench.source.feed(b"no event", number=1)
        bench.turn(4)
    assert bench.source.paused == {partition(0), partition(1)}
    for number in range(400):
        bench.source.feed(track(f"v-{number}"), number=number % 2)
    held = bench.streamer.ledger.in_flight
    for _ in range(500):
        bench.turn()
        assert bench.streamer.ledger.in_flight <= held


def test_a_letter_that_waits_for_evidence_does_not_stop_the_reading_that_brings_it() -> None:
    """Two records more were refused than need no evidence; then comes nothing for long that is sent."""

    def answer(batch: Batch) -> Answer:
        is_bad = [str(each.external_id).startswith("bad") for each in batch.operations]
        return Answered(tuple(Verdict.REFUSED if bad else Verdict.ACCEPTED for bad in is_bad))

    bench = Bench(answer=answer, limits=Limits(high_water_records=100, poll_records=50, span_ratio=2.0))
    for number in range(12):
        bench.source.feed(identify(f"ok-{number}", company=None))
        bench.source.feed(identify(f"bad-{number}", company=None))
        bench.turn(6)
    assert bench.streamer.letters.held == 2
    for number in range(1_000):
        bench.source.feed({"type": "screen", "messageId": f"s-{number}", "userId": "u-1", "name": "Home"})
    for number in range(200):
        bench.source.feed(identify(f"good-{number}", company=None))
    bench.turn(300)
    assert bench.streamer.letters.held == 0
    assert bench.source.committed[partition()] == 1_224


def test_a_refused_one_that_waits_for_evidence_does_not_hold_up_unreadable_ones() -> None:
    """Of what is read enough is known; of what Planhat answers, not: each waits for its own evidence."""

    def answer(batch: Batch) -> Answer:
        is_bad = [str(each.external_id).startswith("bad") for each in batch.operations]
        return Answered(tuple(Verdict.REFUSED if bad else Verdict.ACCEPTED for bad in is_bad))

    bench = Bench(answer=answer, limits=Limits(high_water_records=100, poll_records=50))
    for number in range(12):
        bench.source.feed(identify(f"ok-{number}", company=None))
        bench.source.feed(identify(f"bad-{number}", company=None))
        bench.turn(6)
    for number in range(1_000):
        bench.source.feed({"type": "screen", "messageId": f"s-{number}", "userId": "u-1", "name": "Home"})
        if number % 10 == 0:
            bench.source.feed({"type": "track", "messageId": f"t-{number}", "userId": "u-1"})
    bench.turn(300)
    assert bench.streamer.letters.held == 2
    assert bench.streamer.ledger.in_flight == 2
    assert len(bench.dead_letters.produced) == 110


def test_encoded_bytes_count_as_memory() -> None:
    """What an operation takes once encoded presses like what was read."""
    bench = Bench(answer=None)
    record = bench.source.feed(identify("u-1", note="x" * 1_000))
    bench.turn(2)
    assert bench.streamer.ledger.size_bytes > record.size_bytes + 1_000


# --- leaving --------------------------------------------------------------------------------------------


def test_a_draining_partitions_failure_is_not_retried() -> None:
    """Its record goes back to Kafka: a retry could be sent after the new owner has begun."""
    bench = Bench(answer=None)
    bench.source.feed(identify("u-1"))
    bench.turn(3)
    bench.sink.answer = lambda batch: DOWN
    bench.source.revoke(0)
    bench.sink.answer = accept
    bench.turn(20)
    assert len(bench.sink.sent) == 1
    assert bench.told.fates == {Fate.RELEASED: 1}


def test_a_refusal_while_draining_is_the_new_owners_to_judge() -> None:
    """A letter produced after the commit would not be covered by it: the record is read again."""
    bench = Bench(answer=None)
    bench.source.feed(identify("u-1"))
    bench.turn(3)
    bench.sink.answer = lambda batch: Answered((Verdict.REFUSED,))
    bench.source.revoke(0)
    bench.turn(4)
    assert bench.dead_letters.produced == []
    assert bench.committed() is None


def test_records_parked_for_a_schema_leave_with_their_partition() -> None:
    """After a revoke the registry's answer must not bring them back."""
    bench = Bench()
    bench.decoder.is_awaiting = True
    bench.source.feed(b'avro{"type":"track","userId":"u-1","event":"A"}')
    bench.turn(2)
    bench.source.revoke(0)
    bench.decoder.is_awaiting = False
    bench.turn(6)
    assert bench.sink.sent == []
    assert bench.told.fates == {Fate.RELEASED: 1}


def test_records_are_judged_in_the_order_of_reading() -> None:
    """Readable ones are told in runs: before one that is not, and when all of a poll are taken in."""
    bench = Bench()
    bench.decoder.is_awaiting = True
    for value in (track(), b"{", track(), b"avro{}", track()):
        bench.source.feed(value)
    bench.turn()
    reading = bench.streamer.letters.guard.reading
    assert (reading._judged, bytes(reading._bad_places[:4])) == (3, b"\0\1\0\0")
    bench.decoder.is_awaiting = False
    bench.turn()
    assert (reading._judged, bytes(reading._bad_places[:6])) == (5, b"\0\1\0\1\0\0")


def test_a_schema_awaited_for_long_pauses_its_partition() -> None:
    """Its records wait in memory: a share of high water, and no more."""
    bench = Bench(limits=Limits(high_water_records=1_000, poll_records=10), partitions=2)
    bench.decoder.is_awaiting = True
    for _ in range(200):
        bench.source.feed(b'avro{"type":"track","userId":"u-1","event":"A"}', number=0)
    bench.turn(20)
    assert bench.source.paused == {partition(0)}
    assert bench.streamer.ledger.in_flight <= 70


def test_our_own_broken_books_are_not_committed_from() -> None:
    """A LedgerError ends without any commit, however much looks settled."""
    bench = Bench(limits=Limits(commit_interval_seconds=1_000.0))
    bench.source.feed(None)
    bench.turn(2)
    bench.source.feed(identify())
    bench.turn(3)
    calls = len(bench.source.commit_calls)
    for book in bench.streamer.ledger:
        book.polled += 1
    with pytest.raises(LedgerError):
        bench.streamer.run()
    assert len(bench.source.commit_calls) == calls


def test_a_partition_that_comes_back_commits_what_it_reads_again() -> None:
    """What an older epoch had acknowledged must not hide that the new one has to commit."""
    bench = Bench()
    record = bench.source.feed(identify())
    bench.turn(6)
    assert bench.committed() == 1
    bench.source.revoke(0)
    bench.source.committed.clear()  # the group's offsets were reset meanwhile
    bench.source.logs[partition()].append(record)
    bench.source.assign(0)
    bench.turn(6)
    assert bench.committed() == 1


def test_polled_counts_what_was_taken_in() -> None:
    """Records of a partition that left during the same poll belong to the next owner's count."""
    bench = Bench()
    record = bench.source.feed(identify())
    bench.source.revoke(0)
    bench.source.poll = lambda max_records, timeout_seconds: [record]  # type: ignore[method-assign]
    bench.turn(1)
    assert bench.told.reasons["polled"] == 0


# --- quota -----------------------------------------------------------------------------------------------


def test_a_429_of_the_analytics_host_does_not_stop_the_main_api() -> None:
    """And its Retry-After is kept."""
    answers: list[Answer] = [Transient(TransientReason.THROTTLED, 30.0)]
    bench = Bench(
        answer=lambda b: answers.pop() if answers and b.endpoint is Endpoint.ACTIVITIES else accept(b)
    )
    bench.source.feed(track("u-1"))
    bench.turn(3)
    bench.source.feed(identify("u-2"))
    bench.turn(20)
    endpoints = [batch.endpoint for batch in bench.sink.sent]
    assert endpoints == [Endpoint.ACTIVITIES, Endpoint.ENDUSERS]
    bench.turn(60)
    assert bench.committed() == 2


def test_one_probe_at_a_time_goes_through_a_closed_gate() -> None:
    """Four workers at a host that is coming back would be four probes."""
    bench = Bench(answer=lambda batch: DOWN)
    for number in range(50):
        bench.source.feed(track(f"u-{number}"))
    bench.turn(10)
    bench.sink.answer = None
    bench.turn(20, seconds=20.0)
    assert len(bench.sink.under_way) == 1
    assert len(bench.sink.under_way[0].operations) <= 100


def test_a_failed_bulk_goes_before_what_came_later() -> None:
    """Its operations are the oldest: they go back to the head."""
    failures = iter([DOWN])
    bench = Bench(
        answer=lambda batch: next(failures, None) or accept(batch),
        limits=Limits(bulks={e: BulkLimits(2, 1 << 20, 0.25, 1) for e in Endpoint}),
    )
    for number in range(6):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(40)
    first, again = bench.sink.sent[0], bench.sink.sent[1]
    assert who(first) == who(again) == ["u-0", "u-1"]


def test_the_extras_keep_to_their_share_of_the_calls() -> None:
    """A hunt among thousands may not eat the minute of everybody else, as long as bulks are due."""
    companies = BulkLimits(5, 1 << 20, 0.25, 1)
    bench = Bench(
        answer=lambda b: RefusedWhole(400) if any(u.startswith("bad") for u in who(b)) else accept(b),
        limits=Limits(calls_per_minute=100.0, bulks={**Limits().bulks, Endpoint.COMPANIES: companies}),
    )
    bench.source.feed(identify("u-0"))
    bench.turn(2)
    for number in range(3_000):
        bench.source.feed(identify(f"{'bad' if number % 50 == 0 else 'u'}-{number}"))
        bench.source.feed(group(f"c-{number}"))
    began, start = len(bench.sink.sent), bench.clock.now
    while bench.clock.now - start < 300:
        bench.turn(1, seconds=0.2)
    singles = sum(len(batch.items) == 1 for batch in bench.sink.sent[began:])
    assert bench.streamer.dispatch.outboxes[Endpoint.COMPANIES].pool.count > 0
    assert 20 <= singles <= 5 * 20 + 2


def test_the_probe_of_a_hold_spends_a_call() -> None:
    """Holding is no reason to overdraw the tenant's quota."""
    bench = Bench(answer=accept)
    bench.source.feed(identify("u-0"))
    bench.turn(4)
    bench.sink.answer = lambda batch: NO_TOKEN
    bench.source.feed(identify("u-1"))
    bench.turn(4)
    before = bench.streamer.dispatch.quota.tokens(bench.clock.now)
    while len(bench.sink.sent) < 3:
        bench.turn(1)
    assert before == 2.0
    assert bench.streamer.dispatch.quota.tokens(bench.clock.now) < 2.9


def test_endusers_with_a_company_are_confirmed_apart_from_those_without() -> None:
    """Mixed, an unchanged one cannot be told from an unsaved one; apart, one answer confirms them all."""

    def answer(batch: Batch) -> Answer:
        saved = [isinstance(op, UpsertEnduser) and bool(op.company_external_id) for op in batch.operations]
        if all(saved):
            return accept(batch)
        one = Verdict.MISSING if not any(saved) else Verdict.UNCLEAR
        return Answered((one,) * len(saved))

    bench = Bench(answer=answer)
    for number in range(20):
        bench.source.feed(identify(f"with-{number}"))
        bench.source.feed(identify(f"without-{number}", company=None))
    bench.turn(40)
    assert bench.told.fates == {Fate.DELIVERED: 20, Fate.SKIPPED: 20}
    assert bench.told.reasons["no_company"] == 20
    assert len(bench.sink.sent) == 3


def test_a_letter_tells_when_its_trouble_began() -> None:
    """`first_failure` is the first, not the last."""
    bench = Bench(answer=refusing("bad"))
    bench.source.feed(b"{broken")
    bench.turn(1)
    assert bench.dead_letters.produced[0].first_failure == pytest.approx(bench.clock.time(), abs=2.0)


def test_refusals_by_planhat_trip_the_guard_like_unreadable_records() -> None:
    """Planhat refusing every fourth record is a release gone wrong, not a hundred bad records."""
    bench = Bench(answer=refusing("bad"))
    for number in range(2_000):
        bench.source.feed(identify(f"{'bad' if number % 4 == 0 else 'u'}-{number}"))
    bench.turn(200)
    assert bench.told.holds[:1] == ["entered dead_letters"]
    assert len(bench.dead_letters.produced) <= 10


def test_an_end_in_order_still_tells_of_a_misconfiguration() -> None:
    """The first answer is a 401 and SIGTERM comes in the same moment: the exit code is 4 all the same."""
    bench = Bench(answer=None)
    bench.source.feed(identify())
    bench.turn(3)
    bench.sink.answer = lambda batch: NO_TOKEN
    bench.streamer.stop()
    with pytest.raises(PlanhatMisconfigured):
        bench.streamer.run()


def test_a_commit_that_ended_before_the_revoke_is_known_to_it() -> None:
    """Otherwise the same offsets are committed once more, in the middle of a rebalance."""
    bench = Bench()
    bench.source.feed(identify())
    bench.turn(3)
    assert bench.committed() == 1
    calls = len(bench.source.commit_calls)
    bench.source.revoke(0)
    assert len(bench.source.commit_calls) == calls
    assert bench.told.commits == {CommitResult.COMMITTED: 1}
    assert isinstance(bench.streamer, Streamer)


# --- what a second review told ------------------------------------------------------------------------


def test_a_hunt_does_not_use_up_the_looks_of_the_innocent() -> None:
    """A group of a hunt that is answered unclear is asked again in halves, not by the hunt over and over."""

    def answer(batch: Batch) -> Answer:
        if "bad" in who(batch):
            return RefusedWhole(400)
        companyless = [not getattr(op, "company_external_id", None) for op in batch.operations]
        if len(batch.items) > 1 and any(companyless):
            return Answered((Verdict.UNCLEAR,) * len(batch.items))
        return accept(batch)

    bench = Bench(answer=answer)
    bench.source.feed(identify("u-0"))
    bench.turn(4)
    bench.source.feed(identify("bad", company=None))
    for number in range(1, 60):
        bench.source.feed(identify(f"u-{number}", company=None))
    bench.turn(1_500, seconds=1.0)
    assert bench.told.fates[Fate.SKIPPED] == 0
    assert bench.told.fates[Fate.DELIVERED] == 60


def test_a_ticket_set_aside_anew_is_sent_once() -> None:
    """Two entries of one operation in the queues would send it twice in one request."""
    bench = Bench(answer=None)
    bench.source.feed(identify("u-1"))
    bench.turn(3)
    (batch,) = bench.sink.under_way
    outbox = bench.streamer.dispatch.outboxes[Endpoint.ENDUSERS]
    (ticket,) = bench.streamer.dispatch.flights[batch.number].tickets
    bench.streamer.dispatch.landed(batch.number)
    outbox.park(ticket, bench.clock.now, Kind.LOOK)
    outbox.park(ticket, bench.clock.now, Kind.LOOK)
    ticket.note.group_limit = 10
    bench.turn(2)
    assert [len(sent.items) for sent in bench.sink.sent] == [1, 1]


def test_a_poison_that_stretches_its_partition_is_proven_by_others_anywhere() -> None:
    """Refused by an answer, on an endpoint that nobody else uses: the partition must not wait for ever."""
    bench = Bench(
        answer=lambda b: RefusedWhole(400) if b.endpoint is Endpoint.COMPANIES else accept(b),
        limits=Limits(high_water_records=50, poll_records=50),
    )
    bench.source.feed(group("bad"))
    for number in range(2_000):
        bench.source.feed(track(f"u-{number}", company=None))
    bench.turn(600, seconds=2.0)
    assert reasons(bench) == {"refused_alone": 1}
    assert bench.committed() == 2_001


def test_a_hold_is_not_ended_by_a_refused_second_look() -> None:
    """Whatever kind of request the probe of a hold is: refused throughout, everything is still refused."""
    is_refusing = False

    def answer(batch: Batch) -> Answer:
        if is_refusing:
            return Answered((Verdict.REFUSED,) * len(batch.items))
        odd = [user.startswith("odd") for user in who(batch)]
        return Answered(tuple(Verdict.UNCLEAR if is_odd else Verdict.ACCEPTED for is_odd in odd))

    bench = Bench(answer=answer, partitions=2)
    bench.source.feed(identify("u-0"), number=1)
    bench.source.feed(identify("odd-1"), number=1)
    bench.turn(3)
    is_refusing = True
    for number in range(100):
        bench.source.feed(identify(f"u-{number}"), number=0)
    bench.turn(3)
    assert bench.told.holds == ["entered everything_refused"]
    bench.source.revoke(0)
    bench.turn(300)
    assert "left everything_refused" not in bench.told.holds
    assert bench.dead_letters.produced == []


def test_a_broken_sink_does_not_keep_the_last_commit_back() -> None:
    """The sink fails while the group rebalances: the commit is tried again, and the group is left."""
    bench = with_one_uncommitted()
    bench.source.commit_script.extend([CommitResult.RETRY] * 2)

    def broken(timeout_seconds: float) -> list[Delivery]:
        raise PlanhatMisconfigured("no request can be made of this address")

    bench.sink.collect = broken  # type: ignore[method-assign]
    with pytest.raises(PlanhatMisconfigured):
        bench.streamer.run()
    assert bench.committed() == 2
    assert bench.source.is_closed


def test_an_unforeseen_error_commits_nothing() -> None:
    """A bug may leave the books half written: what they call committable is not to be trusted."""
    bench = with_one_uncommitted()

    def broken(most: int, seconds: float) -> list[Record]:
        raise ZeroDivisionError

    bench.source.poll = broken  # type: ignore[assignment,method-assign]
    with pytest.raises(ZeroDivisionError):
        bench.streamer.run()
    assert bench.committed() == 1
    assert bench.source.is_closed


def test_a_letter_refused_after_its_epoch_is_not_produced_again() -> None:
    """Its record is read again by the new owner, who judges it afresh."""
    bench = Bench()
    bench.dead_letters.acknowledges = False
    bench.source.feed(b"{broken")
    bench.turn(2)
    bench.source.lose(0)
    bench.dead_letters.refuse()
    bench.turn(6)
    assert len(bench.dead_letters.produced) == 1


def test_a_turn_that_keeps_still_is_no_poll() -> None:
    """Who was frozen past its session and wakes up above high water must not send as if nothing happened.

    A worker sends only while the last poll is recent: in a poll the loss of partitions would be told. The
    process read up to high water and froze. Its first turn after waking begins to keep still, and does not
    poll; when that counted as a poll, the turns after it sent what the new owner was sending.
    """
    bench = Bench(limits=Limits(high_water_records=10, poll_records=10), answer=None)
    for number in range(20):
        bench.source.feed(identify(f"u-{number}"))
    bench.turn(1)
    polls, polled_at = bench.source.polls, bench.streamer.last_poll_at
    bench.clock.advance(60.0)
    bench.turn(2)
    assert bench.source.polls == polls
    assert bench.streamer.last_poll_at == polled_at


def test_the_probes_of_a_closed_gate_are_bulks_and_suspects_in_turns() -> None:
    """All that is ready makes requests fail, what is sound is suspect: else nothing ever opens the gate.

    A bulk of three keeps failing and is hunted through; the gate is closed. One more that makes requests
    fail gets ready. While bulks were always the probe, it was every probe: the hunt never went on, no other
    succeeded to show who is at fault, and its partitions paused behind the suspects.
    """
    outbox = Outbox(Endpoint.ENDUSERS, Limits())
    entry = Entry(Book(partition(), 1), Bench().source.feed(identify()), 0.0)
    ready, *suspects = [Ticket(n, UpsertEnduser(f"u-{n}", None), b"{}", entry) for n in range(3)]
    outbox.pool.add(ready, 0.0)
    park(suspects)
    outbox.isolations.append(Isolation(suspects, [], 26, 8, is_refusal=False))
    outbox.gate.failed(0.0, 0.5, 0.0)
    kind, sent = outbox.choose(100.0, 1, extras=True) or (None, [])
    assert (kind, sent) == (Kind.PROBE, [ready])
    outbox.gate.failed(101.0, 0.5, 100.0)
    outbox.pool.put_back([ready], at_head=False)
    kind, sent = outbox.choose(200.0, 2, extras=True) or (None, [])
    assert (kind, sent) == (Kind.ISOLATE, suspects[:1])


@pytest.mark.parametrize(
    "answer",
    [
        RefusedWhole(400),
        Transient(TransientReason.SERVER_ERROR),
        Transient(TransientReason.TIMEOUT),
        Transient(TransientReason.UNREADABLE),
    ],
    ids=repr,
)
def test_a_hold_for_permission_ends_where_its_probe_may_be_at_fault_itself(answer: Answer) -> None:
    """The only operation left to probe with fails for what is in it: others must be read to go on."""
    answers: list[Answer] = [Misconfigured(MisconfiguredReason.PERMISSION, 403)]
    bench = Bench(answer=lambda _: answers[-1])
    bench.streamer._answers.suspects.accepted(Endpoint.ENDUSERS, 1, 0.0)  # it worked before
    bench.source.feed(identify())
    bench.turn(3)
    assert bench.streamer.hold.reason is HoldReason.PERMISSION
    answers.append(answer)
    bench.turn(70, seconds=1.0)
    assert bench.streamer.hold.reason is None


@pytest.mark.parametrize("reason", [TransientReason.CONNECTION, TransientReason.THROTTLED])
def test_a_hold_for_permission_goes_on_where_its_probe_says_nothing(reason: TransientReason) -> None:
    """No operation can cause this, so it is no news of the permission."""
    answers: list[Answer] = [Misconfigured(MisconfiguredReason.PERMISSION, 403)]
    bench = Bench(answer=lambda _: answers[-1])
    bench.streamer._answers.suspects.accepted(Endpoint.ENDUSERS, 1, 0.0)  # it worked before
    bench.source.feed(identify())
    bench.turn(3)
    answers.append(Transient(reason))
    bench.turn(70, seconds=1.0)
    assert bench.streamer.hold.reason is HoldReason.PERMISSION


def test_patience_with_a_hold_goes_on_where_its_probe_fails_for_something_else() -> None:
    """One 5xx in five, and 403 before and after: that is no end of what a person must mend."""
    answers = itertools.cycle(
        [Misconfigured(MisconfiguredReason.PERMISSION, 403)] * 4 + [Transient(TransientReason.SERVER_ERROR)]
    )
    bench = Bench(answer=lambda _: next(answers), limits=Limits(on_hold_exit_seconds=900.0))
    bench.streamer._answers.suspects.accepted(Endpoint.ENDUSERS, 1, 0.0)  # it worked before
    bench.source.feed(identify())
    began = bench.clock.now
    with pytest.raises(PlanhatMisconfigured):
        bench.turn(1_000, seconds=1.0)
    assert bench.told.holds.count("entered permission") > 1
    assert 900.0 <= bench.clock.now - began < 910.0
