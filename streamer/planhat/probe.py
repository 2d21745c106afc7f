"""One cheap authenticated call that says whether Planhat knows us: for `check` and the start of `run`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import msgspec

from streamer.outcomes import Answer, Answered, Endpoint, Transient, TransientReason
from streamer.planhat.client import Client, Failure, Reply
from streamer.planhat.credentials import Credentials
from streamer.planhat.items import encode_operation
from streamer.planhat.requests import Addresses, Request, request_for
from streamer.planhat.responses import answer_to_status, is_success, read_answer
from streamer.transform.operations import DeleteEnduser

_IGNORED = b'{"type":"alias"}'


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probe came to."""

    answer: Answer
    """`Answered(())` where Planhat answered as itself; else as for any request."""
    detail: str
    """For the operator: the status, or why no reply came. Holds nothing secret."""


def probe(client: Client, api_url: str, credentials: Credentials) -> Probed:
    """List one enduser of the main API; costs one call of the quota and changes nothing.

    A 403 (misconfigured `permission`) says only that this token may not *read* endusers, which
    streamer never needs to: a warning, not a reason to stop. The tenant token cannot be verified:
    the analytics host answers 200 to any.
    """
    url = f"{api_url.rstrip('/')}/endusers?limit=1"
    return _probed(client.send(Request("GET", url, b"", url), bearer=credentials.api_token), _is_list)


def probe_deletion(client: Client, api_url: str, credentials: Credentials) -> Probed:
    """Delete an enduser of an id that nobody has; costs one call of the quota and changes nothing.

    A 403 says that this token may not delete. That nobody is there says no more than that this was not
    refused: whether Planhat asks for the permission first is not documented.
    """
    whom = DeleteEnduser(f"streamer-check-{uuid4()}", None)
    addresses = Addresses(api_url, "", "")
    request = request_for(Endpoint.DELETIONS, [encode_operation(whom)], addresses)
    reply = client.send(request, bearer=credentials.api_token)
    if isinstance(reply, Failure):
        return Probed(Transient(reply.reason), str(reply.cause))
    answer = read_answer(
        Endpoint.DELETIONS, (whom,), reply.status, reply.headers, reply.body, now=time.time()
    )
    return Probed(answer, f"HTTP {reply.status}")


def probe_segment(client: Client, segment_url: str, credentials: Credentials) -> Probed:
    """Send Planhat's Segment endpoint a call of a type that it ignores, and of nobody: it changes nothing.

    Shows that the endpoint is there and takes our requests; not that it knows the tenant token, since the
    analytics host may answer 200 to any.
    """
    request = request_for(Endpoint.SEGMENT, [_IGNORED], Addresses("", "", "", segment_url))
    return _probed(client.send(request, tenant=credentials.tenant_token), lambda body: True)


def _probed(reply: Reply | Failure, is_planhats: Callable[[bytes], bool]) -> Probed:
    if isinstance(reply, Failure):
        return Probed(Transient(reply.reason), str(reply.cause))
    detail = f"HTTP {reply.status}"
    if not is_success(reply.status):
        return Probed(answer_to_status(reply.status, reply.headers, now=time.time()), detail)
    if not is_planhats(reply.body):
        return Probed(
            Transient(TransientReason.UNREADABLE), f"{detail}, but the body is not Planhat's: a proxy's page?"
        )
    return Probed(Answered(()), detail)


def _is_list(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body), list)
    except (ValueError, RecursionError):
        return False
