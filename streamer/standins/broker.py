"""The embedded broker: a stand-in for Kafka without Java, in a process of its own.

It is librdkafka's mock cluster, which comes inside the confluent-kafka wheel and is switched on by
a configuration key. It speaks Kafka's protocol to any client, but: it keeps 5 MiB per partition and
silently drops the oldest; topics appear when first asked for, with 4 partitions; a fetch does not
wake up for new records (so `CLIENT_PROPERTIES`); looking up offsets by time is not supported. The
proof is Apache Kafka (tests/real_kafka).
"""

import json
import selectors
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Final, Self

from confluent_kafka import Producer

from streamer.errors import SourceError

PARTITIONS: Final = 4
"""Partitions of every topic; the mock cluster offers no choice from Python."""

KEPT_BYTES: Final = 5 * 1024 * 1024
"""What a partition keeps; beyond that the oldest records are gone, read or not."""

CLIENT_PROPERTIES: Final[Mapping[str, str]] = {"fetch.wait.max.ms": "10"}
"""librdkafka properties that its consumers need: its fetches do not wake up for new records."""

_START_SECONDS: Final = 20.0


class EmbeddedBroker:
    """A running stand-in broker, as a context manager. It ends with this process, however that ends."""

    def __init__(self, brokers: int = 1) -> None:
        """Prepare a cluster of this many (mock) brokers."""
        self._brokers = brokers
        self._child: subprocess.Popen[bytes] | None = None
        self._bootstrap_servers = ""

    @property
    def bootstrap_servers(self) -> str:
        """Where it listens (loopback)."""
        return self._bootstrap_servers

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._child is None else self._child.pid

    def __enter__(self) -> Self:
        # The child holds the other end of this pipe and ends when ours closes: no orphan is left, even
        # by SIGKILL.
        self._child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "streamer.standins.broker", str(self._brokers)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self._child.stdout is not None  # noqa: S101 - asked for two lines above
        line = _first_line(self._child.stdout)
        if not line:
            self._end()
            raise SourceError(f"the embedded broker did not start within {_START_SECONDS:.0f} s")
        self._bootstrap_servers = json.loads(line)["bootstrap_servers"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def create_topic(self, topic: str) -> int:
        """Make the topic exist; returns how many partitions it has."""
        asking = Producer({"bootstrap.servers": self._bootstrap_servers})
        return len(asking.list_topics(topic, timeout=_START_SECONDS).topics[topic].partitions)

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()


def _first_line(stream: IO[bytes]) -> bytes:
    with selectors.DefaultSelector() as ready:
        ready.register(stream, selectors.EVENT_READ)
        return stream.readline() if ready.select(_START_SECONDS) else b""


def main() -> None:
    """Run the cluster until standard input closes; its address is the only line on standard output."""
    brokers = sys.argv[1] if len(sys.argv) > 1 else "1"
    # The producer never produces; it owns the cluster. log_level 2: it would warn that it is a mock.
    owner = Producer({"test.mock.num.brokers": brokers, "bootstrap.servers": "", "log_level": 2})
    found = owner.list_topics(timeout=_START_SECONDS).brokers.values()
    addresses = ",".join(f"{each.host}:{each.port}" for each in found)
    sys.stdout.write(json.dumps({"bootstrap_servers": addresses}) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
