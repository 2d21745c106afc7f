"""Laws of the sandbox's custom fields: they are made by a call of their own, and listed in pages."""

from typing import Any

import msgspec
import pytest

from streamer.standins.planhat.custom_fields import CustomFields
from streamer.standins.planhat.entries import Stamps
from streamer.standins.planhat.replies import Reply, Request, items_of, route_of


def ask(fields: CustomFields, method: str, body: Any = None, **query: str) -> Reply:
    """One request to them."""
    text = b"" if body is None else msgspec.json.encode(body)
    request = Request(method, "/customfields", route_of("/customfields"), query, text)
    return fields.answer(request, items_of(text) if text else None)


def listed(fields: CustomFields, **query: str) -> list[str]:
    """Names of the fields that a list returns."""
    return [each["name"] for each in msgspec.json.decode(ask(fields, "GET", **query).body)]


def test_a_field_is_made_and_listed() -> None:
    """Its reply is the field with an id; lists are bare arrays in the order in which they were made."""
    fields = CustomFields(Stamps())
    made = ask(fields, "POST", {"name": "Plan tier", "type": "text", "parent": "EndUser"})
    ask(fields, "POST", {"name": "MRR", "type": "number", "parent": "Company"})

    assert made.status == 200
    assert len(msgspec.json.decode(made.body)["_id"]) == 24
    assert listed(fields) == ["Plan tier", "MRR"]
    assert listed(fields, limit="1", offset="1") == ["MRR"]


def test_lists_are_pages() -> None:
    """A hundred where nothing is said; past the end nothing, which is how a list ends."""
    fields = CustomFields(Stamps())
    for number in range(101):
        ask(fields, "POST", {"name": f"f{number}", "type": "text", "parent": "Company"})

    assert len(listed(fields)) == 100
    assert listed(fields, offset="100") == ["f100"]
    assert listed(fields, offset="101") == []


@pytest.mark.parametrize(
    ("method", "body", "query", "status"),
    [
        ("POST", {"type": "text", "parent": "Company"}, {}, 400),
        ("POST", {"name": "x", "type": "colour", "parent": "Company"}, {}, 400),
        ("POST", [{"name": "x", "type": "text", "parent": "Company"}], {}, 400),
        ("POST", 5, {}, 400),
        ("POST", None, {}, 400),
        ("PUT", {}, {}, 404),
        ("GET", None, {"limit": "x"}, 400),
        ("GET", None, {"offset": "-1"}, 400),
    ],
)
def test_what_is_no_such_request(method: str, body: Any, query: dict[str, str], status: int) -> None:
    """What cannot be is refused, and makes no field."""
    fields = CustomFields(Stamps())

    assert ask(fields, method, body, **query).status == status
    assert listed(fields) == []
