"""A server on loopback that does to each connection exactly what a test tells it to, byte by byte."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

JSON_HEADERS = "Content-Type: application/json; charset=utf-8\r\n"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


Act = Callable[[socket.socket, threading.Event], bool]
"""What to do after a request: True keeps the connection. The event is set when the server closes."""


def reply(status: int, body: bytes = b"", *, headers: str = JSON_HEADERS, keep: bool = True) -> Act:
    """A complete reply; where the connection is not kept, it is closed without a word about it."""
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n{headers}\r\n"

    def act(connection: socket.socket, _closing: threading.Event) -> bool:
        connection.sendall(head.encode() + body)
        return keep

    return act


def raw(content: bytes, *, reset: bool = False) -> Act:
    """These bytes, then the end: orderly or by a reset."""

    def act(connection: socket.socket, _closing: threading.Event) -> bool:
        connection.sendall(content)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return act


def drip(first: bytes, drop: bytes, pause_seconds: float) -> Act:
    """These bytes, then one drop after another until the client is gone."""

    def act(connection: socket.socket, closing: threading.Event) -> bool:
        connection.sendall(first)
        while not closing.wait(pause_seconds):
            connection.sendall(drop)
        return False

    return act


def silence(connection: socket.socket, closing: threading.Event) -> bool:
    """Nothing at all, until the client is gone."""
    connection.settimeout(0.02)
    while not closing.is_set():
        with contextlib.suppress(TimeoutError):
            if not connection.recv(1):
                break
    return False


class ScriptedServer:
    """Accepts connections and answers each request by the next act; the last act is repeated."""

    def __init__(self, *acts: Act, read_requests: bool = True) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.received_bytes = 0
        """Of requests, complete or not."""
        self._acts = list(acts)
        self._read_requests = read_requests
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop accepting and end every act."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._read_requests or (seen := self._read(connection)) is not None:
                with self._lock:
                    if self._read_requests and seen is not None:
                        self.seen.append(seen)
                    act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
                connection.settimeout(None)
                if not act(connection, self._closing):
                    return

    def _read(self, connection: socket.socket) -> Seen | None:
        received = b""
        while b"\r\n\r\n" not in received:
            part = self._receive(connection)
            if not part:
                return None
            received += part
        head, _, body = received.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (entry.partition(": ") for entry in lines)}
        while len(body) < int(headers.get("content-length", "0")):
            part = self._receive(connection)
            if not part:
                return None
            body += part
        return Seen(line, headers, body)

    def _receive(self, connection: socket.socket) -> bytes:
        connection.settimeout(0.02)
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                part = connection.recv(65_536)
                self.received_bytes += len(part)
                return part
        return b""


@contextlib.contextmanager
def serving(*acts: Act, read_requests: bool = True) -> Iterator[ScriptedServer]:
    """A server that is closed at the end, with every thread of it."""
    server = ScriptedServer(*acts, read_requests=read_requests)
    try:
        yield server
    finally:
        server.close()
