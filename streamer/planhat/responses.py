"""What a reply of Planhat means: status, headers and body to one `Answer`. Pure, a table.

| status | main API (`PUT /endusers`, `/companies`) | analytics host |
|---|---|---|
| 2xx | with a summary `Answered`, see `accounts`; else transient `unreadable` | all accepted |
| 301, 308 | misconfigured `not_found`: the address has moved for good, a person changes it | same |
| other 3xx, 1xx | transient `unreadable`: a gateway's page for the moment, not Planhat | same |
| 400 | with error entries `Answered`, as a 206; without, `RefusedWhole` | `RefusedWhole` |
| 401, 407 | misconfigured `credentials` (a wrong region answers 401, a proxy 407) | same |
| 403 | misconfigured `permission`, unless entries name some operations: `Answered` | `permission` |
| 404, 405, 410 | misconfigured `not_found`: collection paths always exist | same |
| 408, 413, 425, 429, 504 | transient, each its own reason | same |
| other 4xx | `RefusedWhole` | same |
| other 5xx (and beyond) | transient `5xx`, whatever the body, be it text or HTML | same |

Of the two hosts' endpoints two differ: a push of metrics is answered metric by metric (`pushed`), and
a deletion has no summary: 2xx with JSON, or with nothing, and 404 and 410 without a page, which say that
nobody is there, are accepted (of an id with a slash they leave that in doubt: `AMBIGUOUS`). Planhat's
Segment endpoint is read as the analytics host is.

Redirects are never followed: the token, or the tenant in the path, would go where nobody sent it.
A 2xx whose counts contradict the items sent is `unreadable`; a 400 like that is `RefusedWhole`.
"""

from collections.abc import Mapping, Sequence

import msgspec

from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Host,
    Misconfigured,
    MisconfiguredReason,
    RefusedWhole,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.planhat.accounts import verdicts
from streamer.planhat.headers import asked_wait_seconds, retry_after_seconds
from streamer.planhat.pushed import read_push
from streamer.planhat.summary import read_summary
from streamer.transform.operations import DeleteEnduser, Operation

_MISCONFIGURED: Mapping[int, MisconfiguredReason] = {
    301: MisconfiguredReason.NOT_FOUND,
    308: MisconfiguredReason.NOT_FOUND,
    401: MisconfiguredReason.CREDENTIALS,
    403: MisconfiguredReason.PERMISSION,
    404: MisconfiguredReason.NOT_FOUND,
    405: MisconfiguredReason.NOT_FOUND,
    407: MisconfiguredReason.CREDENTIALS,
    410: MisconfiguredReason.NOT_FOUND,
}
_TRANSIENT: Mapping[int, TransientReason] = {
    408: TransientReason.STATUS_408,
    413: TransientReason.TOO_LARGE,
    425: TransientReason.STATUS_425,
    429: TransientReason.THROTTLED,
    504: TransientReason.GATEWAY_TIMEOUT,
}
NOBODY_THERE = frozenset({404, 410})
"""Of a deletion: what was asked for is so already."""
_SAYS_SOMETHING = frozenset(Verdict) - {Verdict.UNCLEAR}


def read_answer(
    endpoint: Endpoint,
    operations: Sequence[Operation],
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float,
) -> Answer:
    """The answer to one request that carried these operations; never raises.

    `now` is seconds since 1970, for replies that name a point in time to wait for.
    """
    if endpoint is Endpoint.DELETIONS:
        return _read_deletion(operations, status, headers, body, now=now)
    if is_success(status):
        if endpoint is Endpoint.METRICS:
            return read_push(operations, body)
        if endpoint.host is not Host.MAIN:
            return Answered((Verdict.ACCEPTED,) * len(operations))
        return _read_success(operations, body)
    if endpoint.host is Host.MAIN and status in {400, 403}:
        found = _read_entries(operations, body)
        if found is not None and not (status == 403 and set(found) == {Verdict.REFUSED}):
            return Answered(found)
    return answer_to_status(status, headers, now=now)


def answer_to_status(status: int, headers: Mapping[str, str], *, now: float) -> Answer:
    """What a status other than success means by itself."""
    if status in _MISCONFIGURED:
        return Misconfigured(_MISCONFIGURED[status], status)
    if status == 429:
        return Transient(TransientReason.THROTTLED, retry_after_seconds(headers, now=now))
    if status in _TRANSIENT:
        return Transient(_TRANSIENT[status], asked_wait_seconds(headers, now=now))
    if 400 <= status < 500:
        return RefusedWhole(status)
    if status >= 500:
        return Transient(TransientReason.SERVER_ERROR, asked_wait_seconds(headers, now=now))
    return Transient(TransientReason.UNREADABLE, asked_wait_seconds(headers, now=now))


def is_success(status: int) -> bool:
    """Whether the status is 2xx."""
    return 200 <= status < 300


def is_nobody_there(status: int, body: bytes) -> bool:
    """Whether an accepted deletion found nobody: 404 and 410, or a count of 0."""
    if status in NOBODY_THERE:
        return True
    try:
        said = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("deletedCount") == 0


def _read_deletion(
    operations: Sequence[Operation], status: int, headers: Mapping[str, str], body: bytes, *, now: float
) -> Answer:
    if status in NOBODY_THERE and not _is_page(body):
        # Not every server takes an escaped slash for a part of an id: this may be its word on the path.
        is_doubtful = any(
            isinstance(each, DeleteEnduser) and "/" in (each.external_id or "") for each in operations
        )
        return Answered((Verdict.AMBIGUOUS if is_doubtful else Verdict.ACCEPTED,) * len(operations))
    if is_success(status) and _is_json_or_nothing(body):
        return Answered((Verdict.ACCEPTED,) * len(operations))
    if is_success(status):
        return Transient(TransientReason.UNREADABLE)
    return answer_to_status(status, headers, now=now)


def _is_page(body: bytes) -> bool:
    """A proxy's page, of a path that Planhat was never asked for."""
    return body.lstrip().startswith(b"<")


def _is_json_or_nothing(body: bytes) -> bool:
    """A proxy's page is neither."""
    try:
        return not body.strip() or isinstance(msgspec.json.decode(body), dict)
    except (ValueError, RecursionError):
        return False


def _read_success(operations: Sequence[Operation], body: bytes) -> Answer:
    summary = read_summary(body, len(operations))
    if summary is None or not summary.counted:
        return Transient(TransientReason.UNREADABLE)
    return Answered(verdicts(operations, summary))


def _read_entries(operations: Sequence[Operation], body: bytes) -> tuple[Verdict, ...] | None:
    """Verdicts of a 400 or 403 that speaks of single operations; None where it does not."""
    summary = read_summary(body, len(operations))
    if summary is None or not summary.entries:
        return None
    found = verdicts(operations, summary)
    return found if _SAYS_SOMETHING.intersection(found) else None
