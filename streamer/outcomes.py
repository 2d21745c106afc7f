"""What can become of a record, of an operation and of a request: closed sets.

Every record ends in exactly one `Fate`. Every request ends in exactly one `Answer`, which is typed
by treatment (what to do next), not by cause. Enum values are metric labels and dead-letter
reasons, so they are a contract.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class CallType(StrEnum):
    """The type of a Segment call, as a bounded metric label."""

    IDENTIFY = "identify"
    GROUP = "group"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    ALIAS = "alias"
    DELETE = "delete"
    UNKNOWN = "unknown"
    """Not decoded, not parsed, or a type Segment's spec does not have."""


class Fate(IntEnum):
    """What became of a record; a record of several operations has the worst, i.e. the highest."""

    DELIVERED = 0
    """Everything it asks for was accepted by Planhat; received, if it is an activity or only forwarded."""
    SKIPPED = 1
    """We chose not to send it, or Planhat did not save it; the reason is counted."""
    DEAD_LETTERED = 2
    """It can never be delivered; the dead-letter topic has acknowledged it."""
    RELEASED = 3
    """Given back to Kafka unsent, at a revoke or a shutdown."""

    @property
    def label(self) -> str:
        """The metric label."""
        return self.name.lower()


# For what is not compiled and asks with every record: on its class a member costs a call in Python 3.11.
SKIPPED: Final = Fate.SKIPPED
DEAD_LETTERED: Final = Fate.DEAD_LETTERED


class SkipReason(StrEnum):
    """Why we chose not to send a record. Each is counted."""

    TOMBSTONE = "tombstone"
    """The record has no value."""
    SUPPRESSED = "suppressed"
    """The user is on the suppression list, by user id or e-mail address."""
    CONSENT = "consent"
    """The user refused a consent category configured for Planhat."""
    INTEGRATIONS = "integrations"
    """The call's `integrations` object switches Planhat off."""
    DENIED = "denied"
    """The event's name is on the list of denied events."""
    NOT_ALLOWED = "not_allowed"
    """There is a list of allowed events, and the event's name is not on it."""
    UNSUPPORTED_TYPE = "unsupported_type"
    """alias calls, and screen and delete calls unless the mapping has them told."""
    ANONYMOUS = "anonymous"
    """Neither a user id nor an e-mail address: Planhat has nobody to attach it to."""
    NO_COMPANY = "no_company"
    """Planhat found no company for the enduser and did not save it."""
    UNCHANGED = "unchanged"
    """Planhat was told all of it before, within `STREAMER_UNCHANGED_TTL`, and accepted it."""
    UNCONFIRMED = "unconfirmed"
    """Sent twice and answered 2xx, but the reply does not say that this one was saved."""
    SETTLED_BEFORE = "settled_before"
    """Finished with before a crash or a rebalance, as the last commit's metadata says; read again."""
    DUPLICATE = "duplicate"
    """A call of the same type with this messageId was delivered or skipped lately."""


class InvalidReason(StrEnum):
    """Why a record can never be delivered: the `streamer.reason` of a dead letter."""

    NOT_AVRO = "not_avro"
    """The first bytes are no framing we know."""
    UNDECODABLE = "undecodable"
    """Framed, but truncated, hostile, or not what its schema says."""
    BAD_JSON = "bad_json"
    """Starts like JSON and is not, or is nested too deep."""
    UNKNOWN_SCHEMA = "unknown_schema"
    """The registry (or schemas/) answers that there is no such schema."""
    OVERSIZE = "oversize"
    """Larger than we decode, or than the dead-letter topic takes."""
    NOT_AN_EVENT = "not_an_event"
    """Decoded, but not an object, or without a `type` Segment knows."""
    NO_USER_ANON_ID = "no_user_anon_id"
    """Neither `userId` nor `anonymousId`."""
    ID_REQUIRED = "id_required"
    """The id that this type of call is about is missing: `groupId` of a group call."""
    ID_NOT_STRING = "id_not_string"
    """An id is neither text nor a number; or it is empty, and no other one says who it was."""
    EVENT_NOT_DEFINED = "event_not_defined"
    """A track call without an `event`."""
    EVENT_NOT_STRING = "event_not_string"
    """`event` is not text."""
    PROPERTIES_NOT_OBJECT = "properties_not_object"
    """`properties` is there and no object."""
    TRAITS_NOT_OBJECT = "traits_not_object"
    """`traits` is there and no object."""
    CONTEXT_NOT_OBJECT = "context_not_object"
    """`context` is there and no object."""
    NAME_NOT_STRING = "name_not_string"
    """The name of a page is not text."""
    CATEGORY_NOT_STRING = "category_not_string"
    """The category of a page is not text."""
    CONSENT_NOT_OBJECT = "consent_categorypreferences_not_object"
    """The consent preferences are there and no object."""
    CONSENT_NOT_BOOLEAN = "consent_categorypreferences_not_boolean"
    """A consent preference is neither true nor false."""
    REFUSED = "refused"
    """Planhat's reply named this item as refused."""
    REFUSED_ALONE = "refused_alone"
    """Refused on its own, repeatedly, while others succeeded."""
    DUPLICATED = "duplicated"
    """Planhat kept calling it a duplicate of another enduser or company."""
    AMBIGUOUS = "ambiguous"
    """Nobody can say that a deletion's person is gone: several have the address, somebody still has the id
    after ten deletions, or a 404 may be about the id's slash."""
    INTERNAL = "internal"
    """Our code failed on this record: a bug worth a report."""


class Host(StrEnum):
    """Planhat's hosts; only the main one is metered."""

    MAIN = "main"
    ANALYTICS = "analytics"
    SEGMENT = "segment"
    """Where Segment's own destination sends to: alone in passthrough mode, and never beside the others."""


_HOSTS = {
    "companies": Host.MAIN,
    "endusers": Host.MAIN,
    "deletions": Host.MAIN,
    "activities": Host.ANALYTICS,
    "metrics": Host.ANALYTICS,
    "segment": Host.SEGMENT,
}


class Endpoint(StrEnum):
    """Where operations go; one shape of request each."""

    COMPANIES = "companies"
    ENDUSERS = "endusers"
    ACTIVITIES = "activities"
    METRICS = "metrics"
    DELETIONS = "deletions"
    """Endusers to be deleted."""
    SEGMENT = "segment"
    """Calls forwarded as they came, in passthrough mode."""

    # Plain attributes, computed once: the engine asks for them with every operation.
    host: Host
    """The host that serves it."""
    is_metered: bool
    """Whether each request is a call of the main API's quota."""
    is_upsert: bool
    """Whether its operations upsert an object: those of one object can be told as one."""
    changes_objects: bool
    """Whether its operations change the object itself, so that what Planhat has in the end depends on the
    last of them, and sent again in their order they leave the same: upserts and deletions."""
    is_single: bool
    """Whether a request holds one operation."""
    is_in_line: bool
    """Whether a request may hold several operations of one object, which Planhat takes in their order."""

    def __init__(self, value: str) -> None:
        self.host = _HOSTS[value]
        self.is_metered = self.host is Host.MAIN
        self.is_upsert = value in {"companies", "endusers"}
        self.changes_objects = value in {"companies", "endusers", "deletions"}
        self.is_single = value in {"deletions", "segment"}
        self.is_in_line = self.host is Host.ANALYTICS


# --- what one answer says of one operation ---------------------------------------------------


class Verdict(StrEnum):
    """What a reply says of one operation of its batch."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Named by the reply, and not one of the kinds below."""
    DUPLICATED = "duplicated"
    """"... duplicated": another writer is at the same object; transient, see the retry rules."""
    NAME_MISSING = "name_missing"
    """A create lacks a name; sent again with the id as name."""
    MISSING = "missing"
    """Counted nowhere and certainly not saved, or said to lack a company."""
    AMBIGUOUS = "ambiguous"
    """Planhat has several endusers, or others, where one is meant: a person decides."""
    UNCLEAR = "unclear"
    """Either unchanged or not saved: the counts do not say which. To be asked again."""


# --- what one request came to ----------------------------------------------------------------


class TransientReason(StrEnum):
    """Why a request is worth repeating; the `reason` label of retries."""

    CONNECTION = "connection"
    """No connection, or one that broke before the reply was whole."""
    TIMEOUT = "timeout"
    """The reply took longer than `STREAMER_HTTP_MAIN_SECONDS` or `STREAMER_HTTP_ANALYTICS_SECONDS`."""
    STATUS_408 = "408"
    """Planhat, or a proxy before it, waited too long for our request."""
    STATUS_425 = "425"
    """Too early: to be sent again, says who answered."""
    THROTTLED = "429"
    """More calls than the quota allows; the main API is left alone for as long as the reply says."""
    SERVER_ERROR = "5xx"
    """Planhat, or a proxy before it, failed."""
    GATEWAY_TIMEOUT = "504"
    """A proxy waited too long for Planhat; the next requests are smaller."""
    TOO_LARGE = "413"
    """The request is too large for Planhat, or for a proxy before it; the next ones are smaller."""
    UNREADABLE = "unreadable"
    """2xx, but the body is not the summary Planhat sends (a proxy's page, a cut reply)."""


class MisconfiguredReason(StrEnum):
    """Why nothing at all will be accepted until a person acts; the `reason` label of hold."""

    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Answered:
    """The reply speaks of each operation: one verdict each, in the batch's order."""

    verdicts: tuple[Verdict, ...]

    @property
    def is_refusal(self) -> bool:
        """Whether nothing of it was accepted; False where the reply leaves that open."""
        return not {Verdict.ACCEPTED, Verdict.UNCLEAR}.intersection(self.verdicts)


@dataclass(frozen=True, slots=True)
class Transient:
    """Nothing is known to be wrong with the operations: send them again later."""

    reason: TransientReason
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RefusedWhole:
    """A 4xx for the whole request that does not say which operation is at fault."""

    status: int


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """Our credentials, permissions or address are wrong: hold, whatever the operations are."""

    reason: MisconfiguredReason
    status: int


Answer = Answered | Transient | RefusedWhole | Misconfigured
