"""Segment's consent for connections, row by row."""

from typing import Any

import pytest

from streamer.transform import Rules
from streamer.transform.consent import CONSENT_UPDATED
from tests.transform.told import group, identify, page, reason, told_one, track

MAPPED = Rules(consent_categories=frozenset({"crm"}))
SEVERAL = Rules(consent_categories=frozenset({"crm", "analytics"}))
CALLS = [identify(), track(), page(), group()]


def consenting(call: dict[str, Any], preferences: Any, **parts: Any) -> dict[str, Any]:
    """The call with these preferences."""
    return {**call, "context": {"consent": {"categoryPreferences": preferences}}, **parts}


@pytest.mark.parametrize("call", CALLS)
def test_a8_1_preferences_are_by_category(call: dict[str, Any]) -> None:
    """Which of them Planhat stands under is the operator's to say: no event does."""
    assert reason(consenting(call, {"crm": True, "ads": False}), MAPPED) is None
    assert reason(consenting(call, {"crm": False, "ads": True}), MAPPED) == "consent"
    assert reason(consenting(call, {"crm": False})) is None


@pytest.mark.parametrize("preferences", [["crm"], "crm", {"crm": "true"}, {"crm": 1}])
def test_a8_1_preferences_that_cannot_be_read_are_no_consent(preferences: Any) -> None:
    """The event is refused as Segment does, with Segment's reason, whatever categories are mapped."""
    for rules in (MAPPED, Rules()):
        assert str(reason(consenting(track(), preferences), rules)).startswith("consent_categorypreferences_")


def test_a8_2_consent_comes_before_integrations() -> None:
    """Where both refuse, consent is the reason."""
    assert reason(consenting(track(), {"crm": False}, integrations={"All": False}), MAPPED) == "consent"


def test_a8_2_all_of_several_categories_are_needed() -> None:
    """A destination of two categories needs both."""
    assert reason(consenting(track(), {"crm": True, "analytics": True}), SEVERAL) is None
    assert reason(consenting(track(), {"crm": True, "analytics": False}), SEVERAL) == "consent"


@pytest.mark.parametrize("integrations", [{}, {"integrations": {}}, {"integrations": {"All": True}}])
def test_a8_3_no_consent_object_flows_everywhere(integrations: dict[str, Any]) -> None:
    """With an integrations object or without."""
    assert reason({**track(), **integrations}, MAPPED) is None
    assert reason({**track(context={"consent": None}), **integrations}, MAPPED) is None


def test_a8_3_an_empty_consent_object_flows_without_an_integrations_object() -> None:
    """And refuses every mapped destination beside one, empty or not; unmapped ones still receive."""
    empty = track(context={"consent": {}})
    assert reason(empty, MAPPED) is None
    for integrations in ({}, {"All": True}, {"Planhat": True}):
        assert reason({**empty, "integrations": integrations}, MAPPED) == "consent"
        assert reason({**empty, "integrations": integrations}) is None


def test_a8_3_empty_preferences_refuse() -> None:
    """With an integrations object or without; unmapped destinations still receive."""
    assert reason(consenting(track(), {}), MAPPED) == "consent"
    assert reason(consenting(track(), {}, integrations={"All": True}), MAPPED) == "consent"
    assert reason(consenting(track(), {})) is None


def test_a8_3_a_missing_category_is_a_refused_one() -> None:
    """In preferences that hold others; so is one that is null."""
    assert reason(consenting(track(), {"ads": True}), MAPPED) == "consent"
    assert reason(consenting(track(), {"crm": None, "ads": True}), MAPPED) == "consent"


def test_a8_4_integrations_cannot_override_a_refusal() -> None:
    """But they do override consent."""
    assert reason(consenting(track(), {"crm": False}, integrations={"Planhat": True}), MAPPED) == "consent"
    off = consenting(track(), {"crm": True}, integrations={"Planhat": False})
    assert reason(off, MAPPED) == "integrations"


@pytest.mark.parametrize("preferences", [{"crm": False}, {}, {"crm": True}])
def test_a8_5_the_reserved_event_is_delivered_whatever_it_says(preferences: dict[str, bool]) -> None:
    """It reports the change of mind itself; only the track call of this very name does."""
    assert reason(consenting(track(CONSENT_UPDATED), preferences), MAPPED) is None
    refused = {"crm": False}
    assert reason(consenting(track(CONSENT_UPDATED.lower()), refused), MAPPED) == "consent"
    assert reason(consenting(page(name=CONSENT_UPDATED), refused), MAPPED) == "consent"
    assert reason(consenting(track(CONSENT_UPDATED), refused, integrations={"All": False}), MAPPED) == (
        "integrations"
    )


def test_a8_5_the_state_itself_is_not_told() -> None:
    """Segment's classic destinations cannot be sent it either: it stands in `context`, which is not told."""
    assert "categoryPreferences" not in str(told_one(consenting(track(CONSENT_UPDATED), {"crm": False})))


def test_a8_6_consent_is_asked_again_of_replays() -> None:
    """The object is kept, and what was refused then is refused now."""
    rules = Rules(consent_categories=frozenset({"crm"}), transport_aliases=("Kafka",))
    replayed = {"integrations": {"All": False, "Kafka": True}}
    assert reason(consenting(track(), {"crm": False}, **replayed), rules) == "consent"
    assert reason(consenting(track(), {"crm": True}, **replayed), rules) is None
