"""Events from a file or standard input, as the JSON text of each."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from streamer.errors import InvalidEvent, UsageError

Parse = Callable[[bytes], object]
"""JSON text to its value; raises InvalidEvent where it is none."""


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """The file of this name, or standard input for `-`. Raises UsageError where it cannot be read."""
    try:
        source: AbstractContextManager[BinaryIO] = (
            nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb")  # noqa: SIM115
        )
    except OSError as error:
        raise UsageError(
            f"{name}: cannot be read ({error.strerror}); give a file of JSON lines, or - for standard input"
        ) from error
    with source as stream:
        yield stream


def event_texts(stream: BinaryIO, parse: Parse) -> Iterator[bytes]:
    """The text of each event: one a line, or one that fills the whole file.

    Lines are given on as they come, so that an endless input works. Blank lines are no events.
    """
    first = next((line for line in stream if line.strip()), b"")
    if not first:
        return
    if _is_json(first, parse):
        yield first.strip()
    else:
        rest = stream.read()
        if _is_json(first + rest, parse):
            yield (first + rest).strip()
        else:
            yield from _lines(first + rest)
        return
    for line in stream:
        if line.strip():
            yield line.strip()


def _lines(text: bytes) -> Iterator[bytes]:
    return (line.strip() for line in text.split(b"\n") if line.strip())


def _is_json(text: bytes, parse: Parse) -> bool:
    try:
        parse(text)
    except InvalidEvent:
        return False
    return True
