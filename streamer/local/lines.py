"""Events from a file or standard input, as the JSON text of each."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from streamer.errors import InvalidEvent, UsageError

Parse = Callable[[bytes], object]
"""An event's text to its value; raises InvalidEvent where it has none. Lives in avro/."""


@contextmanager
def opened(name: str) -> Iterator[BufferedReader]:
    """The file of this name, or standard input for `-`. Raises UsageError where it cannot be read."""
    try:
        source: AbstractContextManager[BufferedReader] = (
            nullcontext(cast("BufferedReader", sys.stdin.buffer)) if name == "-" else Path(name).open("rb")  # noqa: SIM115
        )
    except OSError as error:
        raise UsageError(
            f"{name}: cannot be read ({error.strerror}); give a file of JSON lines, or - for standard input"
        ) from error
    with source as stream:
        yield stream


def event_texts(stream: BinaryIO, parse: Parse) -> Iterator[bytes]:
    """The text of each event: one a line, or one that fills the whole file.

    Lines are given on as they come, so that an endless input works, and as they are but for the line's
    end. Blank lines are no events.
    """
    first = next((line for line in stream if line.strip()), b"")
    if not first:
        return
    if _is_event(_without_end(first), parse):
        yield _without_end(first)
        yield from _events(stream)
        return
    whole = _without_end(first + stream.read())
    if _is_event(whole, parse):
        yield whole
    else:
        yield from _events(whole.split(b"\n"))


def _events(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (_without_end(line) for line in lines if line.strip())


def _without_end(line: bytes) -> bytes:
    return line.rstrip(b"\r\n")


def _is_event(text: bytes, parse: Parse) -> bool:
    try:
        parse(text)
    except InvalidEvent:
        return False
    return True
