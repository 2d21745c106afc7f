"""The calls of Segment's spec, as values that nobody writes to.

The open parts (`traits`, `properties`, `context`, `integrations`) stay plain dicts as decoded; no
function of ours writes to them. A repr shows a call's ids, and nothing else of what it says.
"""

from typing import Any, ClassVar, Final

from streamer.events.plain import Plain
from streamer.outcomes import CallType

JsonDict = dict[str, Any]

_ENVELOPE: Final = ("message_id", "user_id", "anonymous_id", "timestamp", "context", "integrations")
_IDS: Final = ("message_id", "user_id", "anonymous_id")


class Envelope(Plain):
    """What every call carries. Ids are never empty; an absent one is None."""

    __slots__ = _ENVELOPE

    type: ClassVar[CallType]
    fields_in_order: ClassVar[tuple[str, ...]] = _ENVELOPE
    shown: ClassVar[tuple[str, ...]] = _IDS

    def __init__(
        self,
        message_id: str | None,
        user_id: str | None,
        anonymous_id: str | None,
        timestamp: str | None,
        context: JsonDict,
        integrations: JsonDict | None,
    ) -> None:
        self.message_id: Final = message_id
        self.user_id: Final = user_id
        self.anonymous_id: Final = anonymous_id
        self.timestamp: Final = timestamp
        """When it happened, ISO 8601 with a zone; None where none of the event's times is usable."""
        self.context: Final = context
        """`context.traits` and `context.consent`, where present as JSON text, are already objects."""
        self.integrations: Final = integrations
        """What is said of destinations, `All` among them, wherever the event says it; None where it does
        not: consent reads that apart from an empty object."""


class Identify(Envelope):
    """Who a user is."""

    __slots__ = ("traits",)

    type: ClassVar[CallType] = CallType.IDENTIFY
    fields_in_order: ClassVar[tuple[str, ...]] = (*_ENVELOPE, "traits")

    def __init__(
        self,
        message_id: str | None,
        user_id: str | None,
        anonymous_id: str | None,
        timestamp: str | None,
        context: JsonDict,
        integrations: JsonDict | None,
        traits: JsonDict,
    ) -> None:
        super().__init__(message_id, user_id, anonymous_id, timestamp, context, integrations)
        self.traits: Final = traits


class Group(Envelope):
    """A company, and perhaps a user who belongs to it. The traits are the company's."""

    __slots__ = ("group_id", "traits")

    type: ClassVar[CallType] = CallType.GROUP
    fields_in_order: ClassVar[tuple[str, ...]] = (*_ENVELOPE, "group_id", "traits")
    shown: ClassVar[tuple[str, ...]] = (*_IDS, "group_id")

    def __init__(
        self,
        message_id: str | None,
        user_id: str | None,
        anonymous_id: str | None,
        timestamp: str | None,
        context: JsonDict,
        integrations: JsonDict | None,
        group_id: str,
        traits: JsonDict,
    ) -> None:
        super().__init__(message_id, user_id, anonymous_id, timestamp, context, integrations)
        self.group_id: Final = group_id
        self.traits: Final = traits


class Track(Envelope):
    """Something a user did."""

    __slots__ = ("event", "properties")

    type: ClassVar[CallType] = CallType.TRACK
    fields_in_order: ClassVar[tuple[str, ...]] = (*_ENVELOPE, "event", "properties")

    def __init__(
        self,
        message_id: str | None,
        user_id: str | None,
        anonymous_id: str | None,
        timestamp: str | None,
        context: JsonDict,
        integrations: JsonDict | None,
        event: str,
        properties: JsonDict,
    ) -> None:
        super().__init__(message_id, user_id, anonymous_id, timestamp, context, integrations)
        self.event: Final = event
        self.properties: Final = properties


class _View(Envelope):
    """What a user saw."""

    __slots__ = ("category", "name", "properties")

    fields_in_order: ClassVar[tuple[str, ...]] = (*_ENVELOPE, "name", "category", "properties")

    def __init__(
        self,
        message_id: str | None,
        user_id: str | None,
        anonymous_id: str | None,
        timestamp: str | None,
        context: JsonDict,
        integrations: JsonDict | None,
        name: str | None,
        category: str | None,
        properties: JsonDict,
    ) -> None:
        super().__init__(message_id, user_id, anonymous_id, timestamp, context, integrations)
        self.name: Final = name
        self.category: Final = category
        self.properties: Final = properties


class Page(_View):
    """A web page a user saw."""

    __slots__ = ()

    type: ClassVar[CallType] = CallType.PAGE


class Screen(_View):
    """An app screen a user saw."""

    __slots__ = ()

    type: ClassVar[CallType] = CallType.SCREEN


class Alias(Envelope):
    """Two ids of one user: `user_id` is the new one."""

    __slots__ = ("previous_id",)

    type: ClassVar[CallType] = CallType.ALIAS
    fields_in_order: ClassVar[tuple[str, ...]] = (*_ENVELOPE, "previous_id")
    shown: ClassVar[tuple[str, ...]] = (*_IDS, "previous_id")

    def __init__(
        self,
        message_id: str | None,
        user_id: str | None,
        anonymous_id: str | None,
        timestamp: str | None,
        context: JsonDict,
        integrations: JsonDict | None,
        previous_id: str | None,
    ) -> None:
        super().__init__(message_id, user_id, anonymous_id, timestamp, context, integrations)
        self.previous_id: Final = previous_id


class Delete(Envelope):
    """A request to forget a user."""

    __slots__ = ()

    type: ClassVar[CallType] = CallType.DELETE


Call = Track | Page | Identify | Group | Screen | Alias | Delete
