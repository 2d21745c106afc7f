"""A decoded value becomes a call, or InvalidEvent with the reason Segment itself would give.

Total: whatever was decoded, the answer is one of the two. What Planhat cannot use but Segment
allows (odd timestamps, extra fields, stray types in optional places) is never a reason.
"""

from collections.abc import Callable

from streamer.errors import InvalidEvent
from streamer.events.calls import Alias, Call, Delete, Group, Identify, JsonDict, Page, Screen, Track
from streamer.events.engage import with_answers
from streamer.events.integrations import stated
from streamer.events.json_text import from_json_text
from streamer.events.moments import happened_at
from streamer.events.values import id_text
from streamer.outcomes import CallType, InvalidReason

FIELDS_READ = frozenset(
    {
        *("type", "messageId", "userId", "anonymousId", "groupId", "previousId"),
        *("timestamp", "originalTimestamp", "sentAt", "receivedAt"),
        *("context", "integrations", "options", "traits", "properties", "event", "name", "category"),
    }
)
"""The fields of an event that a call is made of: `parse` asks for no others."""


def call_type_of(value: object) -> CallType:
    """The type a decoded value says it has, whether or not the rest of it holds."""
    name = value.get("type") if isinstance(value, dict) else None
    found = _TYPES.get(name) if type(name) is str else None
    return _TYPES.get(_known(name), CallType.UNKNOWN) if found is None else found


def type_text(value: object) -> str:
    """The type of a decoded value as Segment spells it; else as it stands, "" where there is none."""
    name = value.get("type") if isinstance(value, dict) else None
    return _known(name) or (name if isinstance(name, str) else "")


def parse(value: object) -> Call:
    """The call a decoded record value stands for.

    Raises InvalidEvent; its detail names fields only.
    """
    if not isinstance(value, dict):
        raise InvalidEvent(InvalidReason.NOT_AN_EVENT, "not an object")
    name = value.get("type")
    build = _BUILDERS.get(name) if type(name) is str else None
    if build is None:
        build = _BUILDERS.get(_known(name))
    if build is None:
        raise InvalidEvent(InvalidReason.NOT_AN_EVENT, "type is none of Segment's" if name else "no type")
    return build(value)


def _known(name: object) -> str:
    """The type as Segment writes it, "" for none. Others write it with capitals: RudderStack's `Identify`."""
    if not isinstance(name, str):
        return ""
    if name in _BUILDERS:
        return name
    lowered = name.lower()
    return lowered if lowered in _BUILDERS else ""


# --- one builder per type ------------------------------------------------------------------------
# The envelope is spelled out in each: made in one place and unpacked, it costs half of parsing again.


def _identify(event: JsonDict) -> Identify:
    user_id, anonymous_id = _who(event)
    context = _context(event)
    return Identify(
        message_id=id_text(event.get("messageId")),
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=happened_at(event),
        context=context,
        integrations=stated(event, context),
        traits=_open_part(event, "traits", InvalidReason.TRAITS_NOT_OBJECT, context),
    )


def _group(event: JsonDict) -> Group:
    user_id, anonymous_id = _who(event)
    context = _context(event)
    return Group(
        message_id=id_text(event.get("messageId")),
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=happened_at(event),
        context=context,
        integrations=stated(event, context),
        group_id=_required_id(event, "groupId"),
        traits=_open_part(event, "traits", InvalidReason.TRAITS_NOT_OBJECT, context),
    )


def _track(event: JsonDict) -> Track:
    user_id, anonymous_id = _who(event)
    name = event.get("event")
    if name is None:
        raise InvalidEvent(InvalidReason.EVENT_NOT_DEFINED, "event")
    if not isinstance(name, str):
        raise InvalidEvent(InvalidReason.EVENT_NOT_STRING, "event")
    if not name or name.isspace():
        raise InvalidEvent(InvalidReason.EVENT_NOT_DEFINED, "event")
    context = _context(event)
    return Track(
        message_id=id_text(event.get("messageId")),
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=happened_at(event),
        context=context,
        integrations=stated(event, context),
        event=name,
        properties=_open_part(event, "properties", InvalidReason.PROPERTIES_NOT_OBJECT, context),
    )


def _page(event: JsonDict) -> Page:
    user_id, anonymous_id = _who(event)
    context = _context(event)
    return Page(
        message_id=id_text(event.get("messageId")),
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=happened_at(event),
        context=context,
        integrations=stated(event, context),
        name=_page_name(event),
        category=_page_category(event),
        properties=_open_part(event, "properties", InvalidReason.PROPERTIES_NOT_OBJECT),
    )


def _screen(event: JsonDict) -> Screen:
    user_id, anonymous_id = _who(event)
    context = _context(event)
    return Screen(
        message_id=id_text(event.get("messageId")),
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=happened_at(event),
        context=context,
        integrations=stated(event, context),
        name=_page_name(event),
        category=_page_category(event),
        properties=_open_part(event, "properties", InvalidReason.PROPERTIES_NOT_OBJECT),
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


_BUILDERS: dict[str, Callable[[JsonDict], Call]] = {
    "identify": _identify,
    "group": _group,
    "track": _track,
    "page": _page,
    "screen": _screen,
    "alias": _alias,
    "delete": _delete,
}

_TYPES = {name: CallType(name) for name in _BUILDERS}


# --- the parts they share ------------------------------------------------------------------------


def _who(event: JsonDict) -> tuple[str | None, str | None]:
    user_id, anonymous_id = event.get("userId"), event.get("anonymousId")
    # Text that is not blank is its own id, and nearly all of them are. A blank one beside the other id is how
    # some libraries say that there is none (RudderStack's in browsers, of every visitor who is not known).
    if user_id is not None and (type(user_id) is not str or not user_id or user_id.isspace()):
        is_none = isinstance(user_id, str) and id_text(anonymous_id) is not None
        user_id = None if is_none else _id(user_id, "userId")
    if anonymous_id is not None:
        if type(anonymous_id) is not str or not anonymous_id or anonymous_id.isspace():
            is_none = isinstance(anonymous_id, str) and user_id is not None
            anonymous_id = None if is_none else _id(anonymous_id, "anonymousId")
    elif user_id is None:
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
