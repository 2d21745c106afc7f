"""Which spans of producers a delivery is linked to."""

import re

from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from streamer.records import Record
from streamer.tracing.links import links_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def record(*headers: tuple[str, bytes | None]) -> Record:
    """A record with these headers."""
    return Record("segment.events", 0, 1, -1, None, None, headers)


def parent_of(number: int, flags: str = "01") -> bytes:
    """The header of a producer's span of this number."""
    return f"00-{TRACE}-{number:016x}-{flags}".encode()


def linked(*records: Record, most: int = 128) -> list[SpanContext]:
    """The contexts of the links."""
    return [link.context for link in links_of(records, most).links]


def test_a_header_becomes_a_link() -> None:
    """Trace and span of the producer, known as somebody else's."""
    (context,) = linked(record(("kind", b"x"), ("traceparent", PARENT.encode())))

    assert (f"{context.trace_id:032x}", f"{context.span_id:016x}") == (TRACE, SPAN)
    assert context.is_remote
    assert context.trace_flags.sampled


_PIECES = st.one_of(
    st.sampled_from(
        ["00", "01", "ff", "fe", "0", "-", "--", "0" * 16, "0" * 32, TRACE, SPAN, TRACE.upper(), "x"]
    ),
    st.text(alphabet="0123456789abcdefAF-", max_size=5),
)


@given(st.lists(_PIECES, min_size=3, max_size=6).map("-".join))
@example(PARENT)
@example(PARENT + "-later")
@example(PARENT.replace("00-", "cc-", 1) + "-later")
@example(PARENT.replace("00-", "cc-", 1) + "later")
@example(PARENT.replace("00-", "ff-", 1))
@example(PARENT.replace(TRACE, "0" * 32))
@example(PARENT.replace(SPAN, "0" * 16))
@example(PARENT.upper())
@example("")
def test_headers_are_read_as_opentelemetry_reads_them(text: str) -> None:
    """The library's propagator is the judge of what is a `traceparent`, but for what is not sampled."""
    judged = get_current_span(
        TraceContextTextMapPropagator().extract({"traceparent": text})
    ).get_span_context()
    expected = [judged] if judged.is_valid and judged.trace_flags.sampled else []
    ours = linked(record(("traceparent", text.encode())))

    assert [(each.trace_id, each.span_id) for each in ours] == [
        (each.trace_id, each.span_id) for each in expected
    ]


def test_what_is_no_text_or_missing_is_no_link() -> None:
    """No header, an empty one, and bytes that are no text at all."""
    records = [record(), record(("traceparent", None)), record(("traceparent", b"\xff\x00"))]

    assert links_of(records, 128) == ([], 0)


def test_the_last_of_several_headers_counts() -> None:
    """As for Kafka's own clients; a name in capitals is another header."""
    context = linked(
        record(("traceparent", parent_of(1)), ("traceparent", parent_of(2)), ("Traceparent", parent_of(3)))
    )

    assert [each.span_id for each in context] == [2]


def test_what_a_producer_did_not_sample_is_not_linked() -> None:
    """Nobody has that span: it would take the place of one that can be looked at."""
    assert linked(*(record(("traceparent", parent_of(n, "00"))) for n in range(1, 200))) == []


def test_links_are_bounded_and_the_others_counted() -> None:
    """Each span once, the first ones; what is left out is counted once as well."""
    records = [record(("traceparent", parent_of(number // 2))) for number in range(2, 402)]
    found = links_of(records, 128)

    assert [link.context.span_id for link in found.links] == list(range(1, 129))
    assert found.left_out == 200 - 128


def test_no_text_of_a_header_is_kept() -> None:
    """A link holds two numbers and a flag, and nothing that a producer could write elsewhere."""
    (context,) = linked(record(("traceparent", PARENT.encode()), ("tracestate", b"vendor=marked")))

    assert not context.trace_state
    assert re.search("marked", repr(context)) is None
