"""The door to httpx: one request to one reply, or the reason why none came. Nothing else is let in.

TLS is verified against the system's or SSL_CERT_FILE's authorities; HTTPS_PROXY, HTTP_PROXY,
ALL_PROXY and NO_PROXY are honoured; redirects are not followed and cookies not kept.
"""

import logging
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import httpx

from streamer import __version__
from streamer.errors import PlanhatMisconfigured, SettingsError
from streamer.outcomes import TransientReason
from streamer.planhat.deadline import Line
from streamer.planhat.requests import Bulk, Request

LONGEST_REPLY_BYTES = 8 << 20
CONNECT_SECONDS = 10.0
# Servers on Node hang up after 5 idle seconds; a request sent just then is lost.
KEEP_ALIVE_SECONDS = 4.0

_HEADERS = {
    "User-Agent": f"streamer/{__version__}",
    "Accept": "application/json",
    # Compressed replies would have to be unpacked to know their size; ours are small.
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}


class Cause(StrEnum):
    """Why no reply came, in words for the operator."""

    NAME_NOT_FOUND = "the host name is not found"
    NOT_TRUSTED = "the server's certificate is not trusted"
    TLS = "TLS could not be agreed on"
    REFUSED = "the connection was refused"
    NOT_CONNECTED = "no connection could be made"
    PROXY = "the proxy refused"
    DEADLINE = "no complete reply within the deadline"
    BROKEN = "the connection broke before the reply was complete"
    TOO_LONG = "the reply is longer than 8 MiB"
    STOPPED = "sending was stopped before the request was complete"


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


_NO_STREAM: Final = httpx.ByteStream(b"")


@dataclass(frozen=True, slots=True)
class Failure:
    """No reply, or none that can be read whole."""

    reason: TransientReason
    cause: Cause


class _Stopped(Exception):
    """The request may not go on. Some of it may have left, never the whole."""


class Client:
    """Sends one request at a time over one kept-alive connection; belongs to one thread."""

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        deadline_seconds: float,
        longest_reply_bytes: int = LONGEST_REPLY_BYTES,
    ) -> None:
        """`deadline_seconds` is the most one request may take, from connecting to the reply's last byte.

        Only the look-up of the host name keeps to the resolver's own time-outs; a request whose
        look-up outlasts the deadline is not sent.
        """
        _silence_library_logs()
        self._deadline_seconds = deadline_seconds
        self._longest_reply_bytes = longest_reply_bytes
        self._line = Line()
        self._tls = tls
        self._http = _open(tls, deadline_seconds)

    def send(
        self,
        request: Request,
        *,
        bearer: str | None = None,
        tenant: str | None = None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> Reply | Failure:
        """The reply to this request, whatever its status.

        `bearer` is the API token; `tenant` the tenant token, where it is the name of Basic authorization.
        `may_send` is asked right before each piece that is written, the last of a body a single byte: once
        it says no, the connection is closed, and the other side never has the whole.

        Raises PlanhatMisconfigured where the address or the token can be part of no request.
        """
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        if tenant is not None:
            headers = {"Authorization": f"Basic {b64encode(f'{tenant}:'.encode()).decode()}"}
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise _unsendable(request)
        with self._line.cut_after(self._deadline_seconds):
            try:
                answered = self._exchange(request, headers, may_send)
            except _Stopped:
                answered = Failure(TransientReason.CONNECTION, Cause.STOPPED)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
                # Not chained: their texts hold the URL, and so the tenant token.
                raise _unsendable(request) from None
            except (httpx.HTTPError, httpx.StreamError, OSError) as error:
                answered = self._failure(error)
        if isinstance(answered, Failure):
            # Begun anew: a tunnel in which TLS failed stays in httpcore's pool, as the one that there may be.
            self.close()
            self._http = _open(self._tls, self._deadline_seconds)
        self._http.cookies.clear()
        return answered

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
        self._line.drop()

    def _exchange(
        self, request: Request, headers: Mapping[str, str], may_send: Callable[[], bool]
    ) -> Reply | Failure:
        content: bytes | Iterator[bytes] = b""
        if size := len(request.content):  # told here, else it would go in chunks, which no bulk ever did
            headers = {**headers, "Content-Length": str(size)}
            content = self._while_allowed(request.content, may_send)

        def trace(event: str, details: dict[str, Any]) -> None:
            # Between the question before a request and its first byte may lie a look-up, connecting, TLS.
            if event.endswith(".send_request_headers.started") and not may_send():
                raise _Stopped
            self._line.trace(event, details)

        with self._http.stream(
            request.method,
            request.url,
            content=content,
            headers=headers,
            extensions={"trace": trace},
        ) as response:
            connection = response.extensions["network_stream"].get_extra_info("socket")
            body = bytearray()
            for part in response.iter_raw():
                body += part
                if len(body) > self._longest_reply_bytes:
                    # Leaving the block with the reply unread closes the connection.
                    return Failure(TransientReason.UNREADABLE, Cause.TOO_LONG)
        # The response and its stream hold each other, and so what was not written of a body: megabytes, for
        # as long as nobody looks for cycles.
        response.stream = _NO_STREAM
        if connection.fileno() < 0:
            # httpx has closed it; the line's own hold on it must not keep it open.
            self._line.drop()
        return Reply(response.status_code, dict(response.headers), bytes(body))

    def _while_allowed(self, content: bytes | Bulk, may_send: Callable[[], bool]) -> Iterator[bytes]:
        for piece in _pieces(content):
            # Without room the piece would wait for it after the question, and go out on waking all the same.
            self._line.wait_for_room(self._deadline_seconds)
            if not may_send():
                raise _Stopped
            yield piece

    def _failure(self, error: Exception) -> Failure:
        connecting = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        if connecting:
            # The request was not sent, so its size is not to blame: not a time-out to the engine.
            return Failure(TransientReason.CONNECTION, _cause_of(error))
        if self._line.was_cut or isinstance(error, httpx.TimeoutException):
            return Failure(TransientReason.TIMEOUT, Cause.DEADLINE)
        return Failure(TransientReason.CONNECTION, Cause.BROKEN)


def _pieces(content: bytes | Bulk) -> Iterable[bytes]:
    """The last of them one byte: it is written at once or not at all."""
    return (content[:-1], content[-1:]) if isinstance(content, bytes) else content


def _unsendable(request: Request) -> PlanhatMisconfigured:
    return PlanhatMisconfigured(
        f"{request.method} {request.shown_url} cannot be sent: the address is no HTTP address, or the API "
        "token holds characters that no header can, such as a line's end. Nothing was sent. Mend the setting."
    )


def trusted_authorities() -> ssl.SSLContext:
    """TLS as the environment wants it verified; costs megabytes, so clients share one."""
    try:
        return httpx.create_ssl_context()
    except (OSError, ValueError):
        problem = (
            "SSL_CERT_FILE, SSL_CERT_DIR: certificates cannot be read from there; nothing was sent. "
            "Name a file of PEM certificates, or unset the variable."
        )
        raise SettingsError([problem]) from None


def _open(tls: ssl.SSLContext, deadline_seconds: float) -> httpx.Client:
    try:
        return httpx.Client(
            verify=tls,
            headers=_HEADERS,
            follow_redirects=False,
            trust_env=True,
            timeout=httpx.Timeout(deadline_seconds, connect=min(CONNECT_SECONDS, deadline_seconds)),
            limits=httpx.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE_SECONDS
            ),
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        # Not chained: the text of a bad proxy's address may hold its password.
        problem = (
            "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY or NO_PROXY: the environment's proxy cannot be used; "
            "nothing was sent. Correct or unset it."
        )
        raise SettingsError([problem]) from None


def _cause_of(error: Exception) -> Cause:
    if isinstance(error, httpx.ProxyError):
        return Cause.PROXY
    for cause in _chain(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return Cause.NOT_TRUSTED
            case ssl.SSLError():
                return Cause.TLS
            case socket.gaierror():
                return Cause.NAME_NOT_FOUND
            case ConnectionRefusedError():
                return Cause.REFUSED
    return Cause.NOT_CONNECTED


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__


def _silence_library_logs() -> None:
    """At INFO httpx writes every URL, and so the tenant token; httpcore headers at DEBUG."""
    for name in ("httpx", "httpcore"):
        library = logging.getLogger(name)
        library.setLevel(logging.CRITICAL + 1)
        library.propagate = False
