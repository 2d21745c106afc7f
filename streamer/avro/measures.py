"""What a reader made for a schema must know of its types: how often each is used, how few bytes it takes."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from streamer.avro.hazards import PRIMITIVES, AvroType, kind

RECORDS: Final = frozenset({"record", "error"})
WIDTHS: Final = {"boolean": 1, "float": 4, "double": 8}
"""Bytes of the types that always take as many."""
_MOST_VALUES: Final = 10_000
"""Of nested records, with nothing between them to choose or to count."""


class Unfit(Exception):
    """Nobody should make a reader for such a schema; says why."""


class Types:
    """The types of a parsed schema; `named` holds those with names, by full name.

    Raises:
        Unfit: one says of itself what cannot be, though fastavro lets it.
    """

    def __init__(self, parsed: AvroType, named: Mapping[str, AvroType]) -> None:
        self._parsed = parsed
        self._named = named
        self._uses: Counter[str] = Counter()
        self._elements: list[AvroType] = []
        """Of every array."""
        self._rows: dict[str, tuple[int, int]] = {}
        self._count_uses(parsed)

    def resolved(self, avro_type: AvroType) -> tuple[str, AvroType]:
        """A type's kind, and the type with its name looked up."""
        what = kind(avro_type)
        if isinstance(avro_type, str) and avro_type not in PRIMITIVES:
            avro_type = self._named[avro_type]
            what = kind(avro_type)
        return what, avro_type

    def width(self, avro_type: AvroType) -> int:
        """How many bytes a value takes, if all take as many; else 0."""
        what, avro_type = self.resolved(avro_type)
        return int(avro_type["size"]) if what == "fixed" else WIDTHS.get(what, 0)

    def is_shared(self, avro_type: AvroType) -> bool:
        """Whether it is a record that stands in several places, perhaps within itself."""
        return kind(avro_type) in RECORDS and self._uses[avro_type["name"]] > 1

    def has_free_elements(self) -> bool:
        """Whether some array's elements can take no bytes; `hazards` says so of every array within itself.

        Raises Unfit as `values_a_byte` does.
        """
        return any(self._least(element)[1] == 0 for element in self._elements)

    def values_a_byte(self) -> float:
        """How many values, as the guard counts them, a byte of a datum stands for at most.

        A byte counts twice: as one of those that a record takes at least, and as the number of a union's
        branch, before a record that may take none.

        Raises:
            Unfit: a record holds too many values that take no bytes, or has itself for one of them.
        """
        records = [each for each in (self._parsed, *self._named.values()) if kind(each) in RECORDS]
        return 2 * max([1.0, *(values / max(1, width) for values, width in map(self._least, records))])

    def _least(self, avro_type: AvroType) -> tuple[int, int]:
        """Values that stand in a row, with nothing to choose among them, and the fewest bytes of these."""
        what, avro_type = self.resolved(avro_type)
        if what not in RECORDS:
            return 1, 0 if what == "null" or (what == "fixed" and avro_type["size"] == 0) else 1
        name = avro_type["name"]
        if name not in self._rows:
            self._rows[name] = (_MOST_VALUES, 0)  # should it be within itself
            found = [self._least(member["type"]) for member in avro_type["fields"]]
            values = 1 + sum(values for values, _ in found)
            if values > _MOST_VALUES:
                raise Unfit("it has records of too many values")
            self._rows[name] = (values, sum(width for _, width in found))
        return self._rows[name]

    def _count_uses(self, avro_type: AvroType) -> None:
        what, avro_type = self.resolved(avro_type)
        if not _is_sound(what, avro_type):
            raise Unfit("it says what no schema can")
        if what in RECORDS:
            self._uses[avro_type["name"]] += 1
            if self._uses[avro_type["name"]] == 1:
                for member in avro_type["fields"]:
                    self._count_uses(member["type"])
        elif what == "union":
            for branch in avro_type:
                self._count_uses(branch)
        elif what == "array":
            self._elements.append(avro_type["items"])
            self._count_uses(avro_type["items"])
        elif what == "map":
            self._count_uses(avro_type["values"])


def _is_sound(what: str, avro_type: AvroType) -> bool:
    """Whether names are text, sizes sizes and symbols a list: a reader takes them for that."""
    if what == "fixed":
        return type(avro_type["size"]) is int and avro_type["size"] >= 0
    if what == "enum":
        return type(avro_type["symbols"]) is list
    return what not in RECORDS or all(type(member["name"]) is str for member in avro_type["fields"])
