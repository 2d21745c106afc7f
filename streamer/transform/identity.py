"""Whom a call is about, and which company they belong to."""

import re
from typing import NamedTuple

from streamer.events.calls import Group, Identify, JsonDict, Page, Screen, Track
from streamer.events.values import id_text

# Enough to tell an address from a user id or a placeholder such as "n/a". Planhat matches endusers
# by e-mail, so a placeholder taken for one would merge strangers.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# The longest address mail can carry; also bounds the expression above on hostile text.
_LONGEST_EMAIL = 320


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
    email = email_text(traits.get("email")) or _context_email(call.context) or email_text(external_id)
    return Who(external_id, email)


def acting_user(call: Track | Page | Screen) -> Who:
    """The user who did something.

    `properties.email` counts only without a user id: it is often somebody else's (an invitation's).
    """
    email = _context_email(call.context)
    if email is None:
        user_id = call.user_id
        email = email_text(call.properties.get("email")) if user_id is None else email_text(user_id)
    return Who(call.user_id, email)


def grouped_user(call: Group) -> Who:
    """The user a group call puts into a company. The traits are the company's, so not read."""
    return Who(call.user_id, _context_email(call.context) or email_text(call.user_id))


def company_of(context: JsonDict, traits: JsonDict) -> str | None:
    """External id of the user's company: `context.groupId`, else what the user's traits name."""
    group_id = context.get("groupId")
    if group_id is not None and (company := id_text(group_id)) is not None:
        return company
    nested = traits.get("company")
    if type(nested) is dict and (company := id_text(nested.get("id"))) is not None:
        return company
    return id_text(traits.get("companyId")) or id_text(traits.get("company_id"))


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
