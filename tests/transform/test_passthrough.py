"""Passthrough: which calls are forwarded, to whom they belong, and that they stay what they were."""

from typing import Any

import pytest
from hypothesis import given

from streamer.events.parse import parse
from streamer.outcomes import Endpoint, SkipReason
from streamer.transform import Rules, Skipped, Transformed, told_of
from streamer.transform.operations import ForwardCall
from tests.events.strategies import good_events, unhurried

FORWARDING = Rules(forwards=True)


def forwarded(event: dict[str, Any], rules: Rules = FORWARDING) -> ForwardCall:
    """The one operation that becomes of an event."""
    told = told_of(parse(event), event, rules)
    assert isinstance(told, Transformed)
    (operation,) = told.operations
    assert isinstance(operation, ForwardCall)
    return operation


@pytest.mark.parametrize(
    ("event", "keys", "user_id"),
    [
        (
            {"type": "identify", "userId": "u-1", "traits": {"email": "A@b.co"}},
            ("ext:u-1", "mail:a@b.co"),
            "u-1",
        ),
        ({"type": "identify", "anonymousId": "a", "traits": {"id": 7}}, ("ext:7",), "7"),
        ({"type": "identify", "anonymousId": "a", "traits": {"email": "a@b.co"}}, ("mail:a@b.co",), None),
        ({"type": "track", "userId": 7, "event": "E"}, ("ext:7",), "7"),
        ({"type": "page", "userId": "u-1"}, ("ext:u-1",), "u-1"),
        ({"type": "group", "userId": "u-1", "groupId": "g"}, ("ext:u-1",), "u-1"),
        ({"type": "group", "anonymousId": "a", "groupId": "g"}, ("co:g",), None),
    ],
)
def test_a_call_is_its_users(event: dict[str, Any], keys: tuple[str, ...], user_id: str | None) -> None:
    """Its keys put it into its user's line, a group call of nobody into its company's."""
    operation = forwarded(event)
    assert operation.endpoint is Endpoint.SEGMENT
    assert (operation.keys, operation.parents) == (keys, ())
    assert operation.call.get("user_id") == user_id


def test_the_type_is_spelt_as_segment_does() -> None:
    """Planhat's endpoint is Segment's: it need not know how others write a type."""
    assert forwarded({"type": "Track", "userId": "u-1", "event": "E"}).call["type"] == "track"


def test_the_body_is_the_call_as_it_came() -> None:
    """With `user_id` and the source beside; what Avro has for every call and this one not is left out."""
    event = {
        "type": "track", "userId": "u-1", "event": "E", "groupId": None, "traits": None,
        "properties": {"a": None, "deep": {"b": [1, {"c": 2**60}]}}, "context": {"ip": "::1"},
    }  # fmt: skip
    assert forwarded(event).call == {
        "type": "track", "userId": "u-1", "event": "E",
        "properties": {"a": None, "deep": {"b": [1, {"c": 2**60}]}}, "context": {"ip": "::1"},
        "user_id": "u-1", "source": "Segment",
    }  # fmt: skip


def test_the_write_key_is_not_sent_on() -> None:
    """Raw calls of Segment's libraries may have it: whoever holds it can write to their source."""
    event = {"type": "track", "userId": "u-1", "event": "E", "writeKey": "s3cr3t"}
    assert "s3cr3t" not in str(forwarded(event).call)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "screen", "userId": "u-1"}, SkipReason.UNSUPPORTED_TYPE),
        ({"type": "alias", "userId": "u-1", "previousId": "p"}, SkipReason.UNSUPPORTED_TYPE),
        ({"type": "delete", "userId": "u-1"}, SkipReason.UNSUPPORTED_TYPE),
        ({"type": "track", "anonymousId": "a", "event": "E"}, SkipReason.ANONYMOUS),
        ({"type": "page", "userId": "u-1", "integrations": {"All": False}}, SkipReason.INTEGRATIONS),
    ],
)
def test_what_is_not_forwarded_says_why(event: dict[str, Any], reason: SkipReason) -> None:
    """Opt-outs and skips are those of the other mode."""
    assert told_of(parse(event), event, FORWARDING) == Skipped(reason)


def test_consent_comes_first() -> None:
    """Whom a category was refused by is not forwarded either."""
    event = {
        "type": "track", "userId": "u-1", "event": "E",
        "context": {"consent": {"categoryPreferences": {"crm": False}}},
    }  # fmt: skip
    rules = Rules(forwards=True, consent_categories=frozenset({"crm"}))
    assert told_of(parse(event), event, rules) == Skipped(SkipReason.CONSENT)


@unhurried
@given(good_events)
def test_nothing_that_was_said_is_lost(event: dict[str, Any]) -> None:
    """Every field of the event that is not null is in the body, unchanged but for our own two."""
    told = told_of(parse(event), event, FORWARDING)
    if isinstance(told, Skipped):
        return
    (operation,) = told.operations
    assert isinstance(operation, ForwardCall)
    for name, value in event.items():
        if value is not None and name not in {"user_id", "source"}:
            assert operation.call[name] is value
    assert operation.call["source"] == "Segment"
    assert operation.keys
