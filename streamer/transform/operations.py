"""The operations: single things Planhat should be told.

Values are JSON-ready. An operation knows its keys (which objects it is about) and its parents
(which earlier upserts must be at Planhat before it); the engine's waiting rules use nothing else.
Its repr shows external ids, and nothing else of what an event says. They are `msgspec.Struct`s as calls are
(`events.calls`), and for the same reason: one or two are made per record.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec
from msgspec.structs import replace

from streamer.outcomes import CallType, Endpoint, SkipReason
from streamer.transform.encoding import Number

JsonObject = Mapping[str, Any]


def user_keys(external_id: str | None, email: str | None) -> tuple[str, ...]:
    """Keys of an enduser: `ext:<externalId>`, `mail:<lower-cased e-mail>`; those that are known."""
    if external_id is None:
        return () if email is None else (f"mail:{email.lower()}",)
    if email is None:
        return (f"ext:{external_id}",)
    return f"ext:{external_id}", f"mail:{email.lower()}"


def company_keys(external_id: str | None) -> tuple[str, ...]:
    """Key of a company: `co:<externalId>`."""
    return () if external_id is None else (f"co:{external_id}",)


class _Operation(msgspec.Struct, frozen=True, gc=False):
    """What all have in common: what of them may be shown."""

    _shown: ClassVar[tuple[str, ...]]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self._shown]


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
        return parents_of(self, self.keys)


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


def parents_of(operation: Operation, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Its parents, made of its keys where these are among them: as long as it waits, both are kept."""
    if isinstance(operation, LogActivity):
        return keys + company_keys(operation.company_external_id)
    return operation.parents


def outline(operation: Operation) -> Operation:
    """Who it is about, without what it says: of what is encoded already, and only ever goes out as that.

    Upserts are all that they say: others may be told with them.
    """
    if isinstance(operation, LogActivity):
        return LogActivity(
            operation.external_id, operation.email, operation.company_external_id, "", None, 0.0, _NOTHING
        )
    if isinstance(operation, ForwardCall):
        call = _CALLS.get(operation.call.get("type"), _NOTHING)
        return ForwardCall(operation.external_id, operation.email, operation.company_external_id, call)
    return operation


def kept_bytes(operation: UpsertEnduser | UpsertCompany, encoded_bytes: int) -> int:
    """What it takes of memory to keep what an upsert says, beside its encoded form, about and at most.

    Its values have the length that they have encoded, and a head and a place each.
    """
    return encoded_bytes + VALUE_BYTES * (len(operation.fields) + len(operation.custom))


UPSERTS: Final = (UpsertEnduser, UpsertCompany)
"""What can be told as one: what is of an endpoint that `is_upsert`."""
VALUE_BYTES: Final = 96
"""Of Python's, for one value in a dict besides its text. Measured: 80 to 90; names are shared."""
_NOTHING: Final[JsonObject] = {}
_CALLS: Final[Mapping[Any, JsonObject]] = {call.value: {"type": call.value} for call in CallType}
"""What `overwrites` asks of a call, shared by all of one type."""


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


class Transformed(msgspec.Struct, frozen=True, gc=False):
    """What Planhat should be told of one call: at least one operation, in order."""

    operations: tuple[Operation, ...]


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """Why Planhat should be told nothing of one call."""

    reason: SkipReason
