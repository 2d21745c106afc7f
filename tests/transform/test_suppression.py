"""Laws of the suppression list: whose calls are about somebody on it."""

from typing import Any

import pytest
from hypothesis import given

from streamer.events.parse import parse
from streamer.outcomes import SkipReason
from streamer.transform import Rules, Skipped, Transformed, transform
from streamer.transform.consent import opted_out
from streamer.transform.suppression import Suppressed
from tests.events.strategies import good_events, unhurried

LIST = Suppressed.of(frozenset({"u-1", "42", "Ann@Example.org"}))
RULES = Rules(suppressed=LIST)
ANN = "aNN@example.ORG"
IDENTIFY: dict[str, Any] = {"type": "identify", "userId": "u-9"}
TRACK: dict[str, Any] = {"type": "track", "userId": "u-9", "event": "Invited"}
PAGE: dict[str, Any] = {"type": "page", "userId": "u-9"}
GROUP: dict[str, Any] = {"type": "group", "userId": "u-9", "groupId": "acme"}
ALIAS: dict[str, Any] = {"type": "alias", "userId": "u-9", "previousId": "u-8"}


@pytest.mark.parametrize(
    "value",
    [
        *({**each, "userId": "u-1"} for each in (IDENTIFY, TRACK, PAGE, GROUP, ALIAS)),
        {"type": "screen", "userId": "u-1"},
        {**TRACK, "userId": 42},
        {**TRACK, "userId": 42.0},
        {**TRACK, "userId": ANN},
        {**IDENTIFY, "traits": {"email": f" {ANN} "}},
        {**IDENTIFY, "traits": {"id": "u-1"}},
        {**IDENTIFY, "traits": {"user_id": 42}},
        *({**each, "context": {"traits": {"email": ANN}}} for each in (IDENTIFY, TRACK, PAGE, GROUP, ALIAS)),
        {**TRACK, "context": {"traits": {"id": "u-1"}}},
        {**GROUP, "context": {"traits": {"user_id": "u-1"}}},
        {**TRACK, "userId": None, "anonymousId": "a-1", "properties": {"email": ANN}},
        {**ALIAS, "previousId": "u-1"},
        {**ALIAS, "previousId": ANN},
    ],
)
def test_calls_about_them_are_suppressed(value: dict[str, Any]) -> None:
    """By user id, by e-mail address in any case, and by those among the user's traits."""
    assert transform(parse(value), RULES) == Skipped(SkipReason.SUPPRESSED)


@pytest.mark.parametrize(
    "value",
    [
        {**TRACK, "userId": "U-1"},
        {**TRACK, "userId": "u-11"},
        {**TRACK, "properties": {"email": ANN, "userId": "u-1", "id": "u-1"}},
        {**TRACK, "anonymousId": "u-1"},
        {**GROUP, "traits": {"id": "u-1", "email": ANN}},
        {**GROUP, "groupId": "u-1"},
        {**IDENTIFY, "traits": {"manager": "u-1", "id": True, "email": ["u-1"]}},
        {**IDENTIFY, "context": {"traits": "u-1"}},
    ],
)
def test_calls_about_others_are_not(value: dict[str, Any]) -> None:
    """Ids count by case; who is only named in a call, or is a company, is not whom it is about."""
    assert opted_out(parse(value), RULES) is None


def test_a_deletion_is_never_held_back() -> None:
    """Who may not be told of may still be forgotten; so may who refused consent."""
    rules = Rules(suppressed=LIST, consent_categories=frozenset({"crm"}))
    refused = {"consent": {"categoryPreferences": {"crm": False}}}
    assert opted_out(parse({"type": "delete", "userId": "u-1", "context": refused}), rules) is None
    off = {"type": "delete", "userId": "u-1", "integrations": {"Planhat": False}}
    assert opted_out(parse(off), rules) is SkipReason.INTEGRATIONS


def test_suppression_is_asked_first() -> None:
    """It gives the reason, whatever else the call says: Segment drops such calls at its door."""
    value = {**TRACK, "userId": "u-1", "integrations": {"All": False}, "context": {"consent": {}}}
    rules = Rules(suppressed=LIST, consent_categories=frozenset({"crm"}))
    assert opted_out(parse(value), rules) is SkipReason.SUPPRESSED


def test_nobody_on_the_list_is_shown() -> None:
    """A repr of the rules, which may stand in a log, names nobody."""
    shown = f"{LIST!r} {RULES!r}"
    assert "u-1" not in shown
    assert "example" not in shown.lower()


@unhurried
@given(good_events)
def test_who_is_written_is_never_on_the_list(event: dict[str, Any]) -> None:
    """Whatever a call says, no operation has a key that is on the list."""
    result = transform(parse(event), Rules(suppressed=Suppressed.of(frozenset({"u-1", "42", "a@b.co"}))))
    if isinstance(result, Transformed):
        keys = {key for operation in result.operations for key in operation.keys}
        assert keys.isdisjoint({"ext:u-1", "ext:42", "ext:a@b.co", "mail:a@b.co"})
