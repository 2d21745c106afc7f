"""Operations as Planhat's API spells them: the JSON of one bulk item, and the request that carries many.

Pure. Field names: Planhat's enduser and company pages for the main API; for activities its 2017
text together with what current clients send.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never
from urllib.parse import quote

from streamer.outcomes import Endpoint
from streamer.transform.encoding import to_json
from streamer.transform.operations import LogActivity, Operation, UpsertCompany, UpsertEnduser

# Segment's page: "all calls get Segment as source". It stands at the top of every item, beside
# Planhat's own fields, and never in `custom` or `info`: those belong to the sender, whose own trait
# or property called `source` keeps its place there and cannot replace ours. The field is in none of
# Planhat's published models, so it is an assumption that it is kept, or ignored, and not refused.
SOURCE = "Segment"

_MASK = "***"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where Planhat is. The tenant token is part of the analytics host's paths, and is a secret."""

    api_url: str
    """Main API, such as `https://api.planhat.com`."""
    analytics_url: str
    tenant_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, ready to send but for the main API's credentials.

    Its repr shows neither the tenant token nor what the body says of people.
    """

    method: str
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    shown_url: str
    """The URL with the tenant token masked: the only form for logs and errors."""


def encode_operation(operation: Operation) -> bytes:
    """JSON of one item of its endpoint's bulk. Total: no value makes it fail."""
    match operation:
        case UpsertEnduser():
            return to_json(_enduser(operation))
        case LogActivity():
            return to_json(_activity(operation))
        case UpsertCompany():
            return to_json(_company(operation))
        case _:
            assert_never(operation)


def request_for(endpoint: Endpoint, items: Sequence[bytes], addresses: Addresses) -> Request:
    """The request that carries these items, as encoded by `encode_operation`, in their order."""
    body = b"[" + b",".join(items) + b"]"
    if endpoint is Endpoint.ACTIVITIES:
        url = f"{addresses.analytics_url.rstrip('/')}/analytics/bulk/"
        return Request("POST", url + quote(addresses.tenant_token, safe=""), body, url + _MASK)
    url = f"{addresses.api_url.rstrip('/')}/{endpoint.value}"
    return Request("PUT", url, body, url)


def _enduser(operation: UpsertEnduser) -> dict[str, Any]:
    """`PUT /endusers`: the company goes by `extid-` and its external id, so no look-up is needed."""
    spelled: dict[str, Any] = {}
    if operation.external_id is not None:
        spelled["externalId"] = operation.external_id
    if operation.email is not None:
        spelled["email"] = operation.email
    if operation.company_external_id is not None:
        spelled["companyId"] = f"extid-{operation.company_external_id}"
    return _with_fields(spelled, operation.fields, operation.custom)


def _company(operation: UpsertCompany) -> dict[str, Any]:
    """`PUT /companies`."""
    return _with_fields({"externalId": operation.external_id}, operation.fields, operation.custom)


def _activity(operation: LogActivity) -> dict[str, Any]:
    """`POST /analytics/bulk/{tenant}`.

    The user's id goes by both names: Planhat's texts of different years say `externalId` and
    `euExtId`, and a wrong one is never answered with an error.
    """
    spelled: dict[str, Any] = {}
    if operation.external_id is not None:
        spelled["externalId"] = operation.external_id
        spelled["euExtId"] = operation.external_id
    if operation.email is not None:
        spelled["email"] = operation.email
    if operation.company_external_id is not None:
        spelled["companyExternalId"] = operation.company_external_id
    spelled["action"] = operation.action
    if operation.date is not None:
        spelled["date"] = operation.date
    spelled["weight"] = operation.weight
    spelled["info"] = operation.info
    spelled["source"] = SOURCE
    return spelled


def _with_fields(
    keys: dict[str, Any], fields: Mapping[str, Any], custom: Mapping[str, Any]
) -> dict[str, Any]:
    # Keys after fields: nothing a trait was mapped to may change whom the item is about.
    spelled = {**keys, **fields, **keys} if fields else keys
    if custom:
        spelled["custom"] = custom
    spelled["source"] = SOURCE
    return spelled
