"""The readers made for a schema, of source and by rows, beside fastavro's path, on random schemas and bytes.

    python -m tests.avro.compare --cases 1000000 --seed 1

What a made reader accepts must be what fastavro's path accepts, and come out the same to the type, the
order of keys and the sign of zero. What it does not accept it leaves to that path, so errors are the same
by construction; but what a writer writes by the book it must read itself, and one leaves what the other
leaves. Prints cases/s as it goes, and
the first difference, which the seed of its schema makes again.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from random import Random
from typing import Any, Final

from streamer.avro.datum import OVERFLOW_FIELD, DatumReader
from streamer.avro.generated import Read, Unsupported, made_reader
from streamer.avro.hazards import PRIMITIVES, kind
from streamer.errors import InvalidEvent, SchemaError
from tests.avro.random_data import FIELD_NAMES, SchemaMaker, Writer, mutated

CASES_A_SCHEMA: Final = 40
TOLD_EVERY: Final = 100_000
_HIDDEN: Final = "hidden_"
"""Begins the names of what is passed over, where fastavro's path must read it."""


class Difference(Exception):
    """The two disagree; says about what."""


class _Left(Exception):
    """The made reader leaves a datum to the other path."""


def _leave(_value: bytes, _start: int) -> Any:
    raise _Left


class Pair:
    """One schema, read by fastavro's path, and by a made reader of each form."""

    def __init__(self, schema: Any, wanted: Collection[str] | None = None) -> None:
        """Raises SchemaError where it is no schema, Unsupported where no reader is made for it."""
        self.datums = DatumReader(schema)
        self._made: list[Read] = [
            made_reader(self.datums, wanted=wanted, otherwise=_leave, by_rows=by_rows)
            for by_rows in (False, True)
        ]
        self._wanted = wanted
        self._oracle = self.datums if wanted is None else DatumReader(_hiding(self.datums, wanted))

    def compare(self, value: bytes, *, is_plain: bool = False) -> str:
        """Read it every way: `read`, `left` (fastavro's path reads it) or `refused` by all.

        `is_plain`: no writer could have written it otherwise, so it must not be left.

        Raises:
            Difference: one accepts what the other does not, or they read it differently.
        """
        try:
            told = repr(self._shown(self._oracle.read(value)))
        except InvalidEvent as invalid:
            told = invalid.reason.value
            for made in map(self._read(value), self._made):
                if made is not None:
                    raise Difference(f"refused as {told}, and read as {made:.300}") from None
            return "refused"
        by_source, by_rows = map(self._read(value), self._made)
        for made in (by_source, by_rows):
            if made is None and (is_plain or by_source != by_rows):
                raise Difference(f"left, and is {told:.300}")
            if made is not None and made != told:
                raise Difference(f"read as {made:.2000}\n and is {told:.2000}")
        return "left" if by_source is None else "read"

    def _read(self, value: bytes) -> Callable[[Read], str | None]:
        """What a made reader reads; None where it leaves it."""

        def read(made: Read) -> str | None:
            try:
                return repr(self._shown(made(value, 0)))
            except _Left:
                return None

        return read

    def _shown(self, value: Any) -> Any:
        if self._wanted is None or type(value) is not dict:
            return value
        return {name: inner for name, inner in value.items() if not name.startswith(_HIDDEN)}


def _hiding(datums: DatumReader, wanted: Collection[str]) -> Any:
    """The schema of the same bytes in which text that nobody wants is bytes, and numbers are but numbers."""
    copier = _Copier(datums)

    def event(record: Any) -> Any:
        fields = []
        for member in record["fields"]:
            is_seen = member["name"] in wanted or (member["name"] == OVERFLOW_FIELD and datums.overflows)
            name = member["name"] if is_seen else _HIDDEN + member["name"]
            fields.append({"name": name, "type": copier.copy(member["type"], is_plain=not is_seen)})
        return {"type": "record", "name": f"Top{next(copier.numbers)}", "fields": fields}

    top = datums.parsed
    branches = [datums.named.get(each, each) if isinstance(each, str) else each for each in _branches(top)]
    made = [event(each) if kind(each) in {"record", "error"} else copier.copy(each) for each in branches]
    return made if isinstance(top, list) else made[0]


def _branches(avro_type: Any) -> list[Any]:
    return avro_type if isinstance(avro_type, list) else [avro_type]


class _Copier:
    """Copies types, each named one under a new name: once as it is, once without meaning."""

    def __init__(self, datums: DatumReader) -> None:
        self.numbers = iter(range(1_000_000))
        self._named = datums.named
        self._copies: dict[tuple[str, bool], str] = {}

    def copy(self, avro_type: Any, *, is_plain: bool = False) -> Any:
        if isinstance(avro_type, list):
            return [self.copy(branch, is_plain=is_plain) for branch in avro_type]
        if isinstance(avro_type, str) and avro_type not in PRIMITIVES:
            avro_type = self._named[avro_type]
        if isinstance(avro_type, str):
            return "bytes" if is_plain and avro_type == "string" else avro_type
        what = kind(avro_type)
        if "name" in avro_type:
            key = (avro_type["name"], is_plain)
            if key in self._copies:
                return self._copies[key]
            self._copies[key] = f"Copy{next(self.numbers)}"
        made = {
            key: value for key, value in avro_type.items() if not key.startswith("__") and key != "aliases"
        }
        if "name" in made:
            made["name"] = self._copies[(avro_type["name"], is_plain)]
        if is_plain:
            made.pop("logicalType", None)
            made["type"] = "bytes" if what == "string" else what
        if "fields" in made:
            made["fields"] = [
                {"name": each["name"], "type": self.copy(each["type"], is_plain=is_plain)}
                for each in avro_type["fields"]
            ]
        for inner in ("items", "values"):
            if inner in made:
                made[inner] = self.copy(made[inner], is_plain=is_plain)
        return self._entries(made["values"]) if is_plain and what == "map" else made

    def _entries(self, values: Any) -> Any:
        """What a map's bytes are too, without text for keys."""
        fields = [{"name": "key", "type": "bytes"}, {"name": "value", "type": values}]
        return {
            "type": "array",
            "items": {"type": "record", "name": f"Entry{next(self.numbers)}", "fields": fields},
        }


def pair_of(dice: Random) -> Pair | None:
    """A random schema, read both ways; None where it is none or no reader is made for it."""
    schema = SchemaMaker(dice).schema()
    wanted = None if dice.random() < 0.7 else dice.sample(FIELD_NAMES, 6)
    try:
        pair = Pair(schema, wanted)
        # What is hidden is deeper than what it stands for: the guard would count another depth.
        return Pair(schema) if wanted is not None and pair.datums.hazards.is_recursive else pair
    except (SchemaError, Unsupported):
        return None


def cases_of(dice: Random, pair: Pair) -> Iterator[tuple[bytes, bool]]:
    """Random bytes for a schema, and whether they are as any writer would write them."""
    plain, odd = Writer(dice, pair.datums), Writer(dice, pair.datums, is_odd=True)
    while True:
        try:
            value = plain.datum()
            yield value, True
            yield mutated(dice, value), False
            yield odd.datum(), False
            yield mutated(dice, value), False
        except RecursionError:
            return


def run(cases: int, seed: int) -> int:
    """Compare so many; 1 where there is a difference."""
    found: Counter[str] = Counter()
    began, done, number = time.monotonic(), 0, 0
    while done < cases:
        number += 1
        dice = Random(f"{seed}/{number}")
        pair = pair_of(dice)
        if pair is None:
            found["schemas without a reader"] += 1
            continue
        found["schemas"] += 1
        for value, is_plain in _first(cases_of(dice, pair)):
            try:
                outcome = pair.compare(value, is_plain=is_plain and _is_usual(value, pair))
            except Exception as error:  # noqa: BLE001 whatever it is, the case must be told
                print(f"DIFFERENCE at seed {seed}/{number}: {type(error).__name__}: {error}")
                print(f"schema: {json.dumps(pair.datums.parsed)}\nbytes:  {value[:1000].hex()}")
                return 1
            found[f"{'plain' if is_plain else 'other'} {outcome}"] += 1
            done += 1
            if done % TOLD_EVERY == 0:
                _tell(done, began, found)
    _tell(done, began, found)
    return 0


def _first(cases: Iterator[tuple[bytes, bool]]) -> Iterator[tuple[bytes, bool]]:
    for _, case in zip(range(CASES_A_SCHEMA), cases, strict=False):
        yield case


def _is_usual(value: bytes, pair: Pair) -> bool:
    """Whether it holds no lone surrogate and is out of the guard's reach: what is neither may be left."""
    return b"\\u" not in value and (not pair.datums.hazards.is_recursive or len(value) < 60)


def _tell(done: int, began: float, found: Counter[str]) -> None:
    seconds = time.monotonic() - began
    counts = ", ".join(f"{name} {count:,}" for name, count in sorted(found.items()))
    print(f"{done:,} cases, {done / seconds:,.0f}/s; no difference: {counts}", flush=True)


def main() -> int:
    """Compare as many as told."""
    parser = argparse.ArgumentParser(description="the readers made for schemas beside fastavro's path")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    return run(args.cases, args.seed)


if __name__ == "__main__":
    sys.exit(main())
