"""The operations: single things Planhat should be told.

Values are JSON-ready. An operation knows its keys (which objects it is about) and its parents
(which earlier upserts must be at Planhat before it); the engine's waiting rules use nothing else.
Its repr shows external ids, and nothing else of what an event says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

    endpoint = Endpoint.ENDUSERS

    @property
    def keys(self) -> tuple[str, ...]:
        """Objects this is about."""
        return user_keys(self.external_id, self.email)

    @property
    def parents(self) -> tuple[str, ...]:
        """Objects whose earlier upserts come first."""
        return company_keys(self.company_external_id)

    def named_by_id(self) -> "UpsertEnduser":
        """The same with its id as name: only for a create that Planhat refused for want of one."""
        name = self.external_id if self.external_id is not None else self.email
        return replace(self, fields={**self.fields, "name": name})

    def with_company(self, external_id: str) -> "UpsertEnduser":
        """The same in another company: the holding one of the `unassigned` rule, or one of several."""
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


Operation = UpsertCompany | UpsertEnduser | LogActivity


@dataclass(frozen=True, slots=True)
class Transformed:
    """What Planhat should be told of one call: at least one operation, in order."""

    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why Planhat should be told nothing of one call."""

    reason: SkipReason
