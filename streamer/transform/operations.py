"""The operations: single things Planhat should be told.

Values are JSON-ready. An operation knows its keys (which objects it is about) and its parents
(which earlier upserts must be at Planhat before it); the engine's waiting rules use nothing else.
Its repr shows external ids, and nothing else of what an event says. Nobody writes to one.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Final, final

from streamer.events.plain import Plain
from streamer.outcomes import Endpoint, SkipReason
from streamer.transform.encoding import Number
from streamer.transform.keys import company_keys, user_keys

JsonObject = Mapping[str, Any]

_NOTHING: Final[JsonObject] = {}


@final
class UpsertCompany(Plain):
    """Create or update the company with this external id (`PUT /companies`)."""

    __slots__ = ("custom", "external_id", "fields")

    endpoint: ClassVar[Endpoint] = Endpoint.COMPANIES
    fields_in_order: ClassVar[tuple[str, ...]] = ("external_id", "fields", "custom")
    shown: ClassVar[tuple[str, ...]] = ("external_id",)

    def __init__(
        self,
        external_id: str,
        fields: JsonObject = _NOTHING,
        custom: JsonObject = _NOTHING,
    ) -> None:
        self.external_id: Final = external_id
        self.fields: Final = fields
        """Planhat's own fields: name, website, ..."""
        self.custom: Final = custom
        """Flat custom fields."""

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
        return self.but(fields={**self.fields, "name": self.external_id})


@final
class UpsertEnduser(Plain):
    """Create or update the enduser with this external id and/or e-mail (`PUT /endusers`)."""

    __slots__ = ("company_external_id", "custom", "email", "external_id", "fallback_company", "fields")

    endpoint: ClassVar[Endpoint] = Endpoint.ENDUSERS
    fields_in_order: ClassVar[tuple[str, ...]] = (
        "external_id", "email", "company_external_id", "fields", "custom", "fallback_company",
    )  # fmt: skip
    shown: ClassVar[tuple[str, ...]] = ("external_id", "company_external_id", "fallback_company")

    def __init__(
        self,
        external_id: str | None,
        email: str | None,
        company_external_id: str | None = None,
        fields: JsonObject = _NOTHING,
        custom: JsonObject = _NOTHING,
        fallback_company: str | None = None,
    ) -> None:
        self.external_id: Final = external_id
        self.email: Final = email
        self.company_external_id: Final = company_external_id
        self.fields: Final = fields
        self.custom: Final = custom
        self.fallback_company: Final = fallback_company
        """External id of the company to put the enduser into only where Planhat has found none: it is sent
        without a company first. Means nothing beside `company_external_id`."""

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
        return self.but(fields={**self.fields, "name": name})

    def with_company(self, external_id: str) -> "UpsertEnduser":
        """The same in another company: its fallback, the holding one of `unassigned`, or one of several."""
        return self.but(company_external_id=external_id)


@final
class LogActivity(Plain):
    """One activity of an enduser (`POST /analytics/bulk/{tenant}`). Sent twice, it counts twice."""

    __slots__ = ("action", "company_external_id", "date", "email", "external_id", "info", "weight")

    endpoint: ClassVar[Endpoint] = Endpoint.ACTIVITIES
    fields_in_order: ClassVar[tuple[str, ...]] = (
        "external_id", "email", "company_external_id", "action", "date", "weight", "info",
    )  # fmt: skip
    shown: ClassVar[tuple[str, ...]] = ("external_id", "company_external_id", "date", "weight")

    def __init__(
        self,
        external_id: str | None,
        email: str | None,
        company_external_id: str | None,
        action: str,
        date: str | None,
        weight: Number,
        info: JsonObject = _NOTHING,
    ) -> None:
        self.external_id: Final = external_id
        self.email: Final = email
        self.company_external_id: Final = company_external_id
        self.action: Final = action
        self.date: Final = date
        """ISO 8601, or None for "when Planhat receives it"."""
        self.weight: Final = weight
        self.info: Final = info

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


@final
class PushMetric(Plain):
    """One value of a metric of a company or an enduser (`POST /dimensiondata/{tenant}`)."""

    __slots__ = ("date", "dimension", "external_id", "model", "value")

    endpoint: ClassVar[Endpoint] = Endpoint.METRICS
    fields_in_order: ClassVar[tuple[str, ...]] = ("external_id", "model", "dimension", "value", "date")
    shown: ClassVar[tuple[str, ...]] = ("external_id", "model", "dimension", "date")

    def __init__(
        self,
        external_id: str,
        model: MetricModel,
        dimension: str,
        value: Number,
        date: str | None,
    ) -> None:
        self.external_id: Final = external_id
        """Of the object."""
        self.model: Final = model
        self.dimension: Final = dimension
        """Planhat's id of the metric: no blanks or special characters."""
        self.value: Final = value
        self.date: Final = date
        """ISO 8601, or None for "when Planhat receives it"."""

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


@final
class DeleteEnduser(Plain):
    """Delete all endusers with this external id, or else the one with this e-mail (`DELETE /endusers/{id}`).

    Or archive the one (`PUT /endusers/{id}`, which changes who is there and creates nobody).
    """

    __slots__ = ("archives", "email", "external_id")

    endpoint: ClassVar[Endpoint] = Endpoint.DELETIONS
    fields_in_order: ClassVar[tuple[str, ...]] = ("external_id", "email", "archives")
    shown: ClassVar[tuple[str, ...]] = ("external_id", "archives")

    def __init__(self, external_id: str | None, email: str | None, *, archives: bool | None = None) -> None:
        self.external_id: Final = external_id
        self.email: Final = email
        self.archives: Final = archives
        """Whether to archive instead; None, and no False, where not: it says nothing then."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return user_keys(self.external_id, self.email)

    @property
    def parents(self) -> tuple[str, ...]:
        """None: that all that was said of its enduser before comes first is the lanes' rule."""
        return ()


@final
class ForwardCall(Plain):
    """One call, forwarded to Planhat's Segment endpoint as it came (`POST /dock/segment`)."""

    __slots__ = ("call", "company_external_id", "email", "external_id")

    endpoint: ClassVar[Endpoint] = Endpoint.SEGMENT
    fields_in_order: ClassVar[tuple[str, ...]] = ("external_id", "email", "company_external_id", "call")
    shown: ClassVar[tuple[str, ...]] = ("external_id", "company_external_id")

    def __init__(
        self,
        external_id: str | None,
        email: str | None,
        company_external_id: str | None,
        call: JsonObject,
    ) -> None:
        self.external_id: Final = external_id
        self.email: Final = email
        self.company_external_id: Final = company_external_id
        """Of a group call that names no user; such calls of one company go in order."""
        self.call: Final = call
        """The whole body."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return user_keys(self.external_id, self.email) or company_keys(self.company_external_id)

    @property
    def parents(self) -> tuple[str, ...]:
        """Objects whose earlier upserts come first: none, all that is forwarded goes one way."""
        return ()


Operation = LogActivity | UpsertEnduser | UpsertCompany | PushMetric | DeleteEnduser | ForwardCall


@final
class Transformed(Plain):
    """What Planhat should be told of one call: at least one operation, in order."""

    __slots__ = ("operations",)

    fields_in_order: ClassVar[tuple[str, ...]] = ("operations",)
    shown: ClassVar[tuple[str, ...]] = ("operations",)

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self.operations: Final = operations


@final
class Skipped(Plain):
    """Why Planhat should be told nothing of one call."""

    __slots__ = ("reason",)

    fields_in_order: ClassVar[tuple[str, ...]] = ("reason",)
    shown: ClassVar[tuple[str, ...]] = ("reason",)

    def __init__(self, reason: SkipReason) -> None:
        self.reason: Final = reason
