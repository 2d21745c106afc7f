"""Laws of flattening traits into `custom` and into Planhat's own fields."""

from typing import Any

import msgspec
import pytest

from streamer.transform.encoding import json_ready, to_json
from streamer.transform.fields import LEGAL_KEYS, legal_key, put_custom
from streamer.transform.ruled import apply_rules
from streamer.transform.trait_rules import Place, Target, TraitRule, TraitRules


def custom(key: str, value: Any) -> dict[str, Any]:
    """What one trait writes."""
    written: dict[str, Any] = {}
    put_custom(written, key, value)
    return written


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("pro", {"k": "pro"}),
        ("", {"k": ""}),
        (True, {"k": True}),
        (3, {"k": 3}),
        (2.5, {"k": 2.5}),
        (None, {"k": None}),
        (2**63 - 1, {"k": 2**63 - 1}),
        (2**64, {"k": "18446744073709551616"}),
        (float("nan"), {}),
        (float("-inf"), {}),
        ({}, {}),
        ({"a": 1, "b": {"c": None}}, {"k_a": 1, "k_b_c": None}),
        ({"a.b": 1}, {"k_a_b": 1}),
        ({"": 1, "$b": 2}, {"k_$b": 2}),
        ([], {"k": []}),
        (["a", 1, None, False], {"k": ["a", 1, None, False]}),
        ([float("inf"), 2**70], {"k": [None, "1180591620717411303424"]}),
        ([{"a": 1}, 2], {"k": '[{"a":1},2]'}),
        ([["a"], []], {"k": '[["a"],[]]'}),
        ({"list": [1], "objects": [{}]}, {"k_list": [1], "k_objects": "[{}]"}),
    ],
)
def test_each_kind_of_value(value: Any, expected: dict[str, Any]) -> None:
    """Scalars and lists of scalars stay, objects are joined by `_`, lists of objects become JSON text."""
    written = custom("k", value)
    assert written == expected
    assert list(map(type, written.values())) == list(map(type, expected.values()))


@pytest.mark.parametrize(
    ("key", "legal"),
    [
        ("plan", "plan"),
        ("total billed", "total billed"),
        ("# Overdue", "# Overdue"),
        ("größe", "größe"),
        ("a.b.c", "a_b_c"),
        ("$set", "set"),
        ("$$set", "set"),
        ("$.a", "_a"),
        ("cost$", "cost$"),
        ("a\0b", "ab"),
        ("\0$a", "a"),
        ("", ""),
        (" ", ""),
        ("$", ""),
        ("\0", ""),
        (".", "_"),
    ],
)
def test_keys_are_what_the_database_holds(key: str, legal: str) -> None:
    """Keys keep their spaces and lose dots, leading dollars and NULs; nothing is no key."""
    assert legal_key(key) == legal
    assert custom(key, 1) == ({legal: 1} if legal else {})


def test_the_later_of_two_traits_for_one_key_wins() -> None:
    """Traits that come to the same key are written in the event's order."""
    written: dict[str, Any] = {}
    put_custom(written, "a.b", 1)
    put_custom(written, "a", {"b": 2})
    assert written == {"a_b": 2}


def test_deep_objects_end_as_json_text() -> None:
    """Below the eighth level an object stays together, so that keys cannot grow without bound."""
    value: Any = {"leaf": 1}
    for _ in range(10):
        value = {"n": value}
    assert custom("k", value) == {"k_n_n_n_n_n_n_n_n": '{"n":{"n":{"leaf":1}}}'}


@pytest.mark.parametrize("wrap", [lambda inner: {"n": inner}, lambda inner: [inner]])
def test_nesting_ten_thousand_deep_is_cut(wrap: Any) -> None:
    """A value built to exhaust the stack becomes a short text, and JSON all the same."""
    value: Any = 1
    for _ in range(10_000):
        value = wrap(value)
    written = custom("k", value)
    assert len(to_json(written)) < 2_000
    assert msgspec.json.decode(to_json(written)) == written


NAMED = TraitRules(
    (
        TraitRule("nick", (Target(Place.FIELD, "nick"),)),
        TraitRule("title", (Target(Place.FIELD, "title"), Target(Place.FIELD, "position"))),
        TraitRule("name", (Target(Place.FIELD, "name"),)),
    ),
    keeps_others=True,
)


def ruled(traits: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields and the custom fields that these traits are written to."""
    fields: dict[str, Any] = {}
    others: dict[str, Any] = {}
    apply_rules(NAMED, traits, fields, others, None)
    return fields, others


@pytest.mark.parametrize(
    ("traits", "fields", "rest"),
    [
        ({"title": "CEO"}, {"title": "CEO", "position": "CEO"}, {}),
        ({"title": None}, {"title": None, "position": None}, {}),
        ({"title": ""}, {"title": "", "position": ""}, {}),
        ({"nick": 7}, {"nick": "7"}, {}),
        ({"nick": 7.0}, {"nick": "7"}, {}),
        ({"nick": True}, {}, {"nick": True}),
        ({"nick": ["a"]}, {}, {"nick": ["a"]}),
        ({"nick": {"short": "a"}}, {}, {"nick_short": "a"}),
        ({"other": 1}, {}, {"other": 1}),
    ],
)
def test_own_fields_take_text(traits: Any, fields: Any, rest: Any) -> None:
    """Own fields take text, numbers as text and null; what they cannot hold is an ordinary trait."""
    assert ruled(traits) == (fields, rest)


@pytest.mark.parametrize(
    ("value", "fields", "rest"),
    [
        ("First", {"name": "First"}, {}),
        ("  First ", {"name": "First"}, {}),
        (7, {"name": "7"}, {}),
        (None, {}, {}),
        ("", {}, {}),
        ("  ", {}, {}),
        (False, {}, {}),
        ({"first": "First"}, {}, {"name_first": "First"}),
    ],
)
def test_a_name_is_never_wiped_out(value: Any, fields: Any, rest: Any) -> None:
    """Neither a null nor a blank becomes a name."""
    assert ruled({"name": value}) == (fields, rest)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\ud800b", '"a?b"'),
        ({"\ud800": float("nan")}, '{"?":null}'),
        ({"n": 10**5000}, '{"n":null}'),
    ],
)
def test_what_json_has_no_word_for(value: Any, text: str) -> None:
    """Text that is no Unicode loses the offending characters; unknown things become null."""
    assert to_json(value).decode() == text
    assert to_json(json_ready(value)).decode() == text


def test_keys_that_are_kept_as_legal_are_bounded_and_legal() -> None:
    """Whoever makes up keys fills no memory with them; what is kept is looked at no more."""
    for number in range(10_000):
        custom(f"made up {number}", 1)
        custom(f"made.up {number}", 1)
    custom("k" * 1000, 1)
    custom("", 1)
    custom(" ", 1)
    assert 0 < len(LEGAL_KEYS) <= 4096
    assert all(key and legal_key(key) == key and len(key) < 100 for key in LEGAL_KEYS)
