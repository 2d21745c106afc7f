"""Laws of when a call happened."""

from typing import Any

import pytest
from hypothesis import given

from streamer.events.moments import happened_at
from streamer.events.parse import parse
from streamer.events.values import iso_timestamp
from tests.events.strategies import anything, objects, unhurried

SAID = "2026-01-05T10:00:00.000Z"
RECEIVED = "2026-01-05T12:00:00.000Z"
# A device whose clock is a day ahead: it happened at 11:59:58 by the clock that is right.
AHEAD = {
    "originalTimestamp": "2026-01-06T12:00:00.000Z",
    "sentAt": "2026-01-06T12:00:02.000Z",
    "receivedAt": RECEIVED,
}


@pytest.mark.parametrize(
    ("law", "times", "expected"),
    [
        ("timestamp comes before all others", {"timestamp": SAID, **AHEAD}, SAID),
        ("without it, Segment's own rule", AHEAD, "2026-01-05T11:59:58.000Z"),
        ("so too where it is none", {"timestamp": "soon", **AHEAD}, "2026-01-05T11:59:58.000Z"),
        ("so too where it is null", {"timestamp": None, **AHEAD}, "2026-01-05T11:59:58.000Z"),
        ("so too where it says unset", {"timestamp": 0, **AHEAD}, "2026-01-05T11:59:58.000Z"),
        (
            "zones do not matter",
            {**AHEAD, "sentAt": "2026-01-06T14:00:02+02:00", "receivedAt": "2026-01-05T13:00+01:00"},
            "2026-01-05T11:59:58.000Z",
        ),
        (
            "nor do epoch numbers",
            {**AHEAD, "receivedAt": 1767614400000, "sentAt": "1767700802"},
            "2026-01-05T11:59:58.000Z",
        ),
        (
            "a device that waited a week before it sent",
            {**AHEAD, "originalTimestamp": "2025-12-30T12:00:02Z"},
            "2025-12-29T12:00:00.000Z",
        ),
        (
            "what was sent before it happened happened when it was received",
            {**AHEAD, "sentAt": "2026-01-06T11:00:00Z"},
            RECEIVED,
        ),
        ("sent at once", {**AHEAD, "sentAt": AHEAD["originalTimestamp"]}, RECEIVED),
        ("no sentAt: the device's clock is not to be corrected", {**AHEAD, "sentAt": None}, RECEIVED),
        ("no originalTimestamp", {**AHEAD, "originalTimestamp": "?"}, RECEIVED),
        ("a device without a clock", {**AHEAD, "originalTimestamp": "1970-01-01T00:00:07Z"}, RECEIVED),
        ("receivedAt alone", {"receivedAt": RECEIVED}, RECEIVED),
        ("the device's clock alone", {"originalTimestamp": SAID, "sentAt": RECEIVED}, SAID),
        ("sentAt alone", {"sentAt": SAID}, SAID),
        ("none at all", {}, None),
        (
            "none that is one",
            {"timestamp": True, "receivedAt": [], "sentAt": "1", "originalTimestamp": {}},
            None,
        ),
        (  # the rule's own result would be of 1913
            "56 years on its way: before 1970 nothing happened",
            {**AHEAD, "receivedAt": "1970-01-03T00:00:00Z", "originalTimestamp": "1970-01-02T00:00:00Z"},
            "1970-01-03T00:00:00Z",
        ),
    ],
)
def test_the_time_that_counts(law: str, times: dict[str, Any], expected: str | None) -> None:
    """`timestamp`, else Segment's rule for it, else the best that is left."""
    assert happened_at(times) == expected, law


@pytest.mark.parametrize(
    "early", ["1970-01-01T00:00:00Z", "1969-12-31T23:00:00-01:00", "1901-01-01", "0001-01-01"]
)
def test_before_1970_no_clock_was_set(early: str) -> None:
    """An event dated before 1970, or at its first moment in any zone, is dated by no clock."""
    assert happened_at({"timestamp": early}) is None
    assert happened_at({"timestamp": early, "receivedAt": RECEIVED}) == RECEIVED
    assert happened_at({"timestamp": "1970-01-02T00:00:00Z"}) == "1970-01-02T00:00:00Z"


def test_a_date_of_birth_is_no_event() -> None:
    """Only when a call happened has a first day; other dates may be as old as people."""
    assert iso_timestamp("1950-05-05T00:00:00Z") == "1950-05-05T00:00:00Z"


def test_the_future_is_left_as_it_is() -> None:
    """A timestamp in the future is Segment's to make, and told as it is."""
    future = "2126-01-05T10:00:00Z"
    assert happened_at({"timestamp": future, "receivedAt": RECEIVED}) == future


@pytest.mark.parametrize(
    "value",
    [
        {"type": "identify"},
        {"type": "group", "groupId": "acme"},
        {"type": "track", "event": "Logged In"},
        {"type": "page"},
        {"type": "screen"},
        {"type": "alias"},
        {"type": "delete"},
    ],
)
def test_every_call_has_its_time(value: dict[str, Any]) -> None:
    """The rule is the same whatever the type of the call."""
    assert parse({"userId": "u-1", **value, **AHEAD}).timestamp == "2026-01-05T11:59:58.000Z"


@unhurried
@given(anything, anything, anything, anything)
def test_any_times_give_a_time_or_none(timestamp: Any, received: Any, sent: Any, original: Any) -> None:
    """Whatever stands there, the answer is a point in time with a zone, or None."""
    said = happened_at(
        {"timestamp": timestamp, "receivedAt": received, "sentAt": sent, "originalTimestamp": original}
    )
    assert said is None or iso_timestamp(said) == said


@unhurried
@given(objects)
def test_any_object_has_a_time_or_none(event: dict[str, Any]) -> None:
    """An object that is no event is no trouble either."""
    assert happened_at(event) is None or "timestamp" in event
