"""The sandbox over HTTP: both of Planhat's hosts on one address, and `/sandbox/...` beside them."""

import asyncio
import gc
import socket
import struct
from collections.abc import Awaitable, Callable
from time import perf_counter, time

from aiohttp import web

from streamer.standins.planhat.control import add_control_routes
from streamer.standins.planhat.faults import Fault, FaultKind
from streamer.standins.planhat.replies import Reply, Request, Route, caller_of, route_of, text
from streamer.standins.planhat.rows import RequestRow
from streamer.standins.planhat.sandbox import Sandbox

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Larger bodies are refused (D)."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ConnectionCut(Exception):
    """The connection was cut off on purpose: there is no answer to give."""


class PlanhatHandler:
    """Serves every path that is not the sandbox's own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def answer(self, http: web.Request) -> web.StreamResponse:
        """Answer one request, and note it in the journal."""
        started, arrived = perf_counter(), time()
        caller, path = caller_of(http.path)
        route = route_of(path)
        journal = self._sandbox.journal
        number = journal.arrive(route.endpoint)
        noted = _Noted()
        try:
            return await self._answered(http, route, number, noted)
        finally:
            row = RequestRow(
                number,
                arrived,
                http.method,
                path.replace(self._sandbox.tenant_token, "{tenant}"),
                route.endpoint,
                noted.status,
                noted.items,
                noted.bytes_in,
                perf_counter() - started,
                noted.fault,
                caller,
            )
            journal.answer(row, self._sandbox.board.now.keep_requests)

    async def _answered(
        self, http: web.Request, route: Route, number: int, noted: "_Noted"
    ) -> web.StreamResponse:
        sandbox = self._sandbox
        admission = sandbox.admit(route, http.headers.get("Authorization"))
        quota = sandbox.quota
        try:
            try:
                body = await http.read()
            except web.HTTPRequestEntityTooLarge:
                noted.status = 413
                return _response(text(413, "Payload Too Large"), admission.headers)
            noted.bytes_in = len(body)
            if admission.refusal is not None:
                noted.status = admission.refusal.status
                return _response(admission.refusal, admission.headers)
            request = Request(http.method, caller_of(http.path)[1], route, http.query, body)
            reply, fault = sandbox.serve(request, number)
            noted.items = reply.items
            noted.fault = fault.kind if fault else ""
            try:
                await self._work(route)
                response = await _deliver(http, reply, admission.headers, fault)
            finally:
                sandbox.release(route, reply)
            noted.status = reply.status
            return response
        finally:
            if admission.is_counted:
                quota.leave()

    async def _work(self, route: Route) -> None:
        switches = self._sandbox.board.now
        seconds = switches.service_seconds if route.is_main else switches.analytics_seconds
        if seconds:
            await asyncio.sleep(seconds)


class _Noted:
    """What the journal will say of a request; status 0 until it is answered."""

    __slots__ = ("bytes_in", "fault", "items", "status")

    def __init__(self) -> None:
        self.status = 0
        self.items = 0
        self.bytes_in = 0
        self.fault = ""


def _response(reply: Reply, headers: dict[str, str]) -> web.Response:
    return web.Response(
        status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type, **headers}
    )


async def _deliver(
    http: web.Request, reply: Reply, headers: dict[str, str], fault: Fault | None
) -> web.StreamResponse:
    """The answer, with what the fault does to it."""
    if fault is None:
        return _response(reply, headers)
    match fault.kind:
        case FaultKind.STATUS:
            return _response(reply, {**headers, **fault.headers})
        case FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
            return _response(reply, headers)
        case FaultKind.LOST_REPLY | FaultKind.RESET:
            await asyncio.sleep(fault.seconds)
            _abort(http, with_reset=fault.kind is FaultKind.RESET)
            raise ConnectionCut
        case FaultKind.DRIP:
            return await _drip(http, reply, headers, fault.bytes_per_second)
        case FaultKind.CUT:
            await _send(http, reply, headers, reply.body[: len(reply.body) // 2], pause=0.0)
            if http.transport is not None:
                http.transport.close()
            raise ConnectionCut
        case _:
            raise AssertionError(fault.kind)


async def _drip(http: web.Request, reply: Reply, headers: dict[str, str], rate: float) -> web.StreamResponse:
    return await _send(http, reply, headers, reply.body, pause=1.0 / rate)


async def _send(
    http: web.Request, reply: Reply, headers: dict[str, str], body: bytes, pause: float
) -> web.StreamResponse:
    """Announce the whole body and write this part of it; with a pause, byte by byte."""
    response = web.StreamResponse(
        status=reply.status, headers={"Content-Type": reply.content_type, **headers}
    )
    response.content_length = len(reply.body)
    await response.prepare(http)
    if pause:
        for index in range(len(body)):
            await response.write(body[index : index + 1])
            await asyncio.sleep(pause)
    else:
        await response.write(body)
    return response


def _abort(http: web.Request, *, with_reset: bool) -> None:
    """Close at once: the peer sees a reset, or the end of the connection."""
    if http.transport is None:
        return
    if with_reset:
        # A linger of zero seconds makes the kernel send RST instead of FIN.
        connection = http.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    http.transport.abort()


@web.middleware
async def _swallow_cuts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nothing can be answered on a connection we cut; aiohttp wants an answer all the same."""
    try:
        return await handler(request)
    except ConnectionCut:
        return web.Response()


def build_app(sandbox: Sandbox) -> web.Application:
    """The web application of a sandbox."""
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_swallow_cuts])
    add_control_routes(app, sandbox)
    app.router.add_route("*", "/{path:.+}", PlanhatHandler(sandbox).answer)
    return app


async def serve(
    sandbox: Sandbox, host: str, port: int, ready: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serve until `stop`; `ready` is told the address. Port 0: any free one.

    Raises OSError when the address cannot be had.
    """
    # Much is stored and little of it is ever garbage: full collections would only cost pauses.
    gc.set_threshold(100_000, 50, 100)
    runner = web.AppRunner(build_app(sandbox), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        ready(f"http://{shown}:{bound[1]}")
        await stop.wait()
    finally:
        await runner.cleanup()
