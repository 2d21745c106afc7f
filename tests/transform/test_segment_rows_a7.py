"""Segment's Engage: audiences, computed traits and journeys, row by row."""

from typing import Any

import pytest

from streamer.outcomes import Endpoint
from streamer.transform.operations import UpsertEnduser
from tests.engine.fakes import Bench
from tests.transform.told import group, identify, reason, told, told_one, track

MAIL = "u-1@acme.example"
AUDIENCE = {
    "computation_class": "audience",
    "computation_id": "aud_1",
    "computation_key": "big_spender",
    "namespace": "spa_1",
    "space_id": "spa_1",
}
OURS = {"All": False, "Planhat": True}


def by_engage(call: dict[str, Any], personas: dict[str, Any] | None = None) -> dict[str, Any]:
    """The call as Engage makes it: it names its destinations and what was computed."""
    return {**call, "integrations": OURS, "context": {"personas": personas or AUDIENCE}}


@pytest.mark.parametrize("is_in", [True, False])
def test_a7_1_an_audience_is_a_trait_of_its_users(is_in: bool) -> None:
    """True for who entered it; for who left it false, which is told, and neither null nor removed."""
    enduser = told_one(by_engage(identify(traits={"big_spender": is_in})))
    assert enduser["custom"] == {"big_spender": is_in}
    assert enduser["custom"]["big_spender"] is is_in


@pytest.mark.parametrize(("event", "is_in"), [("Audience Entered", True), ("Audience Exited", False)])
def test_a7_1_an_audience_may_be_an_event(event: str, is_in: bool) -> None:
    """Told by a track call it is an activity, with the key and the answer among its info."""
    properties = {"audience_key": "big_spender", "big_spender": is_in}
    activity = told_one(by_engage(track(event, properties=properties)))
    assert activity["action"] == event
    assert activity["info"] == properties
    assert activity["info"]["big_spender"] is is_in


@pytest.mark.parametrize("value", [True, 12.5, 0, "gold", ["a", "b"], None])
def test_a7_1_a_computed_trait_is_any_trait(value: Any) -> None:
    """By identify it is a trait under its key, of whatever type; by track an activity."""
    computed = {**AUDIENCE, "computation_class": "trait", "computation_key": "level"}
    enduser = told_one(by_engage(identify(traits={"level": value}), computed))
    assert enduser["custom"] == {"level": value}
    activity = told_one(by_engage(track("Trait Computed", properties={"trait_key": "level"}), computed))
    assert activity["info"] == {"trait_key": "level"}


@pytest.mark.parametrize("said", ["true", "false"])
def test_a7_2_a_journey_says_text_and_means_a_boolean(said: str) -> None:
    """One of Segment's own examples does; a field that is a checkbox would refuse text."""
    journey = {**AUDIENCE, "computation_key": "j_o_onboarded"}
    enduser = told_one(by_engage(identify(traits={"j_o_onboarded": said, "note": "true"}), journey))
    assert enduser["custom"] == {"j_o_onboarded": said == "true", "note": "true"}


def test_a7_2_personas_itself_is_not_told() -> None:
    """It describes the computation, not the user."""
    enduser = told_one(by_engage(identify(traits={"big_spender": True})))
    assert "spa_1" not in str(enduser)


@pytest.mark.parametrize("is_in", [True, False])
def test_a7_3_an_account_level_audience_is_a_trait_of_the_company(is_in: bool) -> None:
    """By a group call of the account; of its users by an identify call each."""
    call = {"type": "group", "anonymousId": "a-1", "groupId": "acme", "traits": {"big_spender": is_in}}
    company = told_one(by_engage(call))
    assert (company["externalId"], company["custom"]) == ("acme", {"big_spender": is_in})
    company, enduser = told(by_engage(group(traits={"big_spender": is_in})))
    assert company["custom"] == {"big_spender": is_in}
    assert not enduser.get("custom")


def test_a7_4_a_profile_with_several_identifiers_is_told_by_each() -> None:
    """One change of a profile is a call for each; each is an upsert of what it names."""
    calls = [identify(), identify(userId="u-2"), {**identify(), "userId": None, "anonymousId": "a-1"}]
    known = [told_one(by_engage({**call, "traits": {"email": MAIL, "big_spender": True}})) for call in calls]
    assert [(each.get("externalId"), each["email"]) for each in known] == [
        ("u-1", MAIL),
        ("u-2", MAIL),
        (None, MAIL),
    ]


def test_a7_4_an_exit_without_any_identity_we_know_is_skipped() -> None:
    """An exit goes out for every identifier, those of devices among them: there is nobody at Planhat."""
    call = {"type": "identify", "anonymousId": "a-1", "traits": {"big_spender": False}}
    assert reason(by_engage(call)) == "anonymous"


def test_a7_5_a_deleted_audience_leaves_its_last_answer() -> None:
    """No exits are sent, so nothing tells of it: a call without the trait leaves it as it was."""
    later = by_engage(identify(traits={"plan": "pro"}))
    assert told_one(later)["custom"] == {"plan": "pro"}


@pytest.mark.parametrize("key", ["big_spender", "j_o_onboarded"])
def test_a7_6_a_sync_may_repeat_what_is_known(key: str) -> None:
    """The first sync tells of every member, and a new identifier again of all traits: one upsert will do."""
    bench = Bench()
    call = {**by_engage(identify(traits={key: True})), "messageId": "m"}
    for number in range(3):
        bench.source.feed({**call, "messageId": f"m-{number}"})
        bench.turn(4)
    assert len(bench.sink.operations(Endpoint.ENDUSERS)) == 1
    assert bench.told.reasons["unchanged"] == 2


def test_a7_7_what_is_for_other_destinations_is_filtered() -> None:
    """Engage caps the pace of some destinations by itself; of ours it does not, the quota does."""
    call = {
        **by_engage(identify(traits={"big_spender": True})),
        "integrations": {"All": False, "Braze": True},
    }
    assert reason(call) == "integrations"


def test_a7_8_a_burst_of_single_traits_is_one_entry() -> None:
    """A first sync is many calls of one trait each, several of one user."""
    bench = Bench()
    for number in range(20):
        personas = {**AUDIENCE, "computation_key": f"trait_{number}"}
        call = by_engage(identify(traits={f"trait_{number}": True}), personas)
        bench.source.feed({**call, "messageId": f"m-{number}"})
    bench.turn(4)
    (enduser,) = bench.sink.operations(Endpoint.ENDUSERS)
    assert isinstance(enduser, UpsertEnduser)
    assert enduser.custom == {f"trait_{number}": True for number in range(20)}
