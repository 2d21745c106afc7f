"""Datums: both ways of reading Avro must agree on any bytes, as in `tests.avro.compare`.

The first byte of an input picks a schema, the rest is its datum. The made source itself is followed, so that
the search walks to corners that random damage seldom meets.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from streamer.avro.schemas import load_schemas
from tests.avro import hostile
from tests.avro.compare import Pair, cases_of
from tests.avro.random_data import LOGICAL, SchemaMaker, Writer
from tests.fuzz import Target

SCHEMAS: Final = 40
"""How many there are to pick from."""
SEEDS_OF_EACH: Final = 8


def pairs() -> list[Pair]:
    """The bundled schemas, those that contain themselves, every logical type, and random ones."""
    leaves = [{"name": f"f{number}", "type": type_} for number, type_ in enumerate(LOGICAL)]
    schemas: list[Any] = [
        *(schema.reader.parsed for schema in load_schemas()),
        *(hostile.CHAIN, hostile.TREE, hostile.VALUE, hostile.MUTUAL, hostile.FAT),
        {"type": "record", "name": "Leaves", "fields": leaves},
    ]
    made = [Pair(schema) for schema in schemas]
    number = 0
    while len(made) < SCHEMAS:
        number += 1
        # A schema of which none is made, or no datum ends, is no loss.
        with contextlib.suppress(Exception):
            pair = Pair(SchemaMaker(random.Random(number)).schema())
            next(cases_of(random.Random(number), pair))
            made.append(pair)
    return made


def seeds(schemas: list[Pair]) -> Iterator[bytes]:
    """A few datums of each schema, under the byte that picks it."""
    for index, pair in enumerate(schemas):
        writer = Writer(random.Random(index), pair.datums)
        for _ in range(SEEDS_OF_EACH):
            with contextlib.suppress(RecursionError):
                yield bytes([index]) + writer.datum()


def follow(instrument: Callable[[Any], Any]) -> None:
    """Follow the branches of the made readers as well, by what atheris does to a function.

    Those without source are methods of `leaves`, which is followed as a module.
    """
    for pair in _SCHEMAS:
        pair._made = [made if hasattr(made, "__self__") else instrument(made) for made in pair._made]


def _one(value: bytes) -> None:
    if value:
        _SCHEMAS[value[0] % len(_SCHEMAS)].compare(value[1:])


_SCHEMAS = pairs()
TARGET: Final = Target(_one, seeds(_SCHEMAS))
