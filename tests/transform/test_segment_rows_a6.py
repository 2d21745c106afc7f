"""Segment's `integrations` object: what its documentation and others' code say of it, row by row.

The library's own algorithm is held against ours by chance in test_integrations_oracle.py.
"""

from typing import Any

import pytest

from streamer.transform import Rules
from streamer.transform.event_lists import event_lists
from tests.transform.told import group, identify, page, reason, told, track

SCREENS = Rules(deliver_screens=True)
CALLS = [identify(), track(), page(), group(), {"type": "screen", "userId": "u-1"}]


def is_told(integrations: Any, rules: Rules = SCREENS) -> bool:
    """Whether a call with this object is told, the same for every type of call."""
    reasons = {reason({**call, "integrations": integrations}, rules) for call in CALLS}
    assert len(reasons) == 1
    assert reasons <= {None, "integrations"}
    return reasons == {None}


@pytest.mark.parametrize("integrations", [None, {}, {"All": True}, {"Salesforce": False}])
def test_a6_1_all_are_enabled_by_default(integrations: Any) -> None:
    """An object that is missing, or does not speak of us or all, enables us."""
    assert is_told(integrations)


@pytest.mark.parametrize("everything", [True, False, None])
def test_a6_2_the_own_key_beats_all(everything: bool | None) -> None:
    """Whatever is said of all, what is said of Planhat counts."""
    assert is_told({"All": everything, "Planhat": True})
    assert not is_told({"All": everything, "Planhat": False})


def test_a6_3_all_false_blocks_what_is_not_named() -> None:
    """Only what is explicitly true gets through."""
    assert not is_told({"All": False})
    assert not is_told({"All": False, "Salesforce": True})


@pytest.mark.parametrize("name", ["planhat", "PLANHAT", "PlanHat", "Planhat ", "plan hat"])
def test_a6_4_names_are_case_sensitive(name: str) -> None:
    """Planhat's is exactly `Planhat`: another spelling is another destination's."""
    assert is_told({name: False})
    assert not is_told({"All": False, name: True})


@pytest.mark.parametrize("options", [{}, {"priority": 1}, {"enabled": False}])
def test_a6_5_options_mean_enabled(options: dict[str, Any]) -> None:
    """An object of options is a yes, whatever it holds, and even beats the lists of allowed events.

    In Segment it beats the filter of a source's schema, which is not ours; our own lists it does not beat.
    """
    assert is_told({"All": False, "Planhat": options})
    denied = Rules(events=event_lists(deny=("Logged In",)))
    assert reason(track(integrations={"Planhat": options}), denied) == "denied"


@pytest.mark.parametrize("call", CALLS)
def test_a6_6_every_documented_type_is_filtered(call: dict[str, Any]) -> None:
    """identify, track, page, screen and group; alias and delete, of which nothing is documented, alike."""
    assert reason({**call, "integrations": {"Planhat": False}}, SCREENS) == "integrations"
    for kind in ("alias", "delete"):
        value = {"type": kind, "userId": "u-1", "integrations": {"All": False}}
        assert reason(value) == "integrations"


def test_a6_7_lists_are_asked_after_integrations() -> None:
    """Filters of a destination see only what passed; the reason that is counted is the first."""
    rules = Rules(events=event_lists(deny=("*",)))
    assert reason(track(integrations={"Planhat": False}), rules) == "integrations"
    assert reason(track(), rules) == "denied"


@pytest.mark.parametrize(
    ("parts", "enabled"),
    [
        ({"options": {"providers": {"all": False}}, "integrations": {"All": True}}, False),
        ({"options": {"all": False}, "integrations": {"All": True}}, False),
        ({"integrations": {"aLL": False}}, False),
        ({"options": {"providers": {"Planhat": False}}}, False),
        ({"context": {"providers": {"all": False, "Planhat": True}}}, True),
        ({"context": {"Planhat": False}}, False),
        ({"context": {"Planhat": False}, "integrations": {}}, True),
        ({"integrations": {"All": False, "Planhat": "yes"}}, True),
    ],
)
def test_a6_facade_old_places_are_heard(parts: dict[str, Any], enabled: bool) -> None:
    """`options`, `context` and `providers` said what `integrations` says now."""
    assert reason(track(**parts)) == (None if enabled else "integrations")


def test_a6_facade_a_null_says_nothing_differs() -> None:
    """Segment's library takes a null for options; in Avro it is what an absent field looks like."""
    assert not is_told({"All": False, "Planhat": None})
    assert is_told({"Planhat": None})


def test_a6_facade_the_documented_spelling_is_meant_differs() -> None:
    """Of several spellings of All Segment's library takes the first that stands there."""
    assert not is_told({"all": True, "All": False})


@pytest.mark.parametrize("integrations", ["none", [], ["Planhat"], True, 1])
def test_a6_rudderstack_what_is_no_object_enables_nothing_differs(integrations: Any) -> None:
    """As RudderStack reads it, and not as Segment's library does: what cannot be read may be a no."""
    assert not is_told(integrations)


def test_a6_rudderstack_all_that_is_no_boolean_says_nothing() -> None:
    """As Segment's library reads it: RudderStack would enable nothing."""
    assert is_told({"All": "false"})


def test_a6_rudderstack_text_for_a_destination_means_enabled() -> None:
    """As Segment's library reads it: RudderStack would go by All."""
    assert is_told({"All": False, "Planhat": "yes"})


def test_a6_engage_output_names_its_destinations() -> None:
    """One source of Engage's serves several: what is for others is filtered, and counted as such."""
    assert is_told({"All": False, "Planhat": True, "Salesforce": True})
    assert not is_told({"All": False, "Salesforce": True})


def test_a6_replays_name_their_transport() -> None:
    """A replay says nothing of us, so the operator may say that its transport stands for us."""
    replayed = {"All": False, "Kafka": True}
    assert not is_told(replayed)
    assert is_told(replayed, Rules(deliver_screens=True, transport_aliases=("Kafka",)))
    assert told(track(integrations=replayed), Rules(transport_aliases=("Webhooks", "Kafka")))


def test_a6_replays_keep_consent() -> None:
    """What was refused stays refused when it is replayed."""
    rules = Rules(consent_categories=frozenset({"crm"}), transport_aliases=("Kafka",))
    refused = {"consent": {"categoryPreferences": {"crm": False}}}
    assert reason(track(integrations={"All": False, "Kafka": True}, context=refused), rules) == "consent"
