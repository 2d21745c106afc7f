"""Logs: one line per thing that happened, under a fixed past-tense name, without personal data."""

from streamer.logs.events import LINES, Event, Level
from streamer.logs.fan_out import Observers
from streamer.logs.observer import LogObserver
from streamer.logs.writing import FieldValue, Redaction, configure_logs, log

__all__ = [
    "LINES",
    "Event",
    "FieldValue",
    "Level",
    "LogObserver",
    "Observers",
    "Redaction",
    "configure_logs",
    "log",
]
