"""A collector that is away, slow or broken costs spans and one line; no secret stands anywhere."""

import io
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

from streamer.app.tracing import tracing_of
from streamer.engine.ports import Batch, Delivery
from streamer.errors import SettingsError
from streamer.logs import configure_logs
from streamer.outcomes import Answered, Endpoint, Verdict
from streamer.tracing import Spans, Target, Tracing
from streamer.transform.operations import LogActivity
from tests.tracing.collector import Collector, collecting

pytestmark = pytest.mark.usefixtures("logging_restored")

SECRET: Final = "collector-key-to-be-seen-nowhere"
TARGET: Final = Target("POST", "/x", "p", 443)
DELIVERED: Final = Delivery(
    Batch(1, Endpoint.ACTIVITIES, (LogActivity("u-1", None, None, "Opened", None, 1.0),), (b"{}",)),
    Answered((Verdict.ACCEPTED,)),
    0.1,
    200,
)


@pytest.fixture(autouse=True)
def threads_end_here() -> Iterator[None]:
    """What a test leaves behind of OpenTelemetry's threads ends with it, and says nothing into the next."""
    yield
    for thread in threading.enumerate():
        if thread.name in {"last-spans", "OtelBatchSpanRecordProcessor"}:
            thread.join(15)
            assert not thread.is_alive()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector with a key, that OpenTelemetry's variables name."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"api-key={SECRET}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        yield collector


@pytest.fixture
def told() -> io.StringIO:
    """The log, from here on."""
    stream = io.StringIO()
    configure_logs(log_format="json", stream=stream)
    return stream


def lines_of(told: io.StringIO) -> list[dict[str, Any]]:
    """What was logged."""
    return [json.loads(line) for line in told.getvalue().splitlines()]


def spans_of(tracing: Tracing) -> Spans:
    """What makes spans that go that way."""
    return Spans(
        tracing.tracer,
        lambda _: TARGET,
        topic="t",
        group="g",
        most_links=tracing.most_links,
        waiting=tracing.waiting,
    )


class Dropped:
    """What was told of dropped spans, as the metrics take it; by several threads it would be miscounted."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._busy = threading.Lock()

    def __call__(self, reason: str, count: int) -> None:
        assert self._busy.acquire(blocking=False)
        self.counts[reason] += count
        self._busy.release()


def make(tracing: Tracing, count: int = 1) -> float:
    """So many spans; the seconds that whoever makes them had to wait."""
    spans, began = spans_of(tracing), time.monotonic()
    for _ in range(count):
        spans.tell(DELIVERED)
    return time.monotonic() - began


def test_the_variables_of_opentelemetry_say_where_and_who(
    collector: Collector, told: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoint, headers, compression, names, the limit of links and the sampler: none of them is ours."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "events-to-planhat")
    monkeypatch.setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "7")
    tracing, _ = tracing_of()
    make(tracing)
    assert tracing.close()

    assert len(collector.spans()) == 1
    assert collector.headers[0]["api-key"] == SECRET
    assert collector.headers[0]["content-encoding"] == "gzip"
    assert collector.resource()["service.name"] == "events-to-planhat"
    assert collector.resource()["deployment.environment.name"] == "test"
    assert tracing.most_links == 7
    assert told.getvalue() == ""


def test_a_sampler_that_takes_nothing(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_TRACES_SAMPLER is in force as it is."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    tracing, _ = tracing_of()
    make(tracing, 3)
    assert tracing.close()

    assert collector.bodies == []


def test_a_collector_that_fails_costs_spans_and_one_line(collector: Collector, told: io.StringIO) -> None:
    """Batch upon batch is answered 500: one line, at WARNING, by its name."""
    collector.status = 500
    tracing, _ = tracing_of()
    for count in range(1, 4):
        make(tracing)
        _wait_until(lambda count=count: len(collector.bodies) >= count)
    assert tracing.close()

    (line,) = lines_of(told)
    assert (line["event"], line["level"]) == ("tracing_failed", "warning")
    assert "500" in line["text"]
    assert collector.taken == []


def test_a_collector_that_is_away_costs_spans_and_one_line(
    told: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens: what is left at the end is given up in time, and the query's secret is not told."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/traces?key={SECRET}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        tracing, collector = tracing_of()
        waited = make(tracing, 50)
        _wait_until(lambda: bool(told.getvalue()))
        began = time.monotonic()
        assert not tracing.close(0.2)
        closing = time.monotonic() - began

    (line,) = lines_of(told)
    assert line["event"] == "tracing_failed"
    assert SECRET not in told.getvalue() + collector.shown_endpoint
    assert "****" in line["text"]
    assert waited < 2
    assert closing < 2


def test_a_collector_that_never_answers_holds_nobody_up(
    collector: Collector, told: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More spans than the queue holds: making them waits for nothing, and neither does the end."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "50")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    collector.answers.clear()
    tracing, _ = tracing_of()
    make(tracing)
    _wait_until(lambda: bool(collector.bodies))
    waited = make(tracing, 500)
    began = time.monotonic()
    assert not tracing.close(0.2)
    closing = time.monotonic() - began
    collector.answers.set()

    assert waited < 5
    assert closing < 2
    assert len(collector.spans()) < 100
    (line,) = lines_of(told)
    assert line["event"] == "tracing_failed"
    assert line["text"] == "the queue of 50 spans is full, and new ones are dropped"


def test_spans_for_which_there_is_no_room_are_counted(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By several threads at once, while the collector keeps still: what is not counted arrives, all of it."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "50")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    collector.answers.clear()
    dropped = Dropped()
    tracing, _ = tracing_of(dropped)
    makers = [threading.Thread(target=make, args=(tracing, 100)) for _ in range(5)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert dropped.counts["queue_full"] >= 500 - 50 - 10
    collector.answers.set()
    assert tracing.close(10)

    assert set(dropped.counts) == {"queue_full"}
    assert len(collector.spans()) + dropped.counts.total() == 500


def test_spans_that_are_not_taken_are_counted(collector: Collector) -> None:
    """Whatever the collector answers; and what it takes afterwards is not."""
    collector.status = 400
    dropped = Dropped()
    tracing, _ = tracing_of(dropped)
    make(tracing, 3)
    _wait_until(lambda: dropped.counts.total() == 3)
    collector.status = 200
    make(tracing, 2)
    assert tracing.close(10)

    assert dropped.counts == {"not_taken": 3}
    assert len(collector.spans()) == 2


def test_what_no_sampler_keeps_is_not_dropped(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: they take no room in the queue."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "5")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    dropped = Dropped()
    tracing, _ = tracing_of(dropped)
    make(tracing, 20)
    assert tracing.close()

    assert not dropped.counts
    assert collector.bodies == []


def test_spans_that_are_lost_at_the_end_are_told(collector: Collector, told: io.StringIO) -> None:
    """Nothing failed before, so nothing else tells that the last spans are missing."""
    collector.answers.clear()
    tracing, _ = tracing_of()
    make(tracing)
    assert not tracing.close(0.1)
    collector.answers.set()

    (line,) = lines_of(told)
    assert line["event"] == "tracing_failed"
    assert line["text"] == "the last spans were not sent within 0.1 s, and are lost"


def test_what_opentelemetry_repeats_of_a_bad_header_is_masked(
    collector: Collector, told: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It logs an entry that it cannot read; the entry is a secret all the same."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"Bearer {SECRET},x-key={SECRET}-2")
    tracing, _ = tracing_of()
    assert tracing.close()

    assert "Header format invalid" in lines_of(told)[0]["text"]
    assert SECRET not in told.getvalue()
    assert collector.bodies == []


def test_a_span_that_cannot_be_made_stops_nothing(collector: Collector, told: io.StringIO) -> None:
    """Our own mistake costs the span; the line tells type and place, not the error's words."""

    def target_of(_: Batch) -> Target:
        raise KeyError(SECRET)

    dropped = Dropped()
    tracing, _ = tracing_of(dropped)
    Spans(tracing.tracer, target_of, topic="t", group="g", most_links=1, waiting=tracing.waiting).tell(
        DELIVERED
    )
    assert tracing.close()

    (line,) = lines_of(told)
    assert line["event"] == "tracing_failed"
    assert "KeyError at test_exporting.py:" in line["text"]
    assert dropped.counts == {"not_made": 1}
    assert SECRET not in told.getvalue()
    assert collector.spans() == []


def test_opentelemetry_can_be_disabled_as_a_whole(
    collector: Collector, told: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own switch, which others set for all their programs: no span, and nothing to be told."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "True")
    tracing, found = tracing_of()
    make(tracing, 3)
    assert tracing.close()

    assert found.is_disabled
    assert collector.bodies == []
    assert told.getvalue() == ""


def test_the_end_leaves_no_thread_behind(collector: Collector) -> None:
    """Where the collector answers."""
    before = set(threading.enumerate())
    tracing, _ = tracing_of()
    make(tracing)
    assert tracing.close()

    assert set(threading.enumerate()) - before == _threads_of(collector, before)


@pytest.mark.parametrize(
    ("name", "text"),
    [("OTEL_ATTRIBUTE_COUNT_LIMIT", SECRET), ("OTEL_BSP_MAX_QUEUE_SIZE", "5")],
)
def test_what_opentelemetry_refuses_is_a_settings_error(
    name: str, text: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exit 2, before anything is read; the variable is named, and what it says is not repeated."""
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError, match=r"OTEL_\*: OpenTelemetry cannot be set up") as raised:
        tracing_of()

    assert raised.value.exit_code == 2
    assert name in str(raised.value)
    assert SECRET not in str(raised.value)
    assert collector.bodies == []


def _threads_of(_: Collector, before: set[threading.Thread]) -> set[threading.Thread]:
    """Those of the collector's own connections."""
    found = set(threading.enumerate()) - before
    return {thread for thread in found if "process_request_thread" in thread.name}


def _wait_until(is_so: Any) -> None:
    ends_at = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.01)
