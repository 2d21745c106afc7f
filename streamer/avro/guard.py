"""A walk over a datum's bytes that builds nothing: refuses what would exhaust whoever builds it.

In Python, so that depth is counted and nothing can fall over; about as slow as reading the datum
twice. Only for schemas with hazards (see `hazards`).
"""

from collections.abc import Callable, Iterator, Mapping

from streamer.avro.hazards import AvroType, kind
from streamer.avro.json_text import MAX_DEPTH

MAX_VALUES = 200_000
"""Values one guarded datum may hold, counting those that take no bytes."""

_WIDTHS = {"null": 0, "boolean": 1, "float": 4, "double": 8}
_LONGEST_VARINT = 10


class DatumRefused(Exception):
    """The bytes are no datum of the schema, or one that is too deep or too wide; says which."""


def walk(value: bytes, start: int, avro_type: AvroType, named: Mapping[str, AvroType]) -> None:
    """Walk the datum at `start` to its end.

    Raises:
        DatumRefused: it is truncated, malformed, nested deeper than MAX_DEPTH or wider than MAX_VALUES.
    """
    _Walk(value, start, named).over(avro_type, 0)


class _Walk:
    __slots__ = ("_at", "_bytes", "_named", "_values_left")

    def __init__(self, value: bytes, start: int, named: Mapping[str, AvroType]) -> None:
        self._bytes = value
        self._at = start
        self._named = named
        self._values_left = MAX_VALUES

    def over(self, avro_type: AvroType, depth: int) -> None:
        """Pass over one value."""
        self._values_left -= 1
        if self._values_left < 0:
            raise DatumRefused(f"holds more than {MAX_VALUES} values")
        what = kind(avro_type)
        while what not in _STEPS:
            # A union or a name: no level of its own, and no Python frame either.
            chosen = avro_type[self._index(len(avro_type))] if what == "union" else self._named[what]
            avro_type, what = chosen, kind(chosen)
        _STEPS[what](self, avro_type, depth)

    def over_width(self, avro_type: AvroType, _depth: int) -> None:
        """Pass over what always takes the same bytes."""
        self._forward(_WIDTHS[kind(avro_type)])

    def over_number(self, _avro_type: AvroType, _depth: int) -> None:
        """Pass over a varint."""
        self._long()

    def over_bytes(self, _avro_type: AvroType, _depth: int) -> None:
        """Pass over a length and as many bytes."""
        self._forward(self._long())

    def over_fixed(self, avro_type: AvroType, _depth: int) -> None:
        """Pass over as many bytes as the schema says."""
        self._forward(avro_type["size"])

    def over_enum(self, avro_type: AvroType, _depth: int) -> None:
        """Pass over a symbol's number."""
        self._index(len(avro_type["symbols"]))

    def over_record(self, avro_type: AvroType, depth: int) -> None:
        """Pass over every field."""
        for member in avro_type["fields"]:
            self.over(member["type"], self._deeper(depth))

    def over_array(self, avro_type: AvroType, depth: int) -> None:
        """Pass over every element."""
        for _ in self._elements():
            self.over(avro_type["items"], self._deeper(depth))

    def over_map(self, avro_type: AvroType, depth: int) -> None:
        """Pass over every key and value."""
        for _ in self._elements():
            self.over_bytes(None, depth)
            self.over(avro_type["values"], self._deeper(depth))

    def _elements(self) -> Iterator[int]:
        """Yield once per element, block by block."""
        while (count := self._long()) != 0:
            if count < 0:
                count = -count
                self._long()  # the block's size in bytes, for readers that skip
            if count > self._values_left:
                raise DatumRefused(f"holds more than {MAX_VALUES} values")
            yield from range(count)

    def _deeper(self, depth: int) -> int:
        if depth >= MAX_DEPTH:
            raise DatumRefused(f"nested deeper than {MAX_DEPTH}")
        return depth + 1

    def _index(self, choices: int) -> int:
        index = self._long()
        if not 0 <= index < choices:
            raise DatumRefused("a union or enum index out of range")
        return index

    def _forward(self, count: int) -> None:
        if not 0 <= count <= len(self._bytes) - self._at:
            raise DatumRefused("truncated, or a length out of range")
        self._at += count

    def _long(self) -> int:
        number = 0
        for position in range(_LONGEST_VARINT):
            if self._at >= len(self._bytes):
                raise DatumRefused("truncated")
            byte = self._bytes[self._at]
            self._at += 1
            number |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
        raise DatumRefused("a number longer than ten bytes")


_STEPS: Mapping[str, Callable[[_Walk, AvroType, int], None]] = {
    **dict.fromkeys(_WIDTHS, _Walk.over_width),
    "int": _Walk.over_number,
    "long": _Walk.over_number,
    "bytes": _Walk.over_bytes,
    "string": _Walk.over_bytes,
    "fixed": _Walk.over_fixed,
    "enum": _Walk.over_enum,
    "record": _Walk.over_record,
    "error": _Walk.over_record,
    "array": _Walk.over_array,
    "map": _Walk.over_map,
}
