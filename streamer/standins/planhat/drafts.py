"""From what was sent to what could be stored: known fields, texts, nulls, flat custom fields."""

from typing import Any, NamedTuple

from streamer.standins.planhat.choices import CustomMerge, NullValues, OddCustom, Unknown
from streamer.standins.planhat.entries import JsonObject
from streamer.standins.planhat.switches import Switches

KEYS = ("_id", "sourceId", "externalId", "email")
"""Highest first (D3). Companies have no `email`."""

_NESTED = frozenset({dict, list})
_plain_names: set[str] = set()
"""Custom keys that were checked before: a cache, the same for every store."""

_NAMES = frozenset({"name", "firstName", "lastName"})
_TEXTS = frozenset(KEYS) | _NAMES | {"companyId", "phone", "position", "website", "description", "phase"}

ENDUSER_FIELDS = frozenset(
    {
        "_id",
        "sourceId",
        "externalId",
        "email",
        "companyId",
        "name",
        "firstName",
        "lastName",
        "position",
        "phone",
        "tags",
        "featured",
        "primary",
        "archived",
        "otherEmails",
        "sharedNotificationsPrefs",
        "personas",
        "npsUnsubscribed",
        "createDate",
        "createdAt",
    }
)
"""What a client may write (planhat-api.md section 6), `custom` aside."""

COMPANY_FIELDS = frozenset(
    {
        "_id",
        "sourceId",
        "externalId",
        "name",
        "owner",
        "coOwner",
        "phase",
        "status",
        "domains",
        "tags",
        "slug",
        "description",
        "website",
        "country",
        "city",
        "zip",
        "address",
    }
)
"""What a client may write (planhat-api.md section 6), `custom` aside."""


class ItemRefused(Exception):
    """This item is refused; the text goes into the error arrays."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Draft(NamedTuple):
    """One item, checked: what it would write."""

    fields: dict[str, Any]
    custom: dict[str, Any]
    company_reference: str | None


def draft_of(sent: object, known: frozenset[str], switches: Switches) -> Draft:
    """Check one item; raises ItemRefused. Never changes what was sent."""
    if not isinstance(sent, dict):
        raise ItemRefused("an item must be an object")
    fields: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for name, value in sent.items():
        if name == "custom":
            custom = _custom_of(value, switches)
        elif name in known:
            if type(value) is str:
                if value or name not in KEYS:
                    fields[name] = value
            elif value is None:
                if name not in KEYS and switches.null_values is not NullValues.IGNORED:
                    fields[name] = None
            else:
                fields[name] = _as_text(name, value) if name in _TEXTS else value
        elif switches.unknown_fields is Unknown.REFUSED:
            raise ItemRefused(f"{name} is not a field")
        elif switches.unknown_fields is Unknown.STORED:
            fields[name] = value
    reference = fields.pop("companyId", None)
    return Draft(fields, custom, reference or None)


def _as_text(name: str, value: object) -> str:
    """Numbers and booleans become text, as the database's schema layer casts them (I)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise ItemRefused(f"{name} must be a string")


def _custom_of(custom: object, switches: Switches) -> dict[str, Any]:
    if custom is None:
        return {}
    if not isinstance(custom, dict):
        raise ItemRefused("custom must be an object")
    if switches.odd_custom is OddCustom.REFUSED:
        if not custom.keys() <= _plain_names:
            _check_names(custom)
        # Most values are plain: one pass in C tells so.
        if not _NESTED.isdisjoint(map(type, custom.values())):
            _check_flat(custom)
    if switches.custom_fields and switches.unknown_custom is not Unknown.STORED:
        declared = {name: value for name, value in custom.items() if name in switches.custom_fields}
        if len(declared) < len(custom) and switches.unknown_custom is Unknown.REFUSED:
            raise ItemRefused("custom holds a field that is not declared")
        custom = declared
    if switches.null_values is NullValues.IGNORED:
        return {name: value for name, value in custom.items() if value is not None}
    return custom


def _check_names(custom: JsonObject) -> None:
    for name in custom:
        if not name or name[0] == "$" or "." in name:
            raise ItemRefused("a custom key must not be empty, hold a dot or start with $")
    if len(_plain_names) < 10_000:
        _plain_names.update(custom)


def _check_flat(custom: JsonObject) -> None:
    for value in custom.values():
        if type(value) is dict or (type(value) is list and any(type(each) is dict for each in value)):
            raise ItemRefused("custom must be flat")


def without_nulls(values: JsonObject, switches: Switches) -> dict[str, Any]:
    """What a create stores: a null clears nothing there, unless nulls are stored as such."""
    if switches.null_values is NullValues.CLEARS and None in values.values():
        return {name: value for name, value in values.items() if value is not None}
    return dict(values)


def merge(stored: dict[str, Any], given: dict[str, Any], switches: Switches) -> bool:
    """Write what is given over what is stored; whether that changed anything."""
    if given.items() <= stored.items():
        return False
    changed = False
    clears = switches.null_values is NullValues.CLEARS
    for name, value in given.items():
        if value is None and clears:
            if stored.pop(name, None) is not None:
                changed = True
        elif name not in stored or stored[name] != value:
            stored[name] = value
            changed = True
    return changed


def merge_custom(stored: dict[str, Any], given: dict[str, Any], switches: Switches) -> bool:
    """The same for `custom`: key by key (I), or replaced whole."""
    if switches.custom_merge is CustomMerge.REPLACE and given:
        left_out = [name for name in stored if name not in given]
        for name in left_out:
            del stored[name]
        return merge(stored, given, switches) or bool(left_out)
    return merge(stored, given, switches)


def derive_names(fields: dict[str, Any], stored: JsonObject) -> None:
    """`name` from first and last name, and the reverse (C); case is kept as sent."""
    if fields.get("name"):
        if "firstName" not in fields and "lastName" not in fields:
            first, _, last = fields["name"].partition(" ")
            fields["firstName"], fields["lastName"] = first, last
        return
    if "firstName" in fields or "lastName" in fields:
        first = fields.get("firstName", stored.get("firstName")) or ""
        last = fields.get("lastName", stored.get("lastName")) or ""
        joined = f"{first} {last}".strip()
        if joined:
            fields["name"] = joined
