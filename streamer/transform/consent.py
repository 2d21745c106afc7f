"""Whether a call may go to Planhat at all: consent first, then `integrations`.

Sources: Segment's consent documentation for connections, and its integrations object as
documented and as its own library reads it.
"""

from streamer.events.calls import Call, JsonDict, Track
from streamer.outcomes import SkipReason
from streamer.transform.rules import Rules

# Segment's reserved event: it reports the change of mind itself, so no preference holds it back.
CONSENT_UPDATED = "Segment Consent Preference Updated"


def opted_out(call: Call, rules: Rules) -> SkipReason | None:
    """Why this call must not be delivered, or None.

    Refused consent cannot be overridden by `integrations`; granted consent can.
    """
    if rules.consent_categories and not _consents(call, rules.consent_categories):
        return SkipReason.CONSENT
    integrations = call.integrations
    if integrations and not is_enabled(integrations, rules):
        return SkipReason.INTEGRATIONS
    return None


def _consents(call: Call, categories: frozenset[str]) -> bool:
    consent = call.context.get("consent")
    if consent is None:
        return True
    if isinstance(call, Track) and call.event == CONSENT_UPDATED:
        return True
    preferences = consent.get("categoryPreferences")
    if preferences is None:
        # An empty consent object: "flows everywhere" without an integrations object (an empty one
        # is one), and refuses every mapped destination with it.
        return call.integrations is None
    return all(preferences.get(category) is True for category in categories)


def is_enabled(integrations: JsonDict, rules: Rules) -> bool:
    """What an `integrations` object says of Planhat: its own key, else an alias, else `All`."""
    own = _choice(integrations.get(rules.destination))
    if own is not None:
        return own
    for alias in rules.transport_aliases:
        stated = _choice(integrations.get(alias))
        if stated is not None:
            return stated
    return _all_enabled(integrations)


def _choice(value: object) -> bool | None:
    """A boolean is meant; options, or anything else, mean "on"; null (Avro's absent) says nothing."""
    return value if value is None or isinstance(value, bool) else True


def _all_enabled(integrations: JsonDict) -> bool:
    """`All`, in any case (as in Segment's own library); what is no boolean there says nothing."""
    value = integrations.get("All")
    if isinstance(value, bool):
        return value
    for key, value in integrations.items():
        if isinstance(value, bool) and key.lower() == "all":
            return value
    return True
