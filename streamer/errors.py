"""The tree of errors: one class per treatment, each with the exit code it ends in.

Expected fates (throttled, refused, skipped) are values in `outcomes`; an exception here means
"this turn, or this program, cannot continue". A message says what happened, what happens next and
what to do.
"""

from collections.abc import Iterator
from pathlib import Path
from traceback import extract_tb, format_tb
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from streamer.outcomes import InvalidReason

MASK = "****"
"""Stands for a secret, in errors as in settings and log lines."""
SHORTEST_SECRET = 4
"""Shorter ones are not struck out of a text: it would shred the text and guard nothing."""


def place_of(error: BaseException) -> str:
    """The file and line where an exception arose: what to report of one whose text may quote an event."""
    frames = extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"


def traceback_of(error: BaseException) -> str:
    """The traceback, for whoever asked to see it: of errors that are not ours without their texts.

    A text of a library may quote an event, a URL with a token in it, a line of a file. Ours do not.
    """
    return "".join(_traces(error))


def _traces(error: BaseException) -> Iterator[str]:
    """Of the error and what it came of, the oldest first."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _traces(before)
        yield f"\nof which came, or while which was dealt with came, {type(error).__name__}:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from format_tb(error.__traceback__)
    text = (
        str(error) if isinstance(error, StreamerError) else "its text is left out, as it may quote an event"
    )
    yield f"{type(error).__module__}.{type(error).__qualname__}: {text}\n"


class StreamerError(Exception):
    """Base of every error of ours; `exit_code` is what the process ends with."""

    exit_code: ClassVar[int] = 1


class SettingsError(StreamerError):
    """Every wrong setting at once, one problem a line."""

    exit_code: ClassVar[int] = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UsageError(StreamerError):
    """The command line, or a file it names, cannot be used as given."""

    exit_code: ClassVar[int] = 2


class SchemaError(StreamerError):
    """A bundled schema is missing or unreadable."""

    exit_code: ClassVar[int] = 3


class SourceError(StreamerError):
    """The broker or a topic cannot be used: unreachable, missing, refused, offset gone."""

    exit_code: ClassVar[int] = 3


class NoTopic(SourceError):
    """There is no such topic, or no such partition of it."""


class PlanhatMisconfigured(StreamerError):
    """Planhat refused our credentials, or the address is not Planhat's."""

    exit_code: ClassVar[int] = 4


class TooManyDeadLetters(StreamerError):
    """So many records are bad that the fault is not in the records."""

    exit_code: ClassVar[int] = 5


class LedgerError(StreamerError):
    """A conservation or commit rule is broken: a bug of ours."""


class InvalidEvent(StreamerError):
    """This record can never be delivered; it goes to the dead-letter topic.

    `detail` holds field names and words of ours only, never a value from the record.
    """

    def __init__(self, reason: "InvalidReason", detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
