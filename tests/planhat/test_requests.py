"""Laws of the requests: where each endpoint is, how an item is spelled, what is never shown."""

import json
from typing import Any

import pytest

from streamer.outcomes import Endpoint
from streamer.planhat.items import encode_operation
from streamer.planhat.requests import PIECE_BYTES, Addresses, Bulk, request_for
from streamer.transform.operations import DeleteEnduser, LogActivity, Operation, UpsertCompany, UpsertEnduser

TOKEN = "3e3a5e42-9b7a-4f4e-8c53-1d6a7a1f0001"
ADDRESSES = Addresses("https://api-eu.planhat.com", "https://analytics.planhat.com", TOKEN)


@pytest.mark.parametrize(
    ("operation", "item"),
    [
        (UpsertEnduser("u-1", None), {"externalId": "u-1", "source": "Segment"}),
        (UpsertEnduser(None, "a@b.co"), {"email": "a@b.co", "source": "Segment"}),
        (
            UpsertEnduser(
                "u-1", "a@b.co", "acme", {"name": "A", "phone": None}, {"total billed": 1, "x": None}
            ),
            {
                "externalId": "u-1",
                "email": "a@b.co",
                "companyId": "extid-acme",
                "name": "A",
                "phone": None,
                "custom": {"total billed": 1, "x": None},
                "source": "Segment",
            },
        ),
        (UpsertCompany("acme"), {"externalId": "acme", "source": "Segment"}),
        (
            UpsertCompany("acme", {"name": "Acme"}, {"seats": 3}),
            {"externalId": "acme", "name": "Acme", "custom": {"seats": 3}, "source": "Segment"},
        ),
        (
            LogActivity("u-1", "a@b.co", "acme", "Paid", "2026-01-05T12:00:00Z", 2, {"n": {"m": [1]}}),
            {
                "externalId": "u-1",
                "euExtId": "u-1",
                "email": "a@b.co",
                "companyExternalId": "acme",
                "action": "Paid",
                "date": "2026-01-05T12:00:00Z",
                "weight": 2,
                "info": {"n": {"m": [1]}},
                "source": "Segment",
            },
        ),
        (
            LogActivity(None, "a@b.co", None, "Paid", None, 0.5),
            {"email": "a@b.co", "action": "Paid", "weight": 0.5, "info": {}, "source": "Segment"},
        ),
    ],
)
def test_items_are_spelled_as_planhat_does(operation: Operation, item: dict[str, Any]) -> None:
    """What is unknown is left out, what is null is written, and everything comes from Segment."""
    assert json.loads(encode_operation(operation)) == item


def test_no_field_may_change_whom_an_item_is_about() -> None:
    """Fields and custom fields cannot stand in for ids, the company or the source."""
    fields = {"externalId": "other", "email": "other", "companyId": "other", "source": "other"}
    item = json.loads(encode_operation(UpsertEnduser("u-1", "a@b.co", "acme", fields, {"source": "web"})))
    assert item == {
        "externalId": "u-1",
        "email": "a@b.co",
        "companyId": "extid-acme",
        "custom": {"source": "web"},
        "source": "Segment",
    }


@pytest.mark.parametrize(
    ("endpoint", "method", "url"),
    [
        (Endpoint.ENDUSERS, "PUT", "https://api-eu.planhat.com/endusers"),
        (Endpoint.COMPANIES, "PUT", "https://api-eu.planhat.com/companies"),
        (Endpoint.ACTIVITIES, "POST", f"https://analytics.planhat.com/analytics/bulk/{TOKEN}"),
        (Endpoint.METRICS, "POST", f"https://analytics.planhat.com/dimensiondata/{TOKEN}"),
        (Endpoint.SEGMENT, "POST", "https://segment.example/dock/segment"),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_endpoint_has_its_address(endpoint: Endpoint, method: str, url: str, slash: str) -> None:
    """Upserts go to the main API, activities to the analytics host; a slash at the end is no matter."""
    addresses = Addresses(
        ADDRESSES.api_url + slash, ADDRESSES.analytics_url + slash, TOKEN, f"https://segment.example{slash}"
    )
    request = request_for(endpoint, [b"{}"], addresses)
    assert (request.method, request.url) == (method, url)


@pytest.mark.parametrize(
    ("items", "body"),
    [([], b"[]"), ([b'{"a":1}'], b'[{"a":1}]'), ([b'{"a":1}', b"{}"], b'[{"a":1},{}]')],
)
def test_the_body_is_the_items_in_order(items: list[bytes], body: bytes) -> None:
    """A bulk is a JSON array of the items as they were encoded."""
    assert request_for(Endpoint.ENDUSERS, items, ADDRESSES).body == body


@pytest.mark.parametrize("size", [1, 1_000, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES])
def test_a_bulk_is_sent_in_pieces_that_come_to_its_list(size: int) -> None:
    """None is much larger than a piece, or than the item in it; its length is known before."""
    for count in (0, 1, 2, 700):
        items = [bytes([number % 256]) * size for number in range(min(count, 40 * PIECE_BYTES // size))]
        bulk = Bulk(items)
        pieces = list(bulk)
        assert b"".join(pieces) == b"[" + b",".join(items) + b"]"
        assert len(bulk) == sum(map(len, pieces))
        assert pieces[-1] == b"]", "whoever asks before it whether to go on asks before the last byte"
        # A comma to each item, and a bracket.
        assert max(map(len, pieces)) <= PIECE_BYTES + size + PIECE_BYTES // size + 2


def test_a_token_cannot_reach_another_path() -> None:
    """Whatever the tenant token holds, it stays one segment of the path."""
    request = request_for(Endpoint.ACTIVITIES, [], Addresses("https://a", "https://b", "x/../y?z"))
    assert request.url == "https://b/analytics/bulk/x%2F..%2Fy%3Fz"


@pytest.mark.parametrize("endpoint", Endpoint)
def test_nothing_secret_is_shown(endpoint: Endpoint) -> None:
    """Neither the token nor a person's data is in the repr of a request or of the addresses."""
    said = DeleteEnduser(None, "a@b.co") if endpoint is Endpoint.DELETIONS else UpsertEnduser("u-1", "a@b.co")
    request = request_for(endpoint, [encode_operation(said)], ADDRESSES)
    for shown in (repr(request), str(request), request.shown_url, repr(ADDRESSES), str(ADDRESSES)):
        assert TOKEN not in shown
        assert "a@b.co" not in shown
    assert request.shown_url.startswith("https://a")


def test_an_activity_that_json_cannot_spell_is_written_all_the_same() -> None:
    """Field by field as any other: only what cannot be is changed."""
    told = LogActivity("u-\ud800", None, "acme", "", None, 0, {"exact": 2**70, "none": None, "deep": [2.5]})
    assert json.loads(encode_operation(told)) == {
        "externalId": "u-?",
        "euExtId": "u-?",
        "companyExternalId": "acme",
        "action": "",
        "weight": 0,
        "info": {"exact": str(2**70), "none": None, "deep": [2.5]},
        "source": "Segment",
    }
