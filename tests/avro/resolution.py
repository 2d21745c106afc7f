"""Which schema reads what another writes, found out by fastavro: it writes, and reads by the other."""

import io
from collections.abc import Iterator
from typing import Any

import fastavro
import fastavro.read
import fastavro.schema


def is_readable(reader: Any, writer: Any) -> bool:
    """Whether fastavro reads by one schema every kind of datum that another writes."""
    parsed = fastavro.schema.parse_schema(writer)
    try:
        for datum in _kinds(parsed):
            stream = io.BytesIO()
            fastavro.schemaless_writer(stream, parsed, datum)
            stream.seek(0)
            fastavro.schemaless_reader(stream, parsed, reader)
    except (fastavro.read.SchemaResolutionError, fastavro.schema.SchemaParseException):
        return False
    return True


def _kinds(schema: Any) -> Iterator[Any]:
    """A datum of each branch and each symbol; of a record, each kind of each field beside the first."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _kinds(branch)
        return
    what = schema["type"] if isinstance(schema, dict) else schema
    match what:
        case "record":
            fields = {member["name"]: list(_kinds(member["type"])) for member in schema["fields"]}
            first = {name: kinds[0] for name, kinds in fields.items()}
            yield first
            yield from ({**first, name: kind} for name, kinds in fields.items() for kind in kinds[1:])
        case "enum":
            yield from schema["symbols"]
        case "fixed":
            yield b"x" * schema["size"]
        case "array":
            yield list(_kinds(schema["items"]))
        case "map":
            yield from ({"key": each} for each in _kinds(schema["values"]))
        case _:
            yield {"null": None, "boolean": True, "bytes": b"x", "string": "x"}.get(what, 1)
