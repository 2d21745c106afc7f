"""The custom fields that Planhat has: a few calls of the quota, and nothing is changed."""

from typing import Any, Final, NamedTuple

import msgspec

from streamer.planhat.client import Client, Failure
from streamer.planhat.credentials import Credentials
from streamer.planhat.requests import Request
from streamer.planhat.responses import is_success

PAGE: Final = 1_000
MOST_PAGES: Final = 20


class CustomField(NamedTuple):
    """One custom field at Planhat."""

    parent: str
    """The model it is of, such as `Company` or `EndUser`, in Planhat's spelling."""
    name: str
    type: str


class Listed(NamedTuple):
    """What asking came to."""

    fields: tuple[CustomField, ...] = ()
    problem: str = ""
    """Why they are not known; "" where they are. Holds nothing secret."""


def list_custom_fields(client: Client, api_url: str, credentials: Credentials) -> Listed:
    """All custom fields, of every model. Lists say neither total nor next: a short page is the last."""
    found: list[CustomField] = []
    for page in range(MOST_PAGES):
        url = f"{api_url.rstrip('/')}/customfields?limit={PAGE}&offset={page * PAGE}"
        reply = client.send(Request("GET", url, b"", url), bearer=credentials.api_token)
        if isinstance(reply, Failure):
            return Listed(problem=f"no reply: {reply.cause}")
        if not is_success(reply.status):
            return Listed(problem=f"HTTP {reply.status}")
        rows = _rows(reply.body)
        if rows is None:
            return Listed(problem="the reply is not Planhat's: a proxy's page?")
        found += [_field(row) for row in rows if isinstance(row.get("name"), str)]
        if len(rows) < PAGE:
            break
    return Listed(tuple(dict.fromkeys(found)))


def _field(row: dict[str, Any]) -> CustomField:
    return CustomField(str(row.get("parent", "")), row["name"], str(row.get("type", "")))


def _rows(body: bytes) -> list[dict[str, Any]] | None:
    try:
        return msgspec.json.decode(body, type=list[dict[str, Any]])
    except (ValueError, RecursionError):
        return None
