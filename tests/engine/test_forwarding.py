"""Passthrough in the engine: one call a request, many at once, a user's one after the other."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch
from streamer.outcomes import (
    Answer,
    Endpoint,
    Fate,
    InvalidReason,
    Misconfigured,
    MisconfiguredReason,
    RefusedWhole,
    SkipReason,
    Transient,
    TransientReason,
)
from streamer.transform import Rules
from streamer.transform.facts import overwrites
from streamer.transform.operations import ForwardCall
from tests.engine.fakes import Bench, accept, as_sent, group, identify, track

FORWARDING = Rules(forwards=True)


def bench_of(**options: Any) -> Bench:
    """An engine that forwards."""
    return Bench(rules=FORWARDING, **options)


def names(bench: Bench) -> list[str]:
    """The event names of the calls sent, in order."""
    return [operation.call["event"] for operation in bench.sink.operations(Endpoint.SEGMENT)]


def test_a_users_calls_go_one_after_the_other() -> None:
    """Those of others go beside them, up to as many as there are workers."""
    bench = bench_of(answer=None)
    for user in range(100):
        for number in range(3):
            bench.source.feed(track(f"u-{user}", f"u-{user} #{number}"))
    bench.turn(2)
    under_way = [operation.external_id for batch in bench.sink.under_way for operation in batch.operations]
    assert len(under_way) == len(set(under_way)) == Limits().bulk(Endpoint.SEGMENT).flights
    assert {len(batch.operations) for batch in bench.sink.sent} == {1}
    for _ in range(50):
        for batch in list(bench.sink.under_way):
            bench.sink.reply(batch, accept(batch))
        bench.turn(1)
    assert bench.told.fates == {Fate.DELIVERED: 300}
    for user in range(100):
        mine = [name for name in names(bench) if name.startswith(f"u-{user} ")]
        assert mine == [f"u-{user} #{number}" for number in range(3)]


def test_everything_goes_one_way_and_no_quota_meters_it() -> None:
    """Identify, track and group calls are requests of their own; alias and screen calls are skipped."""
    bench = bench_of(limits=Limits(calls_per_minute=1.0))
    calls: list[dict[str, Any]] = [identify(), track(), group("acme", user="u-2"), group("beta")]
    calls += [{"type": "screen", "userId": "u-1"}, {"type": "alias", "userId": "u-1", "previousId": "p"}]
    for call in calls:
        bench.source.feed(call)
    bench.turn(10)
    assert [str(batch.endpoint) for batch in bench.sink.sent] == ["segment"] * 4
    assert bench.told.fates == {Fate.DELIVERED: 4, Fate.SKIPPED: 2}
    assert bench.told.reasons[SkipReason.UNSUPPORTED_TYPE] == 2


def test_what_fails_holds_its_user_alone() -> None:
    """A call that is answered 5xx again and again keeps its user's later ones, and nobody else's."""

    def answer(batch: Batch) -> Answer:
        if batch.operations[0].external_id == "u-bad":
            return Transient(TransientReason.SERVER_ERROR)
        return accept(batch)

    bench = bench_of(answer=answer)
    bench.source.feed(track("u-bad", "first"))
    bench.source.feed(track("u-bad", "second"))
    for number in range(200):
        bench.source.feed(track(f"u-{number}", "other"))
        bench.turn(2, seconds=0.2)
    assert names(bench).count("other") == 200
    assert "second" not in names(bench)
    assert bench.told.fates == {Fate.DELIVERED: 200}


def test_a_refused_call_becomes_a_letter_and_its_user_goes_on() -> None:
    """After five refusals over ten minutes, while a hundred others were received."""

    def answer(batch: Batch) -> Answer:
        is_bad = any(each.call.get("event") == "bad" for each in as_sent(batch))
        return RefusedWhole(400) if is_bad else accept(batch)

    bench = bench_of(answer=answer)
    bench.source.feed(track("u-1", "bad"))
    bench.source.feed(track("u-1", "good"))
    for number in range(400):
        bench.source.feed(track(f"o-{number}", "other"))
        bench.turn(1, seconds=2.0)
    bench.turn(20, seconds=10.0)
    (letter,) = bench.dead_letters.produced
    assert letter.reason is InvalidReason.REFUSED_ALONE
    assert names(bench)[-1] in {"good", "other"}
    assert "good" in names(bench)


def test_a_tenant_that_is_refused_holds_and_one_call_ends_it() -> None:
    """A probe is one call, as every request here."""
    works = True

    def answer(batch: Batch) -> Answer:
        return accept(batch) if works else Misconfigured(MisconfiguredReason.CREDENTIALS, 401)

    bench = bench_of(answer=answer)
    bench.source.feed(track("u-0"))
    bench.turn(3)
    works = False
    for number in range(5):
        bench.source.feed(track(f"u-{number}"))
    bench.turn(10)
    assert bench.told.holds[0] == "entered credentials"
    works = True
    bench.turn(200)
    assert bench.told.holds[-1] == "left credentials"
    assert bench.told.fates == {Fate.DELIVERED: 6}
    assert {len(batch.operations) for batch in bench.sink.sent} == {1}


def test_copies_are_known_here_too() -> None:
    """By type and messageId, as in the other mode."""
    bench = bench_of(limits=Limits(duplicates_window=100))
    for call in (track("u-1"), track("u-1")):
        bench.source.feed({**call, "messageId": "m-1"})
        bench.turn(3)
    assert bench.told.fates == {Fate.DELIVERED: 1, Fate.SKIPPED: 1}
    assert bench.told.reasons[SkipReason.DUPLICATE] == 1


@pytest.mark.parametrize(
    ("kind", "does"), [("identify", True), ("group", True), ("track", False), ("page", False)]
)
def test_what_describes_someone_is_not_put_over_newer_words(kind: str, *, does: bool) -> None:
    """Such calls go again in order after a crash, and a replay holds back those that were overtaken."""
    assert overwrites(ForwardCall("u-1", None, None, {"type": kind})) is does


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["u-1", "u-2", "u-3"]), max_size=30),
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=80),
    st.integers(0, 30),
)
def test_order_holds_whatever_is_answered_and_whenever_partitions_leave(
    users: list[str], answers: list[tuple[int, bool]], leaves_after: int
) -> None:
    """Received calls of a user come in order; after a revoke only from where it was committed."""
    bench = bench_of(answer=None)
    for number, user in enumerate(users):
        bench.source.feed(track(user, str(number)))
    received: dict[str, list[int]] = {}
    for step, (choice, fails) in enumerate(answers):
        bench.turn(1)
        waiting = bench.sink.under_way
        if waiting:
            batch = waiting[choice % len(waiting)]
            (operation,) = as_sent(batch)
            if not fails:
                received.setdefault(str(operation.external_id), []).append(int(operation.call["event"]))
            bench.sink.reply(batch, Transient(TransientReason.CONNECTION) if fails else accept(batch))
        if step == leaves_after:
            bench.source.revoke(0)
            break
    for user, numbers in received.items():
        mine = [number for number, each in enumerate(users) if each == user]
        assert numbers == mine[: len(numbers)]
