"""The sandbox as one thing: credentials, quota, faults, the two APIs and the journal, without HTTP."""

import base64
import binascii
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from streamer.standins.planhat.analytics_api import AnalyticsApi
from streamer.standins.planhat.bulk import Claims
from streamer.standins.planhat.choices import ErrorBody
from streamer.standins.planhat.faults import Fault, FaultKind, FaultQueue
from streamer.standins.planhat.journal import Journal
from streamer.standins.planhat.main_api import MainApi
from streamer.standins.planhat.quota import Quota
from streamer.standins.planhat.replies import Reply, Request, Route, items_of, json, text
from streamer.standins.planhat.store import Store
from streamer.standins.planhat.switches import Board, Switches

DEFAULT_API_TOKEN = "sandbox-api-token"  # noqa: S105 -- opens this stand-in only
DEFAULT_TENANT_TOKEN = "00000000-0000-4000-8000-000000000001"  # noqa: S105 -- likewise


class Admission(NamedTuple):
    """Whether a request is let in: `refusal` is its answer when not."""

    refusal: Reply | None
    headers: dict[str, str]
    """For any answer to this request."""
    is_counted: bool
    """Whether `Sandbox.leave` must follow."""


class Served(NamedTuple):
    """What a request came to: the answer, and the fault to answer it with."""

    reply: Reply
    fault: Fault | None


class Sandbox:
    """One stand-in Planhat, for one tenant and one API token."""

    def __init__(
        self,
        switches: Switches | None = None,
        *,
        api_token: str = DEFAULT_API_TOKEN,
        tenant_token: str = DEFAULT_TENANT_TOKEN,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.board = Board(switches)
        self.api_token = api_token
        self.tenant_token = tenant_token
        self._clock = clock
        self._wall_clock = wall_clock
        self._started()

    def _started(self) -> None:
        self.store = Store(self.board, self._wall_clock)
        self.quota = Quota(self.board, self._clock, self._wall_clock)
        self.faults = FaultQueue(self._clock)
        self.journal = Journal()
        self._main = MainApi(self.store)
        self._analytics = AnalyticsApi(self.store, self.tenant_token)
        self._held: dict[str, list[Claims]] = {"companies": [], "endusers": []}

    def reset(self) -> None:
        """Forget everything, and go back to the switches of the start."""
        self.board.reset()
        self._started()

    def admit(self, route: Route, authorization: str | None) -> Admission:
        """Credentials, then quota. The analytics host meters nothing, and activities are open to all (D)."""
        if not route.is_main:
            is_known = self._is_known(route, authorization)
            return Admission(None if is_known else self._unauthorized(), {}, is_counted=False)
        if _token_of(authorization) != self.api_token:
            return Admission(self._unauthorized(), {}, is_counted=False)
        decision = self.quota.enter(self.api_token)
        refusal = None if decision.may_pass else text(429, "Too many requests")
        return Admission(refusal, decision.headers, is_counted=decision.may_pass)

    def _is_known(self, route: Route, authorization: str | None) -> bool:
        """Metrics take the API token (C), the Segment endpoint the tenant token as a user's name (D)."""
        switches = self.board.now
        if route.endpoint == "metrics":
            return not switches.metric_token or _token_of(authorization) == self.api_token
        if route.endpoint == "segment":
            is_basic = (authorization or "").lower().startswith("basic ")
            return is_basic and (not switches.dock_token or _token_of(authorization) == self.tenant_token)
        return True

    def serve(self, request: Request, number: int) -> Served:
        """Apply an admitted request, unless a fault forbids. Bulks hold their keys until `release`."""
        sent_items = items_of(request.body) if request.body else None
        endpoint = request.route.endpoint
        items: Sequence[object] = sent_items or ()
        fault = self.faults.for_request(endpoint, request.method, items)
        if fault is not None and fault.kind is FaultKind.STATUS:
            reply = Reply(fault.status, fault.body.encode(), fault.content_type, len(items))
            return Served(reply, fault)
        if fault is not None and fault.kind is FaultKind.RESET:
            return Served(Reply(0, items=len(items)), fault)
        self.store.stamps.request = number
        screen = self.faults.screen(endpoint)
        if not request.route.is_main:
            return Served(self._analytics.answer(request, sent_items, screen), fault)
        held = self._held.get(endpoint, ())
        reply = self._main.answer(request, sent_items, held, screen)
        if reply.claims is not None:
            self._held[endpoint].append(reply.claims)
        return Served(reply, fault)

    def release(self, route: Route, reply: Reply) -> None:
        """The request is answered: its keys are free."""
        if reply.claims is not None and reply.claims in self._held[route.endpoint]:
            self._held[route.endpoint].remove(reply.claims)

    def _unauthorized(self) -> Reply:
        if self.board.now.unauthorized_body is ErrorBody.JSON:
            return json(401, {"error": "Unauthorized"})
        return text(401, "Unauthorized")


def _token_of(authorization: str | None) -> str | None:
    """The token of `Bearer <token>` or `Basic base64(<token>:)` (D)."""
    kind, _, credentials = (authorization or "").partition(" ")
    if kind.lower() == "bearer":
        return credentials.strip()
    if kind.lower() == "basic":
        try:
            token, colon, rest = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return token if colon and not rest else None
    return None
