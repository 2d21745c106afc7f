"""What Planhat has already is not sent again, and what may have changed since is."""

from collections.abc import Callable

import pytest

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Fate,
    SkipReason,
    Transient,
    TransientReason,
    Verdict,
)
from tests.engine.fakes import Bench, accept, group, identify, track

UNCHANGED = (Fate.SKIPPED, SkipReason.UNCHANGED)


def sent(bench: Bench) -> int:
    """Endusers told so far."""
    return len(bench.sink.operations(Endpoint.ENDUSERS))


def told(bench: Bench, *calls: dict[str, object], number: int = 0) -> int:
    """Tell these one after the other; how many of them went out."""
    before = sent(bench)
    for call in calls:
        bench.source.feed(call, number=number)
        bench.turn(4)
    return sent(bench) - before


def test_a_repeated_identify_is_skipped() -> None:
    """The page was loaded again."""
    bench = Bench()
    assert told(bench, identify(plan="pro"), identify(plan="pro")) == 1
    assert bench.told.outcomes == {(0, 0): (Fate.DELIVERED, ""), (0, 1): UNCHANGED}
    assert bench.committed() == 2


def test_a_part_of_what_was_told_is_nothing_new() -> None:
    """Two shapes of calls that alternate are both known, and so is what was told as one."""
    bench = Bench()
    told(bench, group("acme", "u-1", plan="pro"), identify(email="a@acme.example", seats=2))
    told(bench, identify(email="a@acme.example", plan="pro", seats=2))
    assert told(bench, identify(email="a@acme.example", seats=2), identify(seats=2), identify()) == 0
    bench.source.feed(identify("u-2", x=1))
    bench.source.feed(identify("u-2", y=2))
    bench.turn(4)
    assert told(bench, identify("u-2", y=2), identify("u-2", x=1, y=2)) == 0


@pytest.mark.parametrize(
    "call",
    [
        identify(plan="free"),
        identify(plan=None),
        identify(plan="pro", seats=2),
        identify(company="beta", plan="pro"),
        identify(email="a@acme.example", plan="pro"),
        identify("u-2", plan="pro"),
    ],
)
def test_anything_new_goes_out(call: dict[str, object]) -> None:
    """A value, a field, a company, an address, a person."""
    bench = Bench()
    assert told(bench, identify(plan="pro"), call) == 2


def test_one_and_true_are_not_the_same() -> None:
    """Nor are a field of Planhat's and a custom one of its name."""
    bench = Bench()
    assert told(bench, identify(plan=1), identify(plan=True), identify(plan=1.0), identify(plan="1")) == 4


def test_other_operations_of_the_record_decide() -> None:
    """The company goes out as always: many partitions write it, so what it was told is not remembered."""
    bench = Bench()
    for _ in range(2):
        bench.source.feed(group("acme", "u-1", plan="pro"))
        bench.turn(6)
    assert sent(bench) == 1
    assert len(bench.sink.operations(Endpoint.COMPANIES)) == 2
    assert bench.told.fates == {Fate.DELIVERED: 2}
    bench.source.feed(track())
    bench.turn(4)
    assert bench.told.fates == {Fate.DELIVERED: 3}


def test_what_is_in_line_will_change_it() -> None:
    """Free is on its way when pro comes again: pro must follow it."""
    bench = Bench()
    told(bench, identify(plan="pro"))
    bench.sink.answer = None
    assert told(bench, identify(plan="free"), identify(plan="pro")) == 1
    bench.sink.answer = accept
    bench.turn(6)
    assert [op.custom["plan"] for op in bench.sink.operations(Endpoint.ENDUSERS)] == ["pro", "free", "pro"]


def test_it_is_forgotten_after_a_while() -> None:
    """Somebody may have changed it in Planhat; with 0 it is never remembered."""
    bench = Bench(limits=Limits(unchanged_seconds=100))
    told(bench, identify(plan="pro"))
    bench.clock.advance(50)
    assert told(bench, identify(plan="pro")) == 0
    bench.clock.advance(50)
    assert told(bench, identify(plan="pro")) == 1
    bench = Bench(limits=Limits(unchanged_seconds=0))
    assert told(bench, identify(plan="pro"), identify(plan="pro")) == 2


def test_a_part_told_anew_does_not_make_the_rest_younger() -> None:
    """Seats were told long ago, whatever has been told of the plan since."""
    bench = Bench(limits=Limits(unchanged_seconds=100))
    told(bench, identify(plan="pro", seats=1))
    bench.clock.advance(60)
    told(bench, identify(plan="free"))
    bench.clock.advance(60)
    assert told(bench, identify(seats=1)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Transient(TransientReason.TIMEOUT),
        Transient(TransientReason.CONNECTION),
        Answered((Verdict.REFUSED,)),
        Answered((Verdict.DUPLICATED,)),
    ],
)
def test_an_answer_other_than_accepted_leaves_nothing_sure(answer: Answer) -> None:
    """A request that timed out may have been applied: pro is told again, and does not count as known."""
    answers = iter([None, answer])

    def reply(batch: Batch) -> Answer:
        return next(answers, None) or accept(batch)

    bench = Bench(answer=reply)
    told(bench, identify(plan="pro"))
    bench.source.feed(identify(plan="free"))
    while sent(bench) < 2 or bench.sink.under_way:
        bench.turn()
    assert len(bench.streamer.dispatch.unchanged) == 0


def leave(bench: Bench) -> None:
    """The partition goes to another replica, and comes back."""
    bench.source.revoke(0)
    bench.source.assign(0)


def lose(bench: Bench) -> None:
    """The same, learned too late."""
    bench.source.lose(0)
    bench.source.assign(0)


@pytest.mark.parametrize("change", [leave, lose])
def test_what_was_learned_does_not_survive_a_revoke(change: Callable[[Bench], None]) -> None:
    """Another replica may have told Planhat otherwise in between."""
    bench = Bench()
    told(bench, identify(plan="pro"))
    change(bench)
    assert told(bench, identify(plan="pro")) == 1


def test_it_counts_for_the_partition_it_was_learned_in() -> None:
    """Where another partition wrote her too, the newest writer's word is what is remembered."""
    bench = Bench(partitions=2)
    assert told(bench, identify(plan="pro")) == 1
    assert told(bench, identify(plan="pro"), number=1) == 1
    assert told(bench, identify(plan="pro")) == 1


def test_an_answer_after_a_loss_leaves_nothing_sure() -> None:
    """It was applied, by a request of a partition that others read now."""
    bench = Bench(partitions=2)
    told(bench, identify(plan="pro"))
    bench.sink.answer = None
    told(bench, identify(plan="free"), number=1)
    bench.source.lose(1)
    bench.sink.answer = accept
    bench.turn(4)
    assert told(bench, identify(plan="pro")) == 1


def address_alone(**traits: object) -> dict[str, object]:
    """An identify that names its user by an address."""
    said = {"email": "a@acme.example", **traits}
    who = {"anonymousId": "a", "context": {"groupId": "acme"}}
    return {"type": "identify", "messageId": "m", **who, "traits": said}


def test_a_stranger_may_be_anybody_whose_address_is_unknown() -> None:
    """Planhat may know her by it."""
    bench = Bench()
    told(bench, identify(plan="pro"))
    assert told(bench, address_alone(plan="free"), identify(plan="pro")) == 2


def test_who_is_known_by_both_is_no_stranger() -> None:
    """The address is hers: what is told by it is told of her."""
    bench = Bench()
    told(bench, identify(email="a@acme.example", plan="free"), identify(email="a@acme.example", plan="pro"))
    assert told(bench, address_alone(plan="pro"), identify(plan="pro")) == 0
    assert told(bench, address_alone(plan="free"), identify(plan="pro"), address_alone(plan="pro")) == 2


def test_memory_is_bounded() -> None:
    """The one learned longest ago is forgotten first."""
    bench = Bench(limits=Limits(unchanged_endusers=2))
    told(bench, identify("u-1"), identify("u-2"), identify("u-3"))
    assert len(bench.streamer.dispatch.unchanged) == 2
    assert told(bench, identify("u-3"), identify("u-2")) == 0
    assert told(bench, identify("u-1")) == 1
