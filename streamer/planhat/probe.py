"""One cheap authenticated call that says whether Planhat knows us: for `check` and the start of `run`."""

import time
from dataclasses import dataclass

import msgspec

from streamer.outcomes import Answer, Answered, Transient, TransientReason
from streamer.planhat.client import Client, Failure
from streamer.planhat.credentials import Credentials
from streamer.planhat.requests import Request
from streamer.planhat.responses import answer_to_status, is_success


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
    reply = client.send(Request("GET", url, b"", url), bearer=credentials.api_token)
    if isinstance(reply, Failure):
        return Probed(Transient(reply.reason), str(reply.cause))
    detail = f"HTTP {reply.status}"
    if not is_success(reply.status):
        return Probed(answer_to_status(reply.status, reply.headers, now=time.time()), detail)
    if not _is_list(reply.body):
        return Probed(
            Transient(TransientReason.UNREADABLE), f"{detail}, but the body is not Planhat's: a proxy's page?"
        )
    return Probed(Answered(()), detail)


def _is_list(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body), list)
    except (ValueError, RecursionError):
        return False
