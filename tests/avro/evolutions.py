"""Changes of a schema, and whether each may be: for our judge, for fastavro, and for a real registry."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Edit = Callable[[dict[str, Any]], None]

OPEN = {"type": "string", "logicalType": "json"}


class Change(NamedTuple):
    """A type before and after, as the field `x` of a record, and what stands in the way of reading it."""

    old: Any
    new: Any
    new_reads_old: str = ""
    """Words of why the new one cannot read the old one; empty where it can."""
    old_reads_new: str = ""


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    """An enum."""
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def record(name: str = "R", **fields: Any) -> dict[str, Any]:
    """A record; a field is its type, or a pair of type and default."""
    listed = [
        {"name": key, "type": each[0], "default": each[1]}
        if isinstance(each, tuple)
        else {"name": key, "type": each}
        for key, each in fields.items()
    ]
    return {"type": "record", "name": name, "fields": listed}


def fixed(size: int) -> dict[str, Any]:
    """A fixed type."""
    return {"type": "fixed", "name": "F", "size": size}


NOT_WRITTEN = "not written, and the reader has no default"

CHANGES = {
    "nothing": Change("string", "string"),
    "a logical type": Change("string", OPEN),
    "int to long": Change("int", "long", old_reads_new="written as long, read as int"),
    "long to double": Change("long", "double", old_reads_new="written as double, read as long"),
    "int to float": Change("int", "float", old_reads_new="written as float, read as int"),
    "float to double": Change("float", "double", old_reads_new="written as double, read as float"),
    "string to bytes": Change("string", "bytes"),
    "string to long": Change(
        "string", "long", "written as string, read as long", "written as long, read as string"
    ),
    "boolean to int": Change("boolean", "int", "written as boolean", "written as int"),
    "nullable": Change("string", ["null", "string"], old_reads_new="x: written as null, read as string"),
    "one more branch": Change(
        ["null", "string"],
        ["null", "string", "long"],
        old_reads_new="written as long, read as null or string",
    ),
    "branches swapped": Change(["null", "string"], ["string", "null"]),
    "a promoted branch": Change(["null", "int"], ["null", "long"], old_reads_new="written as long"),
    "a symbol more": Change(enum("A"), enum("A", "B"), old_reads_new="does not know B"),
    "a symbol more, with a default": Change(enum("A", default="A"), enum("A", "B", default="A")),
    "an array's type": Change(
        {"type": "array", "items": "int"}, {"type": "array", "items": "long"}, old_reads_new=r"x\[\]: written"
    ),
    "a map's type": Change(
        {"type": "map", "values": "string"},
        {"type": "map", "values": ["null", "string"]},
        old_reads_new=r"x\{\}: written as null",
    ),
    "a map for an array": Change(
        {"type": "map", "values": "int"}, {"type": "array", "items": "int"}, "read as array", "read as map"
    ),
    "another size": Change(
        fixed(2), fixed(3), "F of 2 bytes, read as F of 3", "F of 3 bytes, read as F of 2"
    ),
    "a field more": Change(record(a="int"), record(a="int", b="int"), f"x.b: {NOT_WRITTEN}"),
    "a field more, with a default": Change(record(a="int"), record(a="int", b=(["null", "int"], None))),
    "a field less": Change(
        record(a="int", b=(["null", "int"], None)),
        record(b=(["null", "int"], None)),
        "",
        f"x.a: {NOT_WRITTEN}",
    ),
    "a record in a union": Change(
        ["null", record(a="int")], ["null", record(a="int", b="int")], f"x.b: {NOT_WRITTEN}"
    ),
    "another name": Change(
        record("R", a="int"), record("S", a="int"), "record R, read as", "record S, read as"
    ),
    "a record for text": Change("string", record(a="int"), "read as record R", "written as record R"),
}


def within(schema: Any, default: Any = ...) -> dict[str, Any]:
    """A record of the field `x`."""
    return record("Around", x=schema if default is ... else (schema, default))


# --- changes of the bundled files ------------------------------------------------------------------


def change(folder: Path, label: str, edit: Edit) -> None:
    """Edit a schema's file."""
    path = folder / f"{label}.avsc"
    definition = json.loads(path.read_text(encoding="utf-8"))
    edit(definition)
    path.write_text(json.dumps(definition), encoding="utf-8")


def add_field(name: str, of: object, *default: object) -> Edit:
    """Adds a field to a schema."""

    def edit(definition: dict[str, Any]) -> None:
        more = {"default": default[0]} if default else {}
        definition["fields"].append({"name": name, "type": of, **more})

    return edit


def drop_field(name: str) -> Edit:
    """Takes a field out of a schema."""

    def edit(definition: dict[str, Any]) -> None:
        definition["fields"] = [each for each in definition["fields"] if each["name"] != name]

    return edit


def set_type(name: str, of: object) -> Edit:
    """Gives a field another type."""

    def edit(definition: dict[str, Any]) -> None:
        (member,) = (each for each in definition["fields"] if each["name"] == name)
        member["type"] = of

    return edit


def rename(definition: dict[str, Any]) -> None:
    """Gives a schema another name."""
    definition["name"] = "Tracked"
