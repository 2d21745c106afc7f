"""A wire between the pipeline and the sandbox, or the broker, that a test can cut, slow down and mend."""

import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

_CHUNK_BYTES: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)
"""A linger of zero seconds makes the kernel send RST instead of FIN."""


class Relay:
    """Passes connections on to `target`; while it is cut, its port refuses them.

    A cut resets the connections there are: what was asked may have been done, and nobody is told.
    """

    def __init__(self, target: str, port: int = 0) -> None:
        """`target` is a URL of which host and port count; listens on `port`, or on any that is free."""
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 0)
        self.delay_seconds = 0.0
        """How long each piece of up to 64 KiB is kept back, in either direction."""
        self._listener = socket.create_server(("127.0.0.1", port))
        self._address = self._listener.getsockname()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._start(self._accept, self._listener)

    @property
    def url(self) -> str:
        """Where it listens; the same after a cut."""
        return f"http://127.0.0.1:{self._address[1]}"

    def cut(self) -> None:
        """Refuse new connections and reset those there are."""
        # Shut down first: that wakes the accepting thread, which closing alone does not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Accept connections again, on the same port."""
        self._listener = socket.create_server(self._address)
        self._start(self._accept, self._listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        for thread in self._threads:
            thread.join(5)

    # --- threads -----------------------------------------------------------------------------------

    def _start(self, work: object, *arguments: socket.socket) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self._start(self._serve, near)

    def _serve(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(self._target)
            except OSError:
                return
            with far:
                with self._lock:
                    self._open |= {near, far}
                self._pass_on(near, far)
                with self._lock:
                    self._open -= {near, far}

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        """Everything of one connection, both ways, until it ends."""
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)
        back.join()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """Pass bytes on until either side ends."""
        with suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                if self.delay_seconds:
                    time.sleep(self.delay_seconds)
                sink.sendall(chunk)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
