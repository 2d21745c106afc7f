"""Laws of the health server: it answers while the owner is busy, and says why it is not well."""

import gzip
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from streamer import server as server_module
from streamer.errors import SettingsError
from streamer.logs import configure_logs
from streamer.metrics import KafkaReport, Metrics, registry_of
from streamer.server import FAILED, Health, Server, recent_poll


class Patient:
    """Health that a test can change."""

    def __init__(self) -> None:
        self.health = Health(is_well=True, reason="fine")

    def __call__(self) -> Health:
        return self.health


class Served:
    """A running server and its two patients."""

    def __init__(self) -> None:
        self.is_broken, self.more = False, b""
        self.alive, self.ready = Patient(), Patient()
        metrics = Metrics(mode="api")
        metrics.watch(kafka=KafkaReport, last_poll=self.last_poll, awaited_schemas=dict)
        registry = registry_of(metrics)
        pages = {"/": self.page, "/status.json": self.page}
        self.server = Server("127.0.0.1", 0, registry, self.is_alive, self.ready, pages)
        self.port = self.server.start()

    def page(self, query: str) -> tuple[dict[str, str], bytes]:
        """What was asked of it."""
        self.last_poll()
        return {"Content-Type": "text/html", "X-Frame": "none"}, f"asked: {query}".encode() + self.more

    def is_alive(self) -> Health:
        """As the patient is."""
        self.last_poll()
        return self.alive()

    def last_poll(self) -> float:
        """What a scrape asks for, and a bug of ours where one is wanted."""
        if self.is_broken:
            raise KeyError("marked")
        return 1.0

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(
                method, path, headers={name.replace("_", "-"): text for name, text in headers.items()}
            )
            reply = connection.getresponse()
            return reply.status, {name.lower(): text for name, text in reply.getheaders()}, reply.read()
        finally:
            connection.close()


@pytest.fixture(name="served")
def _served() -> Iterator[Served]:
    """A server on a free port, stopped after the test."""
    served = Served()
    yield served
    served.server.stop()


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_says_how_it_is(served: Served, path: str) -> None:
    """200 while well and 503 while not, each with the reason; the two probes are apart."""
    patient = served.alive if path == "/livez" else served.ready
    assert served.ask(path)[::2] == (200, b"fine\n")

    patient.health = Health(is_well=False, reason="last poll 61 s ago")
    assert served.ask(path)[::2] == (503, b"last poll 61 s ago\n")
    other = "/readyz" if path == "/livez" else "/livez"
    assert served.ask(other)[0] == 200


def test_metrics_are_exposed_in_both_formats(served: Served) -> None:
    """/metrics speaks Prometheus' plain format, and OpenMetrics to whoever asks for it."""
    status, headers, body = served.ask("/metrics")
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/plain")
    assert "streamer_build_info" in {family.name for family in parse_plain(body.decode())}

    status, headers, body = served.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert (status, headers["content-type"].split(";")[0]) == (200, "application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(body.decode())}  # type: ignore[no-untyped-call]
    assert "streamer_build_info" in names


def test_metrics_are_compressed_for_whoever_can_read_it(served: Served) -> None:
    """Gzip is used when asked for."""
    _, headers, body = served.ask("/metrics", Accept_Encoding="gzip")

    assert headers["content-encoding"] == "gzip"
    assert b"streamer_build_info" in gzip.decompress(body)


def test_other_paths_and_methods_are_refused(served: Served) -> None:
    """What is not served is 404 and says what is; what is not reading is 405; HEAD has no body."""
    there = b"there are /, /status.json, /metrics, /livez and /readyz\n"
    for path in ("/elsewhere", "/status", "/status.json/", "/../"):
        assert served.ask(path)[::2] == (404, there)
    for path in ("/", "/status.json", "/livez"):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
            status, headers, body = served.ask(path, method)
            assert (status, headers["allow"], body) == (405, "GET, HEAD", b"use GET\n")
        status, headers, body = served.ask(path, "HEAD")
        assert (status, body) == (200, b"")
        assert headers["content-length"] == str(len(served.ask(path)[2]))


@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/elsewhere"])
def test_head_is_answered_without_a_body(served: Served, path: str) -> None:
    """Not one byte behind the headers, which a client would take for the next reply; and the same status."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as raw:
        raw.sendall(f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
        raw.shutdown(socket.SHUT_WR)
        head, _, body = raw.makefile("rb").read().partition(b"\r\n\r\n")

    assert int(head.split()[1]) == served.ask(path)[0]
    assert body == b""


def test_a_page_is_given_its_query_and_gives_its_headers(served: Served) -> None:
    """A page decides by the query alone, and how it may be shown."""
    status, headers, body = served.ask("/?refresh=off")
    assert (status, headers["x-frame"], body) == (200, "none", b"asked: refresh=off")
    assert served.ask("/status.json")[2] == b"asked: "


@pytest.mark.parametrize("path", ["/livez", "/elsewhere"])
def test_words_are_words(served: Served, path: str) -> None:
    """No browser takes a plain reply for something else, or keeps it."""
    headers = served.ask(path)[1]
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_nothing_is_written_for_a_request(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    """Probes leave no access log, and a client that hangs up leaves no traceback."""
    served.ask("/livez")
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as rude:
        rude.sendall(b"GET /metrics HTTP/1.1\r\n")
    served.ask("/livez")

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", ["/?marked", "/status.json", "/livez", "/metrics"])
@pytest.mark.usefixtures("logging_restored")
def test_what_cannot_be_made_is_a_line_and_a_sentence(
    path: str, served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    """A bug of ours: 500, one event by type and place, and the error's own text nowhere."""
    stream = io.StringIO()
    configure_logs(log_format="json", stream=stream)
    served.is_broken = True
    status, headers, body = served.ask(path)
    head = served.ask(path, "HEAD")
    served.is_broken = False

    assert (status, headers["content-type"]) == (500, "text/plain; charset=utf-8")
    assert body.decode() == f"{FAILED}\n"
    assert (head[0], head[2]) == (500, b"")
    line, _ = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert (line["event"], line["level"]) == ("page_failed", "error")
    assert (line["path"], line["error"]) == (path.partition("?")[0], "KeyError")
    assert line["where"].startswith("test_server.py:")
    assert "marked" not in stream.getvalue() + body.decode()
    assert capfd.readouterr() == ("", "")
    assert served.ask(path)[0] == 200


def _wait_until(*, is_serving: bool) -> None:
    ends_at = time.monotonic() + 10
    while any("process_request_thread" in each.name for each in threading.enumerate()) is not is_serving:
        assert time.monotonic() < ends_at
        time.sleep(0.01)


def test_a_client_that_does_not_take_its_page_leaves_no_traceback(
    served: Served, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is hung up on when it has kept us waiting for long enough."""
    monkeypatch.setattr(server_module._QuietHandler, "timeout", 0.3)
    served.more = b"x" * 50_000_000
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as rude:
        rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        _wait_until(is_serving=True)
        _wait_until(is_serving=False)

    assert capfd.readouterr() == ("", "")


def test_a_silent_client_holds_up_nobody(served: Served) -> None:
    """A connection that sends nothing occupies a thread of its own only."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=5):
        assert served.ask("/livez")[0] == 200


def test_a_port_in_use_is_a_settings_error(served: Served) -> None:
    """A taken port is named as the setting it is, with what to do."""
    second = Server("127.0.0.1", served.port, registry_of(Metrics(mode="api")), served.alive, served.ready)

    with pytest.raises(SettingsError, match=f"STREAMER_HTTP_PORT={served.port}: cannot be listened on"):
        second.start()
    second.stop()


def test_an_unknown_host_is_a_settings_error() -> None:
    """An address that is not this machine's is named too."""
    patient = Patient()
    server = Server("192.0.2.1", 0, registry_of(Metrics(mode="api")), patient, patient)

    with pytest.raises(SettingsError, match=r"STREAMER_HTTP_HOST='192\.0\.2\.1'"):
        server.start()


def test_a_stopped_server_frees_its_port(served: Served) -> None:
    """After stop nothing listens, the port can be taken again, and stopping twice is harmless."""
    served.server.stop()
    served.server.stop()
    with pytest.raises(ConnectionRefusedError):
        served.ask("/livez")

    again = Server("127.0.0.1", served.port, registry_of(Metrics(mode="api")), served.alive, served.ready)
    assert again.start() == served.port
    again.stop()


def test_alive_means_polled_lately() -> None:
    """The probe is well before the first poll and while the last is recent, and says how old it is."""
    polled_at: float | None = None
    now = 1000.0
    probe = recent_poll(lambda: polled_at, lambda: now, limit_seconds=60)
    assert probe().is_well

    polled_at = 940.0
    assert probe() == Health(is_well=True, reason="last poll 60.0 s ago")
    now = 1000.5
    assert probe() == Health(is_well=False, reason="last poll 60.5 s ago, more than 60 s")
