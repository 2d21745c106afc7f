"""The rows of the test-only view, as the server writes and a checker reads them.

`arrival` is one counter over everything applied on both hosts: of two rows, the one with the
smaller arrival was applied first. `request` is the number of the request that brought it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class WriteRow(msgspec.Struct, frozen=True):
    """One write of an enduser or company, as sent."""

    arrival: int
    request: int
    sent: Mapping[str, Any]


class EntryRow(msgspec.Struct, frozen=True):
    """One enduser or company as stored. `history` holds its newest writes where that is switched on."""

    id: str
    external_id: str | None
    source_id: str | None
    email: str | None
    company_id: str | None
    company_external_id: str | None
    fields: dict[str, Any]
    custom: dict[str, Any]
    arrival: int
    last_arrival: int
    writes: int
    activities: int
    history: list[WriteRow]


class ActivityRow(msgspec.Struct, frozen=True):
    """One activity as stored, in arrival order. Ids are those sent; `enduser_id` is whom it went to."""

    arrival: int
    request: int
    enduser_id: str
    external_id: str | None
    email: str | None
    company: str | None
    action: Any
    date: Any
    weight: Any
    count: Any
    message_id: str | None
    info: Any


class MetricRow(msgspec.Struct, frozen=True):
    """One value of a metric as stored, in arrival order."""

    arrival: int
    request: int
    model: str
    external_id: str
    dimension_id: Any
    value: Any
    date: Any


class CallRow(msgspec.Struct, frozen=True):
    """One call that the Segment endpoint took, in the order of arrival, whatever became of it."""

    request: int
    type: str | None
    user_id: str | None
    message_id: str | None
    sent: Mapping[str, Any]


class IgnoredRow(msgspec.Struct, frozen=True):
    """Something taken and not stored, without an error, and why."""

    arrival: int
    request: int
    time: str
    endpoint: str
    reason: str
    external_id: Any
    email: Any
    company: Any


class RequestRow(msgspec.Struct, frozen=True):
    """One request: status 0 when it was cut off without an answer; time in seconds since 1970."""

    number: int
    time: float
    method: str
    path: str
    endpoint: str
    status: int
    items: int
    bytes_in: int
    seconds: float
    fault: str
    caller: str = ""
    """Who asked, where the base URL said so: see `replies.caller_of`."""
