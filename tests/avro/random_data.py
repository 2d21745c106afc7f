"""Random schemas, and random bytes for them: what writers write, what some might, and what none does.

Everything is drawn from one `Random`, so that a seed tells a case and hypothesis can shrink one.
"""

from random import Random
from typing import Any

from streamer.avro.datum import JSON_LOGICAL_TYPE, OPEN_FIELDS, OVERFLOW_FIELD, DatumReader
from streamer.avro.hazards import PRIMITIVES, kind
from tests.avro.binary import long

LOGICAL: tuple[dict[str, Any], ...] = (
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "local-timestamp-millis"},
    {"type": "long", "logicalType": "local-timestamp-micros"},
    {"type": "long", "logicalType": "time-micros"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "int", "logicalType": "date"},
    {"type": "string", "logicalType": "uuid"},
    {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
    {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 20},
    {"type": "string", "logicalType": JSON_LOGICAL_TYPE},
    {"type": "bytes", "logicalType": JSON_LOGICAL_TYPE},
    {"type": "string", "logicalType": "of-our-own"},
    {"type": "string", "logicalType": "date"},
    {"type": "string"},
    {"type": "long", "doc": "a number"},
)
FIELD_NAMES = (
    *OPEN_FIELDS,
    *(OVERFLOW_FIELD, "type", "messageId", "userId", "timestamp", "event", "name", "seats", "address"),
)
TEXTS = ("", "a", "u-1", "2026-01-05T10:00:00.000Z", "Blåbær", "日本", "x" * 63, "y" * 64, "\0", "{}")
LONG_TEXT = "z" * 9000
"""Its length takes three bytes."""
JSON_TEXTS = (
    *("{}", "null", '{"a": 1}', '{"email": "a@b.c", "seats": 3, "tags": ["a", {"b": null}]}', "[]", '"text"'),
    *("1e400", "-0.0", "123456789012345678901234567890", '{"a": 1, "a": 2}', '"\\ud800"', '{"k": "\\u0000"}'),
    *(
        "[" * 128 + "]" * 128,
        "[" * 129 + "]" * 129,
        "[" + "{}," * 200 + "{}]",
        '{"text": "' + "[{" * 99 + '"}',
    ),
    *('{"":' * 127 + "{}" + "}" * 127, '{"":' * 128 + "{}" + "}" * 128, '{"":' * 128 + "[]" + "}" * 128),
    *("", " {} ", "\ufeff{}", "{", "NaN", "nope", '{"a": 01}', '{"Blåbær": "日本"}', "{}x", "[" * 3000),
)
MOST_FIELDS = 8
DEEPEST_TYPE = 4


class SchemaMaker:
    """Makes one schema: usually a record with Segment's names, of anything."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._names: list[str] = []
        self._open: list[str] = []
        self._is_apart: list[bool] = []
        """For each open record: whether a union, an array or a map stands between it and us."""

    def schema(self) -> Any:
        """A schema that may be used alone."""
        draw = self._dice.random()
        if draw < 0.85:
            return self._record(0)
        if draw < 0.95:
            return [self._record(0) for _ in range(self._dice.randint(1, 3))] + self._some([*PRIMITIVES], 2)
        return self._type(0)

    def _some(self, choices: list[Any], most: int) -> list[Any]:
        return self._dice.sample(sorted(choices), self._dice.randint(0, most))

    def _type(self, depth: int) -> Any:
        draw = self._dice.random()
        if depth >= DEEPEST_TYPE or draw < 0.35:
            return self._dice.choice(sorted(PRIMITIVES))
        if draw < 0.45:
            return dict(self._dice.choice(LOGICAL))
        if draw < 0.65:
            return self._union(depth)
        if draw < 0.79:
            inner = self._within(depth)
            return {"type": "array", "items": inner} if draw < 0.72 else {"type": "map", "values": inner}
        return self._named_type(draw, depth)

    def _named_type(self, draw: float, depth: int) -> Any:
        if draw < 0.84:
            return self._enum()
        if draw < 0.89:
            return self._fixed()
        return self._reference() if draw < 0.95 else self._record(depth)

    def _within(self, depth: int) -> Any:
        before = self._is_apart
        self._is_apart = [True] * len(before)
        made = self._type(depth + 1)
        self._is_apart = before
        return made

    def _union(self, depth: int) -> Any:
        branches: list[Any] = ["null"] if self._dice.random() < 0.8 else []
        for _ in range(self._dice.randint(1, 4)):
            made = self._within(depth)
            branches += made if isinstance(made, list) else [made]
        if self._dice.random() < 0.02:
            branches += ["long"] * 70
        return branches

    def _reference(self) -> Any:
        """A type by its name; one that is open only where bytes stand between, but for a rare mistake."""
        apart = [name for name, is_apart in zip(self._open, self._is_apart, strict=True) if is_apart]
        names = self._names + apart * 3
        if self._open and self._dice.random() < 0.01:
            names = self._open
        return self._dice.choice(names) if names else "string"

    def _record(self, depth: int) -> dict[str, Any]:
        name = self._name("Record")
        self._open.append(name)
        self._is_apart.append(False)
        count = self._dice.randint(0 if depth else 1, MOST_FIELDS)
        names = self._dice.sample(FIELD_NAMES, count) if depth == 0 else [f"f{n}" for n in range(count)]
        fields = [self._field(field, depth) for field in names]
        self._open.pop()
        self._is_apart.pop()
        self._names.append(name)
        made = {"type": self._dice.choice(["record"] * 9 + ["error"]), "name": name, "fields": fields}
        return made if self._dice.random() < 0.9 else {**made, "aliases": ["Other"], "doc": "a 'record'"}

    def _field(self, name: str, depth: int) -> dict[str, Any]:
        if name in (*OPEN_FIELDS, OVERFLOW_FIELD) and self._dice.random() < 0.7:
            text: Any = self._dice.choice(["string", "bytes", LOGICAL[10], LOGICAL[10], LOGICAL[11]])
            made = {"name": name, "type": self._dice.choice([text, ["null", text], [text, "long", "null"]])}
        else:
            made = {"name": name, "type": self._type(depth + 1)}
        if made["type"] == ["null", "string"]:
            made["default"] = None
        if self._dice.random() < 0.1:
            made["aliases"] = [f"old_{name}"]
        return made

    def _enum(self) -> dict[str, Any]:
        count = self._dice.choice([1, 2, 3, 64, 65, 200])
        name = self._named("Enum")
        return {"type": "enum", "name": name, "symbols": [f"s{n}" for n in range(count)], "default": "s0"}

    def _fixed(self) -> dict[str, Any]:
        size = self._dice.choice([0, 1, 2, 8, 16])
        made: dict[str, Any] = {"type": "fixed", "name": self._named("Fixed"), "size": size}
        if size and self._dice.random() < 0.4:
            made |= {"logicalType": "decimal", "precision": 2 * size, "scale": size}
        return made

    def _named(self, what: str) -> str:
        name = self._name(what)
        self._names.append(name)
        return name

    def _name(self, what: str) -> str:
        space = self._dice.choice(["", "", "some.where."])
        return f"{space}{what}{len(self._names) + len(self._open)}_{self._dice.randint(0, 99_999)}"


class Writer:
    """Writes random datums of one schema. `is_odd`: in forms that readers may meet and writers avoid."""

    def __init__(self, dice: Random, datums: DatumReader, *, is_odd: bool = False) -> None:
        self._dice = dice
        self._datums = datums
        self._is_odd = is_odd
        self._fuel = 0
        self._out = bytearray()

    def datum(self) -> bytes:
        """One datum. Raises RecursionError where the schema has none that ends."""
        self._fuel = self._dice.choice([10, 100, 100, 400])
        self._out = bytearray()
        self._write(self._datums.parsed, 0, None)
        return bytes(self._out)

    def _write(self, avro_type: Any, depth: int, field: str | None) -> None:
        what = kind(avro_type)
        if isinstance(avro_type, str) and avro_type not in PRIMITIVES:
            avro_type = self._datums.named[avro_type]
            what = kind(avro_type)
        self._fuel -= 1
        match what:
            case "null":
                pass
            case "boolean":
                self._out.append(self._dice.choice([0, 1, 1, 2 if self._is_odd else 0]))
            case "int" | "long":
                self._number(self._whole(avro_type))
            case "float" | "double":
                self._out += self._dice.randbytes(4 if what == "float" else 8)
            case "string" | "bytes":
                self._text(what, avro_type, field)
            case "fixed":
                self._out += self._dice.randbytes(avro_type["size"])
            case "enum":
                self._number(self._dice.randrange(len(avro_type["symbols"])))
            case "union":
                self._branch(avro_type, depth, field)
            case "array" | "map":
                self._blocks(what, avro_type, depth)
            case _:
                for member in avro_type["fields"]:
                    self._write(member["type"], depth + 1, member["name"] if depth == 0 else None)

    def _branch(self, branches: list[Any], depth: int, field: str | None) -> None:
        index = self._dice.randrange(len(branches))
        if self._fuel < 0 and "null" in branches:
            index = branches.index("null")
        self._number(index)
        self._write(branches[index], depth, field)

    def _blocks(self, what: str, avro_type: Any, depth: int) -> None:
        for _ in range(self._dice.choice([0, 1, 1, 1, 2]) if self._fuel > 0 else 0):
            most = self._dice.choice([1, 1, 2, 3, 70])
            start = len(self._out)
            count = 0
            while count == 0 or (count < most and self._fuel > 0):
                if what == "map":
                    self._spell(self._dice.choice(TEXTS[:7]).encode())
                self._write(avro_type["items" if what == "array" else "values"], depth + 1, None)
                count += 1
            block = bytes(self._out[start:])
            del self._out[start:]
            if self._dice.random() < 0.3:
                self._number(-count)
                self._number(self._dice.choice([0, -5, 2**40]) if self._is_odd else len(block))
            else:
                self._number(count)
            self._out += block
        self._out.append(0)

    def _whole(self, avro_type: Any) -> int:
        if isinstance(avro_type, dict) and "logicalType" in avro_type and self._dice.random() < 0.9:
            return self._dice.choice([0, 1, 86_399_999, 20_000, 1_767_607_200_123, 1_767_607_200_123_456])
        edges = [0, -1, 63, 64, -64, -65, 8191, 8192, 2**31, 2**63 - 1, -(2**63)]
        return self._dice.choice([*edges, self._dice.getrandbits(40)])

    def _text(self, what: str, avro_type: Any, field: str | None) -> None:
        logical = avro_type.get("logicalType") if isinstance(avro_type, dict) else None
        if logical == "uuid":
            written = self._dice.choice(["00000000-0000-0000-0000-00000000000f", "0" * 32, "no"]).encode()
        elif logical == "decimal":
            written = self._dice.randbytes(self._dice.choice([0, 1, 3, 9]))
        elif (logical == JSON_LOGICAL_TYPE or field in OPEN_FIELDS) and self._dice.random() < 0.95:
            usual = self._dice.random() < 0.8
            written = self._dice.choice(JSON_TEXTS[:6] if usual else JSON_TEXTS).encode()
        elif what == "bytes" or (self._is_odd and self._dice.random() < 0.1):
            written = self._dice.randbytes(self._dice.choice([0, 1, 5, 70]))
        else:
            written = (self._dice.choice(TEXTS) if self._dice.random() < 0.998 else LONG_TEXT).encode()
        self._spell(written)

    def _spell(self, written: bytes) -> None:
        self._number(len(written))
        self._out += written

    def _number(self, number: int) -> None:
        spelled = bytearray(long(number))
        if self._is_odd and self._dice.random() < 0.05:
            # The same number, longer than it need be.
            spelled[-1] |= 0x80
            spelled += b"\x80" * self._dice.randrange(10) + b"\0"
        self._out += spelled


def mutated(dice: Random, value: bytes) -> bytes:
    """The bytes with one to three things done to them that no writer does."""
    changed = bytearray(value)
    for _ in range(dice.randint(1, 3)):
        at = dice.randint(0, len(changed))
        match dice.randrange(6):
            case 0:
                del changed[at:]
            case 1:
                changed[at : at + 1] = dice.randbytes(1)
            case 2:
                changed[at:at] = dice.randbytes(dice.randint(1, 3))
            case 3:
                del changed[at : at + dice.randint(1, 3)]
            case 4:
                huge = dice.choice([2**31, 2**40, 2**62, -1, -(2**63), -(2**40), len(value), 200_000])
                changed[at : at + 1] = long(huge)
            case _:
                changed[at : at + 1] = dice.choice([b"\xff" * 9, b"\x80" * 12, b"\x02" * 150, b"\0" * 9])
    return bytes(changed)
