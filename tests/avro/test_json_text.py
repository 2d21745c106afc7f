"""Laws of JSON text: strict, bounded, lossless."""

import math
from typing import Any

import pytest
from hypothesis import given

from streamer.avro import json_text
from streamer.errors import InvalidEvent
from streamer.outcomes import InvalidReason
from tests.avro.events import json_values


def same(left: Any, right: Any) -> bool:
    """Equal in value, type, sign of zero and order of keys, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return bool(left == right)


@given(json_values)
def test_dump_then_parse_gives_the_value_back(value: Any) -> None:
    """Any JSON value survives: big integers, floats as floats, order of keys, unicode."""
    assert same(json_text.parse(json_text.dump(value)), value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", '{"a":1}x', "{'a':1}", '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', "01", '"\n"'),
        *('{"a":1e400}', '{"a":1,}', "\ufeff{}", '{"a":"\\ud800"', '"\\ud800" x', "9" * 5000),
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    """Only RFC 8259 passes, and only numbers that a double or an integer of sane length holds."""
    for spelled in (text, text.encode()):
        with pytest.raises(InvalidEvent) as caught:
            json_text.parse(spelled, "traits")
        assert caught.value.reason is InvalidReason.BAD_JSON
        assert caught.value.detail.startswith("traits: ")


@pytest.mark.parametrize("spelled", [b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b"\xff\xfe{\x00}\x00"])
def test_other_encodings_than_utf8_are_refused(spelled: bytes) -> None:
    """Bytes that are not UTF-8 are no JSON, whatever else they may be."""
    with pytest.raises(InvalidEvent) as caught:
        json_text.parse(spelled)
    assert caught.value.reason is InvalidReason.BAD_JSON


def test_lone_surrogates_are_read_as_replacement_characters() -> None:
    """JSON can spell half a character; it is read as U+FFFD in keys and values, and whole ones stay."""
    text = '{"\\ud800": ["x\\udfffy", {"z": "\\ud83d\\ude00"}], "n": 123456789012345678901}'

    assert json_text.parse(text) == {"\ufffd": ["x\ufffdy", {"z": "😀"}], "n": 123456789012345678901}


def test_lone_surrogates_are_written_as_escapes() -> None:
    """A value with half a character still has a text that UTF-8 can carry."""
    assert json_text.dump({"a": "\ud800é"}) == '{"a":"\\ud800\\u00e9"}'


@pytest.mark.parametrize("depth", [json_text.MAX_DEPTH + 1, 900, 10_000, 1_000_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("surrogate", ["", "\\ud800"])
def test_deep_nesting_is_refused(depth: int, opening: str, closing: str, surrogate: str) -> None:
    """Deeper than the limit ends as BAD_JSON by every path, never as an exhausted stack."""
    text = opening * depth + f'"{surrogate}"' + closing * depth

    with pytest.raises(InvalidEvent, match=f"deeper than {json_text.MAX_DEPTH}") as caught:
        json_text.parse(text)
    assert caught.value.reason is InvalidReason.BAD_JSON


def test_nesting_up_to_the_limit_and_brackets_in_strings_pass() -> None:
    """The limit is on depth: width, and brackets that are text, do not count."""
    deepest = "[" * json_text.MAX_DEPTH + "]" * json_text.MAX_DEPTH
    wide = '{"a":"' + "[{" * 1000 + '","b":[' + ",".join(["{}"] * 1000) + "]}"

    assert json_text.dump(json_text.parse(deepest)) == deepest
    assert json_text.dump(json_text.parse(wide)) == wide


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, b"bytes", {"a": object()}])
def test_values_without_a_json_form_are_refused(value: object) -> None:
    """What JSON cannot say is refused when written, not altered."""
    with pytest.raises(InvalidEvent) as caught:
        json_text.dump(value)
    assert caught.value.reason is InvalidReason.BAD_JSON


def test_cycles_and_deep_values_are_refused_when_written() -> None:
    """What could never be read again is not written."""
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: list[Any] = []
    for _ in range(json_text.MAX_DEPTH):
        deep = [deep]

    for value in (cycle, deep):
        with pytest.raises(InvalidEvent) as caught:
            json_text.dump(value)
        assert caught.value.reason is InvalidReason.BAD_JSON
