"""The operations: single things Planhat should be told.

Values are JSON-ready. An operation knows its keys (which objects it is about) and its parents
(which earlier upserts must be at Planhat before it); the engine's waiting rules use nothing else.
Its repr shows external ids, and nothing else of what an event says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from streamer.outcomes import Endpoint, SkipReason

JsonObject = Mapping[str, Any]


def user_keys(external_id: str | None, email: str | None) -> tuple[str, ...]:
    """Keys of an enduser: `ext:<externalId>`, `mail:<lower-cased e-mail>`; those that are known."""
    keys = []
    if external_id is not None:
        keys.append(f"ext:{external_id}")
    if email is not None:
        keys.append(f"mail:{email.lower()}")
    return tuple(keys)


def company_keys(external_id: str | None) -> tuple[str, ...]:
    """Key of a company: `co:<externalId>`."""
    return () if external_id is None else (f"co:{external_id}",)


@dataclass(frozen=True, slots=True)
class UpsertCompany:
    """Create or update the company with this external id (`PUT /companies`)."""

    external_id: str
    fields: JsonObject = field(default_factory=dict, repr=False)
    """Planhat's own fields: name, website, ..."""
    custom: JsonObject = field(default_factory=dict, repr=False)
    """Flat custom fields."""

    endpoint = Endpoint.COMPANIES

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


@dataclass(frozen=True, slots=True)
class UpsertEnduser:
    """Create or update the enduser with this external id and/or e-mail (`PUT /endusers`)."""

    external_id: str | None
    email: str | None = field(repr=False)
    company_external_id: str | None = None
    fields: JsonObject = field(default_factory=dict, repr=False)
    custom: JsonObject = field(default_factory=dict, repr=False)
    fallback_company: str | None = None
    """External id of the company to put the enduser into only where Planhat has found none: it is sent
    without a company first. Means nothing beside `company_external_id`."""

    endpoint = Endpoint.ENDUSERS

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


@dataclass(frozen=True, slots=True)
class LogActivity:
    """One activity of an enduser (`POST /analytics/bulk/{tenant}`). Sent twice, it counts twice."""

    external_id: str | None
    email: str | None = field(repr=False)
    company_external_id: str | None
    action: str = field(repr=False)
    date: str | None
    """ISO 8601, or None for "when Planhat receives it"."""
    weight: float
    info: JsonObject = field(default_factory=dict, repr=False)

    endpoint = Endpoint.ACTIVITIES

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


@dataclass(frozen=True, slots=True)
class PushMetric:
    """One value of a metric of a company or an enduser (`POST /dimensiondata/{tenant}`)."""

    external_id: str
    """Of the object."""
    model: MetricModel
    dimension: str
    """Planhat's id of the metric: no blanks or special characters."""
    value: float = field(repr=False)
    date: str | None
    """ISO 8601, or None for "when Planhat receives it"."""

    endpoint = Endpoint.METRICS

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


@dataclass(frozen=True, slots=True)
class DeleteEnduser:
    """Delete all endusers with this external id, or else the one with this e-mail (`DELETE /endusers/{id}`).

    Or archive the one (`PUT /endusers/{id}`, which changes who is there and creates nobody).
    """

    external_id: str | None
    email: str | None = field(repr=False)
    archives: bool | None = None
    """Whether to archive instead; None, and no False, where not: it says nothing then."""

    endpoint = Endpoint.DELETIONS

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return user_keys(self.external_id, self.email)

    @property
    def parents(self) -> tuple[str, ...]:
        """None: that all that was said of its enduser before comes first is the lanes' rule."""
        return ()


@dataclass(frozen=True, slots=True)
class ForwardCall:
    """One call, forwarded to Planhat's Segment endpoint as it came (`POST /dock/segment`)."""

    external_id: str | None
    email: str | None = field(repr=False)
    company_external_id: str | None
    """Of a group call that names no user; such calls of one company go in order."""
    call: JsonObject = field(repr=False)
    """The whole body."""

    endpoint = Endpoint.SEGMENT

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return user_keys(self.external_id, self.email) or company_keys(self.company_external_id)

    @property
    def parents(self) -> tuple[str, ...]:
        """Objects whose earlier upserts come first: none, all that is forwarded goes one way."""
        return ()


Operation = UpsertCompany | UpsertEnduser | LogActivity | PushMetric | DeleteEnduser | ForwardCall


def overwrites(operation: Operation) -> bool:
    """Whether telling it again, after what came later, would put older words over newer ones."""
    if isinstance(operation, ForwardCall):
        return operation.call.get("type") in {"identify", "group"}
    return operation.endpoint.changes_objects


def calls_of(operation: Operation) -> int:
    """Requests that telling it takes as a rule.

    A deletion by id is asked again until nobody has the id: two, and one more for each further company of
    the enduser's, of which nobody knows before. One by e-mail looks up whom it means first; one by id and
    e-mail does where nobody has the id.
    """
    if not isinstance(operation, DeleteEnduser):
        return 1
    if operation.external_id is None:
        return 2
    by_id = 1 if operation.archives else 2
    return by_id if operation.email is None else 3


def names_company(operation: Operation) -> bool:
    """Whether an enduser's upsert says which company it goes to."""
    return isinstance(operation, UpsertEnduser) and operation.company_external_id is not None


@dataclass(frozen=True, slots=True)
class Transformed:
    """What Planhat should be told of one call: at least one operation, in order."""

    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why Planhat should be told nothing of one call."""

    reason: SkipReason
