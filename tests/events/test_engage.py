"""Laws of audiences, journeys and computed traits as events say them."""

from typing import Any

import pytest

from streamer.events.calls import Group, Identify, Page, Track
from streamer.events.parse import parse

AUDIENCE = {"computation_class": "audience", "computation_id": "aud_1", "computation_key": "big_spender"}
JOURNEY = {"computation_class": "audience", "computation_id": "aud_2", "computation_key": "j_o_onboarded"}
TRAIT = {"computation_class": "trait", "computation_id": "tra_1", "computation_key": "big_spender"}


def traits(personas: Any, **said: Any) -> dict[str, Any]:
    """The traits of an identify call that Engage made."""
    call = parse({"type": "identify", "userId": "u-1", "context": {"personas": personas}, "traits": said})
    assert isinstance(call, Identify)
    return call.traits


@pytest.mark.parametrize(("said", "meant"), [("true", True), ("false", False), (True, True), (False, False)])
@pytest.mark.parametrize("personas", [AUDIENCE, JOURNEY])
def test_an_audience_is_true_or_false(personas: dict[str, str], said: Any, meant: bool) -> None:
    """What an audience or a journey says as text is a boolean, and false stays false."""
    key = personas["computation_key"]
    assert traits(personas, **{key: said, "plan": "true"}) == {key: meant, "plan": "true"}


@pytest.mark.parametrize("said", ["True", "yes", "", None, 1, ["true"]])
def test_what_is_neither_stays(said: Any) -> None:
    """Only the words that Segment's examples hold are read."""
    assert traits(AUDIENCE, big_spender=said) == {"big_spender": said}


def test_a_computed_trait_may_be_any_text() -> None:
    """The text "true" of a computed trait may be what somebody's event said."""
    assert traits(TRAIT, big_spender="true") == {"big_spender": "true"}


def test_a_journey_is_known_by_its_key() -> None:
    """Where the class is left out, the key of a journey tells."""
    assert traits({"computation_key": "j_o_onboarded"}, j_o_onboarded="true") == {"j_o_onboarded": True}
    assert traits({"computation_key": "onboarded"}, onboarded="true") == {"onboarded": "true"}


@pytest.mark.parametrize(
    "personas", [None, [], "text", {}, {"computation_key": 7}, {"computation_key": ["a"]}]
)
def test_odd_personas_say_nothing(personas: Any) -> None:
    """What cannot be read there changes nothing."""
    assert traits(personas, big_spender="true") == {"big_spender": "true"}


def test_accounts_and_activities_too() -> None:
    """A group call says it of an account, a track call among its properties; a page call never."""
    parts: dict[str, Any] = {"userId": "u-1", "context": {"personas": JOURNEY}}
    said = {"j_o_onboarded": "false"}
    group = parse({**parts, "type": "group", "groupId": "acme", "traits": said})
    track = parse({**parts, "type": "track", "event": "Audience Exited", "properties": said})
    page = parse({**parts, "type": "page", "properties": said})
    assert isinstance(group, Group)
    assert isinstance(track, Track)
    assert isinstance(page, Page)
    assert group.traits == track.properties == {"j_o_onboarded": False}
    assert page.properties == said
    assert said == {"j_o_onboarded": "false"}
