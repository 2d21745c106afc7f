"""group: upsert the company, and the user in it."""

from streamer.events.calls import Group, JsonDict
from streamer.events.values import id_text
from streamer.transform.fields import put_custom, put_fields, put_name, put_others
from streamer.transform.identity import grouped_user
from streamer.transform.operations import Transformed, UpsertCompany, UpsertEnduser
from streamer.transform.rules import Link, Rules

# Segment's reserved group traits, and the parts of its address object, as Planhat's company fields.
_FIELDS = {
    "website": ("website",),
    "description": ("description",),
    "phone": ("phone",),
    "address": ("address",),
}
_ADDRESS_FIELDS = {
    "street": ("address",),
    "city": ("city",),
    "postal_code": ("zip",),
    "postalCode": ("zip",),
    "country": ("country",),
}
_NOT_CUSTOM = frozenset({*_FIELDS, "name", "id"})


def group(call: Group, rules: Rules) -> Transformed:
    """An upsert of the company; then, where a user is named and rules allow, of that user in it."""
    traits = call.traits
    fields: JsonDict = {}
    custom: JsonDict = {}
    put_others(custom, traits, _NOT_CUSTOM)
    address = traits.get("address")
    if isinstance(address, dict):
        traits = {key: value for key, value in traits.items() if key != "address"}
        _put_address(fields, custom, address)
    put_fields(fields, custom, _FIELDS, traits)
    put_name(fields, custom, traits.get("name"))
    number = traits.get("id")
    if number is not None and id_text(number) != call.group_id:
        put_custom(custom, "id", number)
    company = UpsertCompany(call.group_id, fields, custom)
    who = grouped_user(call)
    if rules.link is not Link.NEVER and not who.is_anonymous:
        always = call.group_id if rules.link is Link.ALWAYS else None
        fallback = call.group_id if rules.link is Link.IF_ABSENT else None
        member = UpsertEnduser(who.external_id, who.email, always, fallback_company=fallback)
        return Transformed((company, member))
    return Transformed((company,))


def _put_address(fields: JsonDict, custom: JsonDict, address: JsonDict) -> None:
    """Parts Planhat has no field for (`state`) go to `custom`, as those of any nested trait do."""
    put_fields(fields, custom, _ADDRESS_FIELDS, address, prefix="address_")
    others = {part: value for part, value in address.items() if part not in _ADDRESS_FIELDS}
    put_custom(custom, "address", others)
