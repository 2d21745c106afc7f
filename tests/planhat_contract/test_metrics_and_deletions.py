"""Metrics and deletions through the real engine and edge to the sandbox, whatever its replies look like."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from streamer.engine.interpret import Tell
from streamer.events.calls import Call, Delete, JsonDict, Track
from streamer.outcomes import Fate, InvalidReason
from streamer.standins.planhat.faults import Fault, FaultKind
from streamer.transform import Rules, Skipped, Transformed, told_of
from streamer.transform.choices import Deletion
from streamer.transform.operations import DeleteEnduser, MetricModel, PushMetric
from tests.engine.fakes import ManualClock, group, identify, track
from tests.planhat_contract.pipeline import Ended, Pipeline
from tests.planhat_contract.scenario import Event
from tests.planhat_contract.served import ServedSandbox

pytestmark = pytest.mark.timeout(120)

DELIVERED = (Fate.DELIVERED, "")


def told_here(call: Call, decoded: JsonDict, rules: Rules) -> Transformed | Skipped:
    """As ever, but delete calls delete, an address by address, and what has a `score` is a metric alone."""
    if isinstance(call, Delete):
        by_address = "@" in str(call.user_id)
        whom = (None, call.user_id) if by_address else (call.user_id, None)
        return Transformed((DeleteEnduser(*whom),))
    if isinstance(call, Track) and "score" in call.properties:
        dimension, score = call.properties["dimension"], call.properties["score"]
        return Transformed((PushMetric(str(call.user_id), MetricModel.ENDUSER, dimension, score, None),))
    return told_of(call, decoded, rules)


def told_as_archived(call: Call, decoded: JsonDict, _: Rules) -> Transformed | Skipped:
    """By the real rules, delete calls archive."""
    return told_of(call, decoded, Rules(deletion=Deletion.ARCHIVE))


@contextmanager
def running(
    served: ServedSandbox, switches: Mapping[str, object], tell: Tell = told_here
) -> Iterator[Pipeline]:
    """A pipeline at an empty sandbox under these switches."""
    clock = ManualClock()
    sandbox = served.reset(switches, lambda: clock.now)
    pipeline = Pipeline(sandbox, served.url, clock, 1, tell)
    try:
        yield pipeline
    finally:
        pipeline.close()


def score(user: str, value: float, dimension: str = "score") -> dict[str, Any]:
    """A call that comes to one metric."""
    return track(user, "Scored", score=value, dimension=dimension)


def delete(user: str) -> dict[str, Any]:
    """A delete call."""
    return {"type": "delete", "messageId": "m", "userId": user}


def tell(pipeline: Pipeline, *calls: dict[str, Any]) -> Ended:
    """One partition, in this order."""
    pipeline.feed([Event(step, str(step), 0, call, ()) for step, call in enumerate(calls)])
    return pipeline.run()


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"metric_error_shape": "keys-error"},
        {"metric_error_shape": "text"},
        {"unknown_parent": "error", "metric_error_shape": "text"},
    ],
    ids=str,
)
def test_only_what_is_refused_becomes_a_letter(served: ServedSandbox, switches: Mapping[str, object]) -> None:
    """Of six metrics two have no dimension: they are letters, however little an error says."""
    with running(served, switches) as pipeline:
        calls = [group("acme", name="Acme"), *(identify(f"u-{number}", name="N") for number in range(6))]
        bad = {1, 4}
        calls += [score(f"u-{number}", number, "" if number in bad else "score") for number in range(6)]
        ended = tell(pipeline, *calls)

        refused = {7 + number for number in bad}
        expected = dict.fromkeys(range(13), DELIVERED)
        expected |= dict.fromkeys(refused, (Fate.DEAD_LETTERED, InvalidReason.REFUSED))
        assert ended.fates == expected
        stored = {(row.external_id, row.value) for row in pipeline.sandbox.store.metrics.kept}
        assert stored == {(f"u-{number}", number) for number in range(6) if number not in bad}


@pytest.mark.parametrize("reply", ["counted", "no-content", "empty"])
def test_who_is_deleted_is_gone_and_who_comes_back_is_new(served: ServedSandbox, reply: str) -> None:
    """By id, by address, and of nobody; a lost reply makes it 404; what was said later is all there is."""
    with running(served, {"delete_reply": reply}) as pipeline:
        lost = Fault(kind=FaultKind.LOST_REPLY, endpoint="endusers", method="DELETE", times=1)
        pipeline.sandbox.faults.add([lost])
        ended = tell(
            pipeline,
            group("acme", name="Acme"),
            identify("u-1", name="One", a=1),
            identify("u-2", name="Two", email="two@acme.example"),
            track("u-1"),
            delete("u-1"),
            delete("two@acme.example"),
            delete("u-9"),
            identify("u-1", name="One", b=2),
        )
        assert set(ended.fates.values()) == {DELIVERED}
        store = pipeline.sandbox.store
        (left,) = store.endusers.by_id.values()
        assert (left.fields["externalId"], left.custom) == ("u-1", {"b": 2})
        assert store.activities.stored == 1
        assert left.activities == 0


@pytest.mark.parametrize("reply", ["counted", "no-content", "empty"])
def test_a_user_of_several_companies_is_gone_from_all(served: ServedSandbox, reply: str) -> None:
    """An enduser for each company, under one id: none of them stays."""
    with running(served, {"delete_reply": reply}) as pipeline:
        companies = ("acme", "beta", "core")
        calls = [group(company, name=company) for company in companies]
        calls += [identify("u-1", company, name="One") for company in companies]
        ended = tell(pipeline, *calls, identify("u-2", "acme", name="Two"), delete("u-1"))
        assert set(ended.fates.values()) == {DELIVERED}
        store = pipeline.sandbox.store
        assert store.endusers.counts["created"] == len(companies) + 1
        assert [each.fields["externalId"] for each in store.endusers.by_id.values()] == ["u-2"]


def test_nobody_is_created_to_be_archived(served: ServedSandbox) -> None:
    """Who is there is archived; of whom nobody is there nobody comes, and all are delivered."""
    with running(served, {}, told_as_archived) as pipeline:
        told = [group("acme", name="Acme"), identify("u-1", "acme", name="One")]
        ended = tell(pipeline, *told, delete("u-1"), delete("u-9"), delete("new@acme.example"))
        assert set(ended.fates.values()) == {DELIVERED}
        (left,) = pipeline.sandbox.store.endusers.by_id.values()
        assert (left.fields["externalId"], left.fields["archived"]) == ("u-1", True)


def test_an_address_of_several_deletes_nobody(served: ServedSandbox) -> None:
    """The letter says that it is ambiguous."""
    with running(served, {}) as pipeline:
        shared, companies = "shared@mail.example", ("acme", "beta")
        calls = [group(company, name=company) for company in companies]
        calls += [identify(f"u-{company}", company, email=shared) for company in companies]
        ended = tell(pipeline, *calls, delete(shared))
        assert ended.fates[4] == (Fate.DEAD_LETTERED, InvalidReason.AMBIGUOUS)
        assert len(pipeline.sandbox.store.endusers.by_id) == 2
