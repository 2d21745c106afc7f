"""Pages, /metrics, /livez and /readyz over HTTP, on threads of their own.

Nothing here waits for the owner thread: all of it answers while that is busy.
"""

import io
import threading
from collections.abc import Callable, Iterable, Mapping
from http.client import responses
from socket import AF_INET, AF_INET6, socket
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import make_wsgi_app

from streamer.errors import SettingsError, place_of
from streamer.logs import Event, log

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

IDLE_SECONDS = 10
"""A client that sends nothing for this long is hung up on; it holds a thread meanwhile."""

FAILED = "this could not be made: a bug; deliveries go on. The log's line page_failed says where: report it"


class Health(NamedTuple):
    """What a probe answers, with the reason in words for whoever reads it."""

    is_well: bool
    reason: str


Probe = Callable[[], Health]

Page = Callable[[str], tuple[Mapping[str, str], bytes]]
"""From the query to headers, the content's type among them, and body."""


def recent_poll(
    last_poll: Callable[[], float | None], monotonic: Callable[[], float], limit_seconds: float
) -> Probe:
    """A probe that is well while the last poll, in monotonic seconds, is at most `limit_seconds` old.

    Before the first poll it is well: start-up checks have deadlines of their own.
    """

    def probe() -> Health:
        polled_at = last_poll()
        if polled_at is None:
            return Health(is_well=True, reason="starting: not polled yet")
        age = monotonic() - polled_at
        if age > limit_seconds:
            return Health(is_well=False, reason=f"last poll {age:.1f} s ago, more than {limit_seconds:.0f} s")
        return Health(is_well=True, reason=f"last poll {age:.1f} s ago")

    return probe


class Server:
    """Serves one registry, two probes and pages by their paths, until stopped."""

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        alive: Probe,
        ready: Probe,
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        self._address = (host, port)
        self._metrics = make_wsgi_app(registry)
        self._probes = {"/livez": alive, "/readyz": ready}
        self._pages = dict(pages or {})
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Listen, and return the port: the one given, or a free one where 0 was given.

        Raises SettingsError where the address cannot be listened on.
        """
        host, port = self._address
        try:
            self._server = _Server(self._address, _QuietHandler)
        except OSError as error:
            problem = f"cannot be listened on ({error.strerror or error}); choose a free port, or 0 for any"
            raise SettingsError(
                [f"STREAMER_HTTP_HOST={host!r}, STREAMER_HTTP_PORT={port}: {problem}"]
            ) from error
        self._server.set_app(self._answer)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="http-server", daemon=True
        )
        self._thread.start()
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop listening. A reply under way may be cut off. Stopping what does not run does nothing."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        try:
            if path == "/metrics":
                # The library knows no HEAD, and would answer one with a body.
                asked = {**environ, "REQUEST_METHOD": "GET" if method == "HEAD" else method}
                chunks: Iterable[bytes] = self._metrics(asked, start_response)
                return [] if method == "HEAD" else chunks
            status, headers, body = self._reply(path, method, environ.get("QUERY_STRING", ""))
        except Exception as error:  # noqa: BLE001 - told; else its text, whatever it holds, goes to stderr
            # Only a path of ours can fail: any other is answered without looking at anything.
            log(Event.PAGE_FAILED, path=path, error=type(error).__name__, where=place_of(error))
            status, headers, body = _words(500, FAILED)
        told = {**headers, "Content-Length": str(len(body))}
        start_response(f"{status} {responses[status]}", list(told.items()))
        return [] if method == "HEAD" else [body]

    def _reply(self, path: str, method: str, query: str) -> tuple[int, Mapping[str, str], bytes]:
        if path not in self._probes and path not in self._pages:
            paths = [*self._pages, "/metrics", *self._probes]
            return _words(404, f"there are {', '.join(paths[:-1])} and {paths[-1]}")
        if method not in {"GET", "HEAD"}:
            return _words(405, "use GET", Allow="GET, HEAD")
        if path in self._probes:
            health = self._probes[path]()
            return _words(200 if health.is_well else 503, health.reason)
        return (200, *self._pages[path](query))


def _words(status: int, words: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    fixed = {
        "Content-Type": "text/plain; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return status, {**fixed, **headers}, f"{words}\n".encode()


class _Server(ThreadingMixIn, WSGIServer):
    """One thread per connection; none of them keeps the program from ending."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without asking DNS for our own name, which can take half a minute where there is none."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "streamer", int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ANN401
        """A client that hung up is its own affair; nothing is written."""


class _QuietHandler(WSGIRequestHandler):
    """Writes no access log: probes come every few seconds."""

    timeout = IDLE_SECONDS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Nothing."""

    def get_stderr(self) -> io.StringIO:
        """Where the library prints what goes wrong with a client that does not take its reply: nowhere."""
        return io.StringIO()
