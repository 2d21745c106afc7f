"""The operations: single things Planhat should be told.

Values are JSON-ready. An operation knows its keys (which objects it is about) and its parents
(which earlier upserts must be at Planhat before it); the engine's waiting rules use nothing else.
Its repr shows external ids, and nothing else of what an event says. They are `msgspec.Struct`s as calls are
(`events.calls`), and for the same reason: one or two are made per record.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, final

import msgspec
from msgspec.structs import replace

from streamer.outcomes import Endpoint, SkipReason
from streamer.transform.encoding import Number
from streamer.transform.keys import company_keys, user_keys

JsonObject = Mapping[str, Any]


class _Operation(msgspec.Struct, frozen=True, gc=False):
    """What all have in common: what of them may be shown."""

    _shown: ClassVar[tuple[str, ...]]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self._shown]


@final
class UpsertCompany(_Operation, frozen=True, gc=False):
    """Create or update the company with this external id (`PUT /companies`)."""

    external_id: str
    fields: JsonObject = {}
    """Planhat's own fields: name, website, ..."""
    custom: JsonObject = {}
    """Flat custom fields."""

    endpoint: ClassVar[Endpoint] = Endpoint.COMPANIES
    _shown: ClassVar[tuple[str, ...]] = ("external_id",)

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return company_keys(self.external_id)

    @property
    def parents(self) -> tuple[str, ...]:
        """Objects whose earlier upserts come first."""
        return ()

    def named_by_id(self) -> "UpsertCompany":
        """The same with its id as name: only for a create that Planhat refused for want of one."""
        return replace(self, fields={**self.fields, "name": self.external_id})


@final
class UpsertEnduser(_Operation, frozen=True, gc=False):
    """Create or update the enduser with this external id and/or e-mail (`PUT /endusers`)."""

    external_id: str | None
    email: str | None
    company_external_id: str | None = None
    fields: JsonObject = {}
    custom: JsonObject = {}
    fallback_company: str | None = None
    """External id of the company to put the enduser into only where Planhat has found none: it is sent
    without a company first. Means nothing beside `company_external_id`."""

    endpoint: ClassVar[Endpoint] = Endpoint.ENDUSERS
    _shown: ClassVar[tuple[str, ...]] = ("external_id", "company_external_id", "fallback_company")

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return user_keys(self.external_id, self.email)

    @property
    def parents(self) -> tuple[str, ...]:
        """Objects whose earlier upserts come first."""
        named = self.company_external_id
        return company_keys(named if named is not None else self.fallback_company)

    def named_by_id(self) -> "UpsertEnduser":
        """The same with its id as name: only for a create that Planhat refused for want of one."""
        name = self.external_id if self.external_id is not None else self.email
        return replace(self, fields={**self.fields, "name": name})

    def with_company(self, external_id: str) -> "UpsertEnduser":
        """The same in another company: its fallback, the holding one of `unassigned`, or one of several."""
        return replace(self, company_external_id=external_id)


@final
class LogActivity(_Operation, frozen=True, gc=False):
    """One activity of an enduser (`POST /analytics/bulk/{tenant}`). Sent twice, it counts twice."""

    external_id: str | None
    email: str | None
    company_external_id: str | None
    action: str
    date: str | None
    """ISO 8601, or None for "when Planhat receives it"."""
    weight: Number
    info: JsonObject = {}

    endpoint: ClassVar[Endpoint] = Endpoint.ACTIVITIES
    _shown: ClassVar[tuple[str, ...]] = ("external_id", "company_external_id", "date", "weight")

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return user_keys(self.external_id, self.email)

    @property
    def parents(self) -> tuple[str, ...]:
        """Objects whose earlier upserts come first."""
        return self.keys + company_keys(self.company_external_id)


class MetricModel(StrEnum):
    """What a metric is of, in Planhat's words."""

    COMPANY = "Company"
    ENDUSER = "EndUser"


class PushMetric(_Operation, frozen=True, gc=False):
    """One value of a metric of a company or an enduser (`POST /dimensiondata/{tenant}`)."""

    external_id: str
    """Of the object."""
    model: MetricModel
    dimension: str
    """Planhat's id of the metric: no blanks or special characters."""
    value: Number
    date: str | None
    """ISO 8601, or None for "when Planhat receives it"."""

    endpoint: ClassVar[Endpoint] = Endpoint.METRICS
    _shown: ClassVar[tuple[str, ...]] = ("external_id", "model", "dimension", "date")

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        if self.model is MetricModel.COMPANY:
            return company_keys(self.external_id)
        return user_keys(self.external_id, None)

    @property
    def parents(self) -> tuple[str, ...]:
        """Objects whose earlier upserts come first."""
        return self.keys


class DeleteEnduser(_Operation, frozen=True, gc=False):
    """Delete all endusers with this external id, or else the one with this e-mail (`DELETE /endusers/{id}`).

    Or archive the one (`PUT /endusers/{id}`, which changes who is there and creates nobody).
    """

    external_id: str | None
    email: str | None
    archives: bool | None = None
    """Whether to archive instead; None, and no False, where not: it says nothing then."""

    endpoint: ClassVar[Endpoint] = Endpoint.DELETIONS
    _shown: ClassVar[tuple[str, ...]] = ("external_id", "archives")

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return user_keys(self.external_id, self.email)

    @property
    def parents(self) -> tuple[str, ...]:
        """None: that all that was said of its enduser before comes first is the lanes' rule."""
        return ()


@final
class ForwardCall(_Operation, frozen=True, gc=False):
    """One call, forwarded to Planhat's Segment endpoint as it came (`POST /dock/segment`)."""

    external_id: str | None
    email: str | None
    company_external_id: str | None
    """Of a group call that names no user; such calls of one company go in order."""
    call: JsonObject
    """The whole body."""

    endpoint: ClassVar[Endpoint] = Endpoint.SEGMENT
    _shown: ClassVar[tuple[str, ...]] = ("external_id", "company_external_id")

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return user_keys(self.external_id, self.email) or company_keys(self.company_external_id)

    @property
    def parents(self) -> tuple[str, ...]:
        """Objects whose earlier upserts come first: none, all that is forwarded goes one way."""
        return ()


Operation = UpsertCompany | UpsertEnduser | LogActivity | PushMetric | DeleteEnduser | ForwardCall


class Transformed(msgspec.Struct, frozen=True, gc=False):
    """What Planhat should be told of one call: at least one operation, in order."""

    operations: tuple[Operation, ...]


@final
class Skipped(msgspec.Struct, frozen=True, gc=False):
    """Why Planhat should be told nothing of one call."""

    reason: SkipReason
