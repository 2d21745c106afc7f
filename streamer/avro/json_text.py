"""JSON text to values and back, strictly and in bounded depth.

Values are what `json` gives: integers of any size, floats apart from integers, keys in the order
they were written. Text is Unicode: a lone surrogate, which JSON can spell and UTF-8 cannot, is
read as U+FFFD, so that nothing further on can choke on it.
"""

import json
import math
from typing import Any, Final

import msgspec

from streamer.errors import InvalidEvent
from streamer.outcomes import InvalidReason

MAX_DEPTH: Final = 128
"""Objects and arrays within each other. Deeper values are refused: they exhaust whoever walks them."""

_decode: Final = msgspec.json.decode


def parse(text: str | bytes, where: str = "", *, max_depth: int = MAX_DEPTH) -> Any:  # noqa: ANN401 any JSON
    """The value of a JSON text; `where` names the field it stands in.

    Raises:
        InvalidEvent: BAD_JSON where the text is not JSON (RFC 8259), is nested too deep, or holds
            a number no double can hold.
    """
    try:
        value = _decode(text)
    except msgspec.DecodeError:
        value = _parse_slowly(text, where, max_depth)
    except RecursionError:
        raise _bad(where, _too_deep(max_depth)) from None
    except UnicodeError:
        raise _bad(where, "not UTF-8") from None
    if _may_exceed(text, max_depth) and is_deeper(value, max_depth):
        raise _bad(where, _too_deep(max_depth))
    return value


def dump(value: object, where: str = "") -> str:
    """The JSON text of a value that `parse` gives back equal, lone surrogates aside.

    Raises:
        InvalidEvent: BAD_JSON where the value has no JSON form (NaN, a date, a cycle) or is too deep.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if not is_unicode(text):
            text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise _bad(where, _too_deep(MAX_DEPTH)) from None
    except (TypeError, ValueError):
        raise _bad(where, "holds a value JSON has no form for") from None
    if _may_exceed(text, MAX_DEPTH) and is_deeper(value, MAX_DEPTH):
        raise _bad(where, _too_deep(MAX_DEPTH))
    return text


def is_deeper(value: object, max_depth: int) -> bool:
    """Whether objects and arrays lie more than `max_depth` within each other. Does not recurse."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(max_depth):
        if not level:
            return False
        level = [inner for outer in level for inner in _members(outer) if isinstance(inner, dict | list)]
    return bool(level)


def _members(container: Any) -> Any:  # noqa: ANN401 a dict or a list of anything
    return container.values() if isinstance(container, dict) else container


def _may_exceed(text: str | bytes, max_depth: int) -> bool:
    """Whether there are enough brackets, be they inside strings, to nest too deep: a cheap first look."""
    if isinstance(text, str):
        return text.count("{") + text.count("[") > max_depth
    return text.count(b"{") + text.count(b"[") > max_depth


def _parse_slowly(text: str | bytes, where: str, max_depth: int) -> Any:  # noqa: ANN401 any JSON
    """What msgspec refuses: mostly not JSON, sometimes JSON with a lone surrogate."""
    try:
        spelled = text if isinstance(text, str) else text.decode()
        value = json.loads(spelled, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise _bad(where, _too_deep(max_depth)) from None
    except ValueError:
        raise _bad(where, "not JSON, or a number out of range") from None
    if is_deeper(value, max_depth):
        raise _bad(where, _too_deep(max_depth))
    return _without_lone_surrogates(value)


def _without_lone_surrogates(value: Any) -> Any:  # noqa: ANN401 any JSON
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_lone_surrogates(member) for member in value]
    if isinstance(value, dict):
        return {
            _without_lone_surrogates(key): _without_lone_surrogates(member) for key, member in value.items()
        }
    return value


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold a text: no lone surrogate stands in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def _too_deep(max_depth: int) -> str:
    return f"nested deeper than {max_depth}"


def _bad(where: str, what: str) -> InvalidEvent:
    return InvalidEvent(InvalidReason.BAD_JSON, f"{where}: {what}" if where else what)
