"""Masking: what an event looks like, and nothing of what it says."""

import json
from typing import Any

from hypothesis import given

from streamer.letters.masking import masked
from tests.events.strategies import anything, unhurried


def test_values_go_and_the_shape_stays() -> None:
    """Text by its length, numbers as such, however deep they lie; true, false and null tell nobody."""
    event = {
        "userId": "u-1",
        "age": 47,
        "score": 7.25,
        "empty": "",
        "is_admin": True,
        "left": None,
        "tags": ["vip", 3, {"mail": "ada@acme.example"}, ["x"]],
        "traits": {"address": {"city": "Oslo"}},
    }

    assert masked(event) == {
        "userId": "<text, 3 characters>",
        "age": "<number>",
        "score": "<number>",
        "empty": "",
        "is_admin": True,
        "left": None,
        "tags": [
            "<text, 3 characters>",
            "<number>",
            {"mail": "<text, 16 characters>"},
            ["<text, 1 characters>"],
        ],
        "traits": {"address": {"city": "<text, 4 characters>"}},
    }


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list) else [value]


@unhurried
@given(anything)
def test_no_value_is_left(value: Any) -> None:
    """Whatever it is: each leaf is true, false, null, nothing, or the word for its kind."""
    shown = masked(value)

    json.dumps(shown)
    for leaf in _leaves(shown):
        assert leaf is None or isinstance(leaf, bool) or leaf == "" or (leaf[0], leaf[-1]) == ("<", ">")
