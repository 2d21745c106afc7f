"""What was skipped for want of a company is told with the user's next call that has one."""

from collections.abc import Callable

import pytest

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch
from streamer.outcomes import Answer, Answered, Endpoint, Fate, InvalidReason, SkipReason, Verdict
from tests.engine.fakes import Bench, identify

NO_COMPANY = (Fate.SKIPPED, SkipReason.NO_COMPANY)
DELIVERED = (Fate.DELIVERED, "")


def homeless(batch: Batch) -> Answer:
    """Planhat finds no company for who names none, and refuses what is bad."""
    verdicts = []
    for operation in batch.operations:
        if not operation.parents:
            verdicts.append(Verdict.MISSING)
        else:
            is_bad = "bad" in getattr(operation, "custom", {})
            verdicts.append(Verdict.REFUSED if is_bad else Verdict.ACCEPTED)
    return Answered(tuple(verdicts))


def told(bench: Bench, *calls: dict[str, object], number: int = 0) -> list[dict[str, object]]:
    """Tell these one after the other; the custom fields of the last entry sent for each."""
    last = []
    for call in calls:
        bench.source.feed(call, number=number)
        bench.turn(20)
        last.append(dict(bench.sink.operations(Endpoint.ENDUSERS)[-1].custom))
    return last


def test_it_is_laid_under_the_next_call_with_a_company() -> None:
    """What that one says wins; the first records stay skipped, and what was revived is counted."""
    bench = Bench(answer=homeless)
    calls = [
        identify(company=None, a=1, b=1),
        identify(company=None, b=2, c=2),
        identify(company="acme", c=3),
    ]
    assert told(bench, *calls)[-1] == {"a": 1, "b": 2, "c": 3}
    assert [bench.told.outcomes[0, offset] for offset in range(3)] == [NO_COMPANY, NO_COMPANY, DELIVERED]
    assert bench.told.came_back == 2
    assert told(bench, identify(company="acme", d=4))[-1] == {"d": 4}
    assert len(bench.streamer.dispatch.revived) == bench.streamer.dispatch.revived.size_bytes == 0


def test_what_it_spoils_is_told_again_without_it() -> None:
    """The record at hand is not to blame for what an earlier one said."""
    bench = Bench(answer=homeless, limits=Limits(dead_letter_ratio=1.0))
    assert told(bench, identify(company=None, bad=1), identify(company="acme", c=3))[-1] == {"c": 3}
    assert bench.told.outcomes[0, 1] == DELIVERED
    assert bench.told.came_back == 0
    assert InvalidReason.REFUSED not in bench.told.reasons


def leave(bench: Bench) -> None:
    """The partition goes to another replica, and comes back."""
    bench.source.revoke(0)
    bench.source.assign(0)


def other_user(bench: Bench) -> None:
    """Two more, each without a company."""
    told(bench, identify("u-8", company=None, x=1), identify("u-9", company=None, x=1))


@pytest.mark.parametrize("meanwhile", [leave, other_user])
def test_it_is_forgotten_with_its_partition_and_when_there_are_too_many(
    meanwhile: Callable[[Bench], None],
) -> None:
    """Another replica may have told more of her; and memory is bounded."""
    bench = Bench(answer=homeless, limits=Limits(revived_endusers=2))
    told(bench, identify(company=None, a=1))
    meanwhile(bench)
    assert told(bench, identify(company="acme", c=3)) == [{"c": 3}]
    bench = Bench(answer=homeless, limits=Limits(revived_bytes=10))
    assert told(bench, identify(company=None, a=1), identify(company="acme", c=3))[-1] == {"c": 3}


def test_it_is_never_laid_under_somebody_else() -> None:
    """Of another partition, of another id, or with an address that is not named again."""
    bench = Bench(answer=homeless, partitions=2)
    told(bench, identify(company=None, a=1))
    assert told(bench, identify(company="acme", c=3), number=1) == [{"c": 3}]
    told(bench, identify("u-2", company=None, email="a@acme.example", a=1))
    assert told(bench, identify("u-2", company="acme", email="b@acme.example", c=3)) == [{"c": 3}]
    # The address may be known already, by a later call that named it alone.
    told(bench, identify("u-3", company=None, a=1))
    assert told(bench, identify("u-3", company="acme", email="c@acme.example", c=3)) == [{"c": 3}]


def test_a_bulk_without_room_goes_as_it_is() -> None:
    """Its limit holds, whatever might be told with it."""
    limits = Limits()
    small = {
        endpoint: bulk.__class__(bulk.operations, 300, 0.25, 1) for endpoint, bulk in limits.bulks.items()
    }
    bench = Bench(answer=homeless, limits=Limits(bulks=small))
    told(bench, identify(company=None, a="x" * 200))
    assert told(bench, identify(company="acme", c="y" * 100))[-1] == {"c": "y" * 100}
    assert max(batch.size_bytes for batch in bench.sink.sent) < 300
