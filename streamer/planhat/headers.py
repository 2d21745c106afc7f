"""What a reply's headers say of waiting and of the quota. Pure; names are matched in any case.

Planhat documents neither `Retry-After` nor a spelling of its rate-limit headers (planhat-api.md §4),
so every one of them is optional here, both spellings are read, and nonsense counts as absent.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_WAIT_SECONDS = 600.0

_SECONDS = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
_RESET_NAMES = ("x-ratelimit-reset", "x-rate-limit-reset")
_REMAINING_NAMES = ("x-ratelimit-remaining", "x-rate-limit-remaining")
# A wait is never 31 years long, and no clock stands before 2001: what is larger is a point in time.
_EPOCH_SECONDS_FROM = 1e9
_EPOCH_MILLISECONDS_FROM = 1e12


def retry_after_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """How long the reply asks us to wait: `Retry-After`, else a reset header; 0 to 600 seconds.

    `now` is seconds since 1970: `Retry-After` may be a date, a reset header a point in time.
    """
    waited_for = asked_wait_seconds(headers, now=now)
    if waited_for is not None:
        return waited_for
    for text in _values(headers, _RESET_NAMES):
        seconds = _number(text)
        if seconds is None:
            continue
        if seconds >= _EPOCH_MILLISECONDS_FROM:
            seconds = seconds / 1000 - now
        elif seconds >= _EPOCH_SECONDS_FROM:
            seconds -= now
        return _bounded(seconds)
    return None


def asked_wait_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """`Retry-After` alone: seconds or an HTTP date, bounded as above. None where absent or unreadable.

    Reset headers stand on every reply, so for anything but a 429 they say nothing about waiting.
    """
    for text in _values(headers, ("retry-after",)):
        seconds = _number(text)
        if seconds is None:
            seconds = _seconds_until(text, now)
        if seconds is not None:
            return _bounded(seconds)
    return None


def remaining_calls(headers: Mapping[str, str]) -> int | None:
    """Calls left in the quota's window, by the reply's header in either spelling."""
    for text in _values(headers, _REMAINING_NAMES):
        number = _number(text)
        if number is not None:
            return math.floor(number)
    return None


def _values(headers: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    lowered = {name.lower(): value for name, value in headers.items()}
    return [lowered[name].strip() for name in names if name in lowered]


def _number(text: str) -> float | None:
    return float(text) if _SECONDS.fullmatch(text) else None


def _seconds_until(text: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
