"""From spans to a collector: OpenTelemetry's own exporter, over HTTP, on a thread of its own.

Its variables say where, how much and which of them (`OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`,
`OTEL_TRACES_SAMPLER`, ...). A collector that is away, slow or refuses costs spans, and nothing else.
"""

import logging
import threading
from typing import Final

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Tracer

from streamer import __version__
from streamer.config import QUEUE_SIZE, otel_names
from streamer.errors import SettingsError
from streamer.logs import Event, one_line_for
from streamer.tracing.dropped import CountedExporter, CountedProcessor, TellDropped, Waiting

logger: Final = logging.getLogger("streamer.tracing")

CLOSE_SECONDS: Final = 2.0
"""What the last spans may take: the end of a process does not wait longer for them."""
MOST_LINKS: Final = 128
"""Of one span, where OpenTelemetry's variable says that there is no limit."""


class Tracing:
    """The way of spans to a collector, open until `close`."""

    def __init__(
        self, queue_size: int = QUEUE_SIZE, dropped: TellDropped = lambda _reason, _count: None
    ) -> None:
        """Connects nothing yet. Raises SettingsError where OpenTelemetry refuses its variables.

        At most `queue_size` spans wait.
        """
        one_line_for(["opentelemetry", logger.name], Event.TRACING_FAILED)
        self.waiting: Final = Waiting(queue_size, dropped)
        try:
            self._exporter = CountedExporter(self.waiting)
            limits = SpanLimits()
            # Not at the interpreter's exit, which it would hold up for half a minute: `close` is bounded.
            self._provider = TracerProvider(resource=_resource(), span_limits=limits, shutdown_on_exit=False)
            self._provider.add_span_processor(CountedProcessor(self._exporter, queue_size, self.waiting))
        except (ValueError, RuntimeError, ImportError, OSError) as error:
            # Not its text: it may repeat a variable that is none of ours to show.
            names = ", ".join(otel_names())
            problem = (
                f"OTEL_*: OpenTelemetry cannot be set up as its variables say ({type(error).__name__}). "
                f"Nothing was read or sent. Mend or unset what is wrong of these: {names}; or set "
                "STREAMER_TRACING=off."
            )
            raise SettingsError([problem]) from None
        self.most_links = MOST_LINKS if limits.max_links is None else limits.max_links
        """Of one span."""

    @property
    def tracer(self) -> Tracer:
        """Makes spans."""
        return self._provider.get_tracer("streamer", __version__)

    def reaches_collector(self) -> bool:
        """Whether the collector takes an export without spans; waits as long as one may take."""
        return self._exporter.export([]) is SpanExportResult.SUCCESS

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Send what is left; False where that takes too long, and what is left is lost.

        The wait for it, and a request under way, then end on daemon threads, which keep nothing alive.
        """
        last = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        last.start()
        last.join(timeout_seconds)
        if not last.is_alive():
            return True
        logger.warning("the last spans were not sent within %g s, and are lost", timeout_seconds)
        self._exporter.shutdown()  # type: ignore[no-untyped-call] # no more tries
        return False


def _resource() -> Resource:
    """Who makes the spans; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before what we say."""
    own = Resource.create({"service.name": "streamer", "service.version": __version__})
    return own.merge(OTELResourceDetector().detect())
