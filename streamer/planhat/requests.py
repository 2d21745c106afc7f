"""Operations as Planhat's API spells them: the JSON of one bulk item, and the request that carries many.

Pure. Field names: Planhat's enduser and company pages for the main API; for activities its 2017
text together with what current clients send.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from streamer.outcomes import Endpoint, Host
from streamer.transform.encoding import to_json
from streamer.transform.operations import (
    DeleteEnduser,
    ForwardCall,
    LogActivity,
    Operation,
    PushMetric,
    UpsertCompany,
    UpsertEnduser,
)

# Segment's page: "all calls get Segment as source". It stands at the top of every item, beside
# Planhat's own fields, and never in `custom` or `info`: those belong to the sender, whose own trait
# or property called `source` keeps its place there and cannot replace ours. The field is in none of
# Planhat's published models, so it is an assumption that it is kept, or ignored, and not refused.
SOURCE = "Segment"

_MASK = "***"
# Without `select` Planhat's lists need not hold the address, by which the answer is judged.
_LOOK_UP = b"?select=_id,email&email="
_ARCHIVE = b"archive "
"""Before the id of whom to archive: no id that is encoded holds a space."""
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


def encode_operation(operation: Operation) -> bytes:
    """JSON of one item of its endpoint's bulk. Total: no value makes it fail."""
    return _ENCODERS[type(operation)](operation)


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
    whom = _ARCHIVE + b"{id}" if archives else b"{id}"
    request = request_for(endpoint, (whom,), Addresses("", "", "", ""))
    return request.method, request.shown_url.replace(_MASK, "{tenant}")


def deletion_of(planhat_id: str, addresses: Addresses, *, archives: bool = False) -> Request:
    """The request that deletes, or archives, the enduser with this id of Planhat's own."""
    whom = quote(planhat_id, safe="").encode()
    return _deletion(_ARCHIVE + whom if archives else whom, addresses)


def look_up_of(email: str, addresses: Addresses) -> Request:
    """The question who has this address: for a deletion whose id nobody has."""
    return _deletion(_LOOK_UP + _quoted(email).encode(), addresses)


def _deletion(whom: bytes, addresses: Addresses) -> Request:
    url = f"{addresses.api_url.rstrip('/')}/{Endpoint.ENDUSERS.value}"
    if whom.startswith(_LOOK_UP):
        # The address of a person must not stand in a log.
        return Request("GET", url + whom.decode(), b"", f"{url}{_LOOK_UP.decode()}{_MASK}")
    target = f"{url}/{whom.removeprefix(_ARCHIVE).decode()}"
    if whom.startswith(_ARCHIVE):
        return Request("PUT", target, b'{"archived":true}', target)
    return Request("DELETE", target, b"", target)


def _deleted(operation: DeleteEnduser) -> bytes:
    """What follows `/endusers`: the id, or the question whom an address means. Planhat deletes by id.

    Of an archiving by address alone it is the question, too: what follows is the operation's to say.
    """
    if operation.external_id is not None:
        whom = f"extid-{_quoted(operation.external_id)}".encode()
        return _ARCHIVE + whom if operation.archives else whom
    return _LOOK_UP + _quoted(operation.email or "").encode()


def _quoted(text: str) -> str:
    # Lone surrogates, which UTF-8 cannot hold, become question marks, as in every body.
    return quote(text.encode("utf-8", "replace"), safe="")


def _enduser(operation: UpsertEnduser) -> bytes:
    """`PUT /endusers`: the company goes by `extid-` and its external id, so no look-up is needed."""
    spelled: dict[str, Any] = {}
    if operation.external_id is not None:
        spelled["externalId"] = operation.external_id
    if operation.email is not None:
        spelled["email"] = operation.email
    if operation.company_external_id is not None:
        spelled["companyId"] = f"extid-{operation.company_external_id}"
    return to_json(_with_fields(spelled, operation.fields, operation.custom))


def _company(operation: UpsertCompany) -> bytes:
    """`PUT /companies`."""
    return to_json(_with_fields({"externalId": operation.external_id}, operation.fields, operation.custom))


class _Activity(msgspec.Struct, omit_defaults=True, gc=False):
    """`POST /analytics/bulk/{tenant}`, in the order in which it is written; what is None is not.

    Most of what is sent are activities, and a declared item costs half of what a dict of it does.

    The user's id goes by both names: Planhat's texts of different years say `externalId` and
    `euExtId`, and a wrong one is never answered with an error.
    """

    externalId: str | None = None  # noqa: N815 - as Planhat spells it
    euExtId: str | None = None  # noqa: N815
    email: str | None = None
    companyExternalId: str | None = None  # noqa: N815
    action: str | None = None
    date: str | None = None
    weight: float | None = None
    info: Mapping[str, Any] | None = None
    source: str = ""


def _activity(operation: LogActivity) -> bytes:
    """See `_Activity`."""
    external_id = operation.external_id
    spelled = _Activity(
        external_id,
        external_id,
        operation.email,
        operation.company_external_id,
        operation.action,
        operation.date,
        operation.weight,
        operation.info,
        SOURCE,
    )
    return to_json(spelled)


def _metric(operation: PushMetric) -> bytes:
    """`POST /dimensiondata/{tenant}`. Without `source`: an error repeats the item, field by field."""
    spelled: dict[str, Any] = {
        "dimensionId": operation.dimension,
        "value": operation.value,
        "externalId": operation.external_id,
        "model": operation.model.value,
    }
    if operation.date is not None:
        spelled["date"] = operation.date
    return to_json(spelled)


def _with_fields(
    keys: dict[str, Any], fields: Mapping[str, Any], custom: Mapping[str, Any]
) -> dict[str, Any]:
    # Keys after fields: nothing a trait was mapped to may change whom the item is about.
    spelled = {**keys, **fields, **keys} if fields else keys
    if custom:
        spelled["custom"] = custom
    spelled["source"] = SOURCE
    return spelled


def _forwarded(operation: ForwardCall) -> bytes:
    return to_json(operation.call)


# By type, since a match would ask for one type after another. A test holds it to all of `Operation`.
_ENCODERS: dict[type[Operation], Callable[[Any], bytes]] = {
    UpsertCompany: _company,
    UpsertEnduser: _enduser,
    LogActivity: _activity,
    PushMetric: _metric,
    DeleteEnduser: _deleted,
    ForwardCall: _forwarded,
}
