"""Whether a call may go to Planhat at all.

The order is Segment's: suppressed users are dropped at its door; then consent, then `integrations`, and
destination filters last. It decides which reason is counted where several hold.

Sources: Segment's documentation of suppression, of consent for connections and of destination filters, and
its integrations object as documented and as its own library reads it.
"""

from typing import Final

from streamer.events.calls import Call, Delete, JsonDict, Track
from streamer.events.integrations import all_enabled
from streamer.outcomes import SkipReason
from streamer.transform.rules import Rules

# Segment's reserved event: it reports the change of mind itself, so no preference holds it back.
CONSENT_UPDATED: Final = "Segment Consent Preference Updated"


def opted_out(call: Call, rules: Rules) -> SkipReason | None:
    """Why this call must not be delivered, or None.

    Refused consent cannot be overridden by `integrations`; granted consent can. A request to forget somebody
    is no use of their data: neither the list nor consent holds it back.
    """
    if rules.suppressed is not None and rules.suppressed.holds(call) and not isinstance(call, Delete):
        return SkipReason.SUPPRESSED
    if rules.consent_categories and not _consents(call, rules.consent_categories):
        return SkipReason.CONSENT
    integrations = call.integrations
    if integrations:
        if not is_enabled(integrations, rules):
            return SkipReason.INTEGRATIONS
    elif integrations is None and call.context.get(rules.destination) is False:
        # Where the object is missing Segment's library looks for the destination here.
        return SkipReason.INTEGRATIONS
    if rules.events is not None and isinstance(call, Track):
        return rules.events.refusal(call.event)
    return None


def _consents(call: Call, categories: frozenset[str]) -> bool:
    consent = call.context.get("consent")
    if consent is None:
        return True
    if isinstance(call, Delete) or (isinstance(call, Track) and call.event == CONSENT_UPDATED):
        return True
    preferences = consent.get("categoryPreferences")
    if preferences is None:
        # An empty consent object: "flows everywhere" without an integrations object (an empty one
        # is one), and refuses every mapped destination with it.
        return call.integrations is None
    return all(preferences.get(category) is True for category in categories)


def is_enabled(integrations: JsonDict, rules: Rules) -> bool:
    """What an `integrations` object says of Planhat: its own key, else an alias, else `All`."""
    own = integrations.get(rules.destination)
    for alias in rules.transport_aliases:
        if own is not None:
            break
        own = integrations.get(alias)
    # A null, which is how Avro writes what is absent, says nothing. Options, or anything else, mean "on".
    return all_enabled(integrations) is not False if own is None else own is not False
