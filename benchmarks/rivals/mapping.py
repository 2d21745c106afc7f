"""One event to the bulk items it becomes, as somebody would write it by hand for Planhat: plain dicts.

It knows what the benchmark's events hold, and checks what would harm: ids, opt-outs, types of the parts it
reads. It says the same of them as `streamer` does (a test compares the two). Of what `streamer` does besides
it has nothing: consent, suppression, rules from a file, odd spellings of dates, ids and opt-outs, removal
from companies, values that JSON or Planhat cannot hold.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from benchmarks.rivals.reading import Reader

Event = dict[str, Any]
Item = tuple[str, bytes]
"""Endpoint and JSON."""

COMPANIES, ENDUSERS, ACTIVITIES = "companies", "endusers", "activities"
PLAIN = frozenset({str, int, float, bool, type(None)})
USER_FIELDS = {
    "firstName": ("firstName",),
    "lastName": ("lastName",),
    "phone": ("phone",),
    "title": ("title", "position"),
    "name": ("name",),
}
COMPANY_FIELDS = {name: (name,) for name in ("name", "website", "description", "phone")}
KEYS_AMONG_TRAITS = frozenset({"email", "id", "user_id", "companyId", "company_id", "company"})

REFUSED = (ArithmeticError, AttributeError, EOFError, LookupError, RecursionError, TypeError, ValueError)

_encode = msgspec.json.Encoder().encode


class Unreadable(Exception):
    """The record is for the dead letters; the text says why."""


class Mapping:
    """Bytes to items."""

    def __init__(self) -> None:
        self._read = Reader().read

    def items(self, value: bytes) -> list[Item]:
        """What to send, in order; nothing for calls that must not go. Raises Unreadable."""
        try:
            return items_of(self._read(value))
        except REFUSED as error:
            raise Unreadable(type(error).__name__) from None


def items_of(event: Event) -> list[Item]:
    """The items of one event; raises one of `REFUSED` for what is no event of Segment's."""
    make = CALLS[event["type"]]
    user_id = id_of(event.get("userId"))
    if user_id is None and id_of(event.get("anonymousId")) is None:
        raise ValueError("no id")
    context = event.get("context") or {}
    integrations = event.get("integrations")
    if integrations and not is_enabled(integrations):
        return []
    return make(event, user_id, context)


def identify(event: Event, user_id: str | None, context: Event) -> list[Item]:
    """The enduser, in the company that is named."""
    traits = event.get("traits") or {}
    email = traits.get("email") or email_of(context, user_id)
    if user_id is None and email is None:
        return []
    user = user_item(user_id, email, company_of(context, traits))
    custom: Event = {}
    for name, trait in traits.items():
        if name in USER_FIELDS:
            for field in USER_FIELDS[name]:
                user[field] = trait
        elif name not in KEYS_AMONG_TRAITS:
            flatten(custom, name, trait)
    if "name" not in user and user.get("firstName") and user.get("lastName"):
        user["name"] = f"{user['firstName']} {user['lastName']}"
    if custom:
        user["custom"] = custom
    user["source"] = "Segment"
    return [(ENDUSERS, _encode(user))]


def group(event: Event, user_id: str | None, context: Event) -> list[Item]:
    """The company, and the user in it where one is named."""
    group_id = id_of(event.get("groupId"))
    if group_id is None:
        raise ValueError("no groupId")
    company: Event = {"externalId": group_id}
    custom: Event = {}
    for name, trait in (event.get("traits") or {}).items():
        if name in COMPANY_FIELDS:
            company[name] = trait
        elif name != "id":
            flatten(custom, name, trait)
    if custom:
        company["custom"] = custom
    company["source"] = "Segment"
    found = [(COMPANIES, _encode(company))]
    email = email_of(context, user_id)
    if user_id is not None or email is not None:
        found.append((ENDUSERS, _encode(user_item(user_id, email, group_id) | {"source": "Segment"})))
    return found


def track(event: Event, user_id: str | None, context: Event) -> list[Item]:
    """An activity named as the event is."""
    return activity(event, user_id, context, text_of(event["event"]))


def page(event: Event, user_id: str | None, context: Event) -> list[Item]:
    """An activity named after the page."""
    name, category = event.get("name"), event.get("category")
    if name is None:
        return activity(event, user_id, context, "Loaded a Page")
    words = f"{text_of(category)} {text_of(name)}" if category else text_of(name)
    return activity(event, user_id, context, f"Viewed {words} Page")


def activity(event: Event, user_id: str | None, context: Event, action: str) -> list[Item]:
    """One activity of the user's; nothing where nobody is known."""
    properties = event.get("properties") or {}
    if type(properties) is not dict:
        raise ValueError("properties")
    email = email_of(context, user_id) or (properties.get("email") if user_id is None else None)
    if user_id is None and email is None:
        return []
    item: Event = {}
    if user_id is not None:
        item["externalId"] = item["euExtId"] = user_id
    if email is not None:
        item["email"] = email
    company = company_of(context, context.get("traits") or {})
    if company is not None:
        item["companyExternalId"] = company
    item["action"] = action
    if date := date_of(event.get("timestamp")):
        item["date"] = date
    item["weight"] = properties.get("weight", 1)
    item["info"] = properties | {"messageId": event["messageId"]}
    item["source"] = "Segment"
    return [(ACTIVITIES, _encode(item))]


def unsent(_event: Event, _user_id: str | None, _context: Event) -> list[Item]:
    """Segment's destination takes no such calls."""
    return []


CALLS: dict[str, Callable[[Event, str | None, Event], list[Item]]] = {
    "identify": identify,
    "group": group,
    "track": track,
    "page": page,
    "screen": unsent,
    "alias": unsent,
    "delete": unsent,
}


def id_of(value: object) -> str | None:
    """Text of an id, numbers as text. Raises ValueError for what is neither."""
    if value is None or (type(value) is str and value):
        return value
    if type(value) is int:
        return str(value)
    raise ValueError("no id")


def text_of(value: object) -> str:
    """Text that is not empty. Raises ValueError."""
    if type(value) is not str or not value:
        raise ValueError("no text")
    return value


def email_of(context: Event, user_id: str | None) -> str | None:
    """The user's address, where the call says one elsewhere than among its own traits."""
    traits = context.get("traits")
    email: str | None = traits.get("email") if traits else None
    return email or (user_id if user_id is not None and "@" in user_id else None)


def company_of(context: Event, traits: Event) -> str | None:
    """External id of the user's company."""
    company = context.get("groupId")
    if company is None and traits:
        named = traits.get("company")
        company = named.get("id") if type(named) is dict else None
        company = company or traits.get("companyId") or traits.get("company_id")
    return id_of(company)


def user_item(user_id: str | None, email: str | None, company: str | None) -> Event:
    """The keys of an enduser's item."""
    user: Event = {}
    if user_id is not None:
        user["externalId"] = user_id
    if email is not None:
        user["email"] = email
    if company is not None:
        user["companyId"] = f"extid-{company}"
    return user


def is_enabled(integrations: Event) -> bool:
    """What the event says of Planhat, else of all destinations."""
    said = integrations.get("Planhat")
    return integrations.get("All") is not False if said is None else said is not False


def date_of(value: object) -> str | None:
    """An ISO date as it stands; None for anything else, and Planhat takes the time of arrival."""
    if type(value) is not str:
        return None
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return None
    return value


def flatten(custom: Event, key: str, value: Any) -> None:  # noqa: ANN401 - whatever a trait is
    """Planhat's custom fields are flat: names joined by `_`, lists of objects as JSON text."""
    if type(value) is dict:
        for name, part in value.items():
            flatten(custom, f"{key}_{name}", part)
        return
    if type(value) is list and not PLAIN.issuperset(map(type, value)):
        value = _encode(value).decode()
    custom[key.replace(".", "_").lstrip("$")] = value
