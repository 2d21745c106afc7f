"""Laws of what an event says of destinations, in every place where it may."""

from typing import Any

import pytest

from streamer.events.parse import parse


def stated(**parts: Any) -> dict[str, Any] | None:
    """What a call with these parts says."""
    return parse({"type": "track", "userId": "u-1", "event": "Logged In", **parts}).integrations


@pytest.mark.parametrize(
    ("law", "parts", "said"),
    [
        ("nothing", {}, None),
        (
            "an object is what it is",
            {"integrations": {"Planhat": None, "all": 1}},
            {"Planhat": None, "all": 1},
        ),
        ("options where there is no object", {"options": {"Planhat": False}}, {"Planhat": False}),
        ("options as JSON text", {"options": '{"all": false}'}, {"All": False}),
        (
            "providers among the options",
            {"options": {"providers": {"all": False, "Planhat": True}, "Planhat": False}},
            {"All": False, "Planhat": True},
        ),
        (
            "all of the providers, then of the options, then of the object",
            {
                "options": {"providers": {"all": 1}, "all": False},
                "integrations": {"All": True, "Planhat": True},
            },
            {"All": False, "Planhat": True},
        ),
        (
            "context is what options were called",
            {"context": {"providers": {"Planhat": False, "x": True}}},
            {"Planhat": False, "x": True},
        ),
        ("all in context", {"context": {"ip": "::1", "All": False}}, {"ip": "::1", "All": False}),
        ("options hide context", {"context": {"All": False}, "options": {"a": True}}, {"a": True}),
        (
            "providers within the object, which its own keys override",
            {"integrations": {"providers": {"A": False, "B": 1, "all": False}, "A": True, "D": None}},
            {"A": True, "B": True, "providers": {"A": False, "B": 1, "all": False}},
        ),
        ("options that are none", {"options": "none", "integrations": {"A": True}}, {"A": True}),
        ("a context without any of it", {"context": {"all": "rights reserved"}}, None),
    ],
)
def test_every_place_is_heard(law: str, parts: dict[str, Any], said: dict[str, Any] | None) -> None:
    """The documented place, and those where old clients said it, in the order of Segment's library."""
    assert stated(**parts) == said, law


def test_two_spellings_of_all() -> None:
    """A boolean under the documented spelling is meant, whatever stands before it."""
    assert stated(options={"all": True, "A-l-l": True, "All": False}) == {"All": False}
