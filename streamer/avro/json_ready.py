"""Python objects that fastavro makes of foreign schemas, turned into what JSON has a form for."""

import base64
import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Mapping
from typing import Any

EXACT_DIGITS = 15
"""Decimal digits that every double keeps."""


def json_ready(value: Any) -> Any:  # noqa: ANN401 whatever a schema describes
    """The same value with every leaf JSON-ready.

    Instants: ISO 8601 in UTC with `Z`; local ones without a zone; dates and times ISO 8601.
    Decimals: a float where it holds every digit, else their text. UUIDs: text. Bytes: base64.
    """
    if isinstance(value, dict):
        return {key: json_ready(member) for key, member in value.items()}
    if isinstance(value, list):
        return [json_ready(member) for member in value]
    rewrite = _REWRITES.get(type(value))
    return value if rewrite is None else rewrite(value)


def _instant(value: dt.datetime) -> str:
    timespec = "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.isoformat(timespec=timespec).replace("+00:00", "Z")


def _number(value: decimal.Decimal) -> float | str:
    if not value.is_finite() or len(value.as_tuple().digits) > EXACT_DIGITS:
        return str(value)
    number = float(value)
    # Beyond the range of doubles, digits do not help.
    return number if decimal.Decimal(repr(number)) == value else str(value)


_REWRITES: Mapping[type, Callable[[Any], Any]] = {
    bytes: lambda value: base64.b64encode(value).decode("ascii"),
    dt.datetime: _instant,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    decimal.Decimal: _number,
    uuid.UUID: str,
}
