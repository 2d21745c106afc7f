"""A reader made for one schema: Python that reads its datums and nothing else, compiled once.

What it reads is what `DatumReader.read` reads, open parts opened and leaves JSON-ready, in about a third
of the time. Where the package is compiled, which this source is not, it has rows of fields read by `leaves`;
a record that is one row has no source at all. It reads what writers write; whatever it trips over (bytes that
are no datum, a number spelled longer than it need be, a datum as deep as the guard would look at) goes to
`DatumReader.read`, which alone says what is refused and why. So it must only never accept what that refuses,
nor read it differently.

Bounded by its form: `p` only grows, each turn of a loop takes a byte at least, and no block announces more
elements than bytes are left. Slices may run over the end; then the next byte, or the last line, is missed.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from streamer.avro import guard, json_text, leaves, varints
from streamer.avro.datum import DatumReader
from streamer.avro.hazards import AvroType, kind
from streamer.avro.leaf_types import leaf_of
from streamer.avro.leaves import Field, Leaf, Row
from streamer.avro.measures import RECORDS, Types, Unfit
from streamer.avro.members import MOST_BRANCHES, Member, field_of, flat_reader, members_of

MAX_LINES: Final = 20_000
"""Of source for one schema; writing and compiling them takes about an eighth of a second."""
_DEEPEST_INDENT: Final = 8
"""Types that stand deeper become functions: Python nests twenty loops at most."""
_CONTAINERS: Final = frozenset({"record", "error", "array", "map"})
_TOO_DEEP: Final = "it is nested too deep"
_NO_TYPE: Final = "it has a type that is none of Avro's"

Read = Callable[[bytes, int], Any]
"""The datum that fills some bytes from there to their end."""


class Unsupported(Exception):
    """No reader is made for this schema; says why."""


def made_reader(
    datums: DatumReader,
    *,
    wanted: Collection[str] | None = None,
    otherwise: Read | None = None,
    by_rows: bool = leaves.IS_COMPILED,
) -> Read:
    """Make the reader of a schema; takes milliseconds.

    wanted: the fields of an event that are read, all if None. The bytes of others are passed over: of text
        in them that is no UTF-8, and numbers no date has, nothing is said.
    otherwise: what reads the datums that this one does not; `datums.read` if None.
    by_rows: whether fields that hold no others are read by a table, several by one call of `leaves.Row`.

    Raises:
        Unsupported: the schema has elements that take no bytes, or is too large.
    """
    try:
        maker = _Maker(datums, None if wanted is None else frozenset(wanted), by_rows=by_rows)
        otherwise = otherwise or datums.read
        flat = flat_reader(datums, maker.types, maker.wanted, otherwise) if by_rows else None
        if flat is not None:
            return flat.read
        source = maker.source()
        names: dict[str, Any] = {**_NAMES, **maker.constants, "otherwise": otherwise}
        # Names in it are ours; those of the schema are quoted, or not in it at all.
        exec(compile(source, "<made for a schema>", "exec"), names)  # noqa: S102
    except (RecursionError, MemoryError, SyntaxError):
        raise Unsupported(_TOO_DEEP) from None
    except Unfit as unfit:
        raise Unsupported(str(unfit)) from None
    made: Read = names["read"]
    return made


# --- what the source calls -------------------------------------------------------------------------


_NAMES: Final[dict[str, Any]] = {
    "Refused": varints.Refused,
    "block": varints.block,
    "half": tuple(None if byte & 1 else (byte & 127) >> 1 for byte in range(256)),  # a negative has none
    "length": varints.length,
    "longer": varints.longer,
    "open_flat": msgspec.json.decode,
    "open_text": json_text.parse,
}

_NUMBER: Final = (
    "n = b[p]",
    "p += 1",
    "if n > 127:",
    "    n, p = longer(b, p, n)",
)
_TEXT: Final = (
    "n = b[p]",
    "p += 1",
    "if n < 128:",
    "    q = p + half[n]",
    "else:",
    "    i = b[p]",
    "    if i < 128:",
    "        p += 1",
    "        q = p + half[n] + 64 * i",
    "    else:",
    "        n, p = length(b, p, n)",
    "        q = p + (n >> 1)",
)
"""Where a text begins and ends. Operators on bits cost Python several times what a table and sums do."""


_OTHERS: Final = {leaves.NULL: "None", leaves.BOOLEAN: "b[p] != 0", leaves.NUMBER: "(n >> 1) ^ -(n & 1)"}
_IS_FLAT: Final = f"len(x) < {leaves.FLAT_ARRAYS} or len(x) < {leaves.FLAT_OBJECTS} and b'[' not in x"


class _Maker:
    """Writes the source of one schema's reader.

    In it: `b` the bytes, `p` where we are, `n` a number as it is spelled, `q` where a text ends, `x` its
    bytes, `i` a union's branch, `d` the depth where the schema contains itself; numbered names are values.
    """

    def __init__(self, datums: DatumReader, wanted: frozenset[str] | None, *, by_rows: bool) -> None:
        self.constants: dict[str, Any] = {}
        self._datums = datums
        self.wanted = wanted
        self._by_rows = by_rows
        self.types = Types(datums.parsed, datums.named)
        if self.types.has_free_elements():
            raise Unsupported("it has arrays of elements that take no bytes")
        self._lines: list[str] = []
        self._count = 0
        self._deepest = 0
        self._functions: dict[tuple[str, bool], str] = {}
        self._to_write: list[tuple[str, AvroType, bool]] = []
        self._depth = ", d" if datums.hazards.is_recursive else ""
        self._most_bytes = int(guard.MAX_VALUES / self.types.values_a_byte())

    def source(self) -> str:
        """The whole module; its `read` is what is wanted."""
        parsed = self._datums.parsed
        self._put(0, "def read(b, start):", "    try:", "        p = start")
        if self._depth:
            # The guard counts each value of such a datum; so few bytes cannot hold too many.
            self._put(2, "d = 0", f"if len(b) - start > {self._most_bytes}:", "    raise Refused")
        self._root(parsed, 2)
        self._put(2, "if p == len(b):", "    return v")
        self._put(1, "except Exception:", "    pass", "return otherwise(b, start)")
        while self._to_write:
            name, avro_type, keeps = self._to_write.pop()
            self._put(0, f"def {name}(b, p{self._depth}):")
            if self._depth:
                self._put(1, "if d > deepest:", "    raise Refused")
            self._defined(avro_type, "v" if keeps else None, 1, 0)
            self._put(1, "return v, p" if keeps else "return p")
        if self._depth and self._deepest > json_text.MAX_DEPTH:
            raise Unsupported(_TOO_DEEP)
        # A function begins no deeper than that what stands in it, at its deepest, is within the bound.
        self.constants["deepest"] = json_text.MAX_DEPTH - self._deepest
        return "\n".join(self._lines)

    # --- the datum itself ------------------------------------------------------------------------

    def _root(self, avro_type: AvroType, at: int) -> None:
        what, avro_type = self.types.resolved(avro_type)
        if what in RECORDS:
            self._event(avro_type, at)
        elif what == "union":
            if (self._datums.json_fields or self._datums.overflows) and any(
                self.types.resolved(branch)[0] == "map" for branch in avro_type
            ):
                raise Unsupported("it is a union of records and maps")
            self._union(avro_type, at, self._root)
        else:
            self._defined(avro_type, "v", at, 0)

    def _event(self, record: AvroType, at: int) -> None:
        members, over = members_of(self._datums, record, self.wanted)
        self._members(members, "v", at, 0)
        if over is not None:
            self._put(at, f"x = v.pop({over!r})", "if x.__class__ is dict:", "    v.update(x)")

    # --- any value -------------------------------------------------------------------------------

    def _value(
        self, avro_type: AvroType, target: str | None, at: int, level: int, text_of: str | None = None
    ) -> None:
        """Read a value into `target`, or pass over it; text of the field `text_of` is JSON to open."""
        self._deepest = max(self._deepest, level)
        what, resolved = self.types.resolved(avro_type)
        if what == "union":

            def branch(chosen: AvroType, within: int) -> None:
                self._value(chosen, target, within, level, text_of)

            self._union(resolved, at, branch)
        elif what in _CONTAINERS and (at > _DEEPEST_INDENT or self.types.is_shared(resolved)):
            self._call(resolved, target, at, level)
        else:
            self._defined(resolved, target, at, level, text_of)

    def _defined(
        self, avro_type: AvroType, target: str | None, at: int, level: int, text_of: str | None = None
    ) -> None:
        what = kind(avro_type)
        if what in RECORDS:
            is_kept = target is not None
            members = [Member(each["name"], each["type"], is_kept) for each in avro_type["fields"]]
            self._members(members, target, at, level)
        elif what == "array":
            self._array(avro_type["items"], target, at, level + 1)
        elif what == "map":
            self._map(avro_type["values"], target, at, level + 1)
        else:
            self._leaf(what, avro_type, target, at, text_of)

    def _members(self, members: list[Member], target: str | None, at: int, level: int) -> None:
        """Read a record's fields into a dict of those that are kept."""
        if self._by_rows and len({member.name for member in members}) == len(members):
            self._rows(members, target, at, level + 1)
            return
        kept: dict[str, str] = {}
        for member in members:
            field = self._new() if member.is_kept else None
            self._value(member.type, field, at, level + 1, member.text_of)
            if field is not None:
                kept[member.name] = field
        if target is not None:
            self._put(at, f"{target} = {_display(kept)}")

    def _rows(self, members: list[Member], target: str | None, at: int, level: int) -> None:
        """The same; those that hold no others by one call, as far as they stand in a row."""
        values = self._new()
        kept = {member.name: None for member in members if member.is_kept}
        self._put(at, f"{values} = {self._constant(kept)}{'.copy()' if target is not None else ''}")
        row: list[Field] = []
        for member in members:
            field = field_of(self.types, member)
            if field is None:
                inner = f"{values}[{member.name!r}]" if member.is_kept else None
                self._value(member.type, inner, at, level, member.text_of)
                row = []
                continue
            self._deepest = max(self._deepest, level)
            if not row:
                self._put(at, f"p = {self._constant(Row(row).read)}(b, p, {values})")
            row.append(field)
        if target is not None:
            self._put(at, f"{target} = {values}")

    def _array(self, items: AvroType, target: str | None, at: int, level: int) -> None:
        width = self.types.width(items) if target is None else 0
        values, element = (None, None) if target is None else (self._new(), self._new())
        if values is not None:
            self._put(at, f"{values} = []")
        self._begin_blocks(at)
        if width:
            self._put(at + 1, f"p += n * {width}")
        else:
            self._put(at + 1, "for _ in range(n):")
            self._value(items, element, at + 2, level)
            if values is not None:
                self._put(at + 2, f"{values}.append({element})")
        self._end_blocks(at)
        if values is not None:
            self._put(at, f"{target} = {values}")

    def _map(self, inner: AvroType, target: str | None, at: int, level: int) -> None:
        values, key = (None, None) if target is None else (self._new(), self._new())
        if values is not None:
            self._put(at, f"{values} = {{}}")
        self._begin_blocks(at)
        self._put(at + 1, "for _ in range(n):")
        self._leaf("string", "string", key, at + 2, None)
        self._value(inner, None if values is None else f"{values}[{key}]", at + 2, level)
        self._end_blocks(at)
        if values is not None:
            self._put(at, f"{target} = {values}")

    def _begin_blocks(self, at: int) -> None:
        self._put(at, "n = b[p]", "p += 1", "while n:")
        self._put(at + 1, "if n & 1 or n > 127:", "    n, p = block(b, p - 1)", "else:", "    n >>= 1")
        self._put(at + 1, "if n > len(b) - p:", "    raise Refused")

    def _end_blocks(self, at: int) -> None:
        self._put(at + 1, "n = b[p]", "p += 1")

    def _union(self, branches: list[AvroType], at: int, write: Callable[[AvroType, int], None]) -> None:
        if len(branches) > MOST_BRANCHES:
            raise Unsupported(f"it has unions of more than {MOST_BRANCHES} branches")
        self._put(at, "i = b[p]", "p += 1")
        for index, branch in enumerate(branches):
            self._put(at, f"{'elif' if index else 'if'} i == {2 * index}:")
            before = len(self._lines)
            write(branch, at + 1)
            if len(self._lines) == before:
                self._put(at + 1, "pass")
        if branches:
            self._put(at, "else:")
        self._put(at + bool(branches), "raise Refused")

    def _call(self, avro_type: AvroType, target: str | None, at: int, level: int) -> None:
        key = (str(avro_type.get("name", id(avro_type))), target is not None)
        name = self._functions.get(key)
        if name is None:
            name = self._functions[key] = f"f{len(self._functions)}"
            self._to_write.append((name, avro_type, target is not None))
        depth = f", d + {level}" if self._depth else ""
        self._put(at, f"{'p' if target is None else target + ', p'} = {name}(b, p{depth})")

    # --- leaves ----------------------------------------------------------------------------------

    def _leaf(self, what: str, avro_type: AvroType, target: str | None, at: int, text_of: str | None) -> None:
        leaf = leaf_of(what, avro_type, text_of)
        if leaf is None:
            raise Unsupported(_NO_TYPE)
        value = self._written(leaf, at)
        if target is None:
            if leaf.code == leaves.SYMBOL:
                self._put(at, value)
        elif leaf.code == leaves.JSON:
            opened = f"open_flat(x) if {_IS_FLAT} else open_text(x, {text_of!r})"
            self._put(at, f"x = {value}", f"{target} = {opened}")
        elif leaf.finish is not None:
            self._put(at, f"{target} = {self._constant(leaf.finish)}({value})")
        else:
            self._put(at, f"{target} = {value}")
        if leaf.code <= leaves.JSON:
            self._put(at, "p = q")
        elif leaf.width:
            self._put(at, f"p += {leaf.width}")

    def _written(self, leaf: Leaf, at: int) -> str:
        """Write what must go before, and give the expression of a leaf's value as Avro has it."""
        if leaf.code <= leaves.JSON:
            self._put(at, *_TEXT)
            return "b[p:q].decode()" if leaf.code == leaves.TEXT else "b[p:q]"
        if leaf.code == leaves.SYMBOL:
            spelled = {2 * index: symbol for index, symbol in enumerate(leaf.symbols)}
            self._put(at, *_NUMBER)
            return f"{self._constant(spelled)}[n]"
        if leaf.code == leaves.REAL:
            return f"{self._constant(leaf.unpack)}(b, p)[0]"
        if leaf.code == leaves.FIXED:
            return f"b[p : p + {leaf.width}]"
        if leaf.code == leaves.NUMBER:
            self._put(at, *_NUMBER)
        return _OTHERS[leaf.code]

    # --- writing ---------------------------------------------------------------------------------

    def _put(self, at: int, *lines: str) -> None:
        if len(self._lines) > MAX_LINES:
            raise Unsupported("it is too large")
        self._lines.extend("    " * at + line for line in lines)

    def _new(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def _constant(self, value: object) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name


def _display(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in fields.items()) + "}"
