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
