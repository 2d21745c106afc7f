"""Laws of the lists of allowed and denied events."""

from typing import Any

import pytest

from streamer.events.parse import parse
from streamer.outcomes import SkipReason
from streamer.transform import Rules, Skipped, transform
from streamer.transform.consent import CONSENT_UPDATED, opted_out
from streamer.transform.event_lists import event_lists


def refusal(event: str, allow: tuple[str, ...] = ("*",), deny: tuple[str, ...] = ()) -> SkipReason | None:
    """Why a track call of this event is not told."""
    call = parse({"type": "track", "userId": "u-1", "event": event})
    return opted_out(call, Rules(events=event_lists(allow, deny)))


def test_nothing_is_refused_without_lists() -> None:
    """The default allows everything and looks nothing up."""
    assert event_lists() is None
    assert event_lists(allow=("Signed Up", "*")) is None
    assert refusal("Signed Up") is None


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("Order Completed", None),
        ("Order Tested", SkipReason.DENIED),
        ("Signed Up", None),
        ("signed up", SkipReason.NOT_ALLOWED),
        ("Page Loaded", SkipReason.NOT_ALLOWED),
        ("Anything Tested", SkipReason.DENIED),
    ],
)
def test_denied_beats_allowed(event: str, reason: SkipReason | None) -> None:
    """What is denied stays so; what is not allowed, where something is, has a reason of its own."""
    assert refusal(event, allow=("Order *", "Signed Up"), deny=("* Tested",)) is reason


def test_an_empty_list_allows_nothing() -> None:
    """No event at all may be allowed."""
    assert refusal("Signed Up", allow=()) is SkipReason.NOT_ALLOWED


@pytest.mark.parametrize(
    "value",
    [
        {"type": "identify"},
        {"type": "group", "groupId": "acme"},
        {"type": "page", "name": "Signed Up"},
        {"type": "screen", "name": "Signed Up"},
    ],
)
def test_the_lists_are_of_track_calls(value: dict[str, Any]) -> None:
    """Other calls name no event, so no list holds them back."""
    call = parse({"userId": "u-1", **value})
    assert opted_out(call, Rules(events=event_lists(allow=(), deny=("*",)))) is None


def test_the_lists_come_last() -> None:
    """Consent and `integrations` give the reason where they refuse as well."""
    rules = Rules(consent_categories=frozenset({"crm"}), events=event_lists(deny=("*",)))
    value: dict[str, Any] = {"type": "track", "userId": "u-1", "event": "Signed Up"}
    off = {**value, "integrations": {"Planhat": False}}
    refused = {**off, "context": {"consent": {"categoryPreferences": {"crm": False}}}}
    assert [transform(parse(each), rules) for each in (value, off, refused)] == [
        Skipped(SkipReason.DENIED),
        Skipped(SkipReason.INTEGRATIONS),
        Skipped(SkipReason.CONSENT),
    ]


def test_the_reserved_event_may_be_denied() -> None:
    """No preference holds Segment's consent event back, but the operator may."""
    assert refusal(CONSENT_UPDATED, deny=("Segment *",)) is SkipReason.DENIED
