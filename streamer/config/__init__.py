"""Settings: environment variables, declared once, read once, frozen. Builds nothing.

The only room that reads the process environment.
"""

from streamer.config.environment import PropertyProblems, Tokens, load_settings, reload_secrets
from streamer.config.fields import PREFIX, variable_name
from streamer.config.otlp import QUEUE_SIZE, Otlp, otel_names, read_otlp
from streamer.config.settings import Settings
from streamer.config.table import SettingRow, markdown_table, secret_values, settings_table, settings_warnings
from streamer.config.values import (
    AvroReader,
    GroupProtocol,
    LogFormat,
    LogLevel,
    OnHold,
    PlanhatMode,
    SettledOverflow,
    StartAt,
    Tracing,
    is_secret_property,
)

__all__ = [
    "PREFIX",
    "QUEUE_SIZE",
    "AvroReader",
    "GroupProtocol",
    "LogFormat",
    "LogLevel",
    "OnHold",
    "Otlp",
    "PlanhatMode",
    "PropertyProblems",
    "SettingRow",
    "Settings",
    "SettledOverflow",
    "StartAt",
    "Tokens",
    "Tracing",
    "is_secret_property",
    "load_settings",
    "markdown_table",
    "otel_names",
    "read_otlp",
    "reload_secrets",
    "secret_values",
    "settings_table",
    "settings_warnings",
    "variable_name",
]
