"""The replies to metrics: who was refused is read off what they repeat, and nothing is guessed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.outcomes import Answered, Endpoint, Transient, TransientReason, Verdict
from streamer.planhat.items import encode_operation
from streamer.planhat.responses import read_answer
from streamer.transform.operations import MetricModel, PushMetric

OK, NO, UNCLEAR = Verdict.ACCEPTED, Verdict.REFUSED, Verdict.UNCLEAR
UNREADABLE = Transient(TransientReason.UNREADABLE)
A = PushMetric("acme", MetricModel.COMPANY, "seats", 5, "2026-01-02T03:04:05Z")
B = PushMetric("acme", MetricModel.COMPANY, "seats", 6, None)
C = PushMetric("u-1", MetricModel.ENDUSER, "score", 0.5, None)


def ask(body: Any, *metrics: PushMetric) -> Any:
    """The verdicts, or the answer that has none."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = read_answer(Endpoint.METRICS, metrics, 200, {}, text, now=0.0)
    return answer.verdicts if isinstance(answer, Answered) else answer


def error(metric: PushMetric, words: str = "no", **changes: Any) -> dict[str, Any]:
    """An error as Planhat words it: the item as sent, and the reason."""
    return {"item": {**json.loads(encode_operation(metric)), **changes}, "error": words}


@pytest.mark.parametrize(
    ("body", "metrics", "verdicts"),
    [
        ({"processed": 3, "errors": []}, (A, B, C), (OK, OK, OK)),
        ({"processed": 3}, (A, B, C), (OK, OK, OK)),
        (b"", (A, B), (OK, OK)),
        # Whether the refused are counted as processed is not documented.
        ({"processed": 3, "errors": [error(B)]}, (A, B, C), (OK, NO, OK)),
        ({"processed": 2, "errors": [error(B)]}, (A, B, C), (OK, NO, OK)),
        ({"errors": [error(C), error(A)]}, (A, B, C), (NO, OK, NO)),
        # A part of the item is enough where it fits one.
        (
            {"processed": 3, "errors": [{"item": {"externalId": "u-1"}, "error": "no"}]},
            (A, B, C),
            (OK, OK, NO),
        ),
        ({"processed": 3, "errors": [error(A, date="2026-01-02T03:04:05.000Z")]}, (A, B, C), (NO, OK, OK)),
        # It fits two: one of them is at fault, and nobody says which.
        (
            {"processed": 3, "errors": [{"item": {"externalId": "acme"}, "error": "no"}]},
            (A, B, C),
            (UNCLEAR, UNCLEAR, OK),
        ),
        ({"processed": 2, "errors": [error(B)]}, (B, B), (UNCLEAR, UNCLEAR)),
        ({"processed": 2, "errors": [error(B), error(B)]}, (B, B), (NO, NO)),
        # It fits none: all that no other error is about may be meant, or each of them is.
        ({"processed": 3, "errors": ["no"]}, (A, B, C), (UNCLEAR, UNCLEAR, UNCLEAR)),
        ({"processed": 3, "errors": ["no", error(C)]}, (A, B, C), (UNCLEAR, UNCLEAR, NO)),
        ({"processed": 3, "errors": ["no", "no", error(C)]}, (A, B, C), (NO, NO, NO)),
        ({"processed": 1, "errors": ["no"]}, (A,), (NO,)),
        # The one that fits none may be about one of the two that the other error fits.
        (
            {"processed": 3, "errors": ["no", {"item": {"externalId": "acme"}, "error": "no"}]},
            (A, B, C),
            (UNCLEAR, UNCLEAR, UNCLEAR),
        ),
        # Fewer than were sent.
        ({"processed": 2, "errors": []}, (A, B, C), (UNCLEAR, UNCLEAR, UNCLEAR)),
        ({"processed": 1, "errors": [error(B)]}, (A, B, C), (UNCLEAR, NO, UNCLEAR)),
    ],
)
def test_errors_are_matched_by_what_they_repeat(
    body: Any, metrics: tuple[PushMetric, ...], verdicts: tuple[Verdict, ...]
) -> None:
    """One that fits one metric refuses it; what fits several, or none, is asked about again."""
    assert ask(body, *metrics) == verdicts


@pytest.mark.parametrize(
    "body",
    [
        b"<html>OK</html>", b'{"processed":2', b"[]", b"{}", b"null", b'{"processed":9,"errors":[]}',
        b'{"processed":-1}', b'{"processed":"2"}', b'{"errors":"no"}',
    ],
)  # fmt: skip
def test_what_is_no_reply_to_metrics_is_transient(body: bytes) -> None:
    """A proxy's page, a cut reply, or counts that no reply to these can have."""
    assert ask(body, A, B) == UNREADABLE


def test_an_outage_is_read_as_anywhere() -> None:
    """Only a 2xx speaks of single metrics."""
    answer = read_answer(Endpoint.METRICS, (A,), 503, {}, b'{"processed":1}', now=0.0)
    assert answer == Transient(TransientReason.SERVER_ERROR)


METRICS = st.lists(
    st.builds(
        PushMetric,
        st.sampled_from(["acme", "beta"]),
        st.sampled_from(MetricModel),
        st.sampled_from(["seats", "score"]),
        st.sampled_from([1.0, 2.0]),
        st.none(),
    ),
    min_size=1,
    max_size=8,
)


@given(METRICS, st.data())
def test_none_that_is_refused_is_called_accepted(metrics: list[PushMetric], data: st.DataObject) -> None:
    """However few words an error has: who was refused is never accepted, and nobody else refused."""
    refused = data.draw(st.sets(st.sampled_from(range(len(metrics)))))
    errors: list[Any] = []
    for place in sorted(refused):
        full = error(metrics[place])
        kept = data.draw(st.sets(st.sampled_from(["dimensionId", "value", "model"])))
        item = {name: value for name, value in full["item"].items() if name in kept | {"externalId"}}
        errors.append(
            data.draw(st.sampled_from([full, {"item": item, "error": "no"}, "no", {"error": "no"}]))
        )
    counts = data.draw(st.sampled_from([len(metrics), len(metrics) - len(refused)]))
    verdicts = ask({"processed": counts, "errors": errors}, *metrics)
    assert all(verdicts[place] is not OK for place in refused)
    twins = [metrics[place] for place in refused]
    called = [metric for metric, verdict in zip(metrics, verdicts, strict=True) if verdict is NO]
    assert all(metric in twins for metric in called), "nobody is refused for another"
    if not refused:
        assert set(verdicts) == {OK}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(METRICS, ANY_JSON | st.fixed_dictionaries({"errors": st.lists(ANY_JSON, max_size=4)}))
def test_whatever_comes_back_has_an_answer(metrics: list[PushMetric], body: Any) -> None:
    """Nothing raises, and every metric has a verdict where any has one."""
    answer = ask(body, *metrics)
    assert answer == UNREADABLE or len(answer) == len(metrics)
