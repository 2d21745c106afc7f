"""Ids and points in time, in every form in which producers write them.

Values are JSON-ready: what Avro's logical types stand for is text or a number by the time it is here.
"""

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final

Number = int | float
"""A whole one stays one: 3 is not written as 3.0, which `float` alone leaves open."""

_moment_of: Final = datetime.fromisoformat
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Digits of today's seconds, milliseconds, microseconds and nanoseconds since 1970.
_EPOCH_DIGITS: Final = (10, 13, 16, 19)

# Beyond 2**53 a float no longer says which integer was meant, so it is written as floats are.
_LARGEST_EXACT_FLOAT: Final = 2.0**53
# Python refuses to print integers of thousands of digits; no id is anywhere near this long.
_LONGEST_ID_BITS: Final = 256


def id_text(value: object) -> str | None:
    """The id a value stands for: text as it is, numbers as text; None where it is no id.

    42 and 42.0 are "42". Booleans, blank text, containers and non-finite numbers are no ids.
    """
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if isinstance(value, float):
        if value.is_integer() and abs(value) <= _LARGEST_EXACT_FLOAT:
            return str(int(value))
        return repr(value) if isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value.bit_length() <= _LONGEST_ID_BITS else None
    return None


def iso_timestamp(value: object) -> str | None:
    """A point in time as ISO 8601 with a zone; None where the value is no usable one. Never raises.

    Text already in the form that Segment writes (`2026-01-05T10:00:00.000Z`, or with an offset)
    stays byte for byte. Other ISO text and epoch numbers are written in UTC with milliseconds; where no
    zone is given, it is UTC.
    """
    if type(value) is str:
        return iso_of_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(value)
    return None


def utc_text(moment: datetime) -> str | None:
    """`2026-01-05T10:00:00.000Z`; a datetime without a zone is taken as UTC.

    None for the first and last hours of the calendar, where changing the zone leaves it.
    """
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return None
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def iso_of_text(text: str) -> str | None:
    """As `iso_timestamp`, of what is known to be text."""
    # The extended form with `T`, a point and a zone is what every parser of ISO dates reads, and nearly all
    # write. Its marks are looked for at one go.
    is_extended = text[4:17:3] == "--T::" and len(text) >= 20 and "," not in text
    if is_extended and (text[-1] == "Z" or (text[-3] == ":" and text[-6] in "+-")):
        try:
            _moment_of(text)
        except ValueError:
            return _from_odd_text(text.strip())
        return text
    # Digits first: to Python 1736071200123 is a moment of the year 1736.
    if text.isdecimal() and len(text) in _EPOCH_DIGITS:
        return _from_epoch(int(text))
    try:
        moment = _moment_of(text)
    except ValueError:
        return _from_odd_text(text.strip())
    # Python reads more (basic form, week dates, commas, any separator), Planhat's side may not.
    return utc_text(moment)


def _from_odd_text(text: str) -> str | None:
    """ISO text with blanks around it, in lower case, or with its zone spelled as a word."""
    if text.endswith((" UTC", " GMT")):
        text = text[:-4] + "Z"
    try:
        return utc_text(_moment_of(text.upper()))
    except ValueError:
        return None


def _from_epoch(number: Number) -> str | None:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size.

    Each unit is read for the years 1973 to 5138; there the four ranges do not overlap. Smaller
    numbers (0 above all) are producers saying "unset".
    """
    if not 1e8 <= number < 1e20:
        return None
    seconds = float(number)
    while seconds >= 1e11:
        seconds /= 1000
    return utc_text(_EPOCH + timedelta(seconds=seconds))
