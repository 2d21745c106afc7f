"""Requests and replies without HTTP, and which path means what."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from streamer.standins.planhat.bulk import Claims

_encode = msgspec.json.encode


class Route(NamedTuple):
    """What a path is about."""

    endpoint: str
    """companies, endusers, activities, metrics, segment, customfields; `other`: a path that Planhat lacks."""
    is_main: bool
    """Whether the main API serves it, with credentials and quota."""
    target: str = ""
    """The id of one object, or the tenant token."""
    is_bulk: bool = False


class Request(NamedTuple):
    """One request, read whole."""

    method: str
    path: str
    route: Route
    query: Mapping[str, str]
    body: bytes

    @property
    def is_array(self) -> bool:
        """Whether the body is meant to be a JSON array."""
        return self.body.lstrip()[:1] == b"["


class Reply(NamedTuple):
    """One answer. `claims` are the keys a bulk holds until it is answered.

    `refused` is not for the client: the items a bulk, or a push of metrics, did not take and why,
    however little the body says.
    """

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    items: int = 0
    claims: Claims | None = None
    refused: Sequence[tuple[object, str]] = ()


def text(status: int, words: str, content_type: str = "text/plain") -> Reply:
    """A reply in words: Planhat answers errors with an object or a string (D)."""
    return Reply(status, words.encode(), content_type)


def json(status: int, value: Any, items: int = 0, claims: Claims | None = None) -> Reply:  # noqa: ANN401 -- any JSON
    """A reply in JSON."""
    return Reply(status, _encode(value), "application/json", items, claims)


def route_of(path: str) -> Route:
    """Both hosts are served together: their paths do not clash."""
    parts = path.strip("/").split("/")
    return _analytics_route(parts) or _main_route(parts)


def _main_route(parts: list[str]) -> Route:
    match parts:
        case ["companies" | "endusers" as name]:
            return Route(name, is_main=True)
        case ["companies" | "endusers" as name, target]:
            return Route(name, is_main=True, target=target)
        case ["customfields"]:
            return Route("customfields", is_main=True)
        case ["leancompanies"]:
            return Route("companies", is_main=True, target="lean")
        case ["dimensiondata"]:
            return Route("metrics", is_main=True)
        case _:
            return Route("other", is_main=True)


def _analytics_route(parts: list[str]) -> Route | None:
    match parts:
        case ["dimensiondata", tenant]:
            return Route("metrics", is_main=False, target=tenant)
        case ["dock", "segment"]:
            return Route("segment", is_main=False)
        case ["analytics", "bulk", tenant]:
            return Route("activities", is_main=False, target=tenant, is_bulk=True)
        case ["analytics", tenant]:
            return Route("activities", is_main=False, target=tenant)
        case _:
            return None


def caller_of(path: str) -> tuple[str, str]:
    """Who asks, and the path as Planhat knows it: a base URL that ends in `/from/<name>` names its caller.

    So that of several processes that share the sandbox's tokens each can be told from the others.
    """
    head, _, rest = path.removeprefix("/from/").partition("/")
    return (head, f"/{rest}") if path.startswith("/from/") else ("", path)


def items_of(body: bytes) -> Sequence[object] | None:
    """The items of a body: an array's, or the one object. None when it is not JSON."""
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return parsed if isinstance(parsed, list) else [parsed]
