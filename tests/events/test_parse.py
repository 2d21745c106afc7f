"""Laws of parsing: every reason has its case, and nothing else ever comes out."""

import json
from typing import Any

import pytest
from hypothesis import given

from streamer.errors import InvalidEvent
from streamer.events.calls import Alias, Call, Delete, Group, Identify, Page, Screen, Track
from streamer.events.parse import call_type_of, parse
from streamer.outcomes import CallType, InvalidReason
from tests.events.strategies import anything, events, unhurried

R = InvalidReason
TRACK = {"type": "track", "userId": "u-1", "event": "Logged In"}
PAGE = {"type": "page", "userId": "u-1"}
SCREEN = {"type": "screen", "userId": "u-1"}
GROUP = {"type": "group", "userId": "u-1", "groupId": "acme"}
IDENTIFY = {"type": "identify", "userId": "u-1"}
ALIAS = {"type": "alias", "userId": "u-1", "previousId": "u-0"}
DELETE = {"type": "delete", "userId": "u-1"}


def consenting(consent: Any) -> dict[str, Any]:
    """A call with this consent object."""
    return {**TRACK, "context": {"consent": consent}}


INVALID = [
    (None, R.NOT_AN_EVENT, "not an object"),
    ([TRACK], R.NOT_AN_EVENT, "not an object"),
    ("track", R.NOT_AN_EVENT, "not an object"),
    ({}, R.NOT_AN_EVENT, "no type"),
    ({**TRACK, "type": None}, R.NOT_AN_EVENT, "no type"),
    ({**TRACK, "type": "tracked"}, R.NOT_AN_EVENT, "type is none of Segment's"),
    ({**TRACK, "type": ["track"]}, R.NOT_AN_EVENT, "type is none of Segment's"),
    ({**TRACK, "userId": None}, R.NO_USER_ANON_ID, "userId, anonymousId"),
    ({"type": "identify", "traits": {"email": "a@b.co"}}, R.NO_USER_ANON_ID, "userId, anonymousId"),
    ({"type": "group", "groupId": "acme"}, R.NO_USER_ANON_ID, "userId, anonymousId"),
    ({"type": "page"}, R.NO_USER_ANON_ID, "userId, anonymousId"),
    ({"type": "screen", "anonymousId": None}, R.NO_USER_ANON_ID, "userId, anonymousId"),
    ({**TRACK, "userId": ""}, R.ID_NOT_STRING, "userId"),
    ({**TRACK, "userId": "  "}, R.ID_NOT_STRING, "userId"),
    ({**TRACK, "userId": True}, R.ID_NOT_STRING, "userId"),
    ({**TRACK, "userId": {"id": 1}}, R.ID_NOT_STRING, "userId"),
    ({**TRACK, "userId": ["u-1"]}, R.ID_NOT_STRING, "userId"),
    ({**TRACK, "userId": float("nan")}, R.ID_NOT_STRING, "userId"),
    ({**TRACK, "userId": "", "anonymousId": " "}, R.ID_NOT_STRING, "userId"),
    ({**TRACK, "userId": None, "anonymousId": ""}, R.ID_NOT_STRING, "anonymousId"),
    ({**TRACK, "userId": {}, "anonymousId": "a-1"}, R.ID_NOT_STRING, "userId"),
    ({**TRACK, "anonymousId": {}}, R.ID_NOT_STRING, "anonymousId"),
    ({**GROUP, "groupId": ""}, R.ID_NOT_STRING, "groupId"),
    ({**GROUP, "groupId": False}, R.ID_NOT_STRING, "groupId"),
    ({**ALIAS, "previousId": {}}, R.ID_NOT_STRING, "previousId"),
    ({**GROUP, "groupId": None}, R.ID_REQUIRED, "groupId"),
    ({"type": "group", "userId": "u-1"}, R.ID_REQUIRED, "groupId"),
    ({"type": "alias", "previousId": "u-0"}, R.ID_REQUIRED, "userId"),
    ({"type": "delete", "anonymousId": "anon-1"}, R.ID_REQUIRED, "userId"),
    ({"type": "track", "userId": "u-1"}, R.EVENT_NOT_DEFINED, "event"),
    ({**TRACK, "event": None}, R.EVENT_NOT_DEFINED, "event"),
    ({**TRACK, "event": ""}, R.EVENT_NOT_DEFINED, "event"),
    ({**TRACK, "event": " "}, R.EVENT_NOT_DEFINED, "event"),
    ({**TRACK, "event": 12}, R.EVENT_NOT_STRING, "event"),
    ({**TRACK, "event": {"name": "Logged In"}}, R.EVENT_NOT_STRING, "event"),
    ({**TRACK, "properties": []}, R.PROPERTIES_NOT_OBJECT, "properties"),
    ({**TRACK, "properties": "plan=pro"}, R.PROPERTIES_NOT_OBJECT, "properties"),
    ({**TRACK, "properties": "[1]"}, R.PROPERTIES_NOT_OBJECT, "properties"),
    ({**TRACK, "properties": '{"a": ' * 5000}, R.PROPERTIES_NOT_OBJECT, "properties"),
    ({**PAGE, "properties": 1}, R.PROPERTIES_NOT_OBJECT, "properties"),
    ({**SCREEN, "properties": True}, R.PROPERTIES_NOT_OBJECT, "properties"),
    ({**IDENTIFY, "traits": ["plan"]}, R.TRAITS_NOT_OBJECT, "traits"),
    ({**IDENTIFY, "traits": "not JSON"}, R.TRAITS_NOT_OBJECT, "traits"),
    ({**IDENTIFY, "traits": '{"plan": "pro"'}, R.TRAITS_NOT_OBJECT, "traits"),
    ({**IDENTIFY, "traits": "\ud800"}, R.TRAITS_NOT_OBJECT, "traits"),
    ({**GROUP, "traits": 7}, R.TRAITS_NOT_OBJECT, "traits"),
    ({**TRACK, "context": "web"}, R.CONTEXT_NOT_OBJECT, "context"),
    ({**DELETE, "context": []}, R.CONTEXT_NOT_OBJECT, "context"),
    ({**PAGE, "name": 12}, R.NAME_NOT_STRING, "name"),
    ({**PAGE, "name": ""}, R.NAME_NOT_STRING, "name"),
    ({**SCREEN, "name": ["Home"]}, R.NAME_NOT_STRING, "name"),
    ({**PAGE, "category": 12}, R.CATEGORY_NOT_STRING, "category"),
    ({**SCREEN, "category": {}}, R.CATEGORY_NOT_STRING, "category"),
    (consenting(True), R.CONSENT_NOT_OBJECT, "context.consent"),
    (consenting("granted"), R.CONSENT_NOT_OBJECT, "context.consent"),
    (
        consenting({"categoryPreferences": ["ads"]}),
        R.CONSENT_NOT_OBJECT,
        "context.consent.categoryPreferences",
    ),
    (
        consenting({"categoryPreferences": {"ads": "true"}}),
        R.CONSENT_NOT_BOOLEAN,
        "context.consent.categoryPreferences",
    ),
    (
        consenting({"categoryPreferences": {"ads": True, "crm": 1}}),
        R.CONSENT_NOT_BOOLEAN,
        "context.consent.categoryPreferences",
    ),
]

# What other rooms find: bytes that do not decode, and what Planhat refuses.
NOT_OURS = {
    *(R.NOT_AVRO, R.UNDECODABLE, R.BAD_JSON, R.UNKNOWN_SCHEMA, R.OVERSIZE),
    *(R.REFUSED, R.REFUSED_ALONE, R.DUPLICATED, R.AMBIGUOUS, R.INTERNAL),
}


@pytest.mark.parametrize(("value", "reason", "detail"), INVALID)
def test_each_fault_has_its_reason(value: Any, reason: InvalidReason, detail: str) -> None:
    """What Segment's ingest would discard is refused with Segment's reason and the field's name."""
    with pytest.raises(InvalidEvent) as refused:
        parse(value)
    assert (refused.value.reason, refused.value.detail) == (reason, detail)


def test_every_reason_of_parsing_has_a_case() -> None:
    """The table above leaves no reason of ours out."""
    assert {reason for _, reason, _ in INVALID} == set(InvalidReason) - NOT_OURS


ENVELOPE: dict[str, Any] = {
    "message_id": None,
    "user_id": "u-1",
    "anonymous_id": None,
    "timestamp": None,
    "context": {},
    "integrations": None,
}


@pytest.mark.parametrize(
    ("value", "call"),
    [
        ({**IDENTIFY, "traits": {"a": 1}}, Identify(**ENVELOPE, traits={"a": 1})),
        (IDENTIFY, Identify(**ENVELOPE, traits={})),
        (GROUP, Group(**ENVELOPE, group_id="acme", traits={})),
        (TRACK, Track(**ENVELOPE, event="Logged In", properties={})),
        (PAGE, Page(**ENVELOPE, name=None, category=None, properties={})),
        (SCREEN | {"name": "A", "category": "B"}, Screen(**ENVELOPE, name="A", category="B", properties={})),
        (PAGE | {"category": ""}, Page(**ENVELOPE, name=None, category=None, properties={})),
        (ALIAS, Alias(**ENVELOPE, previous_id="u-0")),
        ({"type": "alias", "userId": "u-1"}, Alias(**ENVELOPE, previous_id=None)),
        (DELETE, Delete(**ENVELOPE)),
    ],
)
def test_a_bare_call_needs_little(value: dict[str, Any], call: Call) -> None:
    """Whatever Segment calls optional may be missing."""
    assert parse(value) == call
    assert parse(value).type == CallType(value["type"])


def test_nulls_are_absent() -> None:
    """Explicit nulls, which pages of anonymous visitors and Avro records carry, are no values."""
    nothing = dict.fromkeys(["messageId", "timestamp", "context", "integrations", "properties", "name"])
    assert parse({**PAGE, **nothing}) == parse(PAGE)
    assert parse({**PAGE, "userId": None, "anonymousId": "anon-1"}).user_id is None


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_id_beside_the_other_one_is_none(blank: str) -> None:
    """RudderStack's library for browsers says so of each visitor who is not known: no poison, nobody."""
    unknown, known = (
        parse({**TRACK, "userId": blank, "anonymousId": "a-1"}),
        parse({**TRACK, "anonymousId": blank}),
    )
    assert (unknown.user_id, unknown.anonymous_id) == (None, "a-1")
    assert (known.user_id, known.anonymous_id) == ("u-1", None)


def test_numeric_ids_become_text() -> None:
    """42 and 42.0 are the user "42"; the same holds for groups and anonymous ids."""
    call = parse({**GROUP, "userId": 42, "groupId": 7.0, "anonymousId": 5, "messageId": 9})
    assert isinstance(call, Group)
    assert (call.user_id, call.group_id, call.anonymous_id, call.message_id) == ("42", "7", "5", "9")


@pytest.mark.parametrize("message_id", [None, "", {}, [], True])
@pytest.mark.parametrize("timestamp", ["soon", {}, [], True, ""])
def test_odd_message_ids_and_timestamps_are_no_poison(message_id: Any, timestamp: Any) -> None:
    """Fields a call can do without never make it invalid: they are dropped."""
    call = parse({**TRACK, "messageId": message_id, "timestamp": timestamp})
    assert (call.message_id, call.timestamp) == (None, None)


def test_open_parts_may_be_json_text() -> None:
    """Schemas that carry open parts as JSON text mean the objects in it, one level inside context too."""
    parts: dict[str, dict[str, Any]] = {
        "traits": {"plan": "pro", "nested": {"n": 2**63}},
        "integrations": {"All": False},
        "context": {
            "groupId": "acme",
            "traits": {"email": "a@b.co"},
            "consent": {"categoryPreferences": {"ads": True}},
        },
    }
    as_text = {name: json.dumps(part) for name, part in parts.items()}
    inner: dict[str, Any] = {
        "context": {name: json.dumps(part) for name, part in parts["context"].items() if name != "groupId"}
        | {"groupId": "acme"}
    }
    plain = parse({**IDENTIFY, **parts})
    assert parse({**IDENTIFY, **as_text}) == plain
    assert parse({**IDENTIFY, **parts, **inner}) == plain
    assert parse({**IDENTIFY, "traits": "null"}) == parse(IDENTIFY)


def test_parsing_changes_nothing_it_was_given() -> None:
    """The decoded value, which may be shared, is left as it was."""
    value = {**IDENTIFY, "context": {"traits": '{"a": 1}', "consent": "{}"}}
    before = json.dumps(value)
    parse(value)
    assert json.dumps(value) == before


@pytest.mark.parametrize("integrations", [False, True, 0, "none", "[]", ["Planhat"], 1.5])
def test_an_unreadable_opt_out_is_an_opt_out(integrations: Any) -> None:
    """`integrations` that is no object enables nothing (as RudderStack reads it)."""
    assert parse({**TRACK, "integrations": integrations}).integrations == {"All": False}


@unhurried
@given(anything | events)
def test_parsing_is_total(value: Any) -> None:
    """Whatever was decoded is a call or InvalidEvent, and never another error."""
    try:
        call = parse(value)
    except InvalidEvent as invalid:
        reason = invalid.reason
    else:
        assert call.type == value["type"].lower()
        assert isinstance(call.context, dict)
        return
    assert reason not in NOT_OURS


@pytest.mark.parametrize("spelt", ["Track", "TRACK"])
def test_a_type_with_capitals_is_the_type(spelt: str) -> None:
    """Others than Segment write it so."""
    assert parse({**TRACK, "type": spelt}) == parse(TRACK)
    assert call_type_of({**TRACK, "type": spelt}) is CallType.TRACK


def test_a_value_nested_ten_thousand_deep_is_no_trouble() -> None:
    """Parsing looks at the surface only, so depth costs nothing."""
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"a": deep}
    call = parse({**IDENTIFY, "traits": deep})
    assert isinstance(call, Identify)
    assert call.traits is deep
