"""Errors that nobody catches: Python would print them, many lines of text that may quote an event."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamer.errors import place_of
from streamer.logs.events import Event
from streamer.logs.writing import log

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


@contextmanager
def unseen_errors_told() -> Iterator[None]:
    """While the block lasts, an error that ends a thread or arises in a finaliser is a line of the log.

    One line with its type and place, as of all errors that are not ours.
    """
    of_threads, of_finalisers = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = _thread_ended, _finaliser_failed
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = of_threads, of_finalisers


def _thread_ended(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
        name = told.thread.name if told.thread is not None else "unknown"
        _tell(told.exc_value, name)


def _finaliser_failed(told: "UnraisableHookArgs") -> None:
    if told.exc_value is not None:
        _tell(told.exc_value, threading.current_thread().name)


def _tell(error: BaseException, thread: str) -> None:
    log(
        Event.ERROR_AROSE,
        error=type(error).__name__,
        where=place_of(error),
        thread=thread,
        next="the rest of the program goes on; please report this line",
    )
