"""The sandbox as a child process: started, waited for, stopped; gone when its parent is gone."""

import contextlib
import json
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self

from streamer.standins.planhat.client import SandboxClient, SandboxUnusable
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN, DEFAULT_TENANT_TOKEN

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class SandboxProcess(SandboxClient):
    """A sandbox in a child process, with the client's methods.

    with SandboxProcess(switches={"history": 100}) as sandbox:
        ... sandbox.url, sandbox.api_token, sandbox.tenant_token, sandbox.view() ...
    """

    def __init__(
        self,
        switches: Mapping[str, object] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_token: str = DEFAULT_API_TOKEN,
        tenant_token: str = DEFAULT_TENANT_TOKEN,
    ) -> None:
        super().__init__("")
        self.api_token = api_token
        self.tenant_token = tenant_token
        self._arguments = ["--host", host, "--port", str(port)]
        self._arguments += ["--api-token", api_token, "--tenant-token", tenant_token]
        for name, value in (switches or {}).items():
            text = ("on" if value else "off") if isinstance(value, bool) else str(value)
            self._arguments += ["--switch", f"{name}={text}"]
        self._child: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, while it runs."""
        return self._child.pid if self._child is not None else None

    def start(self) -> Self:
        """Start it and wait until it serves. Raises SandboxUnusable with what it said if it does not."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 -- closed in stop
        # The child stops when its standard input ends: the kernel closes our end if we are killed.
        self._child = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [
                sys.executable,
                "-m",
                "streamer.standins.planhat",
                *self._arguments,
                "--json-ready",
                "--end-with-stdin",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        try:
            self.url = self._ready_url(self._child)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> int | None:
        """Stop it; returns its exit code, or None if it did not run."""
        child, self._child = self._child, None
        if child is None:
            return None
        with child:
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
            with contextlib.suppress(BrokenPipeError):
                if child.stdin is not None:
                    child.stdin.close()
        if self._said is not None:
            self._said.close()
        return child.returncode

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def complaints(self) -> str:
        """What it wrote to standard error so far: nothing, if all is well."""
        if self._said is None or self._said.closed:
            return ""
        self._said.seek(0)
        return self._said.read().decode(errors="replace").strip()

    def _ready_url(self, child: "subprocess.Popen[bytes]") -> str:
        assert child.stdout is not None  # noqa: S101 -- asked for above
        deadline = time.monotonic() + START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            if selector.select(deadline - time.monotonic()):
                line = child.stdout.readline()
                if line:
                    return str(json.loads(line)["url"])
                child.wait(STOP_SECONDS)
        raise SandboxUnusable(f"The sandbox did not start. It said: {self.complaints() or 'nothing'}")
