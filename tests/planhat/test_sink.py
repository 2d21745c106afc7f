"""The sink over real sockets: batches in, deliveries out, nothing waits that must not."""

import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from streamer.engine.ports import Batch, Delivery, Sink
from streamer.errors import PlanhatMisconfigured, StreamerError
from streamer.outcomes import (
    Answered,
    Endpoint,
    Misconfigured,
    MisconfiguredReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.planhat.credentials import Credentials
from streamer.planhat.items import encode_operation
from streamer.planhat.requests import PIECE_BYTES
from streamer.planhat.sink import API_WORKERS, PlanhatSink
from streamer.transform.operations import (
    DeleteEnduser,
    ForwardCall,
    LogActivity,
    MetricModel,
    Operation,
    PushMetric,
    UpsertCompany,
    UpsertEnduser,
)
from tests.planhat.scripted import Act, ScriptedServer, drip, raw, reply, serving

pytestmark = pytest.mark.timeout(60)

OPERATIONS: dict[Endpoint, Operation] = {
    Endpoint.COMPANIES: UpsertCompany("acme", {"name": "Acme"}),
    Endpoint.ENDUSERS: UpsertEnduser("u-1", "u-1@acme.example", "acme"),
    Endpoint.ACTIVITIES: LogActivity("u-1", None, None, "Signed Up", None, 1.0),
    Endpoint.METRICS: PushMetric("acme", MetricModel.COMPANY, "seats", 5, None),
    Endpoint.DELETIONS: DeleteEnduser("u 1", None),
    Endpoint.SEGMENT: ForwardCall("u-1", None, None, {"type": "track", "user_id": "u-1"}),
}
SAVED = json.dumps({"created": 1, "updated": 0, "nonupdates": 0}).encode()
ACCEPTED = Answered((Verdict.ACCEPTED,))

OpenSink = Callable[..., AbstractContextManager[PlanhatSink]]


def batch_of(endpoint: Endpoint, number: int = 1) -> Batch:
    """A batch of one operation, encoded as the pipeline encodes it."""
    operation = OPERATIONS[endpoint]
    return Batch(number, endpoint, (operation,), (encode_operation(operation),))


@contextmanager
def sink_at(
    server: ScriptedServer,
    *,
    read_credentials: Callable[[], Credentials] = lambda: Credentials("api-1", "tenant-1"),
    membership: Callable[[], int | None] = lambda: 0,
    deadline_seconds: float = 5.0,
    analytics_url: str | None = None,
) -> Iterator[PlanhatSink]:
    """A sink all of whose hosts are this server, closed at the end with every thread of it."""
    sink = PlanhatSink(
        api_url=server.url,
        analytics_url=analytics_url or server.url,
        segment_url=server.url,
        read_credentials=read_credentials,
        membership=membership,
        make_delivery=Delivery,
        main_deadline_seconds=deadline_seconds,
        analytics_deadline_seconds=deadline_seconds,
        workers={**API_WORKERS, Endpoint.ACTIVITIES: 2, Endpoint.METRICS: 2, Endpoint.SEGMENT: 3},
    )
    try:
        yield sink
    finally:
        assert sink.close(10)


def _saved(endpoint: Endpoint) -> bytes:
    """What says there that one was taken."""
    texts = {Endpoint.METRICS: b'{"processed":1,"errors":[]}', Endpoint.DELETIONS: b'{"deletedCount":0}'}
    return texts.get(endpoint, SAVED)


def hold_until(released: threading.Event, then: Act) -> Act:
    """The same act, but not before the test says so."""

    def act(connection: socket.socket, closing: threading.Event) -> bool:
        assert released.wait(10)
        return then(connection, closing)

    return act


def as_engine_sink(sink: Sink) -> Sink:
    """What mypy must accept: the port, satisfied by shape."""
    return sink


@pytest.mark.parametrize(
    ("endpoint", "line", "authorization", "body"),
    [
        (Endpoint.COMPANIES, "PUT /companies HTTP/1.1", "Bearer api-1", b"[%b]"),
        (Endpoint.ENDUSERS, "PUT /endusers HTTP/1.1", "Bearer api-1", b"[%b]"),
        (Endpoint.ACTIVITIES, "POST /analytics/bulk/tenant-1 HTTP/1.1", None, b"[%b]"),
        (Endpoint.METRICS, "POST /dimensiondata/tenant-1 HTTP/1.1", "Bearer api-1", b"[%b]"),
        (Endpoint.DELETIONS, "DELETE /endusers/extid-u%201 HTTP/1.1", "Bearer api-1", b""),
        (Endpoint.SEGMENT, "POST /dock/segment HTTP/1.1", "Basic dGVuYW50LTE6", b"%b"),
    ],
)
def test_a_batch_becomes_one_request_and_one_delivery(
    endpoint: Endpoint, line: str, authorization: str | None, body: bytes
) -> None:
    """The items arrive as JSON, most in an array; answer, status and quota come back beside the batch."""
    headers = "X-Rate-Limit-Remaining: 159\r\n"
    with serving(reply(200, _saved(endpoint), headers=headers)) as server, sink_at(server) as sink:
        batch = batch_of(endpoint)
        assert as_engine_sink(sink).submit(batch)
        (delivery,) = sink.collect(10)

    assert (delivery.batch, delivery.answer) == (batch, ACCEPTED)
    assert (delivery.status, delivery.remaining_calls) == (200, 159)
    assert 0 < delivery.seconds < 10
    (seen,) = server.seen
    assert (seen.line, seen.headers.get("authorization")) == (line, authorization)
    assert seen.body == (body % batch.items[0] if body else b"")


def test_a_worker_lets_go_of_what_it_has_sent() -> None:
    """Else each idle one would hold its last bulk, megabytes, until the next came. A long one comes whole."""
    item = b'"' + b"x" * 3 * PIECE_BYTES + b'"'
    before = sys.getrefcount(item)
    with serving(reply(200, SAVED)) as server, sink_at(server) as sink:
        operations = batch_of(Endpoint.ENDUSERS).operations
        assert sink.submit(Batch(1, Endpoint.ENDUSERS, operations, (item,)))
        assert len(sink.collect(10)) == 1
        deadline = time.monotonic() + 10
        while sys.getrefcount(item) > before and time.monotonic() < deadline:
            time.sleep(0.005)
        assert sys.getrefcount(item) == before

    (seen,) = server.seen
    assert "transfer-encoding" not in seen.headers
    assert seen.headers["content-length"] == str(len(item) + 2)
    assert seen.body == b"[" + item + b"]"


def test_a_batch_is_refused_when_every_worker_of_its_endpoint_is_busy() -> None:
    """One request per endpoint of the main API, elsewhere one per worker; none blocks others."""
    released = threading.Event()
    with serving(hold_until(released, reply(200, SAVED))) as server, sink_at(server) as sink:
        taken = {endpoint: [sink.submit(batch_of(endpoint, n)) for n in range(4)] for endpoint in Endpoint}
        assert sink.collect(0) == []
        released.set()
        numbers = [delivery.batch.endpoint for delivery in collect_all(sink, 10)]

        assert taken == {
            Endpoint.COMPANIES: [True, False, False, False],
            Endpoint.ENDUSERS: [True, False, False, False],
            Endpoint.ACTIVITIES: [True, True, False, False],
            Endpoint.METRICS: [True, True, False, False],
            Endpoint.DELETIONS: [True, False, False, False],
            Endpoint.SEGMENT: [True, True, True, False],
        }
        assert Counter(numbers) == {endpoint: answers.count(True) for endpoint, answers in taken.items()}


def test_whoever_has_a_delivery_finds_its_worker_free() -> None:
    """So the engine may submit in the same turn it collects."""
    with serving(reply(200, SAVED)) as server, sink_at(server) as sink:
        for number in range(50):
            assert sink.submit(batch_of(Endpoint.ENDUSERS, number))
            assert [delivery.batch.number for delivery in sink.collect(10)] == [number]


def collect_all(sink: PlanhatSink, count: int) -> list[Delivery]:
    """This many deliveries."""
    deliveries: list[Delivery] = []
    while len(deliveries) < count:
        found = sink.collect(10)
        assert found
        deliveries += found
    return deliveries


@pytest.mark.parametrize(
    ("act", "status", "reason"),
    [
        (raw(b"", reset=True), None, TransientReason.CONNECTION),
        (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b" ", 0.02), None, TransientReason.TIMEOUT),
        (
            reply(200, b"<html>Sign in</html>", headers="Content-Type: text/html\r\n"),
            200,
            TransientReason.UNREADABLE,
        ),
        (reply(503, b"busy", headers=""), 503, TransientReason.SERVER_ERROR),
    ],
    ids=["reset", "drip", "a page of HTML", "503"],
)
def test_a_failed_request_is_a_transient_delivery(
    act: Act, status: int | None, reason: TransientReason
) -> None:
    """No reply, none in time, none of Planhat's, or an outage: the batch comes back to be sent again."""
    with serving(act, reply(200, SAVED)) as server, sink_at(server, deadline_seconds=0.4) as sink:
        sink.submit(batch_of(Endpoint.ENDUSERS))
        (failed,) = sink.collect(10)
        sink.submit(batch_of(Endpoint.ENDUSERS))
        (mended,) = sink.collect(10)

    assert (failed.answer, failed.status) == (Transient(reason), status)
    assert mended.answer == ACCEPTED


def test_nothing_is_sent_when_sending_is_forbidden() -> None:
    """A replica that may have lost its partitions gives the batch back; nobody hears of it."""
    with serving(reply(200, SAVED)) as server, sink_at(server, membership=lambda: None) as sink:
        assert sink.submit(batch_of(Endpoint.ACTIVITIES))
        (delivery,) = sink.collect(10)

    assert (delivery.answer, delivery.status) == (Transient(TransientReason.CONNECTION), None)
    assert server.connections == 0


_QUESTIONS: dict[Endpoint, int] = dict.fromkeys(Endpoint, 4) | {Endpoint.DELETIONS: 2}
"""Of one request: by its worker, before its head, its body and the last byte; a deletion has no body."""


@pytest.mark.parametrize("then", [None, 8], ids=["lost", "another membership"])
@pytest.mark.parametrize("endpoint", Endpoint)
def test_a_request_that_may_not_go_on_never_arrives_whole(endpoint: Endpoint, then: int | None) -> None:
    """Whenever a replica loses its partitions, or wakes to find them lost: before any piece of a request.

    It closes that connection, and later goes on by another. That it is a member again makes nothing of the
    request its own again.
    """
    batch, asked, allowed = batch_of(endpoint), 0, sys.maxsize

    def membership() -> int | None:
        nonlocal asked
        asked += 1
        return 7 if asked <= allowed else then

    with serving(reply(200, _saved(endpoint))) as server, sink_at(server, membership=membership) as sink:
        sink.submit(batch)
        assert [each.answer for each in sink.collect(10)] == [ACCEPTED]
        # The first is what the request begins with, and no question yet.
        assert asked == 1 + _QUESTIONS[endpoint]
        for questions in range(_QUESTIONS[endpoint]):
            asked, allowed = 0, 1 + questions
            sink.submit(batch)
            (stopped,) = sink.collect(10)
            assert (stopped.answer, stopped.status) == (Transient(TransientReason.CONNECTION), None)
        allowed = sys.maxsize
        sink.submit(batch)
        assert [each.answer for each in sink.collect(10)] == [ACCEPTED]

    assert len(server.seen) == 2


def test_new_credentials_are_used_from_the_next_request_on() -> None:
    """Tokens rotate in their files; a hold that re-reads them ends without a restart."""
    pairs = iter([Credentials("old", "tenant-old"), Credentials("new", "tenant-new")])
    acts = reply(401, b"Unauthorized"), reply(200, SAVED)
    with serving(*acts) as server, sink_at(server, read_credentials=lambda: next(pairs)) as sink:
        sink.submit(batch_of(Endpoint.ENDUSERS))
        (refused,) = sink.collect(10)
        sink.refresh_credentials()
        sink.submit(batch_of(Endpoint.ENDUSERS))
        (accepted,) = sink.collect(10)
        sink.submit(batch_of(Endpoint.ACTIVITIES))
        sink.collect(10)

    assert refused.answer == Misconfigured(MisconfiguredReason.CREDENTIALS, 401)
    assert accepted.answer == ACCEPTED
    assert [seen.headers.get("authorization") for seen in server.seen] == ["Bearer old", "Bearer new", None]
    assert server.seen[-1].line == "POST /analytics/bulk/tenant-new HTTP/1.1"


def test_a_bug_in_a_worker_surfaces_in_the_owner_thread_without_its_text() -> None:
    """`collect` ends the process naming type and place; the text, which may hold a trait, is left out.

    Every later call says the same: the failed batch has no answer to wait for.
    """

    def broken() -> int:
        raise KeyError("u-1@acme.example")

    with serving(reply(200, SAVED)) as server, sink_at(server, membership=broken) as sink:
        assert sink.submit(batch_of(Endpoint.ENDUSERS))
        for _ in range(3):
            with pytest.raises(StreamerError, match=r"KeyError in broken, test_sink\.py line") as caught:
                sink.collect(10)

    assert "u-1@acme.example" not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"


def test_an_address_that_makes_no_request_surfaces_too() -> None:
    """It would fail for ever: the process ends with the exit code of a misconfiguration."""
    with serving(reply(200)) as server, sink_at(server, analytics_url="ftp://127.0.0.1") as sink:
        sink.submit(batch_of(Endpoint.ACTIVITIES))
        with pytest.raises(PlanhatMisconfigured) as caught:
            sink.collect(10)

    assert "tenant-1" not in str(caught.value)


def test_collecting_waits_no_longer_than_told() -> None:
    """With nothing under way an empty list comes back, at once or after the time-out."""
    with serving(reply(200)) as server, sink_at(server) as sink:
        assert sink.collect(0) == []
        assert sink.collect(0.01) == []


def test_a_closed_sink_takes_nothing_but_ends_what_is_under_way() -> None:
    """A request already sent has its answer collected after the close."""
    released = threading.Event()
    with serving(hold_until(released, reply(200, SAVED))) as server, sink_at(server) as sink:
        sink.submit(batch_of(Endpoint.ENDUSERS))
        assert not sink.close(0)
        assert not sink.submit(batch_of(Endpoint.COMPANIES))
        released.set()
        assert sink.close(10)
        (delivery,) = sink.collect(0)

    assert delivery.answer == ACCEPTED


def test_the_sink_still_works_after_a_hundred_failed_requests() -> None:
    """Every worker is alive and free afterwards."""
    bad = [raw(b"", reset=True), raw(b"HTTP/1.1 200 OK\r\n"), reply(500, b"oops"), reply(200, b"{")]
    with serving(*(bad * 25), reply(200, SAVED)) as server, sink_at(server) as sink:
        for number in range(50):
            assert sink.submit(batch_of(Endpoint.ACTIVITIES, number))
            assert sink.submit(batch_of(Endpoint.ENDUSERS, number))
            collect_all(sink, 2)
        for endpoint in (Endpoint.COMPANIES, Endpoint.ENDUSERS, Endpoint.ACTIVITIES):
            assert sink.submit(batch_of(endpoint))
        assert [delivery.answer for delivery in collect_all(sink, 3)] == [ACCEPTED] * 3
