"""What bytes could do to a reader of a schema, told from the schema alone.

fastavro's compiled reader follows the bytes: a type that contains itself lets 10 KB of bytes
exhaust the C stack (a segmentation fault, not an exception), and an array of things that take no
bytes lets ten bytes ask for 2^60 elements. Schemas where neither can happen, which is nearly all,
are read at full speed; the others are walked first by `guard`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

AvroType = Any
"""A schema as fastavro parsed it: a name, a dict or a list (a union)."""

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
LEAVES_TO_REWRITE = frozenset(
    {
        "date",
        "decimal",
        "local-timestamp-micros",
        "local-timestamp-millis",
        "time-micros",
        "time-millis",
        "timestamp-micros",
        "timestamp-millis",
        "uuid",
    }
)
"""Logical types that fastavro turns into Python objects JSON has no form for."""


def kind(avro_type: AvroType) -> str:
    """The word that says what a type is: `record`, `union`, `long`, ..., or a name."""
    if isinstance(avro_type, list):
        return "union"
    if isinstance(avro_type, dict):
        return str(avro_type["type"])
    return str(avro_type)


@dataclass(slots=True)
class Hazards:
    """What reading a schema's datums may need."""

    is_recursive: bool = False
    has_free_elements: bool = False
    """Some array's elements can take no bytes at all."""
    has_foreign_leaves: bool = False
    """Some value comes out as a Python object JSON has no form for."""

    @property
    def needs_guard(self) -> bool:
        """Whether hostile bytes could exhaust the stack or the memory."""
        return self.is_recursive or self.has_free_elements


def find_hazards(avro_type: AvroType, named: Mapping[str, AvroType]) -> Hazards:
    """Look through a parsed schema once; `named` holds its named types by full name."""
    search = _Search(named)
    search.visit(avro_type)
    return search.found


@dataclass(slots=True)
class _Search:
    named: Mapping[str, AvroType]
    found: Hazards = field(default_factory=Hazards)
    open_names: set[str] = field(default_factory=set)
    free_names: dict[str, bool] = field(default_factory=dict)
    """Named types already looked through: whether they can take no bytes."""

    def visit(self, avro_type: AvroType) -> bool:
        """Note the hazards of a type; True where a value of it can take no bytes."""
        what = kind(avro_type)
        if what == "union":
            # The branch number alone is a byte.
            for branch in avro_type:
                self.visit(branch)
            return False
        if isinstance(avro_type, dict):
            return self._visit_defined(what, avro_type)
        if what in PRIMITIVES:
            self.found.has_foreign_leaves |= what == "bytes"
            return what == "null"
        return self._visit_name(what)

    def _visit_name(self, name: str) -> bool:
        if name in self.free_names:
            return self.free_names[name]
        if name in self.open_names:
            self.found.is_recursive = True
            return True  # unless something beside it takes bytes
        return self.visit(self.named[name])

    def _visit_defined(self, what: str, avro_type: dict[str, AvroType]) -> bool:
        self.found.has_foreign_leaves |= (
            what in {"bytes", "fixed"} or avro_type.get("logicalType") in LEAVES_TO_REWRITE
        )
        if what in {"record", "error"}:
            name = avro_type["name"]
            self.open_names.add(name)
            fields_are_free = [self.visit(member["type"]) for member in avro_type["fields"]]
            self.open_names.discard(name)
            self.free_names[name] = all(fields_are_free)
            return self.free_names[name]
        if what == "array":
            # Not in one step: what is found within the items must not be written over.
            if self.visit(avro_type["items"]):
                self.found.has_free_elements = True
            return False
        if what == "map":
            self.visit(avro_type["values"])
            return False
        if what == "fixed":
            return bool(avro_type["size"] == 0)
        return what == "null"
