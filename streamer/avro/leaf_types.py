"""What a type that holds no others comes to, for the readers made for a schema: one answer for both forms."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import fastavro.read

from streamer.avro import json_text, leaves
from streamer.avro.hazards import AvroType
from streamer.avro.json_ready import json_ready
from streamer.avro.leaves import Leaf
from streamer.avro.measures import WIDTHS

_CODES: Final = {
    "null": leaves.NULL,
    "int": leaves.NUMBER,
    "long": leaves.NUMBER,
    "string": leaves.TEXT,
    "bytes": leaves.BYTES,
    "enum": leaves.SYMBOL,
    "fixed": leaves.FIXED,
    "boolean": leaves.BOOLEAN,
    "float": leaves.REAL,
    "double": leaves.REAL,
}
_REALS: Final = {"float": "<f", "double": "<d"}


def leaf_of(what: str, avro_type: AvroType, text_of: str | None = None) -> Leaf | None:
    """A type of this kind, None where that is none of a leaf; its text is JSON of the field `text_of`."""
    code = _CODES.get(what)
    if code is None:
        return None
    finish: Callable[[Any], Any] | None = _logical_reader(what, avro_type)
    if finish is None and text_of is not None and code in {leaves.TEXT, leaves.BYTES}:
        code = leaves.JSON
    elif finish is None and text_of is not None and code in {leaves.FIXED, leaves.SYMBOL}:
        finish = partial(json_text.parse, where=text_of)
    elif finish is None and code in {leaves.FIXED, leaves.BYTES}:
        finish = _base64
    return Leaf(
        code,
        width=avro_type["size"] if what == "fixed" else WIDTHS.get(what, 0),
        symbols=avro_type["symbols"] if what == "enum" else None,
        spelled=_REALS.get(what, ""),
        field=text_of or "",
        finish=finish,
    )


def _base64(value: bytes) -> str:
    return b64encode(value).decode("ascii")


def _logical_reader(what: str, avro_type: AvroType) -> Callable[[Any], Any] | None:
    logical = avro_type.get("logicalType") if isinstance(avro_type, dict) and what != "enum" else None
    read = fastavro.read.LOGICAL_READERS.get(f"{what}-{logical}")
    return None if read is None else partial(_logical, avro_type, read)


def _logical(schema: AvroType, read: Callable[..., Any], value: Any) -> Any:  # noqa: ANN401 a leaf
    return json_ready(read(value, schema, None))
