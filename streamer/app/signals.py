"""Signals: the first SIGTERM or SIGINT asks for an end in order, the second ends at once.

A handler runs between two instructions of the main thread, which may be in the middle of writing a
log line and hold its lock: a handler that logs would wait for itself for ever. So it only notes the
signal; a thread of its own writes the line.
"""

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from streamer.logs import Event, log

WATCHED = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Whether an end was asked for, and whom to tell."""

    def __init__(self) -> None:
        self.is_made = False
        self._stop: Callable[[], None] | None = None

    def tell(self, stop: Callable[[], None]) -> None:
        """From now on `stop` is called when asked; at once, if that was before."""
        self._stop = stop
        if self.is_made:
            stop()

    def make(self) -> None:
        """An end is asked for. Called from a signal handler: takes no lock."""
        self.is_made = True
        if self._stop is not None:
            self._stop()


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Watch the signals while the block runs."""
    request = StopRequest()
    asked: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # its put may interrupt itself

    def ask(number: int, _frame: FrameType | None) -> None:
        if request.is_made:
            # Not the default action: the kernel ignores it for the first process of a container.
            os._exit(128 + number)
        asked.put(number)
        request.make()

    def write() -> None:
        while (number := asked.get()) is not None:
            log(Event.STOP_REQUESTED, signal=signal.Signals(number).name)

    writer = threading.Thread(target=write, name="signals", daemon=True)
    writer.start()
    before = {number: signal.signal(number, ask) for number in WATCHED}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        asked.put(None)
        writer.join(1.0)
