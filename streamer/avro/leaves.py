"""Fields that stand in a row and hold no others, read by a table: for where this module is compiled.

Python reads such fields sooner from source that is written for them, a compiled program from a table: source
that is written when a record comes stays interpreted. `generated` chooses, and what is said there of what may
be accepted, and of bounds, holds here.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec

from streamer.avro import json_text
from streamer.avro.varints import Refused, longer

IS_COMPILED: Final = not __file__.endswith(".py")

TEXT: Final = 0
BYTES: Final = 1
JSON: Final = 2
"""Text or bytes of a field of the event, that hold JSON to open."""
NULL: Final = 3
NUMBER: Final = 4
SYMBOL: Final = 5
FIXED: Final = 6
BOOLEAN: Final = 7
REAL: Final = 8

FLAT_ARRAYS: Final = 2 * (json_text.MAX_DEPTH + 1)
FLAT_OBJECTS: Final = 5 * json_text.MAX_DEPTH + 2
"""Bytes of JSON that is too deep, at least: each level is `[]`, or `{"":}` where there are no arrays."""

_open_flat: Final = msgspec.json.decode


class Leaf:
    """A type that holds no others: how its values are spelled, and what is made of them."""

    __slots__ = ("code", "field", "finish", "symbols", "unpack", "width")

    def __init__(
        self,
        code: int,
        *,
        width: int = 0,
        symbols: list[str] | None = None,
        spelled: str = "",
        field: str = "",
        finish: Callable[[Any], Any] | None = None,
    ) -> None:
        """The field is where JSON stands; `finish` makes of Avro's value what comes out, if it is another."""
        self.code = code
        self.width = width
        self.symbols: list[str] = symbols or []
        self.unpack = struct.Struct(spelled).unpack_from
        self.field = field
        self.finish = finish


class Field:
    """A field whose values are leaves; None for the name of one that is passed over."""

    __slots__ = ("is_union", "leaves", "name")

    def __init__(self, name: str | None, leaves: list[Leaf | None], *, is_union: bool) -> None:
        """The branches of a union, by the byte that each has for its number: every other one is none."""
        self.name = name
        self.leaves = leaves
        self.is_union = is_union


class Row:
    """Some fields one after the other."""

    __slots__ = ("_fields",)

    def __init__(self, fields: list[Field]) -> None:
        self._fields = fields

    def read(self, b: bytes, p: int, into: dict[str, Any]) -> int:
        """Put what the fields hold into a dict in which each is None; where they end.

        Raises:
            Exception: nothing is said of what is no value of these fields, or is spelled as few would.
        """
        for field in self._fields:
            branch = 0
            if field.is_union:
                branch = b[p]
                p += 1
            leaf = field.leaves[branch]
            if leaf is None:
                raise Refused
            if leaf.code == NULL:
                continue
            name = field.name
            if name is None:
                p = _end(leaf, b, p)
            else:
                into[name], p = _read(leaf, b, p)
        return p


class Flat:
    """A record that is the datum, all of its fields in one row."""

    __slots__ = ("_empty", "_otherwise", "_over", "_row")

    def __init__(
        self, row: Row, empty: dict[str, None], over: str | None, otherwise: Callable[[bytes, int], Any]
    ) -> None:
        """`empty` has every field that is kept; `over` names the one that is laid over the others."""
        self._row = row
        self._empty = empty
        self._over = over
        self._otherwise = otherwise

    def read(self, b: bytes, start: int) -> Any:  # noqa: ANN401 a datum
        """The datum that fills the bytes from there to their end; what `otherwise` tells of any other."""
        try:
            values: dict[str, Any] = self._empty.copy()
            if self._row.read(b, start, values) == len(b):
                if self._over is not None:
                    inner = values.pop(self._over)
                    if type(inner) is dict:
                        values.update(inner)
                return values
        except Exception:  # noqa: BLE001, S110 whatever it is, that one says what is wrong
            pass
        return self._otherwise(b, start)


def _read(leaf: Leaf, b: bytes, p: int) -> tuple[Any, int]:
    """What comes out for a value, and where it ends."""
    value: Any
    code = leaf.code
    if code <= JSON:
        p, q = _text(b, p)
        value = b[p:q].decode() if code == TEXT else b[p:q] if code == BYTES else _opened(b[p:q], leaf.field)
        p = q
    elif code == NUMBER:
        n, p = longer(b, p + 1, b[p])
        value = (n >> 1) ^ -(n & 1)
    elif code == SYMBOL:
        n, p = longer(b, p + 1, b[p])
        if n & 1:
            raise Refused
        value = leaf.symbols[n >> 1]
    else:
        q = p + leaf.width
        value = b[p:q] if code == FIXED else b[p] != 0 if code == BOOLEAN else leaf.unpack(b, p)[0]
        p = q
    finish = leaf.finish
    return value if finish is None else finish(value), p


def _end(leaf: Leaf, b: bytes, p: int) -> int:
    """Where a value ends of which nothing else is wanted."""
    code = leaf.code
    if code <= JSON:
        p, q = _text(b, p)
        return q
    if code > SYMBOL:
        return p + leaf.width
    n, p = longer(b, p + 1, b[p])
    if code == SYMBOL and (n & 1 or n >> 1 >= len(leaf.symbols)):
        raise Refused
    return p


def _text(b: bytes, p: int) -> tuple[int, int]:
    """Where a text begins and ends."""
    n = b[p]
    p += 1
    if n > 127:
        n, p = longer(b, p, n)
    if n & 1:
        raise Refused
    return p, p + (n >> 1)


def _opened(text: bytes, field: str) -> object:
    """What JSON says; that which is too short to be too deep is not looked at twice."""
    if len(text) < FLAT_ARRAYS or (len(text) < FLAT_OBJECTS and b"[" not in text):
        return _open_flat(text)
    return json_text.parse(text, field)
