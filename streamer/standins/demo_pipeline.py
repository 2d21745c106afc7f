"""The pipeline under the demo: `streamer run`, unchanged, as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from errno import EADDRINUSE
from pathlib import Path
from secrets import randbelow
from types import TracebackType
from typing import Final, Self

import streamer
from streamer.errors import StreamerError

STOP_SECONDS: Final = 90.0
_SHOWN_LINES: Final = 20
_CHOSEN_PORTS: Final = range(15_000, 32_000)


class PipelineEnded(StreamerError):
    """The pipeline stopped before its work was done."""


class Pipeline:
    """`streamer run` with these settings and nothing else of our environment; its lines go to `log`.

    It leads a session of its own, so that Ctrl+C reaches the demo alone, which then ends it in order.
    """

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        self._settings = settings
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        root = Path(streamer.__file__).parent.parent
        with self._log.open("wb") as lines:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "streamer", "run"],
                env={"PATH": os.defpath, "PYTHONPATH": str(root), "PYTHONUTF8": "1", **self._settings},
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    @property
    def pid(self) -> int:
        """Its process id; 0 before it started."""
        return self._child.pid if self._child is not None else 0

    def check(self) -> None:
        """Raise PipelineEnded, with its last lines, if it runs no more."""
        code = self._child.poll() if self._child is not None else None
        if code is not None:
            raise PipelineEnded(f"`streamer run` ended with exit code {code}. Its last lines:\n{self.tail()}")

    def stop(self) -> int:
        """SIGTERM, and wait for the drain; returns the exit code (negative: the signal that killed it)."""
        if self._child is None:
            return 0
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()

    def tail(self) -> str:
        """The last lines it wrote."""
        if not self._log.exists():
            return ""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_SHOWN_LINES:])


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """So many different ones.

    Below those that Linux by default gives to whoever asks for any: until a server has started on one of
    these, every connection out, of any process, might take it. Raises OSError where none can be had.
    """
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = _CHOSEN_PORTS.start + randbelow(len(_CHOSEN_PORTS))
            try:
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError as error:
                if error.errno != EADDRINUSE:
                    raise
            else:
                ports.append(port)
        return ports
