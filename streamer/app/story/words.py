"""Why a call was not sent, for somebody who has never seen this program: what it means, and what to do."""

from collections.abc import Mapping
from typing import Final

from streamer.outcomes import InvalidReason, SkipReason

ADVICE: Final[Mapping[SkipReason, tuple[str, str]]] = {
    SkipReason.TOMBSTONE: ("the record is empty", "nothing, if deleting was meant"),
    SkipReason.CONSENT: (
        "the user refused a consent category that stands for Planhat",
        "nothing: it is the user's choice; STREAMER_CONSENT_CATEGORIES says which categories count",
    ),
    SkipReason.INTEGRATIONS: (
        "the call's `integrations` switch Planhat off",
        "have its sender say Planhat: true; of a replay, STREAMER_INTEGRATION_ALIASES names its transport",
    ),
    SkipReason.SUPPRESSED: (
        "the user is on the list of those of whom nothing is told",
        "nothing, or take the user off the list (STREAMER_SUPPRESSION_FILE)",
    ),
    SkipReason.DENIED: ("the event is on the list of denied events", "nothing, or take it off that list"),
    SkipReason.NOT_ALLOWED: (
        "the event is not on the list of allowed events",
        "nothing, or put it on that list",
    ),
    SkipReason.UNSUPPORTED_TYPE: (
        "calls of this type are not sent to Planhat",
        "send identify, group, track or page; [calls] of a mapping has screen and delete calls told",
    ),
    SkipReason.ANONYMOUS: (
        "it names neither a user id nor an e-mail address, so Planhat has nobody to attach it to",
        "call identify with a userId as soon as the user is known",
    ),
    SkipReason.NO_COMPANY: (
        "Planhat found no company for the enduser",
        "name the company (context.groupId) and make it with a group call, or set STREAMER_UNASSIGNED",
    ),
    SkipReason.UNCHANGED: ("Planhat had all of it already", "nothing"),
    SkipReason.UNCONFIRMED: (
        "Planhat's reply did not say that it was saved",
        "look the object up at Planhat (--ask-planhat)",
    ),
    SkipReason.SETTLED_BEFORE: ("it was finished with before a restart", "nothing"),
    SkipReason.DUPLICATE: ("a call of the same type and messageId came before it", "nothing"),
}
"""By reason: what it means, and what to do."""

BROKEN_EVENTS: Final = frozenset(InvalidReason) - {
    InvalidReason.NOT_AVRO,
    InvalidReason.UNDECODABLE,
    InvalidReason.BAD_JSON,
    InvalidReason.UNKNOWN_SCHEMA,
    InvalidReason.OVERSIZE,
    InvalidReason.REFUSED,
    InvalidReason.REFUSED_ALONE,
    InvalidReason.DUPLICATED,
    InvalidReason.AMBIGUOUS,
    InvalidReason.INTERNAL,
}
"""Reasons that lie in the event as it was sent. Of the others a setting, a schema, Planhat or a newer version
may take away the cause, and a replay then delivers what lies there."""


def skipped_words(reason: SkipReason) -> tuple[str, str]:
    """What a skip means, and what to do about it."""
    return ADVICE[reason]


def invalid_words(reason: InvalidReason) -> tuple[str, str]:
    """The same of a call that can never be sent."""
    return (
        f"it can never be sent ({reason.value.replace('_', ' ')})",
        "have its sender mended; `streamer dead-letters show` tells more of each",
    )
