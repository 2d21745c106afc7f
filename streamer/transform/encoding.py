"""JSON of anything an event can hold. Total: no value makes encoding fail.

The first attempt is msgspec's, at the speed of C. The careful walk below runs only where that
fails: lone surrogates, nesting deeper than the stack, integers beyond 64 bits.
"""

from math import isfinite
from typing import Final

import msgspec

Number = int | float
"""A number as it came: compiled code makes what is said to be a float one, and 3 would go out as 3.0."""

# What is nested deeper than this was built to hurt; it becomes null.
_DEEPEST: Final = 100
_INTEGER_BITS: Final = 63

_encode: Final = msgspec.json.Encoder().encode
_EXACT_FROM: Final = 512
"""Bytes. What `encode` returns has room for up to half as many again behind it, which nobody sees: a longer
one is copied, into just so many."""


def to_json(value: object) -> bytes:
    """UTF-8 JSON of a value; what JSON has no word for becomes text or null."""
    try:
        encoded = _encode(value)
    except (TypeError, ValueError, RecursionError, OverflowError):
        encoded = _encode(json_ready(_spelled(value) if isinstance(value, msgspec.Struct) else value))
    return encoded if len(encoded) < _EXACT_FROM else bytes(memoryview(encoded))


def _spelled(value: msgspec.Struct) -> dict[str, object]:
    """As an object what is declared with None for what is absent, and not written then."""
    return {name: part for name, part in msgspec.structs.asdict(value).items() if part is not None}


def json_ready(value: object, depth: int = 0) -> object:
    """The same value built of JSON's types alone, and encodable."""
    if isinstance(value, dict):
        if depth >= _DEEPEST:
            return None
        return {_encodable(key): json_ready(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return None if depth >= _DEEPEST else [json_ready(part, depth + 1) for part in value]
    return scalar(value)


def scalar(value: object) -> str | bool | Number | None:
    """One leaf as text, boolean, number or null.

    Integers beyond 64 bits become text, which keeps their digits; non-finite numbers become null.
    """
    if isinstance(value, str):
        return _encodable(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _integer(value)
    return value if isinstance(value, float) and isfinite(value) else None


def _integer(value: int) -> int | str | None:
    bits = value.bit_length()
    if bits <= _INTEGER_BITS:
        return value
    # Python refuses to print integers of more than 4,300 digits.
    return str(value) if bits <= 4096 else None


def _encodable(text: str) -> str:
    """Text that UTF-8 can hold: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode()
