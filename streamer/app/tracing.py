"""Spans of deliveries, where the settings ask for them; OpenTelemetry is imported there and nowhere else."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from streamer.config import Otlp, Settings, Tracing, read_otlp
from streamer.engine.ports import Batch, Delivery
from streamer.errors import SettingsError
from streamer.logs import redact_also
from streamer.outcomes import Answer, Host
from streamer.planhat.requests import route_of
from streamer.planhat.sink import MakeDelivery
from streamer.transform.operations import DeleteEnduser

if TYPE_CHECKING:
    from streamer import tracing
    from streamer.tracing.dropped import TellDropped

INSTALL: Final = 'pip install "segment-planhat-streamer[tracing]"'
_PORTS: Final = {"http": 80, "https": 443}


def _tell_nobody(_reason: str, _count: int) -> None:
    """What has no metrics has the log alone."""


def make_delivery_of(
    settings: Settings,
    stack: ExitStack,
    dropped: "TellDropped" = _tell_nobody,
    *,
    topic: str | None = None,
    group: str | None = None,
) -> MakeDelivery:
    """What a sink makes deliveries with: `Delivery` itself, and where tracing is on a span of each.

    `dropped` is told of spans that never come to the collector.
    `topic` and `group`: what records are read from and by, where that is not as the settings have it.
    `stack` ends it, so enter this before the sink. Raises SettingsError where spans cannot be made.
    """
    if settings.tracing is Tracing.OFF:
        return Delivery
    # Loaded only here: it takes memory and time that nobody should pay for who does not use it.
    made, _ = tracing_of(dropped)
    stack.callback(made.close)
    return traced(_spans_of(settings, made, topic or settings.kafka_topic, group or settings.kafka_group_id))


def tracing_of(dropped: "TellDropped" = _tell_nobody) -> tuple["tracing.Tracing", Otlp]:
    """The way to the collector that OpenTelemetry's variables name. Raises SettingsError."""
    collector = read_otlp()
    if collector.problems:
        raise SettingsError(list(collector.problems))
    redact_also(collector.secrets)
    try:
        from streamer.tracing import Tracing as Way  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        problem = (
            "STREAMER_TRACING='otlp': OpenTelemetry is not installed. Nothing was read or sent. Install it: "
        )
        raise SettingsError([problem + INSTALL]) from None
    return Way(collector.queue_size, dropped), collector


def _spans_of(settings: Settings, made: "tracing.Tracing", topic: str, group: str) -> "tracing.Spans":
    from streamer.tracing import Spans, Target  # noqa: PLC0415 - see above

    urls = {
        Host.MAIN: settings.planhat_api_url,
        Host.ANALYTICS: settings.planhat_analytics_url,
        Host.SEGMENT: settings.planhat_segment_url,
    }
    places = {host: _place_of(url) for host, url in urls.items()}

    def target_of(batch: Batch) -> Target:
        first = batch.operations[0]
        archives = isinstance(first, DeleteEnduser) and bool(first.archives)
        return Target(*route_of(batch.endpoint, archives=archives), *places[batch.endpoint.host])

    return Spans(
        made.tracer, target_of, topic=topic, group=group, most_links=made.most_links, waiting=made.waiting
    )


def _place_of(url: str) -> tuple[str, int]:
    """Host and port alone: what else a base URL holds may be secret."""
    address = urlsplit(url)
    return address.hostname or "", address.port or _PORTS.get(address.scheme, 0)


def traced(spans: "tracing.Spans") -> MakeDelivery:
    """Makes deliveries and tells each of them, on the thread that made the request: not on the owner's."""

    def make(
        batch: Batch, answer: Answer, seconds: float, status: int | None, remaining_calls: int | None
    ) -> Delivery:
        delivery = Delivery(batch, answer, seconds, status, remaining_calls)
        spans.tell(delivery)
        return delivery

    return make
