"""Avro's binary encoding by hand: what no writer would write, tests must."""


def long(number: int) -> bytes:
    """A zig-zag varint."""
    rest = ((number << 1) ^ (number >> 63)) & ((1 << 64) - 1)
    out = bytearray()
    while rest > 0x7F:
        out.append((rest & 0x7F) | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def string(text: str) -> bytes:
    """A length and UTF-8."""
    return long(len(text.encode())) + text.encode()
