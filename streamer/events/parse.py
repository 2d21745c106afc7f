"""A decoded value becomes a call, or InvalidEvent with the reason Segment itself would give.

Total: whatever was decoded, the answer is one of the two. What Planhat cannot use but Segment
allows (odd timestamps, extra fields, stray types in optional places) is never a reason.
"""

from collections.abc import Callable
from typing import Any, Final

from streamer.errors import InvalidEvent
from streamer.events.calls import Alias, Call, Delete, Group, Identify, JsonDict, Page, Screen, Track
from streamer.events.engage import with_answers
from streamer.events.integrations import stated
from streamer.events.json_text import from_json_text
from streamer.events.moments import FIRST_DAY, happened_at
from streamer.events.values import id_text, iso_of_text
from streamer.outcomes import CallType, InvalidReason

# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_TRAITS_NOT_OBJECT: Final = InvalidReason.TRAITS_NOT_OBJECT
_PROPERTIES_NOT_OBJECT: Final = InvalidReason.PROPERTIES_NOT_OBJECT

FIELDS_READ: Final = frozenset(
    {
        *("type", "messageId", "userId", "anonymousId", "groupId", "previousId"),
        *("timestamp", "originalTimestamp", "sentAt", "receivedAt"),
        *("context", "integrations", "options", "traits", "properties", "event", "name", "category"),
    }
)
"""The fields of an event that a call is made of: `parse` asks for no others."""


def call_type_of(value: Any) -> CallType:  # noqa: ANN401 whatever was decoded
    """The type a decoded value says it has, whether or not the rest of it holds."""
    try:
        return _TYPES[value["type"]]
    except (LookupError, TypeError):  # no object, or none that spells it as Segment does
        name = value.get("type") if isinstance(value, dict) else None
        return _TYPES.get(_known(name), CallType.UNKNOWN)


def type_text(value: object) -> str:
    """The type of a decoded value as Segment spells it; else as it stands, "" where there is none."""
    name = value.get("type") if isinstance(value, dict) else None
    return _known(name) or (name if isinstance(name, str) else "")


def parse(value: Any) -> Call:  # noqa: ANN401 whatever was decoded
    """The call a decoded record value stands for.

    Raises InvalidEvent; its detail names fields only.
    """
    try:
        build = _BUILDERS[value["type"]]
    except (LookupError, TypeError):
        build = _builder_of(value)
    return build(value)


def _builder_of(value: object) -> Callable[[JsonDict], Call]:
    """Of what is no object, or does not spell its type as Segment does."""
    if not isinstance(value, dict):
        raise InvalidEvent(InvalidReason.NOT_AN_EVENT, "not an object")
    name = value.get("type")
    build = _BUILDERS.get(_known(name))
    if build is None:
        raise InvalidEvent(InvalidReason.NOT_AN_EVENT, "type is none of Segment's" if name else "no type")
    return build


def _known(name: object) -> str:
    """The type as Segment writes it, "" for none. Others write it with capitals: RudderStack's `Identify`."""
    if not isinstance(name, str):
        return ""
    if name in _BUILDERS:
        return name
    lowered = name.lower()
    return lowered if lowered in _BUILDERS else ""


# --- one builder per type ------------------------------------------------------------------------


def _identify(event: JsonDict) -> Identify:
    message_id, user_id, anonymous_id, timestamp, context, integrations = _envelope(event)
    traits = event.get("traits")
    if type(traits) is not dict or "personas" in context:
        traits = _open_part(event, "traits", _TRAITS_NOT_OBJECT, context)
    return Identify(
        message_id=message_id,
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=timestamp,
        context=context,
        integrations=integrations,
        traits=traits,
    )


def _group(event: JsonDict) -> Group:
    message_id, user_id, anonymous_id, timestamp, context, integrations = _envelope(event)
    return Group(
        message_id=message_id,
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=timestamp,
        context=context,
        integrations=integrations,
        group_id=_required_id(event, "groupId"),
        traits=_open_part(event, "traits", _TRAITS_NOT_OBJECT, context),
    )


def _track(event: JsonDict) -> Track:
    name = event.get("event")
    if type(name) is not str or not name or name.isspace():
        name = _event_name(event, name)
    message_id, user_id, anonymous_id, timestamp, context, integrations = _envelope(event)
    properties = event.get("properties")
    if type(properties) is not dict or "personas" in context:
        properties = _open_part(event, "properties", _PROPERTIES_NOT_OBJECT, context)
    return Track(
        message_id=message_id,
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=timestamp,
        context=context,
        integrations=integrations,
        event=name,
        properties=properties,
    )


def _page(event: JsonDict) -> Page:
    message_id, user_id, anonymous_id, timestamp, context, integrations = _envelope(event)
    return Page(
        message_id=message_id,
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=timestamp,
        context=context,
        integrations=integrations,
        name=_page_name(event),
        category=_page_category(event),
        properties=_open_part(event, "properties", _PROPERTIES_NOT_OBJECT),
    )


def _screen(event: JsonDict) -> Screen:
    message_id, user_id, anonymous_id, timestamp, context, integrations = _envelope(event)
    return Screen(
        message_id=message_id,
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=timestamp,
        context=context,
        integrations=integrations,
        name=_page_name(event),
        category=_page_category(event),
        properties=_open_part(event, "properties", _PROPERTIES_NOT_OBJECT),
    )


def _alias(event: JsonDict) -> Alias:
    # Segment's field table calls previousId required (HTTP) and optional (JavaScript): we do not insist.
    context = _context(event)
    return Alias(
        message_id=id_text(event.get("messageId")),
        user_id=_required_id(event, "userId"),
        anonymous_id=_optional_id(event, "anonymousId"),
        timestamp=happened_at(event),
        context=context,
        integrations=stated(event, context),
        previous_id=_optional_id(event, "previousId"),
    )


def _delete(event: JsonDict) -> Delete:
    context = _context(event)
    return Delete(
        message_id=id_text(event.get("messageId")),
        user_id=_required_id(event, "userId"),
        anonymous_id=_optional_id(event, "anonymousId"),
        timestamp=happened_at(event),
        context=context,
        integrations=stated(event, context),
    )


_BUILDERS: Final[dict[str, Callable[[JsonDict], Call]]] = {
    "identify": _identify,
    "group": _group,
    "track": _track,
    "page": _page,
    "screen": _screen,
    "alias": _alias,
    "delete": _delete,
}

_TYPES: Final = {name: CallType(name) for name in _BUILDERS}


# --- the parts they share ------------------------------------------------------------------------

_Envelope = tuple[str | None, str | None, str | None, str | None, JsonDict, JsonDict | None]


def _envelope(event: JsonDict) -> _Envelope:
    """Message id, user id, anonymous id, timestamp, context and integrations of a call that names somebody.

    What nearly all say is taken as it is, and functions read the rest: every event comes through here, and a
    call of a function costs as much as all that is asked of a field.
    """
    user_id, anonymous_id = event.get("userId"), event.get("anonymousId")
    if (
        type(user_id) is not str
        or not user_id.strip()
        or (anonymous_id is not None and (type(anonymous_id) is not str or not anonymous_id.strip()))
    ):
        user_id, anonymous_id = _who(event)
    context = event.get("context")
    if type(context) is not dict or "traits" in context or "consent" in context:
        context = _context(event)
    message_id = event.get("messageId")
    if type(message_id) is not str or not message_id or message_id.isspace():
        message_id = id_text(message_id)
    timestamp = event.get("timestamp")
    moment = iso_of_text(timestamp) if type(timestamp) is str else None
    if moment is None or moment < FIRST_DAY:
        moment = happened_at(event)
    integrations = event.get("integrations")
    if (
        (integrations is not None and (type(integrations) is not dict or "providers" in integrations))
        or "options" in event
        or "providers" in context
        or "All" in context
        or "all" in context
    ):
        integrations = stated(event, context)
    return message_id, user_id, anonymous_id, moment, context, integrations


def _event_name(event: JsonDict, name: object) -> str:
    """What a track call says that is not plainly a name; or what is wrong, of who it is first."""
    _who(event)
    if name is not None and not isinstance(name, str):
        raise InvalidEvent(InvalidReason.EVENT_NOT_STRING, "event")
    if not name or name.isspace():
        raise InvalidEvent(InvalidReason.EVENT_NOT_DEFINED, "event")
    return name


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _who(event: JsonDict) -> tuple[str | None, str | None]:
    user_id, anonymous_id = event.get("userId"), event.get("anonymousId")
    # A blank one beside the other id is how libraries say that there is none: RudderStack's for browsers,
    # of every visitor who is not known.
    if user_id is not None:
        is_none = _is_blank(user_id) and id_text(anonymous_id) is not None
        user_id = None if is_none else _id(user_id, "userId")
    if anonymous_id is not None:
        is_none = _is_blank(anonymous_id) and user_id is not None
        anonymous_id = None if is_none else _id(anonymous_id, "anonymousId")
    if user_id is None and anonymous_id is None:
        raise InvalidEvent(InvalidReason.NO_USER_ANON_ID, "userId, anonymousId")
    return user_id, anonymous_id


def _optional_id(event: JsonDict, field: str) -> str | None:
    value = event.get(field)
    return None if value is None else _id(value, field)


def _id(value: object, field: str) -> str:
    text = id_text(value)
    if text is None:
        raise InvalidEvent(InvalidReason.ID_NOT_STRING, field)
    return text


def _required_id(event: JsonDict, field: str) -> str:
    text = _optional_id(event, field)
    if text is None:
        raise InvalidEvent(InvalidReason.ID_REQUIRED, field)
    return text


def _page_name(event: JsonDict) -> str | None:
    name = event.get("name")
    if name is None:
        return None
    # Segment discards an empty name as well, but not an empty category.
    if not isinstance(name, str) or not name or name.isspace():
        raise InvalidEvent(InvalidReason.NAME_NOT_STRING, "name")
    return name


def _page_category(event: JsonDict) -> str | None:
    category = event.get("category")
    if category is None:
        return None
    if not isinstance(category, str):
        raise InvalidEvent(InvalidReason.CATEGORY_NOT_STRING, "category")
    return category if category and not category.isspace() else None


def _open_part(
    event: JsonDict, field: str, reason: InvalidReason, context: JsonDict | None = None
) -> JsonDict:
    """An object of any shape, or JSON text of one; absent and null are empty.

    `context`: of a call that may tell who is in an audience.
    """
    value = event.get(field)
    if type(value) is str:
        value = from_json_text(value)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidEvent(reason, field)
    return with_answers(context, value) if context is not None and "personas" in context else value


def _context(event: JsonDict) -> JsonDict:
    context = event.get("context")
    if type(context) is not dict:
        context = _open_part(event, "context", InvalidReason.CONTEXT_NOT_OBJECT)
    traits = context.get("traits")
    if type(traits) is str:
        context = {**context, "traits": from_json_text(traits)}
    consent = context.get("consent")
    if consent is not None:
        context = {**context, "consent": _consent(consent)}
    return context


def _consent(consent: object) -> JsonDict | None:
    """`context.consent` with its preferences checked: an object of booleans, or absent.

    Checked whatever categories are configured: an event whose consent cannot be read must not be
    delivered by the accident of a missing setting. A null preference (an Avro record always has
    all its fields) is no preference.
    """
    if type(consent) is str:
        consent = from_json_text(consent)
    if consent is None:
        return None
    if not isinstance(consent, dict):
        raise InvalidEvent(InvalidReason.CONSENT_NOT_OBJECT, "context.consent")
    preferences = consent.get("categoryPreferences")
    if preferences is None:
        return consent
    if not isinstance(preferences, dict):
        raise InvalidEvent(InvalidReason.CONSENT_NOT_OBJECT, "context.consent.categoryPreferences")
    for granted in preferences.values():
        if granted is not None and not isinstance(granted, bool):
            raise InvalidEvent(InvalidReason.CONSENT_NOT_BOOLEAN, "context.consent.categoryPreferences")
    return consent
