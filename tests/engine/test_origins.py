"""Where a batch comes from: told where it is asked for, and true."""

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch
from streamer.outcomes import Answer, Answered, Endpoint, Transient, TransientReason, Verdict
from tests.engine.fakes import Bench, accept, group, identify, track

ASKED = Limits(tells_origin=True)


def _origins(bench: Bench, endpoint: Endpoint) -> list[tuple[str, int, list[int]]]:
    """Kind, attempt and offsets of each batch that went there."""
    found = []
    for batch in bench.sink.sent:
        if batch.endpoint is endpoint:
            assert batch.origin is not None
            offsets = [record.offset for record in batch.origin.records]
            found.append((batch.origin.kind, batch.origin.attempt, offsets))
    return found


def test_nothing_is_gathered_where_nobody_asks() -> None:
    """By default no batch says where it comes from."""
    bench = Bench()
    bench.source.feed(identify())
    bench.turn(3)

    assert [batch.origin for batch in bench.sink.sent] == [None]


def test_a_batch_names_its_records_once_each() -> None:
    """Merged upserts stand for every record that they merge; a record of two operations has two batches."""
    bench = Bench(limits=ASKED, answer=None)
    bench.source.feed(group("acme", user="u-1"))
    bench.source.feed(identify("u-1", plan="pro"))
    bench.source.feed(identify("u-2", company=None))
    bench.turn(3)
    bench.sink.answer = accept
    bench.turn(6, seconds=1.0)

    assert _origins(bench, Endpoint.COMPANIES) == [("bulk", 1, [0])]
    first, second = _origins(bench, Endpoint.ENDUSERS)
    assert sorted(first[2] + second[2]) == [0, 1, 2]
    assert [first[:2], second[:2]] == [("bulk", 1), ("bulk", 1)]


def test_the_attempt_counts_the_tries_of_its_operations() -> None:
    """Two failures make the third request attempt 3, also where a fresh operation travels with it."""
    fails = [True, True]

    def answer(batch: Batch) -> Answer:
        if fails:
            fails.pop()
            return Transient(TransientReason.CONNECTION)
        return accept(batch)

    bench = Bench(limits=ASKED, answer=answer)
    bench.source.feed(track("u-1"))
    bench.turn(2, seconds=1.0)
    bench.source.feed(track("u-2"))
    bench.turn(8, seconds=5.0)

    tried = _origins(bench, Endpoint.ACTIVITIES)
    assert [attempt for _, attempt, offsets in tried if 0 in offsets] == [1, 2, 3]
    assert {offset for _, _, offsets in tried for offset in offsets} == {0, 1}
    assert tried[-1][0] == "probe"


def test_what_no_worker_took_was_no_try() -> None:
    """While every worker is busy a batch is offered turn after turn; none of these offers failed."""
    bench = Bench(limits=ASKED)
    bench.sink.is_full = True
    bench.source.feed(track("u-1"))
    bench.turn(5, seconds=1.0)
    assert bench.sink.sent == []
    bench.sink.is_full = False
    bench.turn(2, seconds=1.0)

    assert _origins(bench, Endpoint.ACTIVITIES) == [("bulk", 1, [0])]


def test_what_is_told_apart_names_the_record_told() -> None:
    """A merged upsert that was refused is told part by part, and so are its records."""
    refusals = [True]

    def answer(batch: Batch) -> Answer:
        if batch.endpoint is Endpoint.ENDUSERS and refusals:
            refusals.pop()
            return Answered((Verdict.REFUSED,))
        return accept(batch)

    bench = Bench(limits=ASKED, answer=answer)
    bench.source.feed(identify("u-1", company=None, plan="pro"))
    bench.source.feed(identify("u-1", company=None, seats=2))
    bench.turn(12, seconds=1.0)

    told = [offsets for _, _, offsets in _origins(bench, Endpoint.ENDUSERS)]
    assert told == [[0, 1], [0], [1]]
