"""What a span says of a delivery: where it went, what it held by count and size, what became of it.

Never what an event says: no value, no id of a person, no token. What stands in an attribute is a number, a
word of a closed set, or the name of a host, a topic or a group.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from streamer.engine.ports import Batch, Delivery
from streamer.errors import place_of
from streamer.outcomes import Answer, Answered, Misconfigured, RefusedWhole, Transient, Verdict
from streamer.tracing.dropped import Dropped, Waiting
from streamer.tracing.links import links_of

logger: Final = logging.getLogger("streamer.tracing")

NO_PARENT: Final = Context()
"""A batch has as many causes as records: they are links, and none of them is its parent."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a batch goes, without what is secret or differs from one request to the next."""

    method: str
    path: str
    """Such as `/endusers/{id}`."""
    host: str
    port: int


class Spans:
    """Makes a span of each delivery. Any thread may call it: as a rule the one that made the request."""

    def __init__(
        self,
        tracer: Tracer,
        target_of: Callable[[Batch], Target],
        *,
        topic: str,
        group: str,
        most_links: int,
        waiting: Waiting,
    ) -> None:
        """`topic`: what records are read from; `group`: the consumer group that reads them.

        `waiting` is told of spans that could not be made.
        """
        self._tracer = tracer
        self._target_of = target_of
        self._topic = topic
        self._group = group
        self._most_links = most_links
        self._waiting = waiting

    def tell(self, delivery: Delivery) -> None:
        """Make the span of a delivery that ended just now. Never raises: a span is no reason to stop."""
        try:
            self._tell(delivery, time.time_ns())
        except Exception as error:  # noqa: BLE001 - told; what was delivered is delivered
            # Not the error's own text, which may quote an event.
            name, place = type(error).__name__, place_of(error)
            logger.warning("our own code failed on a span: %s at %s; please report this line", name, place)
            self._waiting.drop(Dropped.NOT_MADE, 1)

    def _tell(self, delivery: Delivery, ended_at: int) -> None:
        origin = delivery.batch.origin
        target = self._target_of(delivery.batch)
        linked = links_of(origin.records if origin is not None else (), self._most_links)
        error = error_of(delivery.answer)
        attributes = self._attributes(delivery, target)
        if linked.left_out:
            attributes["streamer.links.left_out"] = linked.left_out
        if error is not None:
            attributes["error.type"] = error
        span = self._tracer.start_span(
            f"{target.method} {target.path}",
            NO_PARENT,
            SpanKind.CLIENT,
            attributes,
            linked.links,
            ended_at - int(delivery.seconds * 1e9),
        )
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(ended_at)

    def _attributes(self, delivery: Delivery, target: Target) -> dict[str, AttributeValue]:
        """By OpenTelemetry's conventions for HTTP and messaging where they have a name for it."""
        batch = delivery.batch
        attributes: dict[str, AttributeValue] = {
            "http.request.method": target.method,
            "url.template": target.path,
            "server.address": target.host,
            "server.port": target.port,
            "messaging.consumer.group.name": self._group,
            "streamer.endpoint": batch.endpoint.value,
            "streamer.operations.count": len(batch.operations),
            "streamer.batch.bytes": batch.size_bytes,
        }
        if delivery.status is not None:
            attributes["http.response.status_code"] = delivery.status
        if isinstance(delivery.answer, Answered):
            for verdict, count in Counter(delivery.answer.verdicts).items():
                attributes[f"streamer.operations.{verdict.value}"] = count
        if batch.origin is not None:
            attributes["streamer.batch.kind"] = batch.origin.kind
            attributes["streamer.attempt"] = batch.origin.attempt
            attributes["messaging.batch.message_count"] = len(batch.origin.records)
            # Not the record's own topic: a letter that is replayed names the one that it was first read from.
            attributes["messaging.destination.name"] = self._topic
            if batch.origin.attempt > 1:
                attributes["http.request.resend_count"] = batch.origin.attempt - 1
        return attributes


def error_of(answer: Answer) -> str | None:
    """What a request that came to nothing is called, in words of a closed set; else None.

    A bulk of which some operations were refused came to something: their counts tell.
    """
    match answer:
        case Answered() as answered:
            return Verdict.REFUSED.value if answered.is_refusal else None
        case Transient(reason):
            return reason.value
        case RefusedWhole():
            return "refused_whole"
        case Misconfigured(reason):
            return reason.value
        case _:
            assert_never(answer)
