"""The operator's choices, as plain values. Defaults are the behaviour documented without any."""

from dataclasses import dataclass
from enum import StrEnum


class Link(StrEnum):
    """Whether a group call that names a user also puts that user into the company.

    "Only if the user has no company yet" cannot be decided here: a call alone does not tell, and Planhat's
    upsert has no condition. The reply to an upsert without a company does tell (what Planhat can find no
    company for is not saved), so the operation says what to do then.
    """

    ALWAYS = "always"
    IF_ABSENT = "if_absent"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator may choose about which calls are delivered, and as what."""

    consent_categories: frozenset[str] = frozenset()
    """Consent categories Planhat belongs to; all must be granted. None: consent is not asked for."""
    destination: str = "Planhat"
    """Planhat's key in `integrations`; case-sensitive, as Segment's are."""
    transport_aliases: tuple[str, ...] = ()
    """Keys in `integrations` that stand for Planhat where its own is absent, in order of preference.

    Segment's replays say `{"All": false, "<transport>": true}`: name the transport (`Kafka`) here
    for replayed calls to be delivered.
    """
    link: Link = Link.ALWAYS
    forwards: bool = False
    """Passthrough mode: calls are sent on as they are."""
    deliver_screens: bool = False
    """Whether screen calls become activities, as page calls do. Segment's destination ignores them."""
