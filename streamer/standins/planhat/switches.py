"""What Planhat does not document, as switches, and the limits that it does.

Each switch carries the confidence of its default: D documented by Planhat or Segment, D3 a third
party's summary of Planhat's documentation, C seen in client code, I inferred, S the sandbox's own.
"""

# ruff: noqa: RUF009 -- `_switch` is dataclasses.field with its notes filled in
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar, get_type_hints

from streamer.errors import UsageError
from streamer.standins.planhat.choices import (
    ActivityKeys,
    ActivityReply,
    AmbiguousMatch,
    CustomMerge,
    DeleteReply,
    DuplicatesInRequest,
    EmailCase,
    EnduserName,
    ErrorBody,
    ErrorShape,
    ExternalIdScope,
    HeaderSpelling,
    Matching,
    NullValues,
    OddCustom,
    QuotaWindow,
    ReplyKeys,
    ResetHeader,
    RetryAfter,
    Unknown,
    UnknownCompany,
    UnknownParent,
)

T = TypeVar("T")


PERMISSIONS = tuple(
    f"{model}.{verb}"
    for model in ("companies", "endusers")
    for verb in ("create", "update", "read", "delete")
)


def _switch(default: T, tag: str, about: str) -> T:
    made: T = field(default=default, metadata={"tag": tag, "about": about})
    return made


@dataclass(frozen=True, slots=True)
class Switches:
    """All switches. Texts of the fields are shown by `streamer sandbox --help`."""

    error_shape: ErrorShape = _switch(ErrorShape.ITEM_ERROR, "I", "an entry of the error arrays")
    unknown_company: UnknownCompany = _switch(
        UnknownCompany.UNCOUNTED, "I", "how an enduser that is not saved for want of a company is answered"
    )
    duplicates_in_request: DuplicatesInRequest = _switch(
        DuplicatesInRequest.ERROR, "I", "two items with a common key in one bulk"
    )
    overlap_errors: bool = _switch(default=True, tag="C", about="bulks in flight together refuse common keys")
    external_id_scope: ExternalIdScope = _switch(
        ExternalIdScope.COMPANY, "D", "where an enduser's externalId is unique"
    )
    matching: Matching = _switch(Matching.CASCADE, "I", "which of the keys given find the entry")
    ambiguous_match: AmbiguousMatch = _switch(
        AmbiguousMatch.OLDEST, "I", "an externalId of several endusers, sent without a company"
    )
    email_case: EmailCase = _switch(EmailCase.IGNORED, "I", "upper and lower case in e-mail keys")
    unknown_fields: Unknown = _switch(Unknown.DROPPED, "I", "top-level fields that Planhat does not have")
    custom_fields: tuple[str, ...] = _switch((), "D", "declared custom fields; none: every name is declared")
    unknown_custom: Unknown = _switch(Unknown.STORED, "I", "custom keys that are not declared")
    odd_custom: OddCustom = _switch(OddCustom.REFUSED, "I", "nested values, dotted, $ and empty custom keys")
    null_values: NullValues = _switch(NullValues.CLEARS, "I", "what a null does to a field")
    custom_merge: CustomMerge = _switch(CustomMerge.PER_KEY, "I", "custom keys that an update does not name")
    enduser_name: EnduserName = _switch(EnduserName.OPTIONAL, "I", "creating an enduser without a name")
    auto_domains: bool = _switch(
        default=True, tag="D", about="companies learn domains from endusers' e-mails"
    )
    reply_keys: ReplyKeys = _switch(ReplyKeys.KNOWN, "C", "what insertsKeys and updatesKeys hold beside _id")
    permission_errors_key: bool = _switch(default=True, tag="C", about="the summary has permissionErrors")
    oversize_status: int = _switch(400, "I", "the answer to a bulk of more than 5,000 items")
    denied: tuple[str, ...] = _switch((), "D", "permissions the API token lacks, such as endusers.create")
    unauthorized_body: ErrorBody = _switch(ErrorBody.TEXT, "I", "the body of a 401 or 403")
    header_spelling: HeaderSpelling = _switch(HeaderSpelling.HYPHENATED, "D", "the quota headers")
    reset_header: ResetHeader = _switch(ResetHeader.SECONDS, "I", "what x-ratelimit-reset holds")
    retry_after: RetryAfter = _switch(RetryAfter.NONE, "I", "the Retry-After of a 429")
    quota_window: QuotaWindow = _switch(QuotaWindow.FIXED, "I", "how the calls of a minute are counted")
    calls_per_minute: int = _switch(200, "D", "main API calls a minute and token; 0: no limit")
    calls_per_second: int = _switch(150, "D", "main API calls a second; 0: no limit")
    parallel_calls: int = _switch(50, "D", "main API requests in flight; 0: no limit")
    activity_keys: ActivityKeys = _switch(ActivityKeys.ANY, "I", "the ids the bulk activity path reads")
    activity_reply: ActivityReply = _switch(ActivityReply.EMPTY, "C", "the reply of the analytics host")
    activity_creates: bool = _switch(default=True, tag="D", about="an activity creates its unknown enduser")
    metric_error_shape: ErrorShape = _switch(
        ErrorShape.ITEM_ERROR, "C", "an entry of `errors` in the reply to metrics"
    )
    unknown_parent: UnknownParent = _switch(
        UnknownParent.IGNORED, "I", "a metric of a company or enduser that is not there"
    )
    metric_token: bool = _switch(default=True, tag="C", about="metrics ask for the API token")
    delete_reply: DeleteReply = _switch(DeleteReply.COUNTED, "C", "the reply to a deletion")
    dock_token: bool = _switch(default=True, tag="I", about="the Segment endpoint refuses another tenant")
    dock_pages: bool = _switch(default=False, tag="I", about="the Segment endpoint logs page calls")
    service_seconds: float = _switch(0.0, "S", "how long the main API works on a request")
    analytics_seconds: float = _switch(0.0, "S", "how long the analytics host works on a request")
    history: int = _switch(0, "S", "writes remembered for each enduser and company")
    keep_activities: int = _switch(
        500_000, "S", "activities, metrics and forwarded calls kept for the view; 0: counted only"
    )
    keep_requests: int = _switch(100_000, "S", "requests kept for the view; totals are always kept")
    keep_ignored: int = _switch(100_000, "S", "ignored things kept for the view; totals are always kept")
    duplicate_view: bool = _switch(default=True, tag="S", about="count messageIds that arrived before")


class SwitchNote(NamedTuple):
    """What help and the page say of one switch."""

    name: str
    value: str
    allowed: str
    tag: str
    about: str


class Board:
    """The switches in force; shared by all parts, so that a change counts from the next request."""

    __slots__ = ("now", "start")

    def __init__(self, start: Switches | None = None) -> None:
        self.start = start or Switches()
        self.now = self.start

    def change(self, changes: Mapping[str, object]) -> None:
        """Set switches by name; all or, on a UsageError, none."""
        self.now = with_changes(self.now, changes)

    def reset(self) -> None:
        """Back to the switches of the start."""
        self.now = self.start


_KINDS: dict[str, Any] = get_type_hints(Switches)
_ON_OFF = {"on": True, "off": False}


def with_changes(switches: Switches, changes: Mapping[str, object]) -> Switches:
    """The switches with some set by name; values are text, numbers or booleans.

    Raises UsageError naming every wrong one and what is allowed.
    """
    problems: list[str] = []
    parsed: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in _KINDS:
            problems.append(f"there is no switch {name!r}; there are: {', '.join(_KINDS)}")
            continue
        try:
            parsed[name] = _parsed(_KINDS[name], value)
        except ValueError:
            problems.append(f"switch {name} cannot be {value!r}; allowed: {_allowed(name)}")
    problems.extend(
        f"there is no permission {permission!r}; there are: {', '.join(PERMISSIONS)}"
        for permission in parsed.get("denied", ())
        if permission not in PERMISSIONS
    )
    if problems:
        raise UsageError("\n".join(problems))
    return replace(switches, **parsed)


def notes(switches: Switches) -> list[SwitchNote]:
    """What there is to switch, and how it stands."""
    return [
        SwitchNote(
            each.name,
            _shown(getattr(switches, each.name)),
            _allowed(each.name),
            each.metadata["tag"],
            each.metadata["about"],
        )
        for each in fields(Switches)
    ]


def _parsed(kind: Any, value: object) -> Any:  # noqa: ANN401 -- one of the kinds of a switch
    """The value as the switch's kind; ValueError when it is not one."""
    if isinstance(value, list):
        value = ",".join(str(each) for each in value)
    text = ("on" if value else "off") if isinstance(value, bool) else str(value).strip()
    if kind is bool:
        if text not in _ON_OFF:
            raise ValueError
        return _ON_OFF[text]
    if kind in {int, float}:
        number = kind(text)
        if not 0 <= number < 1e12:
            raise ValueError
        return number
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(text)
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _allowed(name: str) -> str:
    kind = _KINDS[name]
    if kind is bool:
        return "on, off"
    if kind in {int, float}:
        return "a number, 0 or more"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(kind)
    return "names, separated by commas"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(value) if isinstance(value, tuple) else str(value)
