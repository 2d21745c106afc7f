"""Logs: one line per thing that happened, under a fixed past-tense name, without personal data."""

from streamer.logs.events import LINES, Event, Level
from streamer.logs.fan_out import Observers
from streamer.logs.observer import LogObserver, hold_advice, schema_advice
from streamer.logs.unseen import unseen_errors_told
from streamer.logs.writing import FieldValue, Redaction, configure_logs, log, one_line_for, redact_also

__all__ = [
    "LINES",
    "Event",
    "FieldValue",
    "Level",
    "LogObserver",
    "Observers",
    "Redaction",
    "configure_logs",
    "hold_advice",
    "log",
    "one_line_for",
    "redact_also",
    "schema_advice",
    "unseen_errors_told",
]
