"""A program whose owner thread stands still, for tests: `python -m tests.blocked_owner SECONDS`.

The engine itself, over doubles. It prints the port of its /livez; once a line comes in, its decoder
does not return any more.
"""

import sys
import threading
import time

from prometheus_client import CollectorRegistry

from streamer.app.building import SystemClock
from streamer.app.watchdog import Watchdog, log_stacks
from streamer.engine.limits import Limits
from streamer.engine.loop import Streamer
from streamer.engine.ports import AwaitingSchema, Decoded
from streamer.logs import configure_logs
from streamer.planhat.items import encode_operation
from streamer.server import Health, Server, recent_poll
from streamer.transform.rules import Rules
from tests.engine.fakes import FakeDeadLetters, FakeSink, FakeSource, ManualClock, Told, identify


class BlockedDecoder:
    """Waits for what never comes."""

    def decode(self, value: bytes) -> Decoded | AwaitingSchema:
        threading.Event().wait()
        raise AssertionError("unreachable")


class SlowSource(FakeSource):
    """Waits in real time, so that the loop does not spin."""

    def poll(self, max_records, timeout_seconds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        time.sleep(0.01)
        return super().poll(max_records, timeout_seconds)


def main() -> None:
    """Poll until a line comes in, then stand still."""
    seconds = float(sys.argv[1])
    configure_logs(log_format="json")
    clock = ManualClock()
    source = SlowSource(clock)
    streamer = Streamer(
        limits=Limits(), rules=Rules(), source=source, decoder=BlockedDecoder(), encode=encode_operation,
        sink=FakeSink(clock), dead_letters=FakeDeadLetters(), observer=Told(), clock=SystemClock(),
        dice=lambda: 0.5,
    )  # fmt: skip
    alive = recent_poll(lambda: streamer.last_poll_at, time.monotonic, seconds)
    server = Server("127.0.0.1", 0, CollectorRegistry(), alive, lambda: Health(is_well=True, reason=""))
    Watchdog(lambda: streamer.last_poll_at, seconds, log_stacks(seconds)).start()
    sys.stdout.write(f"{server.start()}\n")
    sys.stdout.flush()

    def feed() -> None:
        sys.stdin.readline()
        source.feed({**identify(), "traits": {"plan": "a value nobody may see"}})

    threading.Thread(target=feed, name="feeder", daemon=True).start()
    source.subscribe(streamer)
    source.assign(0)
    streamer.run()


if __name__ == "__main__":
    main()
