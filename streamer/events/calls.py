"""The calls of Segment's spec, as frozen values.

They are `msgspec.Struct`s rather than dataclasses because one is made per record: building a frozen
dataclass of ten fields costs more than the rest of parsing.

The open parts (`traits`, `properties`, `context`, `integrations`) stay plain dicts as decoded; no
function of ours writes to them. A repr shows a call's ids, and nothing else of what it says.
"""

from typing import Any, ClassVar

import msgspec

from streamer.outcomes import CallType

JsonDict = dict[str, Any]

_IDS = ("message_id", "user_id", "anonymous_id", "group_id", "previous_id")


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every call carries. Ids are never empty; an absent one is None."""

    type: ClassVar[CallType]

    message_id: str | None
    user_id: str | None
    anonymous_id: str | None
    timestamp: str | None
    """When it happened, ISO 8601 with a zone; None where none of the event's times is usable."""
    context: JsonDict
    """`context.traits` and `context.consent`, where present as JSON text, are already objects."""
    integrations: JsonDict | None
    """What is said of destinations, `All` among them, wherever the event says it; None where it does not:
    consent reads that apart from an empty object."""

    def __repr__(self) -> str:
        ids = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({ids})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in _IDS if hasattr(self, name)]


class Identify(_Envelope, frozen=True, kw_only=True, gc=False):
    """Who a user is."""

    type: ClassVar[CallType] = CallType.IDENTIFY

    traits: JsonDict


class Group(_Envelope, frozen=True, kw_only=True, gc=False):
    """A company, and perhaps a user who belongs to it. The traits are the company's."""

    type: ClassVar[CallType] = CallType.GROUP

    group_id: str
    traits: JsonDict


class Track(_Envelope, frozen=True, kw_only=True, gc=False):
    """Something a user did."""

    type: ClassVar[CallType] = CallType.TRACK

    event: str
    properties: JsonDict


class Page(_Envelope, frozen=True, kw_only=True, gc=False):
    """A web page a user saw."""

    type: ClassVar[CallType] = CallType.PAGE

    name: str | None
    category: str | None
    properties: JsonDict


class Screen(_Envelope, frozen=True, kw_only=True, gc=False):
    """An app screen a user saw."""

    type: ClassVar[CallType] = CallType.SCREEN

    name: str | None
    category: str | None
    properties: JsonDict


class Alias(_Envelope, frozen=True, kw_only=True, gc=False):
    """Two ids of one user: `user_id` is the new one."""

    type: ClassVar[CallType] = CallType.ALIAS

    previous_id: str | None


class Delete(_Envelope, frozen=True, kw_only=True, gc=False):
    """A request to forget a user."""

    type: ClassVar[CallType] = CallType.DELETE


Call = Identify | Group | Track | Page | Screen | Alias | Delete
