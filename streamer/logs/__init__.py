"""Logs: one line per thing that happened, under a fixed past-tense name, without personal data."""

from streamer.logs.events import LINES, Event, Level
from streamer.logs.fan_out import Observers
from streamer.logs.observer import LogObserver
from streamer.logs.writing import FieldValue, configure_logs, log, redact_also

__all__ = [
    "LINES",
    "Event",
    "FieldValue",
    "Level",
    "LogObserver",
    "Observers",
    "configure_logs",
    "log",
    "redact_also",
]
