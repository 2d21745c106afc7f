"""Events made by Segment's own library for Python, of every call it has; nothing is sent."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from segment.analytics.client import Client
from segment.analytics.request import DatetimeSerializer

from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Decoded
from streamer.events.parse import parse
from streamer.outcomes import SkipReason
from streamer.planhat.items import encode_operation
from streamer.transform import Rules, Skipped, Transformed, transform

WHEN = datetime(2026, 1, 5, 10, 0, 0, 250_000, tzinfo=UTC)
OSLO = timezone(timedelta(hours=1))
MAIL = "u-1@acme.example"
SCHEMAS = load_schemas()
DECODER = Decoder(SCHEMAS, max_bytes=2**20)


def as_json(event: dict[str, Any]) -> bytes:
    """The event as the library would send it."""
    return json.dumps(event, cls=DatetimeSerializer).encode()


def as_avro(event: dict[str, Any]) -> bytes:
    """The event as `streamer publish` would write it."""
    return Encoder(SCHEMAS).encode(json.loads(as_json(event)), framing="single-object")


@pytest.fixture(params=[as_json, as_avro])
def told(request: pytest.FixtureRequest) -> Callable[[tuple[bool, dict[str, Any]]], list[dict[str, Any]]]:
    """What Planhat is told of what a call of the library returns, as JSON."""

    def tell(made: tuple[bool, dict[str, Any]]) -> list[dict[str, Any]]:
        is_made, event = made
        assert is_made
        decoded = DECODER.decode(request.param(event))
        assert isinstance(decoded, Decoded)
        result = transform(parse(decoded.value), Rules(deliver_screens=True))
        assert isinstance(result, Transformed), result
        return [json.loads(encode_operation(operation)) for operation in result.operations]

    return tell


@pytest.fixture
def segment() -> Client:
    """The library, which sends nothing."""
    return Client("write-key", send=False)


Tell = Callable[[tuple[bool, dict[str, Any]]], list[dict[str, Any]]]


def test_identify(segment: Client, told: Tell) -> None:
    """Numbers, dates and decimals of Python are what the library makes of them."""
    traits = {
        "email": MAIL,
        "firstName": "Ann",
        "lastName": "Lee",
        "seats": 3,
        "spent": Decimal("12.5"),
        "born": date(1950, 5, 5),
        "signed up": WHEN,
        "tags": ["a", "b"],
        "company": {"id": 7, "name": "Acme"},
    }
    (enduser,) = told(segment.identify(42, traits, timestamp=WHEN))
    assert (enduser["externalId"], enduser["email"], enduser["name"]) == ("42", MAIL, "Ann Lee")
    assert enduser["companyId"] == "extid-7"
    assert enduser["custom"]["seats"] == 3
    assert enduser["custom"]["spent"] == 12.5
    assert enduser["custom"]["signed up"].startswith("2026-01-05T10:00:00.25")
    assert enduser["custom"]["tags"] == ["a", "b"]
    assert enduser["custom"]["company_name"] == "Acme"


def test_group(segment: Client, told: Tell) -> None:
    """A group's id may be a number, and is not made text by the library."""
    company, enduser = told(segment.group("u-1", 7, {"name": "Acme", "employees": 20}))
    assert (company["externalId"], company["name"], company["custom"]) == ("7", "Acme", {"employees": 20})
    assert (enduser["externalId"], enduser["companyId"]) == ("u-1", "extid-7")


@pytest.mark.parametrize("zone", [UTC, OSLO])
def test_track(segment: Client, told: Tell, zone: timezone) -> None:
    """The library dates calls with an offset, not with Z, and to the millisecond."""
    context = {"groupId": "acme", "traits": {"email": MAIL}}
    made = segment.track("u-1", "Order Completed", {"revenue": 9.9}, context, WHEN.astimezone(zone))
    (activity,) = told(made)
    assert (activity["externalId"], activity["email"], activity["companyExternalId"]) == ("u-1", MAIL, "acme")
    assert activity["action"] == "Order Completed"
    assert activity["info"] == {"revenue": 9.9, "messageId": made[1]["messageId"]}
    assert datetime.fromisoformat(activity["date"]) == WHEN
    assert activity["date"].endswith("+01:00" if zone is OSLO else "+00:00")


def test_page_and_screen(segment: Client, told: Tell) -> None:
    """With a category and a name, and without either."""
    (page,) = told(segment.page("u-1", "Docs", "Install", {"url": "https://docs.example"}))
    (screen,) = told(segment.screen("u-1"))
    assert (page["action"], screen["action"]) == ("Viewed Docs Install Page", "Loaded a Screen")
    assert page["info"]["url"] == "https://docs.example"


def test_alias(segment: Client) -> None:
    """It parses, and is skipped as in Segment's destination."""
    _, event = segment.alias(17, "u-1")
    assert transform(parse(json.loads(as_json(event))), Rules()) == Skipped(SkipReason.UNSUPPORTED_TYPE)


def test_nobody(segment: Client) -> None:
    """The library writes both ids, and null for the one that is not known."""
    _, event = segment.track(anonymous_id="a-1", event="Signed Up")
    assert event["userId"] is None
    assert transform(parse(json.loads(as_json(event))), Rules()) == Skipped(SkipReason.ANONYMOUS)


def test_integrations(segment: Client) -> None:
    """What the library's callers say of destinations is heard."""
    _, event = segment.track("u-1", "Signed Up", integrations={"All": False})
    assert transform(parse(json.loads(as_json(event))), Rules()) == Skipped(SkipReason.INTEGRATIONS)
