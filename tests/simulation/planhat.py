"""A scripted Planhat: the sandbox's own rules, faults and switches, without HTTP.

A request has three moments, each a step of its own: it is handed to a worker (`submit`), it reaches
Planhat (`arrive`), its reply is back (`answer`). What the reply means is read by the code of
`streamer.planhat`; nothing of that is written a second time here.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from streamer.engine.ports import Batch, Delivery
from streamer.outcomes import Answer, Endpoint, Host, Transient, TransientReason
from streamer.planhat import client
from streamer.planhat.headers import remaining_calls
from streamer.planhat.requests import Addresses, Request, request_for
from streamer.planhat.responses import read_answer
from streamer.planhat.sink import _following as following
from streamer.standins.planhat import replies as sandbox_replies
from streamer.standins.planhat.drafts import Draft
from streamer.standins.planhat.faults import Fault, FaultKind
from streamer.standins.planhat.replies import Reply, Route, route_of
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN, DEFAULT_TENANT_TOKEN, Sandbox, Served
from streamer.standins.planhat.switches import Switches, with_changes
from streamer.transform.operations import Operation
from tests.simulation.clock import VirtualClock
from tests.simulation.outcomes import outcomes_of

ADDRESSES = Addresses("https://api.example", "https://analytics.example", DEFAULT_TENANT_TOKEN)
DEADLINES = {Host.MAIN: 6.0, Host.ANALYTICS: 2.0, Host.SEGMENT: 2.0}
"""Seconds a worker waits for a reply; of a deletion, for all that it asks together."""
NO_LIMITS = {"history": 100_000, "calls_per_minute": 0, "calls_per_second": 0, "parallel_calls": 0}
_BEARER = f"Bearer {DEFAULT_API_TOKEN}"
_AUTHORIZATIONS = {
    **dict.fromkeys(Endpoint, _BEARER),
    Endpoint.ACTIVITIES: None,
    Endpoint.SEGMENT: f"Basic {b64encode(f'{DEFAULT_TENANT_TOKEN}:'.encode()).decode()}",
}


class Ear(Protocol):
    """Who is told what Planhat did with each operation of a request."""

    def served(self, call: "Call", outcomes: list[str]) -> None:
        """For each operation, in order, one of these words.

        - `applied`
        - `ignored`: not saved for want of a company, be that an error or not counted at all
        - `hidden`: the same, or another's word, but answered as if it were done: nobody can tell
        - `duplicated`: another writer's, for now
        - `nameless`: a create that lacks a name
        - `ambiguous`: a deletion of whom Planhat has several
        - `refused`: for what it says
        - `failed`: nobody looked at it
        """

    def answered(self, call: "Call", answer: Answer) -> None:
        """The reply is on its way back to the engine."""


@dataclass(eq=False, slots=True)
class Call:
    """One request under way."""

    slot: int
    batch: Batch
    sequences: list[tuple[int, ...]]
    """The events each operation stands for."""
    parts: list[tuple[Operation, ...]]
    """What each of these asked for."""
    readings: dict[int, int]
    """By event: in which reading of its partition it was read."""
    sent_at: float
    deliver: Callable[[Delivery], None]
    is_counted: bool = False
    reply: Reply | None = None
    headers: dict[str, str] = field(default_factory=dict)
    ready_at: float = 0.0
    failure: TransientReason | None = None
    has_arrived: bool = False
    is_abandoned: bool = False
    """Its process is dead: nobody hears the answer."""

    asked: Request | None = None
    """The last of its requests."""
    asked_before: int = 0
    """How many came before that."""

    @property
    def patience(self) -> float:
        """Seconds that one request of a deletion may take."""
        return DEADLINES[self.batch.endpoint.host] / 3

    @property
    def deadline(self) -> float:
        """When its worker stops waiting."""
        return self.sent_at + DEADLINES[self.batch.endpoint.host]


class Planhat:
    """The tenant, and the requests on their way to it and back."""

    def __init__(self, clock: VirtualClock, ear: Ear) -> None:
        self._clock = clock
        self._ear = ear
        switches = with_changes(Switches(), {**NO_LIMITS, "auto_domains": False})
        self.sandbox = Sandbox(switches, clock=clock.monotonic, wall_clock=clock.time)
        self.under_way: list[Call] = []
        self._at_work: list[Call] = []
        """Those that nobody waits for any more: Planhat is still at them, and holds their keys."""
        self._numbers = 0

    def open_company(self, external_id: str) -> None:
        """A company that is there from the start."""
        fields = {"externalId": external_id, "name": external_id}
        self.sandbox.store.companies.create(Draft(fields, {}, None), None, fields, "")

    def change_token(self, *, is_valid: bool) -> None:
        """Our tokens are revoked, or given back; of activities nobody says so."""
        self.sandbox.api_token = DEFAULT_API_TOKEN if is_valid else "another"
        self.sandbox.tenant_token = DEFAULT_TENANT_TOKEN if is_valid else "another"

    def fault(self, words: dict[str, Any]) -> None:
        """Something goes wrong from now on, in the sandbox's own words."""
        self.sandbox.faults.add([msgspec.convert(words, Fault, strict=False)])

    # --- a request's way ----------------------------------------------------------------------------

    def submit(self, call: Call) -> None:
        """A worker takes it."""
        self.under_way.append(call)

    def arrive(self, call: Call) -> None:
        """It reaches Planhat, and is applied as far as rules and faults let it.

        A deletion may be several requests, one after the other: they are one step, for nobody else who may
        send comes between them.
        """
        if call.has_arrived:
            return
        call.has_arrived = True
        call.ready_at = self._clock.now
        self._finish_work()
        batch = call.batch
        before = self.sandbox.store.stamps.arrivals
        asked = request_for(batch.endpoint, batch.items, ADDRESSES)
        served = self._ask(call, asked)
        further = self._following(call, asked)
        while further is not None:
            call.asked_before += 1
            asked, served = further, self._ask(call, further)
            further = self._following(call, asked)
        call.asked = asked
        if served is None:
            outcomes = ["failed"] * len(batch.items)
        else:
            outcomes = outcomes_of(
                self.sandbox.store, batch, asked, before, served.reply, served.fault,
                is_first=not call.asked_before,
            )  # fmt: skip
        self._ear.served(call, outcomes)

    def _ask(self, call: Call, asked: Request) -> Served | None:
        """One request; None where it was not let in."""
        self._leave(call)
        path, _, query = ("/" + asked.url.split("/", 3)[3]).partition("?")
        route = route_of(unquote(path))
        admission = self.sandbox.admit(route, _AUTHORIZATIONS[call.batch.endpoint])
        call.headers, call.is_counted = dict(admission.headers), admission.is_counted
        if admission.refusal is not None:
            call.reply = admission.refusal
            return None
        self._numbers += 1
        request = sandbox_replies.Request(asked.method, path, route, dict(parse_qsl(query)), asked.body)
        served = self.sandbox.serve(request, self._numbers)
        call.reply = served.reply
        switches, began = self.sandbox.board.now, call.ready_at
        call.ready_at += switches.service_seconds if route.is_main else switches.analytics_seconds
        if served.fault is not None:
            self._strike(call, served.fault)
        if call.batch.endpoint is Endpoint.DELETIONS and call.ready_at - began >= call.patience:
            call.ready_at, call.failure = began + call.patience, TransientReason.TIMEOUT
        return served

    @staticmethod
    def _following(call: Call, asked: Request) -> Request | None:
        """What a deletion asks next, while it has the time."""
        if call.batch.endpoint is not Endpoint.DELETIONS or call.failure is not None or call.reply is None:
            return None
        reply = client.Reply(call.reply.status, call.headers, call.reply.body)
        found = following(call.batch, asked, reply, ADDRESSES, asked=call.asked_before)
        if isinstance(found, Request) and call.ready_at > call.deadline - call.patience:
            call.failure = TransientReason.TIMEOUT
            return None
        return found if isinstance(found, Request) else None

    def _strike(self, call: Call, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.STATUS:
                call.headers |= fault.headers
            case FaultKind.SLOW:
                call.ready_at += fault.seconds
            case FaultKind.DRIP:
                call.ready_at += len(call.reply.body if call.reply else b"") / fault.bytes_per_second
            case FaultKind.RESET | FaultKind.LOST_REPLY | FaultKind.CUT:
                call.ready_at += fault.seconds
                call.failure = TransientReason.CONNECTION

    def answer(self, call: Call) -> None:
        """Its reply is back (it arrives first, if it has not)."""
        self.arrive(call)
        if call.ready_at <= self._clock.now:
            self._end(call, self._read(call), None if call.failure else call.reply)

    def let_time_out(self) -> None:
        """Workers stop waiting for replies that are too late."""
        for call in [each for each in self.under_way if self._clock.now >= each.deadline]:
            self._end(call, Transient(TransientReason.TIMEOUT), None)

    def abandon(self, slot: int, *, is_applied: bool) -> None:
        """The process of these requests is dead; those on their way arrive at once, or never."""
        for call in [each for each in self.under_way if each.slot == slot]:
            if is_applied:
                self.arrive(call)
            call.is_abandoned = True
            self._end(call, Transient(TransientReason.CONNECTION), None)

    def _finish_work(self) -> None:
        """Planhat is at a request until its reply is ready, whether or not its sender still waits for it."""
        for call in [each for each in self._at_work if each.ready_at <= self._clock.now]:
            self._at_work.remove(call)
            if call.reply is not None and call.has_arrived:
                route = Route(call.batch.endpoint.value, is_main=call.batch.endpoint.host is Host.MAIN)
                self.sandbox.release(route, call.reply)
            self._leave(call)

    def _leave(self, call: Call) -> None:
        """Its latest request is answered."""
        if call.is_counted:
            call.is_counted = False
            self.sandbox.quota.leave()

    def _read(self, call: Call) -> Answer:
        if call.failure is not None or call.reply is None:
            return Transient(call.failure or TransientReason.CONNECTION)
        batch, reply = call.batch, call.reply
        if batch.endpoint is Endpoint.DELETIONS and call.asked is not None:
            told = client.Reply(reply.status, call.headers, reply.body)
            answer = following(batch, call.asked, told, ADDRESSES, asked=call.asked_before)
            return answer if not isinstance(answer, Request) else Transient(TransientReason.CONNECTION)
        return read_answer(
            batch.endpoint, batch.operations, reply.status, call.headers, reply.body, now=self._clock.time()
        )

    def _end(self, call: Call, answer: Answer, reply: Reply | None) -> None:
        self.under_way.remove(call)
        self._at_work.append(call)
        self._finish_work()
        if call.is_abandoned:
            return
        self._ear.answered(call, answer)
        status = None if reply is None else reply.status
        left = None if reply is None else remaining_calls(call.headers)
        call.deliver(Delivery(call.batch, answer, self._clock.now - call.sent_at, status, left))
