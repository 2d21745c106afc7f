"""The sandbox over real sockets on a thread of this process: its clock and its store are at hand."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from streamer.standins.planhat.sandbox import Sandbox
from streamer.standins.planhat.server import build_app
from streamer.standins.planhat.switches import Switches

READY_SECONDS = 30.0
UNLIMITED: Mapping[str, object] = {"calls_per_minute": 1_000_000, "calls_per_second": 0}
"""Quotas that nobody meets, for those who ask in real time; replies still tell of them."""


class ServedSandbox:
    """A sandbox and the address it is served at.

    Its store may be read whenever no request is under way. Quotas and faults go by `clock`, which can
    be replaced at a `reset`.
    """

    def __init__(self, start: Switches) -> None:
        self._clock: Callable[[], float] = time.monotonic
        self.sandbox = Sandbox(start, clock=self._now)
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)

    def reset(self, switches: Mapping[str, object], clock: Callable[[], float] = time.monotonic) -> Sandbox:
        """Forget everything; the switches of the start and these are in force."""
        self._clock = clock
        self.sandbox.reset()
        self.sandbox.board.change(switches)
        return self.sandbox

    def _now(self) -> float:
        return self._clock()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._until_stopped())
        self._loop.close()

    async def _until_stopped(self) -> None:
        runner = web.AppRunner(build_app(self.sandbox), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            self._ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(READY_SECONDS), "the sandbox did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(READY_SECONDS)
        assert not self._thread.is_alive(), "the sandbox did not stop"
