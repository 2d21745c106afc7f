"""Values made into what a rule asks for. Total: what cannot be is `UNREADABLE`, and a null stays one."""

import re
from collections.abc import Callable
from enum import Enum
from math import isfinite
from typing import Final, Literal

from streamer.events.values import id_text, iso_timestamp
from streamer.transform.encoding import Number, scalar, to_json
from streamer.transform.planhat_fields import Kind


class _Unreadable(Enum):
    UNREADABLE = "unreadable"


UNREADABLE: Final = _Unreadable.UNREADABLE
"""Stands for a value that cannot be made into what was asked for."""
Unreadable = Literal[_Unreadable.UNREADABLE]

_LONGEST_NUMBER: Final = 64
# As people and shops write amounts: a currency sign, commas between thousands.
_AMOUNT: Final = re.compile(
    r"([+-]?)\s*\$?\s*((?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?)", re.ASCII
)
_TRUE: Final = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE: Final = frozenset({"false", "no", "off", "0", "n", "f"})


def retyped(kind: Kind, value: object) -> object | Unreadable:
    """The value as this kind, JSON-ready; a null stays null."""
    return None if value is None else _READERS[kind](value)


def number_of(value: object) -> Number | Unreadable:
    """A finite number that 64 bits hold; booleans are 1 and 0, text is read as an amount ("$1,200.50")."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return _amount(value)
    number = scalar(value) if isinstance(value, int | float) else None
    return number if isinstance(number, int | float) else UNREADABLE


def _amount(text: str) -> Number | Unreadable:
    text = text.strip()
    found = _AMOUNT.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if found is None:
        return UNREADABLE
    digits = found[1] + found[2].replace(",", "")
    try:
        number = float(digits)
    except ValueError:  # a sign or a point alone
        return UNREADABLE
    if digits.lstrip("+-").isdecimal() and abs(number) < 2**53:
        return int(number)
    return number if isfinite(number) else UNREADABLE


def _text(value: object) -> str | Unreadable:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return to_json(value).decode()
    text = id_text(value)
    return UNREADABLE if text is None else text


def _boolean(value: object) -> bool | Unreadable:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else UNREADABLE
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _TRUE:
        return True
    return False if word in _FALSE else UNREADABLE


def _date(value: object) -> str | Unreadable:
    moment = iso_timestamp(value)
    return UNREADABLE if moment is None else moment


def _list(value: object) -> list[object] | Unreadable:
    """A list of scalars: text is taken apart at its commas, any other scalar is the one entry."""
    if isinstance(value, dict):
        return UNREADABLE
    if isinstance(value, list):
        return [to_json(each).decode() if isinstance(each, dict | list) else scalar(each) for each in value]
    if isinstance(value, str):
        return [part for each in value.split(",") if (part := each.strip())]
    entry = scalar(value)
    return UNREADABLE if entry is None else [entry]


_READERS: Final[dict[Kind, Callable[[object], object]]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: number_of,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.LIST: _list,
}
