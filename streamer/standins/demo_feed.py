"""Feeding the pipeline no faster than it reads, and waiting until it has settled everything."""

from array import array
from collections.abc import Iterable
from time import monotonic, sleep
from typing import Final

from streamer.outcomes import Fate
from streamer.standins.account_books import Expected
from streamer.standins.bad_records import EncodeAvro
from streamer.standins.broker import KEPT_BYTES
from streamer.standins.composer import MadeEvent
from streamer.standins.demo_metrics import Probe, Scrape
from streamer.standins.demo_pipeline import Pipeline
from streamer.standins.demo_progress import DemoProgress
from streamer.standins.demo_topic import DemoTopic, GroupOffsets
from streamer.standins.expectations import Expectation

MOST_UNREAD_BYTES: Final = KEPT_BYTES * 3 // 10
"""Over all partitions: far less than the embedded broker keeps of one, since it drops the oldest silently."""

_RECORD_OVERHEAD_BYTES: Final = 100
_LOOK_EVERY_BYTES: Final = 2**17
_LOOK_AGAIN_SECONDS: Final = 0.1
_SETTLED: Final = (Fate.DELIVERED, Fate.SKIPPED, Fate.DEAD_LETTERED)


class Feed:
    """The road into the pipeline, as its producer and watcher.

    `patience_seconds` without any progress is the end of waiting.
    """

    def __init__(
        self,
        topic: DemoTopic,
        offsets: GroupOffsets,
        probe: Probe,
        pipeline: Pipeline,
        progress: DemoProgress,
        encode: EncodeAvro,
        patience_seconds: float,
    ) -> None:
        self._topic = topic
        self._offsets = offsets
        self._probe = probe
        self._pipeline = pipeline
        self._progress = progress
        self._encode = encode
        self._patience_seconds = patience_seconds
        self._bytes_before = array("Q", [0])  # of the first n records
        self._looked_at_bytes = 0
        self.expected = Expected()

    def wait_until_ready(self) -> bool:
        """Wait until the pipeline has joined its group; False when patience ends first."""
        deadline = monotonic() + self._patience_seconds
        while not self._probe.is_ready():
            self._pipeline.check()
            if monotonic() > deadline:
                return False
            self._progress.show("starting", 0)
            sleep(_LOOK_AGAIN_SECONDS)
        return True

    def send(self, events: Iterable[MadeEvent]) -> bool:
        """Produce them and wait for their acknowledgements; False when the pipeline stopped reading."""
        for made in events:
            value = made.value_bytes(self._encode)
            self._topic.produce(made.key, value, _Counting(self.expected, made.expectation))
            size = len(value or b"") + len(made.key or b"") + _RECORD_OVERHEAD_BYTES
            self._bytes_before.append(self._bytes_before[-1] + size)
            if self._bytes_before[-1] - self._looked_at_bytes >= _LOOK_EVERY_BYTES:
                if not self._wait_for_reading():
                    return False
                self._looked_at_bytes = self._bytes_before[-1]
        self._topic.settle()
        return True

    def _wait_for_reading(self) -> bool:
        last_read, deadline = -1, monotonic() + self._patience_seconds
        while True:
            scrape = self._look("producing")
            read = int(scrape.total("streamer_polled_records_total")) if scrape is not None else 0
            read = min(read, len(self._bytes_before) - 1)
            if self._bytes_before[-1] - self._bytes_before[read] <= MOST_UNREAD_BYTES:
                return True
            if read > last_read:
                last_read, deadline = read, monotonic() + self._patience_seconds
            elif monotonic() > deadline:
                return False
            sleep(_LOOK_AGAIN_SECONDS)

    def wait_until_settled(self, stage: str) -> bool:
        """Wait until all that was sent is settled and committed; False when patience ends first."""
        last: tuple[int, dict[int, int]] | None = None
        deadline = monotonic() + self._patience_seconds
        while True:
            scrape = self._look(stage)
            settled = settled_events(scrape) if scrape is not None else 0
            committed = self._offsets.committed(set(self.expected.ends))
            if settled >= self.expected.produced and committed == self.expected.ends:
                return True
            if (settled, committed) != last:
                last, deadline = (settled, committed), monotonic() + self._patience_seconds
            elif monotonic() > deadline:
                return False
            sleep(_LOOK_AGAIN_SECONDS)

    def _look(self, stage: str) -> Scrape | None:
        self._pipeline.check()
        self._topic.check()
        scrape = self._probe.scrape()
        if scrape is not None:
            self._progress.show(stage, settled_events(scrape))
        return scrape


class _Counting:
    """Counts one record once the broker says where it is."""

    __slots__ = ("_expectation", "_expected")

    def __init__(self, expected: Expected, expectation: Expectation) -> None:
        self._expected = expected
        self._expectation = expectation

    def __call__(self, partition: int, offset: int) -> None:
        self._expected.add(partition, offset, self._expectation)


def settled_events(scrape: Scrape) -> int:
    """Records the pipeline is finished with."""
    return int(sum(scrape.total("streamer_events_total", outcome=fate.label) for fate in _SETTLED))
