"""One verdict for each metric of a push, from the reply to it (planhat-api.md §2.5). Pure.

The reply is `{"processed": n, "errors": [{"item": {...}, "error": "..."}]}`, with 200 even where every
metric is refused. An error repeats what was sent, so it is matched by that, and by nothing else:

| an error's item fits | verdict |
|---|---|
| one metric | `REFUSED` |
| several that are alike, and as many errors fit them | `REFUSED`, all of them |
| several, and fewer errors | `UNCLEAR`, all of them: asked again among fewer |
| none | of all that no error fits: `REFUSED` where there are as many such errors, else `UNCLEAR` |

What no error can be about is `ACCEPTED`, unless the reply counts fewer than were sent: then `UNCLEAR`.
Being asked again a metric is pushed again, with the same value and date.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streamer.outcomes import Answer, Answered, Transient, TransientReason, Verdict
from streamer.transform.operations import Operation, PushMetric

MOST_ERRORS = 50_000
_UNREADABLE = Transient(TransientReason.UNREADABLE)


class _Wire(msgspec.Struct, gc=False):
    """The reply as it stands."""

    processed: int | None = None
    errors: list[Any] | None = None


def read_push(operations: Sequence[Operation], body: bytes) -> Answer:
    """What the body of a 2xx says of these metrics; an empty one says that they were received."""
    count = len(operations)
    if not body.strip():
        return Answered((Verdict.ACCEPTED,) * count)
    try:
        wire = msgspec.json.decode(body, type=_Wire)
    except (ValueError, RecursionError):
        return _UNREADABLE
    errors = wire.errors or []
    if (wire.processed is None and wire.errors is None) or len(errors) > MOST_ERRORS:
        return _UNREADABLE
    if wire.processed is not None and not 0 <= wire.processed <= count:
        return _UNREADABLE
    # Whether `processed` counts the refused too is not documented; so it may fall short by them.
    is_short = wire.processed is not None and wire.processed + len(errors) < count
    return Answered(_verdicts(operations, errors, is_short=is_short))


def _verdicts(operations: Sequence[Operation], errors: list[Any], *, is_short: bool) -> tuple[Verdict, ...]:
    others = Verdict.UNCLEAR if is_short else Verdict.ACCEPTED
    if not errors:
        return (others,) * len(operations)
    places = _Places(operations)
    about = Counter(places.fitting(error) for error in errors)
    strangers = about.pop(frozenset(), 0)
    found: dict[int, Verdict] = {}
    for fitting, number in about.items():
        verdict = Verdict.REFUSED if number >= len(fitting) else Verdict.UNCLEAR
        for place in fitting:
            # Of two groups that share a metric, what both say of it: refused by one it is refused.
            if found.get(place) is not Verdict.REFUSED:
                found[place] = verdict
    rest = len(operations) - len(found)
    if strangers:
        others = Verdict.REFUSED if strangers >= rest else Verdict.UNCLEAR
    return tuple(found.get(place, others) for place in range(len(operations)))


class _Places:
    """Places of the metrics by what an error repeats of them."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        metrics = {place: each for place, each in enumerate(operations) if isinstance(each, PushMetric)}
        self._spelled = {place: _spelled(each) for place, each in metrics.items()}
        self._by_object: dict[object, list[int]] = {}
        for place, spelled in self._spelled.items():
            self._by_object.setdefault(spelled["externalId"], []).append(place)

    def fitting(self, error: object) -> frozenset[int]:
        """Metrics that agree with the repeated item in every field of ours that it holds; maybe none."""
        item = error.get("item") if isinstance(error, Mapping) else None
        if not isinstance(item, Mapping) or not isinstance(item.get("externalId"), str):
            return frozenset()
        near = self._by_object.get(item["externalId"], [])
        exact = self._agreeing(near, item, _FIELDS)
        # A date may come back in other words than it went.
        return exact or self._agreeing(near, item, _FIELDS[:-1])

    def _agreeing(self, near: list[int], item: Mapping[str, Any], fields: Sequence[str]) -> frozenset[int]:
        said = {field: item[field] for field in fields if field in item}
        return frozenset(
            place
            for place in near
            if all(self._spelled[place].get(field) == value for field, value in said.items())
        )


_FIELDS = ("externalId", "model", "dimensionId", "value", "date")


def _spelled(metric: PushMetric) -> dict[str, Any]:
    return {
        "externalId": metric.external_id,
        "model": metric.model.value,
        "dimensionId": metric.dimension,
        "value": metric.value,
        "date": metric.date,
    }
