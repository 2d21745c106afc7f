"""Metrics that stand beside upserts: they go where these are saved, and with them where they are not."""

from itertools import cycle

from streamer.engine.ports import Batch
from streamer.mapping import read_mapping
from streamer.outcomes import Answer, Answered, Endpoint, Fate, SkipReason, Verdict
from streamer.transform.operations import UpsertEnduser
from tests.engine.fakes import Bench, accept, identify

RULES = read_mapping('[identify]\nmetrics = ["score"]\n').rules


def _is_push(batch: Batch) -> bool:
    return batch.endpoint is Endpoint.METRICS


def no_company(batch: Batch) -> Answer:
    """Planhat saves nobody without a company, and refuses metrics of whom it does not have."""
    if _is_push(batch):
        return Answered((Verdict.REFUSED,) * len(batch.operations))
    is_saved = [
        isinstance(each, UpsertEnduser) and each.company_external_id is not None for each in batch.operations
    ]
    return Answered(tuple(Verdict.ACCEPTED if saved else Verdict.MISSING for saved in is_saved))


def test_metrics_of_whom_planhat_saves_are_pushed() -> None:
    """After the upsert; the record is delivered when both are."""
    bench = Bench(answer=accept, rules=RULES)
    bench.source.feed(identify("u-1", score=5))
    bench.turn(8)
    assert [str(batch.endpoint) for batch in bench.sink.sent] == ["endusers", "metrics"]
    assert bench.told.fates == {Fate.DELIVERED: 1}


def test_metrics_of_whom_planhat_does_not_save_go_with_them() -> None:
    """Skipped `no_company`, as without metrics: refused they would be letters, and many trip the guard."""
    bench = Bench(answer=no_company, rules=RULES)
    for number in range(3):
        bench.source.feed(identify(f"u-{number}", company=None, score=number))
    bench.turn(60)
    assert not bench.sink.operations(Endpoint.METRICS)
    assert not bench.dead_letters.produced
    assert bench.told.reasons[SkipReason.NO_COMPANY] == 3
    assert bench.committed() == 3
    bench.streamer.check()


def test_metrics_in_doubt_are_asked_again_in_their_order() -> None:
    """Each at a moment of its own, by chance: none overtakes an earlier one of its object."""
    replies = iter([Answered((Verdict.UNCLEAR,) * 3)])
    dice = cycle([0.9, 0.5, 0.1])
    bench = Bench(
        answer=lambda batch: next(replies, accept(batch)) if _is_push(batch) else accept(batch),
        rules=RULES,
        dice=lambda: next(dice),
    )
    for score in (1, 2, 3):
        bench.source.feed(identify("u-1", score=score))
    bench.turn(60)
    values = [each.value for each in bench.sink.operations(Endpoint.METRICS)]
    assert values == [1, 2, 3, 1, 2, 3]
    assert bench.told.fates == {Fate.DELIVERED: 3}


def test_a_later_call_with_a_company_pushes_its_own() -> None:
    """Only what the unsaved call said is dropped."""
    bench = Bench(
        answer=lambda batch: accept(batch) if _is_push(batch) else no_company(batch),
        rules=RULES,
    )
    bench.source.feed(identify("u-1", company=None, score=1))
    bench.turn(60)
    bench.source.feed(identify("u-1", score=2))
    bench.turn(10)
    assert [each.value for each in bench.sink.operations(Endpoint.METRICS)] == [2]
    assert bench.told.fates == {Fate.SKIPPED: 1, Fate.DELIVERED: 1}
