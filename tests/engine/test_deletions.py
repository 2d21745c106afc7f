"""A deletion stands in its enduser's line: after all that was said before, before all that is said later."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch
from streamer.events.calls import Call, Delete, JsonDict, Track
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Fate,
    InvalidReason,
    SkipReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.transform import Rules, Skipped, Transformed, told_of
from streamer.transform.operations import DeleteEnduser, MetricModel, PushMetric
from tests.engine.fakes import Bench, accept, as_sent, identify, partition, track


def told_here(call: Call, decoded: JsonDict, rules: Rules) -> Transformed | Skipped:
    """As ever, but delete calls delete (an address by address), and a track call may push a `metric` too."""
    if isinstance(call, Delete):
        by_address = "@" in str(call.user_id)
        whom = (None, call.user_id) if by_address else (call.user_id, None)
        return Transformed((DeleteEnduser(*whom),))
    told = told_of(call, decoded, rules)
    if isinstance(call, Track) and isinstance(told, Transformed) and "metric" in call.properties:
        value = call.properties["metric"]
        pushed = PushMetric(str(call.user_id), MetricModel.ENDUSER, "score", value, None)
        return Transformed((*told.operations, pushed))
    return told


Deleting = partial(Bench, tell=told_here)
"""A bench where calls come to that."""


def delete(user: str = "u-1") -> dict[str, Any]:
    """A delete call."""
    return {"type": "delete", "messageId": "m", "userId": user}


def kinds(bench: Bench) -> list[str]:
    """The endpoints of what was sent, in order; one for each operation."""
    return [str(batch.endpoint) for batch in bench.sink.sent for _ in batch.operations]


def test_what_was_said_before_comes_first_and_what_is_said_later_waits() -> None:
    """Upsert, activity and metric, deletion, then the same again: each waits for the answers before it."""
    bench = Deleting(answer=None)
    for call in (identify(a=1), track(metric=1), delete(), identify(a=2), track(metric=2)):
        bench.source.feed(call)
    seen = []
    for _ in range(12):
        bench.turn(3)
        seen.append(sorted(str(batch.endpoint) for batch in bench.sink.under_way))
        for batch in list(bench.sink.under_way):
            bench.sink.reply(batch, accept(batch))
    assert [each for each in seen if each] == [
        ["endusers"],
        ["activities", "metrics"],
        ["deletions"],
        ["endusers"],
        ["activities", "metrics"],
    ]
    assert bench.told.fates == {Fate.DELIVERED: 5}
    assert bench.committed() == 5


def test_a_deletion_does_not_ride_along_with_the_activity_it_waits_for() -> None:
    """A batch of activities takes what waits only for its own; a deletion goes elsewhere, and later."""
    bench = Deleting(answer=None)
    for call in (track(), track(), delete(), track()):
        bench.source.feed(call)
    bench.turn(3)
    (batch,) = bench.sink.under_way
    assert [type(operation).__name__ for operation in batch.operations] == ["LogActivity"] * 2


def test_a_deletion_waits_for_an_activity_that_is_tried_again() -> None:
    """The analytics host is down: nothing of the user's is overtaken, others are deleted meanwhile."""
    is_down = True

    def answer(batch: Batch) -> Answer:
        if batch.endpoint is Endpoint.ACTIVITIES and is_down:
            return Transient(TransientReason.SERVER_ERROR)
        return accept(batch)

    bench = Deleting(answer=answer)
    for call in (track("u-1"), delete("u-1"), delete("u-2")):
        bench.source.feed(call)
    bench.turn(40)
    deleted = [operation.external_id for operation in bench.sink.operations(Endpoint.DELETIONS)]
    assert deleted == ["u-2"]
    is_down = False
    bench.turn(200)
    deleted = [operation.external_id for operation in bench.sink.operations(Endpoint.DELETIONS)]
    assert deleted == ["u-2", "u-1"]


def test_upserts_are_not_told_as_one_across_a_deletion() -> None:
    """Merged they would say that nobody was ever deleted."""
    bench = Deleting(answer=None)
    bench.source.feed(identify("first", company=None))
    for call in (identify(a=1), identify(b=2), delete(), identify(c=3)):
        bench.source.feed(call)
    for _ in range(10):
        bench.turn(3)
        for batch in list(bench.sink.under_way):
            bench.sink.reply(batch, accept(batch))
    customs = [dict(each.custom) for each in bench.sink.operations(Endpoint.ENDUSERS)]
    assert customs[1:] == [{"a": 1, "b": 2}, {"c": 3}]


def test_a_deletion_holds_one_enduser_and_takes_a_call_each() -> None:
    """There is no bulk for it, so the quota meters each."""
    bench = Deleting(limits=Limits(calls_per_minute=60.0))
    for number in range(5):
        bench.source.feed(delete(f"u-{number}"))
    bench.turn(2, seconds=0.1)
    assert 1 <= len(bench.sink.sent) <= 3
    bench.turn(100)
    assert [len(batch.operations) for batch in bench.sink.sent] == [1] * 5


def test_deletions_leave_bulks_their_calls() -> None:
    """A purge of thousands costs a busy pipeline every eleventh call."""
    bench = Deleting(limits=Limits(calls_per_minute=60.0, high_water_records=100_000))
    for number in range(100):
        bench.source.feed(delete(f"gone-{number}"))
    bench.turn(5, seconds=0.0)
    for number in range(40):
        for user in range(5):
            bench.source.feed(identify(f"u-{number}-{user}", company=None))
        bench.turn(2, seconds=0.5)
    sent = kinds(bench)
    bulks = sum(batch.endpoint is Endpoint.ENDUSERS for batch in bench.sink.sent)
    assert bulks >= 10, sent


def test_a_deletion_by_address_is_charged_two_calls() -> None:
    """Whom it means is looked up first."""
    bench = Deleting(limits=Limits(calls_per_minute=60.0, burst_calls=10.0, start_calls=10.0))
    bench.turn(1)
    quota, now = bench.streamer.dispatch.quota, bench.clock.now
    before = quota.tokens(now)
    bench.source.feed(delete("gone@acme.example"))
    bench.streamer.run_once()
    assert len(bench.sink.sent) == 1
    assert before - quota.tokens(bench.clock.now) == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("answer", [accept, lambda _: Transient(TransientReason.TIMEOUT)])
def test_what_is_remembered_of_an_enduser_is_forgotten_with_them(answer: Any) -> None:
    """An upsert that said nothing new before says everything after a deletion, answered or not."""
    bench = Deleting()
    call = identify(company="acme", a=1)
    bench.source.feed(call)
    bench.turn(5)
    bench.source.feed(call)
    bench.turn(5)
    assert bench.told.reasons[SkipReason.UNCHANGED] == 1
    bench.sink.answer = lambda batch: answer(batch) if batch.endpoint is Endpoint.DELETIONS else accept(batch)
    bench.source.feed(delete())
    bench.turn(5)
    bench.sink.answer = accept
    bench.source.feed(call)
    bench.turn(200)
    assert len(bench.sink.operations(Endpoint.ENDUSERS)) == 2
    assert bench.told.reasons[SkipReason.UNCHANGED] == 1


def test_what_was_not_saved_is_not_revived_after_a_deletion() -> None:
    """Who asked to be deleted is not told of again by what was kept of them."""

    def homeless(batch: Batch) -> Answer:
        is_lost = [batch.endpoint is Endpoint.ENDUSERS and not each.parents for each in batch.operations]
        return Answered(tuple(Verdict.MISSING if lost else Verdict.ACCEPTED for lost in is_lost))

    bench = Deleting(answer=homeless)
    for call in (identify(company=None, a=1), delete(), identify(company="acme", b=2)):
        bench.source.feed(call)
        bench.turn(30)
    assert dict(bench.sink.operations(Endpoint.ENDUSERS)[-1].custom) == {"b": 2}


def test_several_by_one_address_are_a_persons_to_look_at() -> None:
    """The record becomes a letter that says so, and whoever is named later goes on."""
    bench = Deleting(
        answer=lambda b: Answered((Verdict.AMBIGUOUS,)) if b.endpoint is Endpoint.DELETIONS else accept(b)
    )
    bench.source.feed(delete("shared@acme.example"))
    bench.source.feed(identify("u-1", email="shared@acme.example"))
    bench.turn(30)
    (letter,) = bench.dead_letters.produced
    assert letter.reason is InvalidReason.AMBIGUOUS
    assert len(bench.sink.operations(Endpoint.ENDUSERS)) == 1
    assert bench.committed() == 2


def test_a_released_deletion_lets_nothing_overtake() -> None:
    """Its partition leaves while an activity is under way: what follows elsewhere waits for that one."""
    bench = Deleting(answer=None, partitions=2)
    bench.source.feed(track("u-1"), number=0)
    bench.turn(3)
    bench.source.feed(delete("u-1"), number=1)
    bench.turn(1)
    bench.source.feed(identify("u-1", a=1), number=0)
    bench.turn(3)
    bench.source.revoke(1)
    assert kinds(bench) == ["activities"]
    (batch,) = bench.sink.under_way
    bench.sink.reply(batch, accept(batch))
    bench.turn(3)
    assert kinds(bench) == ["activities", "endusers"]
    assert bench.told.rebalances[-1] == ("revoked", 1, 1)
    assert partition(1) not in bench.source.committed


CALLS = st.lists(
    st.tuples(st.sampled_from(["identify", "track", "delete"]), st.sampled_from(["u-1", "u-2"])), max_size=25
)


@settings(deadline=None, max_examples=60)
@given(CALLS, st.lists(st.integers(0, 3), max_size=60))
def test_the_order_of_an_enduser_holds_whatever_comes_in_which_order(
    calls: list[tuple[str, str]], answers: list[int]
) -> None:
    """Of one enduser, nothing later than a deletion is sent before its answer, and nothing earlier after."""
    bench = Deleting(answer=None)
    for place, (kind, user) in enumerate(calls):
        mark: dict[str, Any] = {f"n{place}": place}
        if kind == "delete":
            bench.source.feed(delete(user))
        else:
            bench.source.feed(identify(user, **mark) if kind == "identify" else track(user, **mark))
    reached: dict[str, list[int]] = {"u-1": [], "u-2": []}
    choices = iter(answers)
    for _ in range(30 + 8 * len(calls)):
        bench.turn(1)
        waiting = bench.sink.under_way
        if waiting:
            batch = waiting[next(choices, 0) % len(waiting)]
            fails = next(choices, 1) == 0
            if not fails:
                for operation in as_sent(batch):
                    reached[str(operation.external_id)] += _places(operation, calls, reached)
            answer = Transient(TransientReason.CONNECTION) if fails else accept(batch)
            bench.sink.reply(batch, answer)
    for user, places in reached.items():
        mine = [place for place, call in enumerate(calls) if call[1] == user]
        cuts = [place for place in mine if calls[place][0] == "delete"]
        for cut in cuts:
            at = places.index(cut)
            assert all(place < cut for place in places[:at])
            assert all(place > cut for place in places[at + 1 :])
        assert sorted(places) == mine


def _places(operation: Any, calls: list[tuple[str, str]], reached: dict[str, list[int]]) -> list[int]:
    """Which calls an operation tells: by its marks, or the next deletion of its enduser."""
    if isinstance(operation, DeleteEnduser):
        mine = [p for p, call in enumerate(calls) if call == ("delete", operation.external_id)]
        return [next(place for place in mine if place not in reached[str(operation.external_id)])]
    said = operation.custom if hasattr(operation, "custom") else operation.info
    return [value for name, value in said.items() if name.startswith("n")]
