"""A scripted Planhat: the sandbox's own rules, faults and switches, without HTTP.

A request has three moments, each a step of its own: it is handed to a worker (`submit`), it reaches
Planhat (`arrive`), its reply is back (`answer`). What the reply means is read by the code of
`streamer.planhat`; nothing of that is written a second time here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from streamer.engine.ports import Batch, Delivery
from streamer.outcomes import Answer, Endpoint, Host, Transient, TransientReason
from streamer.planhat.headers import remaining_calls
from streamer.planhat.requests import Addresses, request_for
from streamer.planhat.responses import read_answer
from streamer.standins.planhat.choices import UnknownCompany
from streamer.standins.planhat.drafts import Draft
from streamer.standins.planhat.faults import Fault, FaultKind
from streamer.standins.planhat.replies import Reply, Request, Route, route_of
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN, DEFAULT_TENANT_TOKEN, Sandbox
from streamer.standins.planhat.switches import Switches, with_changes
from streamer.transform.operations import Operation
from tests.simulation.clock import VirtualClock

ADDRESSES = Addresses("https://api.example", "https://analytics.example", DEFAULT_TENANT_TOKEN)
DEADLINES = {Host.MAIN: 6.0, Host.ANALYTICS: 2.0}
"""Seconds a worker waits for a reply."""
NO_LIMITS = {"history": 100_000, "calls_per_minute": 0, "calls_per_second": 0, "parallel_calls": 0}
_AUTHORIZATION = f"Bearer {DEFAULT_API_TOKEN}"


class Ear(Protocol):
    """Who is told what Planhat did with each operation of a request."""

    def served(self, call: "Call", outcomes: list[str]) -> None:
        """For each operation, in order, one of these words.

        - `applied`
        - `ignored`: not saved for want of a company, be that an error or not counted at all
        - `hidden`: the same, but counted as if nothing were to change: nobody can tell
        - `duplicated`: another writer's, for now
        - `nameless`: a create that lacks a name
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
        """Our token is revoked, or given back."""
        self.sandbox.api_token = DEFAULT_API_TOKEN if is_valid else "another"

    def fault(self, words: dict[str, Any]) -> None:
        """Something goes wrong from now on, in the sandbox's own words."""
        self.sandbox.faults.add([msgspec.convert(words, Fault, strict=False)])

    # --- a request's way ----------------------------------------------------------------------------

    def submit(self, call: Call) -> None:
        """A worker takes it."""
        self.under_way.append(call)

    def arrive(self, call: Call) -> None:
        """It reaches Planhat, and is applied as far as rules and faults let it."""
        if call.has_arrived:
            return
        call.has_arrived = True
        call.ready_at = self._clock.now
        self._finish_work()
        batch = call.batch
        sent = request_for(batch.endpoint, batch.items, ADDRESSES)
        path = "/" + sent.url.split("/", 3)[3]
        route = route_of(path)
        admission = self.sandbox.admit(route, _AUTHORIZATION)
        call.headers, call.is_counted = dict(admission.headers), admission.is_counted
        if admission.refusal is not None:
            call.reply = admission.refusal
            self._ear.served(call, ["failed"] * len(batch.items))
            return
        self._numbers += 1
        stamps = self.sandbox.store.stamps
        before = stamps.arrivals
        reply, fault = self.sandbox.serve(Request(sent.method, path, route, {}, sent.body), self._numbers)
        call.reply = reply
        call.ready_at += self._service_seconds(route)
        if fault is not None and fault.kind in {FaultKind.STATUS, FaultKind.RESET}:
            # Any 2xx of the analytics host means "received", even a proxy's page: nothing more can be known.
            is_hidden = batch.endpoint is Endpoint.ACTIVITIES and reply.status // 100 == 2
            outcomes = ["hidden" if is_hidden else "failed"] * len(batch.items)
        elif batch.endpoint is Endpoint.ACTIVITIES:
            outcomes = ["applied"] * len(batch.items)
        else:
            outcomes = self._outcomes(route, batch, before, reply)
        if fault is not None:
            self._strike(call, fault)
        self._ear.served(call, outcomes)

    def _service_seconds(self, route: Route) -> float:
        switches = self.sandbox.board.now
        return switches.service_seconds if route.is_main else switches.analytics_seconds

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

    def _outcomes(self, route: Route, batch: Batch, before: int, reply: Reply) -> list[str]:
        """What became of each entry of a bulk, from the store and not from the reply."""
        model = self.sandbox.store.model(route.endpoint)
        written = [
            row.sent
            for entry in model.by_id.values()
            if entry.last_arrival > before
            for row in entry.history or ()
            if row.arrival > before
        ]
        rows = self.sandbox.store.ignored.rows
        ignored = [(row.external_id, row.email) for row in rows if row.arrival > before]
        is_counted = self.sandbox.board.now.unknown_company is UnknownCompany.NONUPDATES
        outcomes = []
        for raw in batch.items:
            sent = msgspec.json.decode(raw)
            if sent in written:
                outcomes.append("applied")
            elif (sent.get("externalId"), sent.get("email")) in ignored:
                outcomes.append("hidden" if is_counted else "ignored")
            else:
                outcomes.append(next(_kind_of(sent, text) for each, text in reply.refused if each == sent))
        return outcomes

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
            if call.is_counted:
                self.sandbox.quota.leave()

    def _read(self, call: Call) -> Answer:
        if call.failure is not None or call.reply is None:
            return Transient(call.failure or TransientReason.CONNECTION)
        batch, reply = call.batch, call.reply
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


def _kind_of(sent: dict[str, Any], text: str) -> str:
    """What the sandbox's words for a refusal mean: said a second time, as the engine's reading is judged."""
    if text in {"company not found", "companyId must be specified"}:
        return "ignored"
    if text.endswith(" duplicated"):
        return "duplicated"
    is_named = bool(sent.get("name"))
    return "nameless" if text == "name must be specified" and not is_named else "refused"
