"""The values a switch can have: one enum for each question Planhat's documentation leaves open."""

from enum import StrEnum


class ErrorShape(StrEnum):
    """An entry of `createdErrors`, `updatedErrors` and `permissionErrors`."""

    ITEM_ERROR = "item-error"
    """`{"item": <as sent>, "error": text}`, as metrics are answered."""
    KEYS_ERROR = "keys-error"
    """`{"externalId": ..., "email": ..., "error": text}`: keys only."""
    TEXT = "text"
    """The bare text: nothing says which item it was."""


class UnknownCompany(StrEnum):
    """What is said of an enduser that is not saved because no company was found."""

    UNCOUNTED = "uncounted"
    NONUPDATES = "nonupdates"
    ERROR = "error"


class DuplicatesInRequest(StrEnum):
    """What becomes of a second item with a key of an earlier one in the same request."""

    ERROR = "error"
    IN_TURN = "in-turn"


class ExternalIdScope(StrEnum):
    """Where an enduser's externalId is unique."""

    COMPANY = "company"
    GLOBAL = "global"


class Matching(StrEnum):
    """Which of the keys given find the entry to update."""

    CASCADE = "cascade"
    """The first that matches; an e-mail never takes over an enduser with another externalId."""
    CASCADE_OVERWRITING = "cascade-overwriting"
    """The first that matches; an e-mail match overwrites the externalId."""
    HIGHEST_GIVEN = "highest-given"
    """Only the highest key given is looked up."""


class AmbiguousMatch(StrEnum):
    """An externalId that several companies' endusers share, sent without a company."""

    OLDEST = "oldest"
    REFUSED = "refused"


class EmailCase(StrEnum):
    """Whether `U-1@acme.example` and `u-1@acme.example` are one key."""

    IGNORED = "ignored"
    EXACT = "exact"


class Unknown(StrEnum):
    """What becomes of a field that Planhat does not have."""

    DROPPED = "dropped"
    STORED = "stored"
    REFUSED = "refused"


class OddCustom(StrEnum):
    """What becomes of nested values and of keys that are empty, dotted or start with `$`."""

    REFUSED = "refused"
    STORED = "stored"


class NullValues(StrEnum):
    """What a null does to a field."""

    CLEARS = "clears"
    IGNORED = "ignored"
    STORED = "stored"


class CustomMerge(StrEnum):
    """What an update's `custom` does to the keys it does not name."""

    PER_KEY = "per-key"
    REPLACE = "replace"


class EnduserName(StrEnum):
    """Whether an enduser can be created without any name."""

    OPTIONAL = "optional"
    REQUIRED = "required"


class ReplyKeys(StrEnum):
    """What `insertsKeys` and `updatesKeys` hold beside `_id`."""

    KNOWN = "known"
    ID_ONLY = "id-only"


class ErrorBody(StrEnum):
    """The body of a 401 or 403."""

    TEXT = "text"
    JSON = "json"


class HeaderSpelling(StrEnum):
    """The quota headers of main API replies."""

    HYPHENATED = "x-rate-limit"
    JOINED = "x-ratelimit"
    NONE = "none"


class ResetHeader(StrEnum):
    """The value of `x-ratelimit-reset` (joined spelling only)."""

    SECONDS = "seconds"
    EPOCH = "epoch"


class RetryAfter(StrEnum):
    """The `Retry-After` header of a 429."""

    NONE = "none"
    SECONDS = "seconds"
    DATE = "date"


class QuotaWindow(StrEnum):
    """How the calls of a minute are counted."""

    FIXED = "fixed"
    SLIDING = "sliding"


class ActivityKeys(StrEnum):
    """Which spelling of the ids the bulk activity path reads."""

    ANY = "any"
    Y2017 = "2017"
    """`id`, `cId`"""
    Y2023 = "2023"
    """`euExtId`, `companyExternalId`"""


class UnknownParent(StrEnum):
    """What is said of a metric whose company or enduser is not there."""

    IGNORED = "ignored"
    ERROR = "error"


class DeleteReply(StrEnum):
    """The reply to a deletion."""

    COUNTED = "counted"
    """200 and `{n, ok, deletedCount}`."""
    NO_CONTENT = "no-content"
    """204."""
    EMPTY = "empty"
    """200 without a body."""


class ActivityReply(StrEnum):
    """The reply of the analytics host."""

    EMPTY = "empty"
    TEXT = "text"
    JSON = "json"
    CREATED = "created"
    """Status 201 and `{}`."""
