"""Quix Streams with a bulk sink of ours, since it has none for HTTP.

It does: checkpoints by count and time, in which the sink is flushed and only then offsets are
committed; at-least-once. On 429 or a failing server the sink raises SinkBackpressureError: Quix Streams
drops what is batched, seeks back to the last checkpoint, and processes it all again after a pause.

It does not, compared with `streamer`: process while the sink flushes; retry one request rather than the
whole checkpoint; put unreadable records into a dead-letter topic (here they are skipped with a warning,
so it does less than the others); and what `careful.py` lacks. Its environment is its own: see
requirements-python.txt.
"""

import logging
from functools import partial

import httpx
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBackpressureError, SinkBatch

from benchmarks.rivals.mapping import Item, Mapping, Unreadable
from benchmarks.rivals.told import BULK_ITEMS, ORDER, RETRIED, Told

RETRY_SECONDS = 5.0
PARTITIONS = 4


class BulkSink(BatchingSink):  # type: ignore[misc, unused-ignore] # not installed where types are checked
    """Bulks by endpoint, at each checkpoint."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told
        headers = {"Authorization": f"Bearer {told.api_token}", "Content-Type": "application/json"}
        self._client = httpx.Client(timeout=60.0, headers=headers)

    def write(self, batch: SinkBatch) -> None:
        """What one partition brought since the last checkpoint."""
        found: list[Item] = [item for record in batch for item in record.value]
        for endpoint in ORDER:
            items = [item for of, item in found if of == endpoint]
            for start in range(0, len(items), BULK_ITEMS):
                request = self._told.request(endpoint, items[start : start + BULK_ITEMS])
                try:
                    answer = self._client.request(request.method, request.url, content=request.body)
                except httpx.TransportError as error:
                    raise SinkBackpressureError(RETRY_SECONDS) from error
                if answer.status_code in RETRIED:
                    raise SinkBackpressureError(RETRY_SECONDS)
                answer.raise_for_status()


def items_of(mapping: Mapping, value: bytes | None) -> list[Item]:
    """Nothing of a tombstone, nor of what cannot be read, which is told."""
    try:
        return mapping.items(value) if value is not None else []
    except Unreadable as error:
        logging.getLogger(__name__).warning("skipped a record: %s", error)
        return []


def main() -> None:
    """Until SIGTERM."""
    told = Told.read()
    app = Application(
        broker_address=told.bootstrap,
        consumer_group=told.group,
        auto_offset_reset="earliest",
        commit_every=BULK_ITEMS * PARTITIONS,
        commit_interval=1.0,
        loglevel="WARNING",
    )
    topic = app.topic(told.topic, value_deserializer="bytes", key_deserializer="bytes")
    app.dataframe(topic).apply(partial(items_of, Mapping())).filter(bool).sink(BulkSink(told))
    app.run()


if __name__ == "__main__":
    main()
