"""A careful hand-written loop: confluent-kafka, fastavro, httpx, nothing else.

It does: consume in batches; fill bulks of 5,000 items over several reads, companies before users before
activities; retry with growing pauses and jitter; put unreadable records into a dead-letter topic,
confirmed; commit only what has been answered, synchronously, and after that read on. At-least-once.

It does not, compared with `streamer`: keep polling while Planhat is slow (a long outage costs it the
group membership); deliver while it reads; read the answers' error entries or look for the one bad item
of a refused bulk (it ends, to be restarted); coalesce; know copies; share a quota; drain on a revoke;
give metrics; remember what was settled ahead of the commit.
"""

import random
import signal
import time

import httpx
from confluent_kafka import Consumer, Message, Producer

from benchmarks.rivals.mapping import Mapping, Unreadable
from benchmarks.rivals.told import BULK_ITEMS, LONGEST_PAUSE_SECONDS, ORDER, RETRIED, Told

READ = 500
LINGER_SECONDS = 1.0


class Loop:
    """One consumer, one connection, one open bulk for each endpoint."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._map = Mapping()
        self._open: dict[str, list[bytes]] = {endpoint: [] for endpoint in ORDER}
        self._client = httpx.Client(
            timeout=60.0,
            headers={"Authorization": f"Bearer {told.api_token}", "Content-Type": "application/json"},
        )
        self._letters = Producer({"bootstrap.servers": told.bootstrap, "enable.idempotence": True})
        self._consumer = Consumer(
            {
                "bootstrap.servers": told.bootstrap,
                "group.id": told.group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "queued.max.messages.kbytes": 16_384,
            }
        )
        self._consumer.subscribe([told.topic])
        self._is_stopping = False
        self._has_uncommitted = False
        self._opened_at = 0.0

    def stop(self, *_: object) -> None:
        """End after what is in hand."""
        self._is_stopping = True

    def run(self) -> None:
        """Until stopped."""
        while not self._is_stopping:
            for message in self._consumer.consume(READ, 0.1):
                if message.error() is None:
                    self._take(message)
            if self._has_uncommitted and self._is_due():
                self._deliver()
        self._deliver()
        self._consumer.close()

    def _take(self, message: Message) -> None:
        if not self._has_uncommitted:
            self._opened_at = time.monotonic()
            self._has_uncommitted = True
        value = message.value()
        if value is None:
            return
        try:
            for endpoint, item in self._map.items(value):
                self._open[endpoint].append(item)
        except Unreadable as error:
            self._letters.produce(self._told.letters, value, message.key(), headers={"reason": str(error)})
            self._letters.poll(0)

    def _is_due(self) -> bool:
        # Up to one read's items more than a bulk holds: they are sent as a second, small request.
        is_full = any(len(items) >= BULK_ITEMS for items in self._open.values())
        return is_full or time.monotonic() - self._opened_at > LINGER_SECONDS

    def _deliver(self) -> None:
        """Everything open, then the commit of all that was read."""
        for endpoint in ORDER:
            items, self._open[endpoint] = self._open[endpoint], []
            for start in range(0, len(items), BULK_ITEMS):
                self._send(endpoint, items[start : start + BULK_ITEMS])
        if self._letters.flush(30):
            raise SystemExit("dead letters are not confirmed: nothing is committed")
        if self._has_uncommitted:
            self._consumer.commit(asynchronous=False)
            self._has_uncommitted = False

    def _send(self, endpoint: str, items: list[bytes]) -> None:
        request = self._told.request(endpoint, items)
        pause = 0.5
        while True:
            try:
                status = self._client.request(request.method, request.url, content=request.body).status_code
            except httpx.TransportError:
                status = 503
            if status < 300:
                return
            if status not in RETRIED:
                raise SystemExit(f"{endpoint}: {request.method} answered {status}: nothing is committed")
            time.sleep(random.uniform(0, pause))
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)


def main() -> None:
    """Until SIGTERM."""
    loop = Loop(Told.read())
    signal.signal(signal.SIGTERM, loop.stop)
    loop.run()


if __name__ == "__main__":
    main()
