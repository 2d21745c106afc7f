"""How many spans wait to be sent, and which are given up: counted, for nothing else would tell how many."""

import logging
import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

logger: Final = logging.getLogger("streamer.tracing")

TellDropped = Callable[[str, int], None]
"""Told why spans were dropped, and how many; never by two threads at once."""


class Dropped(StrEnum):
    """Why spans never come to the collector."""

    QUEUE_FULL = "queue_full"
    """More were made than the collector took, and no more may wait."""
    NOT_TAKEN = "not_taken"
    """The collector was away or answered with errors for as long as it was tried."""
    NOT_MADE = "not_made"
    """Our own code failed on it: a bug."""


class Waiting:
    """How many spans wait. Any thread may call it."""

    def __init__(self, most: int, tell: TellDropped) -> None:
        """`most` may wait at once."""
        self._most: Final = most
        self._tell = tell
        self._count = 0
        self._lock = threading.Lock()

    def enter(self) -> bool:
        """One more waits; False, and it is dropped, where as many do as may."""
        with self._lock:
            if self._count < self._most:
                self._count += 1
                return True
            self._tell(Dropped.QUEUE_FULL, 1)
            return False

    def leave(self, count: int) -> None:
        """So many are being sent."""
        with self._lock:
            self._count -= count

    def drop(self, reason: Dropped, count: int) -> None:
        """So many that do not wait any more, or never did, are given up."""
        with self._lock:
            self._tell(reason, count)


class CountedExporter(OTLPSpanExporter):
    """OpenTelemetry's exporter; what the collector does not take is counted."""

    def __init__(self, waiting: Waiting) -> None:
        """By OpenTelemetry's variables. Raises what they are refused with."""
        super().__init__()
        self._waiting = waiting

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, as long as that may take."""
        self._waiting.leave(len(spans))
        result = SpanExportResult.FAILURE
        try:
            result = super().export(spans)
        finally:
            if result is not SpanExportResult.SUCCESS:
                self._waiting.drop(Dropped.NOT_TAKEN, len(spans))
        return result


class CountedProcessor(BatchSpanProcessor):
    """OpenTelemetry's queue and thread, but that we say what it takes in.

    Full, it would drop the oldest without telling how many. A span counts as waiting from before it is put
    into the queue until after it was taken out: the queue never holds more than are counted, so it is never
    too full.
    """

    def __init__(self, exporter: CountedExporter, queue_size: int, waiting: Waiting) -> None:
        """Begins its thread. Raises ValueError where OpenTelemetry's variables contradict each other."""
        super().__init__(exporter, max_queue_size=queue_size)
        self._waiting = waiting
        self._queue_size = queue_size

    def on_end(self, span: ReadableSpan) -> None:
        """Let a span wait that the sampler keeps, if it still may."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._waiting.enter():
            super().on_end(span)
        else:
            logger.warning("the queue of %d spans is full, and new ones are dropped", self._queue_size)
