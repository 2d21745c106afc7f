"""The end of a request that takes too long, whatever it is doing.

httpx knows time-outs per step: each read, each write starts afresh, so a peer that sends a byte now
and then keeps a request for ever. Cancelling a request breaks httpx's pool (engines.md §1). Shutting
the connection down under it does not: to httpx the peer has hung up, which it is built for.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any


class Line:
    """The TCP connection one client is using, and the scissors to cut it. For one request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._twin: socket.socket | None = None
        self._request = 0
        self._cut_request = -1

    @contextlib.contextmanager
    def cut_after(self, seconds: float) -> Iterator[None]:
        """Give what runs inside this many seconds; then its connection, or the next it opens, is cut."""
        with self._lock:
            self._request += 1
        timer = threading.Timer(seconds, self._cut, (self._request,))
        timer.name = "planhat-deadline"
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                # A cut that comes too late must find that its request is over.
                self._request += 1

    @property
    def was_cut(self) -> bool:
        """Whether the request now running has reached its deadline."""
        return self._cut_request == self._request

    def trace(self, event: str, details: dict[str, Any]) -> None:
        """The `trace` extension of httpx: told of every step of a request, among them new connections."""
        if event.endswith(".connect_tcp.complete"):
            self._watch(details["return_value"].get_extra_info("socket"))

    def wait_for_room(self, seconds: float) -> None:
        """Until the kernel would take another byte to send at once; at most for so long, or to the cut."""
        if self._twin is not None:
            room = select.poll()
            room.register(self._twin, select.POLLOUT)
            room.poll(seconds * 1000)

    def drop(self) -> None:
        """Forget the connection, and close it for good."""
        with self._lock:
            self._close_twin()

    def _watch(self, opened: socket.socket) -> None:
        # A descriptor of our own: the socket itself changes hands when TLS begins, and the number of
        # a closed one may be somebody else's by the time it is cut.
        twin = opened.dup()
        with self._lock:
            self._close_twin()
            self._twin = twin
            if self.was_cut:
                self._shut()

    def _cut(self, request: int) -> None:
        with self._lock:
            if request == self._request:
                self._cut_request = request
                self._shut()

    def _shut(self) -> None:
        if self._twin is not None:
            with contextlib.suppress(OSError):
                self._twin.shutdown(socket.SHUT_RDWR)

    def _close_twin(self) -> None:
        if self._twin is not None:
            self._shut()
            self._twin.close()
            self._twin = None
