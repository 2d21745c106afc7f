"""Second looks, hunts, tries alone: which calls they take, and when what waits for them pauses partitions."""

from collections.abc import Callable

from streamer.engine.limits import BulkLimits, Limits
from streamer.engine.ports import Batch
from streamer.engine.quota import Quota
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
from tests.engine.fakes import Bench, accept, group, identify, partition, track

SMALL = {**Limits().bulks, Endpoint.COMPANIES: BulkLimits(5, 1 << 20, 0.25, 1)}
"""A bulk of companies is full at once."""


def names(batch: Batch) -> list[str]:
    """Whom a batch is about."""
    return [operation.keys[0].partition(":")[2] for operation in batch.operations]


def missing(prefix: str) -> Callable[[Batch], Answer]:
    """A Planhat that saves no enduser whose id starts so."""

    def answer(batch: Batch) -> Answer:
        if batch.endpoint is not Endpoint.ENDUSERS:
            return accept(batch)
        return Answered(
            tuple(Verdict.MISSING if user.startswith(prefix) else Verdict.ACCEPTED for user in names(batch))
        )

    return answer


# --- calls ----------------------------------------------------------------------------------------


def test_looks_take_the_calls_that_no_bulk_has_a_use_for() -> None:
    """Endusers without a company are ordinary: with nothing else to send they need not wait for a share."""
    bench = Bench(
        answer=missing("lost"),
        limits=Limits(bulks={**Limits().bulks, Endpoint.ENDUSERS: BulkLimits(10, 1 << 20, 0.25, 1)}),
    )
    for number in range(300):
        bench.source.feed(identify(f"lost-{number}", company=None))
    bench.turn(240, seconds=0.1)
    assert bench.told.reasons["no_company"] == 300  # 60 calls: by their share the looks take 30 of the 61 s
    assert bench.committed() == 300


def test_looks_keep_to_their_share_while_bulks_are_due() -> None:
    """A full bulk brings something new, and is not to wait for what is asked a second time."""
    bench = Bench(
        answer=missing("lost"),
        limits=Limits(bulks={**Limits().bulks, Endpoint.ENDUSERS: BulkLimits(10, 1 << 20, 0.25, 1)}),
    )
    for number in range(3_000):
        bench.source.feed(identify(f"{'lost' if number % 2 else 'u'}-{number}", company=None))
    began = bench.clock.now
    while bench.clock.now < began + 60.0:
        bench.turn(1, seconds=0.1)
    assert bench.streamer.dispatch.outboxes[Endpoint.ENDUSERS].pool.count > 10
    looks = sum(all(user.startswith("lost") for user in names(batch)) for batch in bench.sink.sent)
    assert 25 <= looks <= 0.2 * 160 + 2
    assert len(bench.sink.sent) >= 0.9 * 160


def test_small_bulks_take_turns_with_the_looks_at_what_was_in_them() -> None:
    """Small bulks took every call, far below what the quota can carry, and looks fell ever more behind."""
    bench = Bench(answer=missing("lost"))
    for number in range(3_000):
        bench.source.feed(identify(f"{'lost' if number % 2 else 'u'}-{number}", company=None))
        if number % 10 == 0:
            bench.turn(1, seconds=0.1)
    assert bench.streamer.ledger.in_flight < 400


def test_an_extra_leaves_a_call_for_a_bulk_that_lingers() -> None:
    """A bulk that waits to be full is not due, and must not find its call spent when it is."""
    quota = Quota(Limits())
    quota.set_share(0.0, 160.0)
    quota.called(0.0, is_extra=False)
    now, calls = 0.0, 0
    while now < 60.0:
        if quota.has_spare_call(now):
            quota.called(now, is_extra=True)
            calls += 1
            assert quota.tokens(now) >= 0.7
        now += 0.1
    assert calls >= 0.95 * 160


def test_a_bulk_behind_a_closed_gate_needs_no_call() -> None:
    """While companies cannot be told, the looks at endusers go at full speed."""
    down = Transient(TransientReason.SERVER_ERROR)
    lost = missing("lost")
    bench = Bench(
        answer=lambda batch: down if batch.endpoint is Endpoint.COMPANIES else lost(batch),
        limits=Limits(bulks={**SMALL, Endpoint.ENDUSERS: BulkLimits(10, 1 << 20, 0.25, 1)}),
        dice=lambda: 0.99,
    )
    for number in range(50):
        bench.source.feed(group(f"c-{number}"))
    bench.turn(600, seconds=0.1)
    for number in range(300):
        bench.source.feed(identify(f"lost-{number}", company=None))
    bench.turn(300, seconds=0.1)
    assert bench.told.reasons["no_company"] == 300


# --- pauses ---------------------------------------------------------------------------------------


def test_many_first_looks_pause_nothing() -> None:
    """Each is over in seconds: they wait in line as bulks do, and high water bounds them."""
    bench = Bench(answer=missing("lost"), limits=Limits(high_water_records=1_000))
    for number in range(400):
        bench.source.feed(identify(f"lost-{number}", company=None))
    for _ in range(80):
        bench.turn(1, seconds=0.1)
        assert bench.source.paused == set()
    assert bench.told.reasons["no_company"] == 400


def test_much_behind_a_single_look_pauses_its_partition() -> None:
    """A key that brings more than its share while it is looked at holds only itself."""
    bench = Bench(answer=missing("lost"), partitions=2, limits=Limits(high_water_records=1_000))
    bench.source.feed(identify("lost-1", company=None))
    for number in range(60):
        bench.source.feed(track("lost-1", event=f"e-{number}", company=None))
    bench.turn(12, seconds=0.1)
    assert not bench.told.fates
    assert bench.source.paused == {partition(0)}
    bench.turn(60, seconds=0.1)
    assert bench.source.paused == set()
    assert bench.told.fates == {Fate.SKIPPED: 1, Fate.DELIVERED: 60}


def test_looks_that_tell_nothing_pause_their_partition() -> None:
    """Groups halve, and calls are many: what is unclear again and again may not fill everybody's memory."""
    bench = Bench(
        answer=lambda batch: Answered((Verdict.UNCLEAR,) * len(batch.operations)),
        partitions=2,
        limits=Limits(high_water_records=1_000),
    )
    for number in range(400):
        bench.source.feed(identify(f"u-{number}", company=None))
    bench.turn(100, seconds=0.1)
    assert bench.source.paused == {partition(0)}


def test_what_fails_alone_is_in_trouble_while_it_is_tried() -> None:
    """A report at the moment of a try lifted the pause, and thousands more queued behind the key."""
    bench = Bench(
        answer=lambda batch: RefusedWhole(400) if "poison" in names(batch) else accept(batch),
        partitions=2,
        limits=Limits(high_water_records=1_000),
    )
    for number in range(20):
        bench.source.feed(identify(f"u-{number}", company=None), number=1)
    bench.turn(20)
    for number in range(100):
        bench.source.feed(identify("poison", company=None, plan=number))
    bench.turn(20)
    assert bench.source.paused == {partition(0)}
    bench.sink.answer = None
    bench.turn(200, seconds=5.0)
    assert [names(batch) for batch in bench.sink.under_way] == [["poison"]]
    assert bench.source.paused == {partition(0)}


def test_a_hunt_is_in_trouble_while_it_asks() -> None:
    """What it asks about at the moment counts with what it has set aside."""
    bench = Bench(
        answer=lambda batch: RefusedWhole(400) if len(batch.operations) > 1 else accept(batch),
        partitions=2,
        limits=Limits(high_water_records=1_000),
    )
    for number in range(80):
        bench.source.feed(identify(f"u-{number}", company=None))
    for _ in range(200):
        bench.turn(1, seconds=0.1)
        if len(bench.sink.sent) > 1 and len(bench.sink.sent[-1].operations) > 1:
            break  # of the 72 that were not in the sample: one half is asked about, one is set aside
    bench.sink.answer = None
    assert [len(batch.operations) for batch in bench.sink.under_way] == [36]
    bench.turn(20, seconds=0.1)
    assert bench.source.paused == {partition(0)}


def test_what_another_replica_is_at_is_in_trouble_while_it_is_tried() -> None:
    """It travels in bulks: neither on its way into one, nor in it, does it free its partition."""
    duplicated = Verdict.DUPLICATED
    bench = Bench(
        answer=lambda batch: Answered(
            tuple(duplicated if user == "busy" else Verdict.ACCEPTED for user in names(batch))
        ),
        partitions=2,
        limits=Limits(high_water_records=1_000),
    )
    for number in range(100):
        bench.source.feed(identify("busy", company=None, plan=number))
    bench.turn(30)
    assert bench.source.paused == {partition(0)}
    bench.sink.answer = None
    bench.turn(40, seconds=2.0)
    assert [names(batch) for batch in bench.sink.under_way] == [["busy"]]
    assert bench.source.paused == {partition(0)}
