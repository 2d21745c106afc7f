"""Planhat's present record of one enduser or company: one call each, never repeated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from streamer.planhat.client import Client, Failure
from streamer.planhat.credentials import Credentials
from streamer.planhat.headers import remaining_calls
from streamer.planhat.requests import Request
from streamer.planhat.responses import is_success

FEWEST_LEFT: Final = 10
"""Calls of the tenant's quota that are left to others: with fewer left no second question is asked."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one question came to."""

    record: Mapping[str, Any] | None = field(default=None, repr=False)
    """The record; None where there is none, or nobody told."""
    problem: str = ""
    """Why nobody told; "" where the answer is certain."""
    is_refused: bool = False
    """Planhat does not take the API token, or it may not read this."""
    matches: int = 1
    """Records with this e-mail; the first is told."""
    leaves_quota: bool = True
    """Whether the reply leaves calls for another question."""


class LookUp:
    """Asks the main API. Each question costs one call of the quota, and changes nothing."""

    def __init__(self, client: Client, api_url: str, credentials: Credentials) -> None:
        self._client = client
        self._api_url = api_url.rstrip("/")
        self._credentials = credentials

    def enduser(self, external_id: str) -> Looked:
        """The enduser of this external id. It is unique within a company alone: of several, any."""
        return self._ask(f"/endusers/extid-{quote(external_id, safe='')}")

    def enduser_by_email(self, email: str) -> Looked:
        """The first enduser of this address, and how many there are."""
        return self._ask(f"/endusers?{urlencode({'email': email, 'limit': 10})}")

    def company(self, external_id: str) -> Looked:
        """The company of this external id."""
        return self._ask(f"/companies/extid-{quote(external_id, safe='')}")

    def _ask(self, path: str) -> Looked:
        url = self._api_url + path
        # The path names a person: it is part of no error and no log.
        reply = self._client.send(Request("GET", url, b"", self._api_url), bearer=self._credentials.api_token)
        if isinstance(reply, Failure):
            return Looked(problem=f"no reply: {reply.cause}", leaves_quota=False)
        left = remaining_calls(reply.headers)
        leaves_quota = reply.status != 429 and (left is None or left >= FEWEST_LEFT)
        if reply.status in {401, 403}:
            return Looked(problem=f"refused with HTTP {reply.status}", is_refused=True, leaves_quota=False)
        if reply.status == 404 and "%2F" in path:
            # Not every server takes an escaped slash for a part of the id: this may be its word on the path.
            why = "HTTP 404, which does not tell of an id with a slash"
            return Looked(problem=why, leaves_quota=leaves_quota)
        if reply.status == 404:
            return Looked(leaves_quota=leaves_quota)
        if not is_success(reply.status):
            why = "more calls than the quota allows" if reply.status == 429 else "no answer to be had"
            return Looked(problem=f"HTTP {reply.status}, {why}: try again later", leaves_quota=leaves_quota)
        return _read(reply.body, leaves_quota=leaves_quota)


def _read(body: bytes, *, leaves_quota: bool) -> Looked:
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list):
        records = [each for each in found if isinstance(each, dict)]
        if len(records) == len(found):
            first = records[0] if records else None
            return Looked(first, matches=len(records), leaves_quota=leaves_quota)
    if isinstance(found, dict):
        return Looked(found, leaves_quota=leaves_quota)
    return Looked(problem="the reply is not Planhat's: a proxy's page?", leaves_quota=leaves_quota)
