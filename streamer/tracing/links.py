"""From the `traceparent` headers of records to the links of a span.

W3C's Trace Context says what such a header holds; Kafka's records bear it under the same name.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from opentelemetry.trace import Link, SpanContext, TraceFlags

from streamer.records import Record

HEADER: Final = "traceparent"
# Later versions may have more behind the flags; version ff is none.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    rb"(?P<more>-.*)?",
    re.DOTALL,
)


class Linked(NamedTuple):
    """The links of one span."""

    links: list[Link]
    left_out: int
    """Spans of producers beyond the limit."""


def links_of(records: Iterable[Record], most: int) -> Linked:
    """A link to each span that wrote one of these, each span once; at most so many, the first ones.

    What a producer has not sampled is no span that anybody could look at, and is not linked.
    """
    contexts: dict[tuple[int, int], SpanContext] = {}
    left_out: set[tuple[int, int]] = set()
    for record in records:
        context = _context_of(record)
        if context is None or not context.trace_flags.sampled:
            continue
        known_as = context.trace_id, context.span_id
        if known_as in contexts:
            continue
        if len(contexts) < most:
            contexts[known_as] = context
        else:
            left_out.add(known_as)
    return Linked([Link(context) for context in contexts.values()], len(left_out))


def _context_of(record: Record) -> SpanContext | None:
    """The producer's span. Of several headers the last counts, as for Kafka's own clients."""
    for name, value in reversed(record.headers):
        if name == HEADER:
            return None if value is None else _read(value)
    return None


def _read(traceparent: bytes) -> SpanContext | None:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (found["version"] == b"00" and found["more"] is not None):
        return None
    context = SpanContext(
        int(found["trace"], 16),
        int(found["span"], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(found["flags"], 16)),
    )
    return context if context.is_valid else None
