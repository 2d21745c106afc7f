"""From the `traceparent` headers of records to the links of a span.

W3C's Trace Context says what such a header holds; Kafka's records bear it under the same name.
"""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Final, NamedTuple

from opentelemetry.trace import Link, SpanContext, TraceFlags

from streamer.records import Record

HEADER: Final = "traceparent"
# Later versions may have more behind the flags; version ff is none, and neither is an id of zeros.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    rb"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
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
    parents: dict[tuple[bytes, bytes], int] = {}
    for record in records:
        # Of several headers the last counts, as for Kafka's own clients.
        for name, value in reversed(record.headers):
            if name == HEADER:
                if value is not None and (found := _read(value)) is not None:
                    parents.setdefault(*found)
                break
    links = [_link_to(*parent) for parent in islice(parents.items(), most)]
    return Linked(links, len(parents) - len(links))


def _read(traceparent: bytes) -> tuple[tuple[bytes, bytes], int] | None:
    """The ids of a trace and of a span in it, as digits, and flags; None where there is nothing to link."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace, span, digits, more = found.groups()
    flags = int(digits, 16)
    if not flags & TraceFlags.SAMPLED or (version == b"00" and more is not None):
        return None
    return (trace, span), flags


def _link_to(ids: tuple[bytes, bytes], flags: int) -> Link:
    trace, span = ids
    return Link(SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(flags)))
