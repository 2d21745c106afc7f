"""Spans: one for each request to Planhat and its answer, sent to a collector by OpenTelemetry.

The only room that knows OpenTelemetry. It is imported where tracing is on, and nowhere else.
"""

from streamer.tracing.dropped import Dropped
from streamer.tracing.exporting import Tracing
from streamer.tracing.spans import Spans, Target

__all__ = ["Dropped", "Spans", "Target", "Tracing"]
