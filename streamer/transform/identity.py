"""Whom a call is about, and which company they belong to."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from streamer.events.calls import Group, Identify, JsonDict, Page, Screen, Track
from streamer.events.values import id_text

# Enough to tell an address from a user id or a placeholder such as "n/a". Planhat matches endusers
# by e-mail, so a placeholder taken for one would merge strangers.
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# The longest address mail can carry; also bounds the expression above on hostile text.
_LONGEST_EMAIL: Final = 320

_new: Final = tuple.__new__
"""Of a named tuple without a call of its own `__new__`, which is Python."""


class Who(NamedTuple):
    """An enduser's keys; neither known means nobody Planhat could attach anything to."""

    external_id: str | None
    email: str | None

    @property
    def is_anonymous(self) -> bool:
        """Whether Planhat has nobody to attach this to."""
        return self.external_id is None and self.email is None

    def __repr__(self) -> str:
        return f"Who(external_id={self.external_id!r})"


def identified_user(call: Identify) -> Who:
    """The user an identify call describes. Ids and e-mail may stand among the traits."""
    traits = call.traits
    external_id = call.user_id or id_text(traits.get("user_id")) or id_text(traits.get("id"))
    # Asked one after another, since a call of a function for what is not there costs as much as for what is.
    email = traits.get("email")
    if email is not None:
        email = email_text(email)
    if email is None and "traits" in call.context:
        email = _context_email(call.context)
    if email is None and external_id is not None and "@" in external_id:
        email = email_text(external_id)
    return _new(Who, (external_id, email))


def acting_user(call: Track | Page | Screen) -> Who:
    """The user who did something."""
    return Who(call.user_id, acting_email(call))


def acting_email(call: Track | Page | Screen) -> str | None:
    """The address of the user who did something.

    `properties.email` counts only without a user id: it is often somebody else's (an invitation's).
    """
    traits = call.context.get("traits")
    email = email_text(traits.get("email")) if type(traits) is dict else None
    if email is not None:
        return email
    user_id = call.user_id
    return email_text(call.properties.get("email")) if user_id is None else email_text(user_id)


def grouped_user(call: Group) -> Who:
    """The user a group call puts into a company. The traits are the company's, so not read."""
    return Who(call.user_id, _context_email(call.context) or email_text(call.user_id))


def company_of(context: JsonDict, traits: JsonDict) -> str | None:
    """External id of the user's company: `context.groupId`, else what the user's traits name.

    Among the traits: `company.id`, `companyId`, `company_id`, then the first of `companies`. A company that
    the user is said to leave (`remove`) is none of them, wherever else the call names it.
    """
    described = None
    if traits:
        described = traits.get("company")
        # Apart, as few calls have either, and every call comes here.
        if "companies" in traits or (type(described) is dict and "remove" in described):
            return next(_companies(context, traits), None)
    group_id = context.get("groupId")
    if group_id is None:
        group_id = context.get("group_id")  # documented nowhere, but Segment's own library reads it
    if group_id is not None and (company := id_text(group_id)) is not None:
        return company
    if not traits:
        return None
    if type(described) is dict and (company := id_text(described.get("id"))) is not None:
        return company
    company_id, spelled_so = traits.get("companyId"), traits.get("company_id")
    if company_id is None and spelled_so is None:
        return None
    return id_text(company_id) or id_text(spelled_so)


def companies_of(context: JsonDict, traits: JsonDict) -> tuple[str, ...]:
    """External ids of all companies of the user, each once: that of `company_of`, then all of `companies`."""
    return tuple(dict.fromkeys(_companies(context, traits)))


def companies_left(traits: JsonDict) -> frozenset[str]:
    """External ids of the companies that the user is said to leave."""
    left = (_id_of(entry) for entry in (traits.get("company"), *_listed(traits)) if is_removal(entry))
    return frozenset(company for company in left if company is not None)


def is_removal(described: object) -> bool:
    """Whether what a trait says of a company is that the user leaves it."""
    return isinstance(described, dict) and "remove" in described and described["remove"] in (True, "true")


def _companies(context: JsonDict, traits: JsonDict) -> Iterator[str]:
    left = companies_left(traits)
    one_of = (
        id_text(context.get("groupId")) or id_text(context.get("group_id")),
        _id_of(traits.get("company")),
        id_text(traits.get("companyId")),
        id_text(traits.get("company_id")),
    )
    primary = next((company for company in one_of if company is not None and company not in left), None)
    for company in (primary, *map(_id_of, _listed(traits))):
        if company is not None and company not in left:
            yield company


def _listed(traits: JsonDict) -> list[Any]:
    listed = traits.get("companies")
    return listed if isinstance(listed, list) else []


def _id_of(described: object) -> str | None:
    return id_text(described.get("id")) if isinstance(described, dict) else None


def context_traits(context: JsonDict) -> JsonDict:
    """`context.traits`: the current user's traits on a call that is no identify; never None."""
    traits = context.get("traits")
    return traits if type(traits) is dict else {}


def email_text(value: object) -> str | None:
    """An e-mail address, without blanks around it; None where the value is none."""
    if not isinstance(value, str) or "@" not in value or len(value) > _LONGEST_EMAIL:
        return None
    text = value.strip()
    return text if _EMAIL.fullmatch(text) else None


def _context_email(context: JsonDict) -> str | None:
    traits = context.get("traits")
    return email_text(traits.get("email")) if type(traits) is dict else None
