"""identify: upsert the enduser."""

from streamer.events.calls import Identify, JsonDict
from streamer.events.values import id_text
from streamer.outcomes import SkipReason
from streamer.transform.fields import name_text, put_custom, put_fields, put_name
from streamer.transform.identity import Who, company_of, identified_user
from streamer.transform.operations import Skipped, Transformed, UpsertEnduser

# Segment's reserved traits that Planhat has fields for. Segment accepts both spellings of names;
# where an event has both, the later row wins. Job title: Segment's page calls Planhat's field
# `title`, Planhat's own model `position`.
_FIELDS = {
    "first_name": ("firstName",),
    "firstName": ("firstName",),
    "last_name": ("lastName",),
    "lastName": ("lastName",),
    "phone": ("phone",),
    "title": ("title", "position"),
}
_REFERENCES = ("id", "user_id", "companyId", "company_id")
_NOT_CUSTOM = frozenset({*_FIELDS, *_REFERENCES, "name", "email", "company"})


def identify(call: Identify) -> Transformed | Skipped:
    """One upsert of the enduser, in the company the call names, if it names one.

    Never creates a company: traits of a user are no good source for one.
    """
    who = identified_user(call)
    if who.is_anonymous:
        return Skipped(SkipReason.ANONYMOUS)
    traits = call.traits
    company = company_of(call.context, traits)
    fields: JsonDict = {}
    custom: JsonDict = {}
    for key, value in traits.items():
        if key not in _NOT_CUSTOM:
            put_custom(custom, key, value)
    put_fields(fields, custom, _FIELDS, traits)
    put_name(fields, custom, traits.get("name"))
    if "name" not in fields:
        _put_full_name(fields)
    _put_other_references(custom, traits, who, company)
    return Transformed((UpsertEnduser(who.external_id, who.email, company, fields, custom),))


def _put_full_name(fields: JsonDict) -> None:
    """First and last name together, where both are given; half a name is not made into a whole."""
    first = name_text(fields.get("firstName"))
    last = name_text(fields.get("lastName"))
    if first and last:
        fields["name"] = f"{first} {last}"


def _put_other_references(custom: JsonDict, traits: JsonDict, who: Who, company: str | None) -> None:
    """Ids among the traits go to `custom` only where they say more than the item's own keys do.

    The same id again would only repeat it; a null there clears nothing, as for the keys themselves.
    """
    for key, reference in zip(_REFERENCES, (who.external_id, who.external_id, company, company), strict=True):
        value = traits.get(key)
        if value is not None and id_text(value) != reference:
            put_custom(custom, key, value)
    if "company" in traits:
        described = traits["company"]
        if isinstance(described, dict):
            number = described.get("id")
            if number is None or id_text(number) == company:
                described = {key: value for key, value in described.items() if key != "id"}
        put_custom(custom, "company", described)
