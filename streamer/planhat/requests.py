"""The request that carries many items, as Planhat's API spells it.

Pure. What each item says is `items`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from streamer.outcomes import Endpoint, Host
from streamer.planhat.items import ARCHIVE, LOOK_UP, quoted

_MASK = "***"
_ANALYTICS_PATHS = {Endpoint.ACTIVITIES: "analytics/bulk", Endpoint.METRICS: "dimensiondata"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where Planhat is. The tenant token is part of the analytics host's paths, and is a secret."""

    api_url: str
    """Main API, such as `https://api.planhat.com`."""
    analytics_url: str
    tenant_token: str = field(repr=False)
    segment_url: str = "https://analytics.planhat.com"
    """Where Segment's own destination sends to."""


PIECE_BYTES = 128 << 10
"""Of a bulk, about: so much is put together at once while it is sent."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """A body that is the JSON list of items, put together piece by piece as it is sent.

    The items are in memory as long as the request is under way; a second copy of all of them, and what a
    socket leaves over of that, would be megabytes more for each worker. The closing bracket is a piece of
    its own: one byte is written at once or not at all, so who asks before it whether to go on asks in time.
    """

    items: Sequence[bytes] = field(repr=False)

    def __len__(self) -> int:
        return sum(map(len, self.items)) + max(2, len(self.items) + 1)

    def __iter__(self) -> Iterator[bytes]:
        opening, gathered, size = b"[", list[bytes](), 0
        for each in self.items:
            gathered.append(each)
            size += len(each)
            if size >= PIECE_BYTES:
                yield opening + b",".join(gathered)
                opening, gathered, size = b",", [], 0
        if gathered or not self.items:
            yield opening + b",".join(gathered)
        yield b"]"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, ready to send but for the main API's credentials.

    Its repr shows neither the tenant token nor what the body says of people.
    """

    method: str
    url: str = field(repr=False)
    content: bytes | Bulk = field(repr=False)
    shown_url: str
    """The URL with the tenant token masked: the only form for logs and errors."""

    @property
    def body(self) -> bytes:
        """The content as one."""
        return self.content if isinstance(self.content, bytes) else b"".join(self.content)


def request_for(endpoint: Endpoint, items: Sequence[bytes], addresses: Addresses) -> Request:
    """The request that carries these items, as encoded by `encode_operation`, in their order.

    Of a deletion by e-mail alone it is the look-up. `look_up_of` and `deletion_of` make what follows.
    """
    if endpoint is Endpoint.DELETIONS:
        return _deletion(items[0], addresses)
    if endpoint is Endpoint.SEGMENT:
        url = f"{addresses.segment_url.rstrip('/')}/dock/segment"
        return Request("POST", url, items[0], url)
    body = Bulk(items)
    if endpoint.host is Host.ANALYTICS:
        url = f"{addresses.analytics_url.rstrip('/')}/{_ANALYTICS_PATHS[endpoint]}/"
        return Request("POST", url + quote(addresses.tenant_token, safe=""), body, url + _MASK)
    url = f"{addresses.api_url.rstrip('/')}/{endpoint.value}"
    return Request("PUT", url, body, url)


def route_of(endpoint: Endpoint, *, archives: bool = False) -> tuple[str, str]:
    """Method and path of its requests, without what differs from one to the next: `/endusers/{id}`.

    Of deletions those that delete, or archive, by id: not the look-up that may come before. Neither the
    tenant token nor an id stands in it; nor does the path of a base URL.
    """
    whom = ARCHIVE + b"{id}" if archives else b"{id}"
    request = request_for(endpoint, (whom,), Addresses("", "", "", ""))
    return request.method, request.shown_url.replace(_MASK, "{tenant}")


def deletion_of(planhat_id: str, addresses: Addresses, *, archives: bool = False) -> Request:
    """The request that deletes, or archives, the enduser with this id of Planhat's own."""
    whom = quote(planhat_id, safe="").encode()
    return _deletion(ARCHIVE + whom if archives else whom, addresses)


def look_up_of(email: str, addresses: Addresses) -> Request:
    """The question who has this address: for a deletion whose id nobody has."""
    return _deletion(LOOK_UP + quoted(email).encode(), addresses)


def _deletion(whom: bytes, addresses: Addresses) -> Request:
    url = f"{addresses.api_url.rstrip('/')}/{Endpoint.ENDUSERS.value}"
    if whom.startswith(LOOK_UP):
        # The address of a person must not stand in a log.
        return Request("GET", url + whom.decode(), b"", f"{url}{LOOK_UP.decode()}{_MASK}")
    target = f"{url}/{whom.removeprefix(ARCHIVE).decode()}"
    if whom.startswith(ARCHIVE):
        return Request("PUT", target, b'{"archived":true}', target)
    return Request("DELETE", target, b"", target)
