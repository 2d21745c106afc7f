"""Each sentence of what Segment documents about consent and about `integrations`, as a case."""

from typing import Any

import pytest

from streamer.events.parse import parse
from streamer.outcomes import SkipReason
from streamer.transform import Rules, Skipped, transform
from streamer.transform.consent import CONSENT_UPDATED, opted_out

MAPPED = Rules(consent_categories=frozenset({"crm", "analytics"}))
BOTH = {"categoryPreferences": {"crm": True, "analytics": True, "ads": False}}
ONE = {"categoryPreferences": {"crm": True, "analytics": False}}
UNSAID = object()


def track(consent: Any = UNSAID, integrations: Any = UNSAID, event: str = "Logged In") -> Any:
    """A track call with these two objects, or without them."""
    value: dict[str, Any] = {"type": "track", "userId": "u-1", "event": event}
    if consent is not UNSAID:
        value["context"] = {"consent": consent}
    if integrations is not UNSAID:
        value["integrations"] = integrations
    return parse(value)


@pytest.mark.parametrize(
    ("law", "integrations", "enabled"),
    [
        ("a missing object enables all", UNSAID, True),
        ("null is a missing object", None, True),
        ("an empty object enables all", {}, True),
        ("All true enables", {"All": True}, True),
        ("All false blocks", {"All": False}, False),
        ("others being named changes nothing", {"Salesforce": False}, True),
        ("others being named does not enable us", {"All": False, "Salesforce": True}, False),
        ("the own key beats All: on", {"All": False, "Planhat": True}, True),
        ("the own key beats All: off", {"All": True, "Planhat": False}, False),
        ("the own key alone: off", {"Planhat": False}, False),
        ("keys are case-sensitive: off elsewhere is not off here", {"planhat": False}, True),
        ("keys are case-sensitive: on elsewhere is not on here", {"All": False, "PlanHat": True}, False),
        ("options mean on", {"All": False, "Planhat": {"priority": 1}}, True),
        ("empty options mean on", {"All": False, "Planhat": {}}, True),
        ("what is no boolean means on, as in Segment's library", {"All": False, "Planhat": "yes"}, True),
        ("a null own key says nothing", {"All": False, "Planhat": None}, False),
        ("a null own key says nothing of All's default", {"Planhat": None}, True),
        ("All is found in any case, as in Segment's library", {"all": False}, False),
        ("All that is no boolean says nothing", {"All": "false"}, True),
        ("All that is null says nothing", {"All": None}, True),
        ("a boolean `all` counts where `All` says nothing", {"All": None, "ALL": False}, False),
        ("an object that is none enables nothing", ["Planhat"], False),
        ("a transport is not us unless declared", {"All": False, "Kafka": True}, False),
    ],
)
def test_integrations(law: str, integrations: Any, enabled: bool) -> None:
    """Segment's sentences on the integrations object, each of them."""
    expected = None if enabled else SkipReason.INTEGRATIONS
    assert opted_out(track(integrations=integrations), Rules()) == expected, law


ALIASED = Rules(transport_aliases=("Kafka", "Webhooks"))


@pytest.mark.parametrize(
    ("law", "integrations", "enabled"),
    [
        ("a replay through a declared transport passes", {"All": False, "Kafka": True}, True),
        ("so does one with options", {"All": False, "Kafka": {"topic": "t"}}, True),
        ("a transport switched off is us switched off", {"All": True, "Kafka": False}, False),
        ("our own key beats the transport: off", {"All": False, "Planhat": False, "Kafka": True}, False),
        ("our own key beats the transport: on", {"All": False, "Planhat": True, "Kafka": False}, True),
        ("the first alias present decides", {"Kafka": False, "Webhooks": True}, False),
        ("a later alias counts where the first is absent", {"All": False, "Webhooks": True}, True),
        ("a null alias says nothing", {"Kafka": None, "Webhooks": False}, False),
        ("aliases are case-sensitive", {"All": False, "kafka": True}, False),
    ],
)
def test_transport_aliases(law: str, integrations: Any, enabled: bool) -> None:
    """A declared transport stands for Planhat where Planhat's own key is absent."""
    expected = None if enabled else SkipReason.INTEGRATIONS
    assert opted_out(track(integrations=integrations), ALIASED) == expected, law


def test_the_destination_may_go_by_another_name() -> None:
    """The operator's name for the destination is the only one looked for."""
    rules = Rules(destination="Planhat (prod)")
    assert opted_out(track(integrations={"All": False, "Planhat (prod)": True}), rules) is None
    assert opted_out(track(integrations={"All": False, "Planhat": True}), rules) is SkipReason.INTEGRATIONS


@pytest.mark.parametrize(
    ("law", "consent", "integrations", "granted"),
    [
        ("all mapped categories true", BOTH, UNSAID, True),
        ("one of several false", ONE, UNSAID, False),
        (
            "a category missing from a map counts as false",
            {"categoryPreferences": {"crm": True}},
            UNSAID,
            False,
        ),
        (
            "a null category counts as missing",
            {"categoryPreferences": {"crm": True, "analytics": None}},
            {},
            False,
        ),
        ("an empty map refuses", {"categoryPreferences": {}}, UNSAID, False),
        ("no consent object flows", UNSAID, UNSAID, True),
        ("no consent object flows beside an integrations object", UNSAID, {"All": True}, True),
        ("a null consent object is none", None, {"All": True}, True),
        ("an empty consent object without integrations flows", {}, UNSAID, True),
        ("an empty consent object with integrations refuses", {}, {"All": True}, False),
        ("an empty integrations object is one", {}, {}, False),
        ("a null integrations object is none", {}, None, True),
        ("null preferences are an empty consent object", {"categoryPreferences": None}, {"All": True}, False),
        ("integrations cannot override a refusal", ONE, {"Planhat": True}, False),
    ],
)
def test_consent(law: str, consent: Any, integrations: Any, granted: bool) -> None:
    """Segment's sentences on consent, each of them, for a destination in two categories."""
    expected = None if granted else SkipReason.CONSENT
    assert opted_out(track(consent, integrations), MAPPED) == expected, law


@pytest.mark.parametrize("consent", [UNSAID, {}, {"categoryPreferences": {}}, ONE])
@pytest.mark.parametrize("integrations", [UNSAID, {}, {"All": True}])
def test_an_unmapped_destination_receives(consent: Any, integrations: Any) -> None:
    """Without configured categories consent is not asked for."""
    assert opted_out(track(consent, integrations), Rules()) is None


def test_granted_consent_is_overridden_by_integrations() -> None:
    """`integrations` can still say no, and then it is the reason."""
    call = track(BOTH, {"Planhat": False})
    assert transform(call, MAPPED) == Skipped(SkipReason.INTEGRATIONS)


def test_consent_is_asked_before_integrations() -> None:
    """Where both refuse, consent is the reason counted."""
    call = track(ONE, {"Planhat": False})
    assert transform(call, MAPPED) == Skipped(SkipReason.CONSENT)


def test_the_reserved_event_ignores_preferences_but_not_integrations() -> None:
    """Segment's consent event is delivered whatever it says, unless Planhat is switched off."""
    assert opted_out(track(ONE, event=CONSENT_UPDATED), MAPPED) is None
    assert opted_out(track(ONE, {"All": False}, CONSENT_UPDATED), MAPPED) is SkipReason.INTEGRATIONS


@pytest.mark.parametrize("kind", ["identify", "track", "page", "screen", "group"])
def test_opt_outs_hold_for_every_type(kind: str) -> None:
    """Segment's filters apply to identify, track, page, screen and group alike."""
    value = {"type": kind, "userId": "u-1", "groupId": "acme", "event": "Logged In"}
    rules = Rules(consent_categories=frozenset({"crm"}), deliver_screens=True)
    off = parse({**value, "integrations": {"Planhat": False}})
    refused = parse({**value, "context": {"consent": {"categoryPreferences": {"crm": False}}}})
    assert transform(off, rules) == Skipped(SkipReason.INTEGRATIONS)
    assert transform(refused, rules) == Skipped(SkipReason.CONSENT)
    assert not isinstance(transform(parse(value), rules), Skipped)
