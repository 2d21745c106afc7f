"""The stuck-owner detector: says where every thread stands when the owner has not polled for too long.

/livez fails at the same moment, and Kubernetes restarts the program: then the one thing that could tell
why is gone. So the stacks go to the log first: files, lines and names of functions, never a value.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import PurePath
from traceback import walk_stack
from types import FrameType
from typing import Final

from streamer.logs import Event, log

LOOKS: Final = 20
"""Looks in the time after which the owner counts as stuck."""
DEEPEST: Final = 40
"""Frames of a thread that are told, from the innermost on."""

Tell = Callable[[Mapping[str, str]], None]


class Watchdog:
    """Looks at the owner from a thread of its own.

    It counts its looks, not the seconds: a process that is stopped (SIGSTOP, a frozen node) does not
    find itself stuck when it wakes up.
    """

    def __init__(self, last_poll: Callable[[], float], stuck_seconds: float, tell: Tell) -> None:
        """`last_poll` changes with every poll. `tell` gets the stacks by thread, once an episode."""
        self._last_poll = last_poll
        self._pause = stuck_seconds / LOOKS
        self._tell = tell
        self._seen: float | None = None
        self._looks = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        self._thread.join()

    def look(self) -> None:
        """One look; the owner counts as stuck from the one on that found the same poll so often."""
        polled = self._last_poll()
        if polled != self._seen:
            self._seen, self._looks = polled, 0
            return
        self._looks += 1
        if self._looks == LOOKS:
            self._tell(stacks())

    def _watch(self) -> None:
        while not self._is_over.wait(self._pause):
            self.look()


def log_stacks(stuck_seconds: float) -> Tell:
    """Tell the log."""

    def tell(threads: Mapping[str, str]) -> None:
        log(Event.OWNER_STUCK, seconds=stuck_seconds, threads=threads)

    return tell


def stacks() -> dict[str, str]:
    """Where each thread stands, innermost first, by its name."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames()  # noqa: SLF001 - there is no other way, and CPython documents it
    return {names.get(ident) or f"thread {ident}": _stack(frame) for ident, frame in frames.items()}


def _stack(frame: FrameType) -> str:
    places = [
        f"{PurePath(each.f_code.co_filename).name}:{line} {each.f_code.co_qualname}"
        for each, line in walk_stack(frame)
    ]
    left_out = [f"... {len(places) - DEEPEST} more"] if len(places) > DEEPEST else []
    return " < ".join([*places[:DEEPEST], *left_out])
