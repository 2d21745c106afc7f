"""Avro's numbers, as the readers made for a schema read them where one byte is not the whole number.

Each refuses what no writer writes: what is longer than ten bytes or 64 bits.
"""

from typing import Final

_MOST_BITS: Final = 64


class Refused(Exception):
    """Not read here; whoever can say why reads it again."""


def longer(value: bytes, at: int, number: int) -> tuple[int, int]:
    """A varint of which one byte was read, as it is spelled, and where it ends."""
    if number <= 0x7F:
        return number, at
    number &= 0x7F
    for shift in range(7, 70, 7):
        byte = value[at]
        at += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            if number >= 1 << _MOST_BITS:
                break
            return number, at
    raise Refused


def length(value: bytes, at: int, number: int) -> tuple[int, int]:
    """A length of which one byte was read, as it is spelled, and where it ends."""
    number, at = longer(value, at, number)
    if number & 1:
        raise Refused
    return number, at


def block(value: bytes, at: int) -> tuple[int, int]:
    """The count of a block that is negative or longer than a byte, and where its elements begin."""
    count, at = _long(value, at)
    if count < 0:
        count = -count
        _, at = _long(value, at)  # its size in bytes, which is not believed
    if count == 0:
        raise Refused
    return count, at


def _long(value: bytes, at: int) -> tuple[int, int]:
    number, at = longer(value, at + 1, value[at])
    return (number >> 1) ^ -(number & 1), at
