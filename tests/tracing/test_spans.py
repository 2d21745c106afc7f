"""What a span says of a delivery, as a collector reads it."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk import environment_variables
from opentelemetry.semconv._incubating.attributes import http_attributes, messaging_attributes, url_attributes
from opentelemetry.semconv.attributes import error_attributes, server_attributes
from opentelemetry.semconv.attributes import http_attributes as stable_http

from streamer.app.building import limits_of, sink_of
from streamer.app.tracing import make_delivery_of
from streamer.config import load_settings
from streamer.engine.ports import Batch, Delivery, Origin
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Misconfigured,
    MisconfiguredReason,
    RefusedWhole,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.planhat.items import encode_operation
from streamer.planhat.requests import Addresses, request_for, route_of
from streamer.planhat.sink import PlanhatSink
from streamer.records import Record
from streamer.tracing import Spans, Target, Tracing
from streamer.tracing.spans import error_of
from streamer.transform.operations import DeleteEnduser, LogActivity
from tests.planhat.scripted import ScriptedServer, reply, serving
from tests.planhat.test_sink import OPERATIONS
from tests.tracing.collector import Collector, collecting, values_of
from tests.tracing.test_links import parent_of

pytestmark = pytest.mark.usefixtures("logging_restored")

TENANT: Final = "5d3c4b2a-0000-4000-8000-00000000c0de"
API_TOKEN: Final = "api-token-to-be-seen-nowhere"
PERSON: Final = "person-to-be-seen-nowhere"
PAGE: Final = (Path(__file__).parent.parent.parent / "docs" / "tracing.md").read_text(encoding="utf-8")
SAVED: Final = json.dumps({"created": 1, "updated": 0, "nonupdates": 0}).encode()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that OpenTelemetry's variables name."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        yield collector


def settings_for(server: ScriptedServer) -> dict[str, str]:
    """An environment in which all of Planhat is this server, and spans are made."""
    return {
        "STREAMER_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "STREAMER_PLANHAT_API_TOKEN": API_TOKEN,
        "STREAMER_PLANHAT_TENANT_TOKEN": TENANT,
        "STREAMER_PLANHAT_API_URL": server.url,
        "STREAMER_PLANHAT_ANALYTICS_URL": server.url,
        "STREAMER_PLANHAT_SEGMENT_URL": server.url,
        "STREAMER_TRACING": "otlp",
    }


@contextmanager
def traced_sink(server: ScriptedServer, **changes: str) -> Iterator[PlanhatSink]:
    """A sink as `app` builds it, at this server; its spans are sent when it ends."""
    settings = load_settings({**settings_for(server), **changes})
    with ExitStack() as stack:
        sink = sink_of(settings, lambda: 0, make_delivery_of(settings, stack))
        stack.callback(sink.close, 10)
        yield sink


def record_of(number: int) -> Record:
    """A record of a producer that traces."""
    return Record(
        "segment.events", 0, number, -1, b"k", PERSON.encode(), (("traceparent", parent_of(number)),)
    )


def batch_of(endpoint: Endpoint, records: int = 1, attempt: int = 1) -> Batch:
    """A batch of one operation, which stands for so many records."""
    operation = OPERATIONS[endpoint]
    origin = Origin(tuple(record_of(number + 1) for number in range(records)), "bulk", attempt)
    return Batch(1, endpoint, (operation,), (encode_operation(operation),), origin)


def only_span(collector: Collector) -> tuple[Span, dict[str, Any]]:
    """The one span that came, and what it says."""
    (span,) = collector.spans()
    return span, values_of(span)


def test_a_delivery_becomes_a_span(collector: Collector) -> None:
    """It has its own trace, begins and ends with the request, and says where it went and what it held."""
    batch = batch_of(Endpoint.ENDUSERS, records=3)
    with serving(reply(200, SAVED)) as server, traced_sink(server) as sink:
        assert sink.submit(batch)
        (delivery,) = sink.collect(10)

    span, values = only_span(collector)
    assert (span.name, span.kind, span.parent_span_id) == ("PUT /endusers", Span.SPAN_KIND_CLIENT, b"")
    assert span.end_time_unix_nano - span.start_time_unix_nano == int(delivery.seconds * 1e9)
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert values == {
        "http.request.method": "PUT",
        "http.response.status_code": 200,
        "url.template": "/endusers",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "messaging.batch.message_count": 3,
        "messaging.consumer.group.name": "planhat-streamer",
        "messaging.destination.name": "segment.events",
        "streamer.attempt": 1,
        "streamer.batch.bytes": batch.size_bytes,
        "streamer.batch.kind": "bulk",
        "streamer.endpoint": "endusers",
        "streamer.operations.accepted": 1,
        "streamer.operations.count": 1,
    }
    assert [int.from_bytes(link.span_id) for link in span.links] == [1, 2, 3]
    assert collector.resource()["service.name"] == "streamer"


def test_links_have_an_end_and_the_rest_is_counted(collector: Collector) -> None:
    """128 of 1,000 producers' spans, by OpenTelemetry's default limit."""
    with serving(reply(200, SAVED)) as server, traced_sink(server) as sink:
        sink.submit(batch_of(Endpoint.ACTIVITIES, records=1_000))
        assert sink.collect(10)

    span, values = only_span(collector)
    assert len(span.links) == 128
    assert values["streamer.links.left_out"] == 872
    assert values["messaging.batch.message_count"] == 1_000


def test_a_failure_is_an_error_by_its_word(collector: Collector) -> None:
    """A 503 at the third attempt: the status as it came, and why it is tried again."""
    with serving(reply(503, PERSON.encode())) as server, traced_sink(server) as sink:
        sink.submit(batch_of(Endpoint.ACTIVITIES, attempt=3))
        assert sink.collect(10)

    span, values = only_span(collector)
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "5xx")
    assert (values["error.type"], values["http.response.status_code"]) == ("5xx", 503)
    assert (values["streamer.attempt"], values["http.request.resend_count"]) == (3, 2)
    assert "streamer.operations.accepted" not in values


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_nothing_secret_and_nobody_stands_in_a_span(endpoint: Endpoint, collector: Collector) -> None:
    """Neither token, nor a user's id, nor what a record holds, in all the bytes that were sent."""
    mode = "passthrough" if endpoint is Endpoint.SEGMENT else "api"
    with (
        serving(reply(503, PERSON.encode())) as server,
        traced_sink(server, STREAMER_PLANHAT_MODE=mode) as sink,
    ):
        sink.submit(batch_of(endpoint))
        assert sink.collect(10)

    assert len(collector.spans()) == 1
    assert len(server.seen) == 1
    sent = b"".join(collector.bodies)
    for hidden in (TENANT, API_TOKEN, PERSON, "u-1", "u 1", "acme.example", "Signed Up"):
        assert hidden.encode() not in sent


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_the_path_of_a_span_is_that_of_the_request(endpoint: Endpoint) -> None:
    """But for the tenant token and the id, which no span may hold."""
    operation = OPERATIONS[endpoint]
    urls = Addresses("https://p", "https://p", TENANT, "https://p")
    request = request_for(endpoint, (encode_operation(operation),), urls)
    method, path = route_of(endpoint)

    assert method == request.method
    assert path.format(tenant=TENANT, id="extid-u%201") == request.url.removeprefix("https://p")


def test_the_path_of_an_archiving(collector: Collector) -> None:
    """An enduser that is archived is changed, not deleted."""
    operation = DeleteEnduser("u-1", None, archives=True)
    batch = Batch(1, Endpoint.DELETIONS, (operation,), (encode_operation(operation),))
    with serving(reply(200, b'{"modifiedCount":1}')) as server, traced_sink(server) as sink:
        sink.submit(batch)
        assert sink.collect(10)

    assert only_span(collector)[0].name == "PUT /endusers/{id}"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (Answered((Verdict.ACCEPTED, Verdict.REFUSED)), None),
        (Answered((Verdict.UNCLEAR,)), None),
        (Answered((Verdict.REFUSED, Verdict.REFUSED)), "refused"),
        (Answered((Verdict.REFUSED, Verdict.MISSING)), "refused"),
        (Answered((Verdict.REFUSED, Verdict.UNCLEAR)), None),
        (RefusedWhole(400), "refused_whole"),
        *((Transient(reason), reason.value) for reason in TransientReason),
        *((Misconfigured(reason, 401), reason.value) for reason in MisconfiguredReason),
    ],
)
def test_errors_are_of_a_closed_set(answer: Answer, word: str | None) -> None:
    """Every treatment has its word; a bulk of which a part came through is no error."""
    assert error_of(answer) == word


def test_verdicts_are_counted_each(collector: Collector) -> None:
    """What became of a bulk's operations, by the reply."""
    verdicts = (Verdict.ACCEPTED, Verdict.REFUSED, Verdict.ACCEPTED)
    operation = LogActivity("u-1", None, None, "Opened", None, 1.0)
    batch = Batch(1, Endpoint.ACTIVITIES, (operation,) * 3, (b"{}",) * 3)
    tracing = Tracing()
    target = Target("POST", "/x", "p", 443)
    spans = Spans(
        tracing.tracer, lambda _: target, topic="t", group="g", most_links=1, waiting=tracing.waiting
    )
    spans.tell(Delivery(batch, Answered(verdicts), 0.1, 200))
    assert tracing.close()

    _, values = only_span(collector)
    counted = {name: count for name, count in values.items() if name.startswith("streamer.operations.")}
    assert counted == {
        "streamer.operations.accepted": 2,
        "streamer.operations.count": 3,
        "streamer.operations.refused": 1,
    }
    assert "messaging.batch.message_count" not in values


def test_the_names_are_those_of_the_conventions_and_of_the_page(collector: Collector) -> None:
    """Where OpenTelemetry has a name, ours is that one; docs/tracing.md explains each that there is."""
    with serving(reply(503)) as server, traced_sink(server) as sink:
        sink.submit(batch_of(Endpoint.ENDUSERS, records=200, attempt=2))
        assert sink.collect(10)

    _, values = only_span(collector)
    assert {name for name in values if not name.startswith("streamer.")} == {
        error_attributes.ERROR_TYPE,
        http_attributes.HTTP_REQUEST_RESEND_COUNT,
        messaging_attributes.MESSAGING_BATCH_MESSAGE_COUNT,
        messaging_attributes.MESSAGING_CONSUMER_GROUP_NAME,
        messaging_attributes.MESSAGING_DESTINATION_NAME,
        server_attributes.SERVER_ADDRESS,
        server_attributes.SERVER_PORT,
        stable_http.HTTP_REQUEST_METHOD,
        stable_http.HTTP_RESPONSE_STATUS_CODE,
        url_attributes.URL_TEMPLATE,
    }
    verdicts = {f"streamer.operations.{verdict.value}" for verdict in Verdict}
    (table,) = re.findall(r"^\| attribute \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    explained = {name for row in table.splitlines() for name in re.findall(r"`(.*?)`", row.split("|")[1])}
    assert explained == set(values) | verdicts


def test_the_page_names_every_word_of_an_error() -> None:
    """No more and no fewer than there are."""
    (words,) = re.findall(
        r"^`error.type` is one of these:(.*?)It is `connection` too", PAGE, re.MULTILINE | re.DOTALL
    )

    answers: list[Answer] = [Answered((Verdict.REFUSED,)), RefusedWhole(400)]
    answers += [Transient(reason) for reason in TransientReason]
    answers += [Misconfigured(reason, 401) for reason in MisconfiguredReason]
    assert set(re.findall(r"`(.*?)`", words)) == {error_of(answer) for answer in answers}


def test_the_page_names_variables_that_there_are() -> None:
    """Each is one that OpenTelemetry's library knows."""
    named = set(re.findall(r"`(OTEL_[A-Z_]+)`", PAGE))

    assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_TRACES_SAMPLER"} <= named
    assert [name for name in sorted(named) if not hasattr(environment_variables, name)] == []


def test_off_makes_deliveries_and_nothing_else() -> None:
    """By default the sink makes its deliveries by the class itself, and no batch says where it is from."""
    with serving(reply(200, SAVED)) as server:
        settings = load_settings({**settings_for(server), "STREAMER_TRACING": "off"})
        with ExitStack() as stack:
            assert make_delivery_of(settings, stack) is Delivery
        assert not limits_of(settings).tells_origin
        assert limits_of(load_settings(settings_for(server))).tells_origin
