"""The client against real sockets that misbehave in every way a network knows."""

import gc
import logging
import select
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer import __version__
from streamer.errors import PlanhatMisconfigured, SettingsError
from streamer.outcomes import TransientReason
from streamer.planhat.client import Cause, Client, Failure, Reply, trusted_authorities
from streamer.planhat.credentials import Credentials
from streamer.planhat.deadline import Line
from streamer.planhat.requests import Bulk, Request
from streamer.standins.demo_pipeline import free_port
from tests.planhat.scripted import Act, drip, raw, reply, serving, silence

SECRET = "s3cr3t-token"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    """What the environment trusts."""
    return trusted_authorities()


@pytest.fixture
def client(tls: ssl.SSLContext) -> Iterator[Client]:
    """A client with time enough."""
    client = Client(tls, deadline_seconds=5.0, longest_reply_bytes=100_000)
    yield client
    client.close()


@pytest.fixture
def hasty(tls: ssl.SSLContext) -> Iterator[Client]:
    """A client whose deadline a test can wait for."""
    client = Client(tls, deadline_seconds=0.4, longest_reply_bytes=100_000)
    yield client
    client.close()


def put(url: str, body: bytes = b"[{}]") -> Request:
    """A bulk upsert as `requests` builds it."""
    return Request("PUT", f"{url}/endusers", body, f"{url}/endusers")


def test_a_request_arrives_as_planhat_wants_it(client: Client) -> None:
    """Bearer token, JSON, our name and version; no compression to unpack, no cookie kept."""
    with serving(reply(200, b"{}", headers="Set-Cookie: a=b\r\nX-Rate-Limit-Remaining: 7\r\n")) as server:
        for _ in range(2):
            answered = client.send(put(server.url, b"[1]"), bearer=SECRET)

    assert answered == Reply(
        200, {"content-length": "2", "set-cookie": "a=b", "x-rate-limit-remaining": "7"}, b"{}"
    )
    last = server.seen[-1]
    assert (last.line, last.body) == ("PUT /endusers HTTP/1.1", b"[1]")
    assert last.headers["authorization"] == f"Bearer {SECRET}"
    assert last.headers["content-type"] == "application/json"
    assert last.headers["accept-encoding"] == "identity"
    assert last.headers["user-agent"] == f"streamer/{__version__}"
    assert "cookie" not in last.headers


def test_activities_carry_no_token(client: Client) -> None:
    """The analytics host needs none, so it gets none."""
    with serving(reply(200)) as server:
        client.send(put(server.url))

    assert "authorization" not in server.seen[0].headers


def test_a_connection_is_kept_from_request_to_request(client: Client) -> None:
    """Twenty requests, one connection."""
    with serving(reply(200, b"{}")) as server:
        for _ in range(20):
            client.send(put(server.url))

        assert server.connections == 1


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "refused unread"])
def test_what_was_sent_is_let_go(client: Client, *, is_read: bool) -> None:
    """A body goes with its request, written or not, though Python seldom looks for what holds each other."""

    def refuse(connection: socket.socket, _closing: object) -> bool:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        return False

    act = reply(200, b"{}") if is_read else refuse
    items = [b'"' + bytes(1 << 20) + b'"'] * 8
    with serving(act, read_requests=is_read) as server:
        gc.disable()
        try:
            answered = client.send(Request("PUT", f"{server.url}/endusers", Bulk(items), "shown"))
            holders = [type(each).__name__ for each in gc.get_referrers(items)]
        finally:
            gc.enable()

    assert isinstance(answered, Reply)
    assert answered.status == (200 if is_read else 413)
    assert set(holders) <= {"frame"}


def test_a_connection_closed_between_requests_is_replaced(client: Client) -> None:
    """A server may hang up after any reply; the next request does not notice."""
    with serving(reply(200, b"{}", keep=False)) as server:
        for _ in range(5):
            answered = client.send(put(server.url))
            assert isinstance(answered, Reply)
            wait_for_end_of_connection(client)

        assert server.connections == 5


def test_a_connection_the_server_wants_closed_is_closed(client: Client) -> None:
    """`Connection: close` ends it on this side too, at once."""
    ended = threading.Event()

    def close(connection: socket.socket, _closing: object) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        connection.settimeout(5)
        if connection.recv(1) == b"":
            ended.set()
        return False

    with serving(close) as server:
        client.send(put(server.url))
        assert ended.wait(5)


def wait_for_end_of_connection(client: Client) -> None:
    """Until the end of the connection has arrived at this side of it."""
    twin = client._line._twin
    if twin is not None:
        twin.settimeout(5)
        assert twin.recv(1) == b""


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(client: Client, status: int) -> None:
    """The token goes nowhere but where it was sent."""
    with (
        serving(reply(200)) as elsewhere,
        serving(reply(status, headers=f"Location: {elsewhere.url}\r\n")) as server,
    ):
        answered = client.send(put(server.url), bearer=SECRET)

    assert isinstance(answered, Reply)
    assert answered.status == status
    assert elsewhere.seen == []


BROKEN: list[tuple[str, Act]] = [
    ("closed before a reply", raw(b"")),
    ("reset before a reply", raw(b"", reset=True)),
    ("closed in the headers", raw(b"HTTP/1.1 200 OK\r\nContent-")),
    ("reset in the body", raw(HEAD + b"{", reset=True)),
    ("closed in the body", raw(HEAD + b"{")),
    ("closed in a chunk", raw(CHUNKED + b"5\r\nab")),
    ("a broken chunk", raw(CHUNKED + b"zz\r\nab\r\n")),
    ("not HTTP", raw(b"SSH-2.0-OpenSSH_9\r\n\r\n")),
    ("two lengths", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")),
    ("endless headers", raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000)),
]


@pytest.mark.parametrize("act", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_connection_is_transient(client: Client, act: Act) -> None:
    """However a connection ends before its reply does, the request may be sent again; the next one works."""
    with serving(act, reply(200, b"{}")) as server:
        broken = client.send(put(server.url))
        mended = client.send(put(server.url))

    assert broken == Failure(TransientReason.CONNECTION, Cause.BROKEN)
    assert isinstance(mended, Reply)


SLOW: list[tuple[str, Act]] = [
    ("silence", silence),
    ("headers a byte at a time", drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", 0.02)),
    ("a header at a time", drip(b"HTTP/1.1 200 OK\r\n", b"X-Slow: x\r\n", 0.02)),
    ("interim replies for ever", drip(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.02)),
    ("a body a byte at a time", drip(HEAD, b" ", 0.02)),
    ("chunks for ever", drip(CHUNKED, b"1\r\n \r\n", 0.02)),
    ("a body that stops", drip(HEAD + b"{", b"", 0.02)),
]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("act", [row[1] for row in SLOW], ids=[row[0] for row in SLOW])
def test_no_reply_outlasts_the_deadline(hasty: Client, act: Act) -> None:
    """A reply not complete at the deadline is a time-out, however it is fed; the next request works."""
    with serving(act, reply(200, b"{}")) as server:
        late = hasty.send(put(server.url))
        mended = hasty.send(put(server.url))

    assert late == Failure(TransientReason.TIMEOUT, Cause.DEADLINE)
    assert isinstance(mended, Reply)


@pytest.mark.timeout(30)
def test_a_request_nobody_reads_ends_at_the_deadline(hasty: Client) -> None:
    """Writing is bounded like reading."""
    with serving(silence_without_reading, read_requests=False) as server:
        late = hasty.send(put(server.url, b"x" * (32 << 20)))

    assert late == Failure(TransientReason.TIMEOUT, Cause.DEADLINE)


def silence_without_reading(_connection: socket.socket, closing: object) -> bool:
    """Hold the connection and take nothing from it."""
    assert hasattr(closing, "wait")
    closing.wait(20)
    return False


def test_a_deadline_of_one_request_leaves_the_next_alone(tls: ssl.SSLContext) -> None:
    """The scissors of a finished request cut nothing."""
    client = Client(tls, deadline_seconds=0.3)
    with serving(reply(200, b"{}")) as server:
        answers = []
        for _ in range(10):
            answers.append(client.send(put(server.url)))
            client._line._cut(client._line._request - 1)
    client.close()

    assert all(isinstance(answer, Reply) for answer in answers)
    assert server.connections == 1


@pytest.mark.timeout(30)
def test_a_connection_that_opens_after_the_deadline_is_cut_at_once() -> None:
    """A look-up of the host name may outlast the deadline; its request is not sent late."""
    line = Line()
    ours, theirs = socket.socketpair()
    with ours, theirs, line.cut_after(0.01):
        while not line.was_cut:
            time.sleep(0.005)
        line._watch(ours)
        assert theirs.recv(1) == b""
    line.drop()


@pytest.mark.parametrize(
    "act",
    [
        reply(200, b"x" * 100_001),
        raw(CHUNKED + b"%x\r\n" % 200_000 + b"x" * 200_000 + b"\r\n0\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000, 0.0),
    ],
    ids=["with a length", "in chunks", "without an end"],
)
def test_an_oversized_reply_is_not_read_to_its_end(client: Client, act: Act) -> None:
    """Beyond the limit the connection is closed and the reply counts as unreadable."""
    with serving(act, reply(200, b"{}")) as server:
        assert client.send(put(server.url)) == Failure(TransientReason.UNREADABLE, Cause.TOO_LONG)
        assert isinstance(client.send(put(server.url)), Reply)

        assert server.connections == 2


def test_a_reply_of_just_the_limit_is_read(client: Client) -> None:
    """The limit is part of what is allowed."""
    with serving(reply(200, b"x" * 100_000)) as server:
        answered = client.send(put(server.url))

    assert isinstance(answered, Reply)
    assert len(answered.body) == 100_000


def test_a_reply_before_the_request_is_read_is_taken(client: Client) -> None:
    """A server that refuses a body by its headers (413) is heard."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def refuse(connection: socket.socket, _closing: object) -> bool:
        connection.recv(1000)
        connection.sendall(refusal)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 20):
            pass
        return False

    with serving(refuse, read_requests=False) as server:
        answered = client.send(put(server.url, b"x" * (16 << 20)))

    assert isinstance(answered, Reply)
    assert answered.status == 413


def test_nobody_listening_is_a_refused_connection(client: Client) -> None:
    """An operator is told what kind of connection failed."""
    assert client.send(put(f"http://127.0.0.1:{free_port()}")) == Failure(
        TransientReason.CONNECTION, Cause.REFUSED
    )


def test_an_unknown_host_is_told_from_a_dead_one(client: Client) -> None:
    """`.invalid` names never resolve."""
    assert client.send(put("http://planhat.invalid")) == Failure(
        TransientReason.CONNECTION, Cause.NAME_NOT_FOUND
    )


@pytest.mark.timeout(60)
def test_the_client_still_works_after_a_hundred_failures(tls: ssl.SSLContext) -> None:
    """Resets, cut replies, oversized ones and time-outs leave nothing behind that blocks."""
    client = Client(tls, deadline_seconds=0.1, longest_reply_bytes=1_000)
    bad = [
        raw(b"", reset=True),
        raw(HEAD + b"{", reset=True),
        drip(HEAD, b" ", 0.01),
        reply(200, b"x" * 2_000),
    ]
    failures = 0
    with serving(*(bad * 25), reply(200, b"{}")) as server:
        # On a busy machine a request may be cut before the server has seen it: not one of the hundred.
        while isinstance(client.send(put(server.url)), Failure) and failures < 300:
            failures += 1
    client.close()

    assert 100 <= failures < 300
    assert len(server.seen) > 100


# --- stopped on the way ------------------------------------------------------------------------


def test_nothing_leaves_where_sending_stops_while_it_connects(client: Client) -> None:
    """Looking up a name, connecting and TLS take time; whether sending is allowed is asked after them."""

    def may_send() -> bool:
        deadline = time.monotonic() + 2.0
        while not server.connections and time.monotonic() < deadline:
            time.sleep(0.001)
        return not server.connections

    with serving(reply(200, b"{}")) as server:
        answered = client.send(put(server.url), may_send=may_send)
        client.close()

        assert answered == Failure(TransientReason.CONNECTION, Cause.STOPPED)
        assert (server.connections, server.received_bytes) == (1, 0)


@pytest.mark.parametrize("is_bulk", [True, False], ids=["a bulk", "one body"])
def test_it_is_asked_only_when_there_is_room_for_what_is_sent(client: Client, *, is_bulk: bool) -> None:
    """Else a piece may wait for room after the answer, and go out on waking from whatever came between.

    A piece may be longer than the room there is, and be written to its end; the last, one byte, is not.
    """

    def sip(connection: socket.socket, closing: threading.Event) -> bool:
        while not closing.is_set() and connection.recv(16_384):
            time.sleep(0.000_2)
        return False

    rooms: list[bool] = []

    def may_send() -> bool:
        twin = client._line._twin
        assert twin is not None
        room = select.poll()
        room.register(twin, select.POLLOUT)
        rooms.append(bool(room.poll(0)))
        return len(rooms) < needed

    items = [bytes(100_000)] * 80
    content = Bulk(items) if is_bulk else b"".join(items)
    needed = 1 + (len(list(content)) if isinstance(content, Bulk) else 2)
    with serving(sip, read_requests=False) as server:
        answered = client.send(Request("PUT", server.url, content, "shown"), may_send=may_send)

    assert answered == Failure(TransientReason.CONNECTION, Cause.STOPPED)
    assert rooms == [True] * needed


# --- settings of the environment ---------------------------------------------------------------


def test_a_proxy_of_the_environment_is_used(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY gets the request, whole URL and all."""
    with serving(reply(200, b"{}")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        client = Client(tls, deadline_seconds=5.0)
        answered = client.send(put("http://planhat.invalid"))
        client.close()

    assert isinstance(answered, Reply)
    assert proxy.seen[0].line == "PUT http://planhat.invalid/endusers HTTP/1.1"


def test_a_proxy_that_refuses_is_a_failed_connection(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tunnel that is not opened is no answer of Planhat's."""
    with serving(reply(407)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = Client(tls, deadline_seconds=5.0)
        answered = client.send(put("https://planhat.invalid"))
        client.close()

    assert answered == Failure(TransientReason.CONNECTION, Cause.PROXY)


def test_a_tunnel_in_which_tls_failed_is_not_the_last(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next request asks for a tunnel of its own; httpcore keeps the broken one as if it were in use."""
    with serving(raw(b"HTTP/1.1 200 OK\r\n\r\n"), reply(407)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = Client(tls, deadline_seconds=5.0)
        answers = [client.send(put("https://planhat.invalid")) for _ in range(2)]
        client.close()

    assert [type(each) for each in answers] == [Failure, Failure]
    assert answers[1] == Failure(TransientReason.CONNECTION, Cause.PROXY)
    assert [each.line for each in proxy.seen] == ["CONNECT planhat.invalid:443 HTTP/1.1"] * 2


def test_a_slow_proxy_is_cut_at_the_deadline(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline covers the tunnel too."""
    with serving(drip(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.02)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = Client(tls, deadline_seconds=0.3)
        answered = client.send(put("https://planhat.invalid"))
        client.close()

    assert isinstance(answered, Failure)


def test_a_useless_proxy_is_a_settings_error_without_its_password(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused when the client is made, naming the variables and no value."""
    monkeypatch.setenv("HTTPS_PROXY", f"gopher://me:{SECRET}@proxy")

    with pytest.raises(SettingsError, match="HTTPS_PROXY") as caught:
        Client(tls, deadline_seconds=5.0)

    assert SECRET not in repr(caught.value)
    assert caught.value.__suppress_context__


def test_unreadable_authorities_are_a_settings_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SSL_CERT_FILE that is no certificate stops the start, not the first request."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(wrong))

    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        trusted_authorities()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody has signed but itself."""
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", f"{path}.crt"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return path


def encrypted(certificate: Path, act: Act) -> Act:
    """The same act behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificate}.crt", certificate)

    def over_tls(connection: socket.socket, closing: object) -> bool:
        with context.wrap_socket(connection, server_side=True) as secured:
            received = b""
            while not received.endswith(b"[{}]"):
                received += secured.recv(65_536)
            act(secured, closing)  # type: ignore[arg-type]
        return False

    return over_tls


def test_an_untrusted_certificate_gets_no_request(client: Client, certificate: Path) -> None:
    """TLS is verified, and the operator is told that this is what failed."""
    with serving(encrypted(certificate, reply(200, b"{}")), read_requests=False) as server:
        answered = client.send(put(f"https://127.0.0.1:{server.port}"), bearer=SECRET)

    assert answered == Failure(TransientReason.CONNECTION, Cause.NOT_TRUSTED)


@pytest.mark.timeout(30)
def test_an_authority_of_the_environment_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names it; replies come through TLS, and deadlines cut through it."""
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    acts = [encrypted(certificate, act) for act in (reply(200, b"{}"), drip(HEAD, b" ", 0.02))]
    answers = []
    with serving(*acts, read_requests=False) as server:
        for _ in acts:
            # One client each: the server closes each connection, and the second request could be under way
            # by the first one's before that is heard. Long enough for a handshake on a busy machine: cut
            # while it connects, a request was not sent.
            client = Client(trusted_authorities(), deadline_seconds=2.0)
            answers.append(client.send(put(f"https://127.0.0.1:{server.port}")))
            client.close()

    complete, late = answers
    assert isinstance(complete, Reply)
    assert late == Failure(TransientReason.TIMEOUT, Cause.DEADLINE)


@pytest.mark.timeout(30)
def test_a_handshake_that_never_ends_is_cut(hasty: Client) -> None:
    """A server that accepts and then says nothing is no connection."""
    with serving(silence_without_reading, read_requests=False) as server:
        answered = hasty.send(put(f"https://127.0.0.1:{server.port}"))

    assert isinstance(answered, Failure)
    assert answered.reason is TransientReason.CONNECTION


# --- secrets -----------------------------------------------------------------------------------


def test_secrets_are_in_no_log_and_no_repr(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level there is, for success and failure alike."""
    caplog.set_level(logging.DEBUG)
    person = b'[{"email":"u-1@acme.example"}]'
    with serving(reply(200, person, headers=f"X-Echo: {SECRET}\r\n"), raw(b"", reset=True)) as server:
        url = f"{server.url}/analytics/bulk/{SECRET}"
        request = Request("POST", url, person, f"{server.url}/analytics/bulk/***")
        shown = [repr(client.send(request, bearer=SECRET)) for _ in range(2)]

    shown += [repr(request), caplog.text, repr(Credentials(SECRET, SECRET)), str(Credentials(SECRET, SECRET))]
    assert not [text for text in shown if SECRET in text or "u-1@acme.example" in text]


@pytest.mark.parametrize(
    ("url", "bearer"),
    [
        ("ftp://127.0.0.1", SECRET),
        ("http://[::1", SECRET),
        ("http://127.0.0.1:1", f"{SECRET}\u20ac"),
        ("http://127.0.0.1:1", f"{SECRET}\n"),
    ],
)
def test_what_can_be_part_of_no_request_is_a_misconfiguration(client: Client, url: str, bearer: str) -> None:
    """An impossible address or token is not retried for ever, and its error shows no token."""
    request = Request("PUT", f"{url}/{SECRET}", b"[]", f"{url}/***")

    with pytest.raises(PlanhatMisconfigured) as caught:
        client.send(request, bearer=bearer)

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
