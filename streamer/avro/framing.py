"""The first bytes of a value, which tell how the rest is written (design, section 6)."""

from streamer.errors import UsageError

CONFLUENT_MAGIC = b"\x00"
CONFLUENT_HEADER_BYTES = 5
"""The magic byte and a schema id, 4 bytes, big-endian."""
SINGLE_OBJECT_MAGIC = b"\xc3\x01"
SINGLE_OBJECT_HEADER_BYTES = 10
"""The magic bytes and a CRC-64-AVRO fingerprint, little-endian."""
BARE_PREFIX = "bare:"
AUTO = "auto"


def confluent_header(schema_id: int) -> bytes:
    """The header of a value whose schema has this id in a registry."""
    try:
        return CONFLUENT_MAGIC + schema_id.to_bytes(4, "big")
    except OverflowError:
        raise UsageError(f"{schema_id} is no schema id: it must fit in four bytes") from None


def bare_schema_name(value_format: str) -> str | None:
    """The schema named by `bare:<name>`; None for `auto`.

    Raises:
        UsageError: it is neither.
    """
    if value_format == AUTO:
        return None
    name = value_format.removeprefix(BARE_PREFIX)
    if name == value_format or not name:
        raise UsageError(f"value format {value_format!r} is unknown; use auto, or bare:<schema name>")
    return name
