"""From an event and its fields to one line on stderr, with known secrets struck out.

The only room that knows structlog, and the only one that configures the standard library's logging.
"""

import logging
import re
import sys
import time
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, TextIO

import structlog

from streamer.errors import MASK, SHORTEST_SECRET
from streamer.logs.events import LINES, Event, Level
from streamer.logs.quiet import Quiet

FieldValue = str | int | float | bool | None | Sequence[str] | Mapping[str, str]
"""What a field may hold. Never a value from a record."""

ONE_LINE_SECONDS = 600.0
"""Between two lines of `one_line_for`."""

_NUMBER = re.compile(r"\d+")
_NUMBERS = {level: logging.getLevelNamesMapping()[level.upper()] for level in Level}


class Redaction:
    """Strikes known secrets out of every text of a line."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """From now on these are struck out as well, as after tokens were read again."""
        known = {*self._secrets, *(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def text(self, text: str) -> str:
        """The text with every known secret struck out."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """As a structlog processor."""
        return {name: self._redacted(value) for name, value in line.items()}

    def _redacted(self, value: object) -> object:
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {name: self._redacted(inner) for name, inner in value.items()}
            case list() | tuple():
                return [self._redacted(inner) for inner in value]
            case _:
                return value


def configure_logs(
    *,
    log_format: str = "auto",
    log_level: str = "info",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Write lines to `stream` (stderr) as `json`, as `console`, or as `auto`: console on a terminal.

    Lines of libraries come along from WARNING up.
    """
    target = sys.stderr if stream is None else stream
    console = log_format == "console" or (log_format == "auto" and target.isatty())
    colors = console and target.isatty()
    ending: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="time", sort_keys=False)]
        if console
        else [_in_order, structlog.processors.JSONRenderer(default=str, ensure_ascii=False)]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            Redaction(secrets),
            *ending,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_NUMBERS[Level(log_level)]),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_LibraryHandler()], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)


def one_line_for(loggers: Iterable[str], event: Event) -> None:
    """What these say from WARNING up, whatever it is, becomes a line of this event; one in ten minutes."""
    handler = _OneLineHandler(event)
    for name in loggers:
        library = logging.getLogger(name)
        library.handlers = [handler]
        library.propagate = False


def redact_also(secrets: Iterable[str]) -> None:
    """Strike these out as well from now on, as after tokens were read again."""
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, Redaction):
            processor.add(secrets)


def log(event: Event, level: Level | None = None, **fields: FieldValue) -> None:
    """Write one line, at the event's own level unless another is given.

    Never raises: a log that nobody can read any more is no reason to stop delivering.
    """
    number = _NUMBERS[LINES[event].level if level is None else level]
    try:
        structlog.get_logger().log(number, event.value, **fields)
    except (OSError, ValueError):
        return


def _in_order(_logger: object, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Time, level and event first: lines are read by people too."""
    return {name: line.pop(name) for name in ("time", "level", "event")} | dict(line)


class _LibraryHandler(logging.Handler):
    """Turns lines of the standard library's logging into lines of ours, those alike into one."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet = Quiet(time.monotonic)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, unless one like it, numbers aside, was written just now."""
        times = self._quiet.due((record.name, record.levelno, _NUMBER.sub("", record.getMessage())))
        if times:
            level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
            _report(Event.LIBRARY_REPORTED, level, record, times)


class _OneLineHandler(logging.Handler):
    """Turns all that is said through it into one line of an event, and counts the others into the next."""

    def __init__(self, event: Event) -> None:
        super().__init__(logging.WARNING)
        self._event = event
        self._quiet = Quiet(time.monotonic, ONE_LINE_SECONDS)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, unless one was written in the last ten minutes."""
        times = self._quiet.due(self._event)
        if times:
            _report(self._event, None, record, times)


def _report(event: Event, level: Level | None, record: logging.LogRecord, times: int) -> None:
    text = record.getMessage()
    if record.exc_info and record.exc_info[0] is not None:
        text = f"{text} ({record.exc_info[0].__name__})"
    log(event, level, logger=record.name, text=text, times=times)
