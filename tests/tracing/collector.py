"""A collector that takes OTLP over HTTP for real: protobuf, decoded by OpenTelemetry's own messages."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.real_kafka.member import wait_until

PATH: Final = "/v1/traces"


class Collector:
    """What came in, and how it is answered."""

    def __init__(self) -> None:
        self.status = 200
        self.answers = threading.Event()
        """Cleared, requests are taken and not answered."""
        self.answers.set()
        self.bodies: list[bytes] = []
        """As they came, but uncompressed; those answered with an error too."""
        self.headers: list[dict[str, str]] = []
        self.taken: list[ExportTraceServiceRequest] = []
        self.url = ""

    def spans(self) -> list[Span]:
        """Every span that was taken, in the order it came."""
        return [
            span
            for request in self.taken
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait_for(self, count: int) -> list[Span]:
        """At least so many spans."""
        wait_until(lambda: len(self.spans()) >= count, 15, f"{count} spans arrive")
        return self.spans()

    def resource(self) -> dict[str, Any]:
        """Who made the first of them."""
        return values_of(self.taken[0].resource_spans[0].resource)


def values_of(carrier: Any) -> dict[str, Any]:
    """The attributes of a span, a link or a resource."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in carrier.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on loopback."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.bodies.append(body)
            collector.headers.append({name.lower(): text for name, text in self.headers.items()})
            collector.answers.wait(30)
            status = collector.status if self.path.partition("?")[0] == PATH else 404
            if status == 200:
                assert self.headers["Content-Type"] == "application/x-protobuf"
                collector.taken.append(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                self.close_connection = True  # who asked did not wait

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that went away is part of the game."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield collector
        finally:
            collector.answers.set()
            server.shutdown()
            thread.join()
