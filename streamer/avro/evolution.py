"""Whether the bundled schemas have evolved as is promised, beside the versions that were released."""

from collections.abc import Iterator
from typing import NamedTuple

from streamer.avro.compatibility import are_equal_but_for_docs, obstacles
from streamer.avro.schemas import Schema, Schemas


class Evolved(NamedTuple):
    """One schema beside its released versions."""

    schema: Schema
    versions: tuple[int, ...]
    """Those that were released, oldest first; empty for a schema that is new."""
    current: int | None
    """The released version that says what the schema says; None where it was changed since."""
    problems: tuple[str, ...]
    """Where it breaks what is promised, in words."""


def evolved(schemas: Schemas) -> Iterator[Evolved]:
    """Each schema beside all of its released versions.

    The promise: whatever one version wrote, a reader of any other reads (Avro's FULL_TRANSITIVE); and
    versions that say different things have different fingerprints, since single-object framing tells
    them apart by nothing else.
    """
    for schema in schemas:
        released = schemas.released(schema)
        equal = [
            number for number, each in released.items() if are_equal_but_for_docs(schema.reader, each.reader)
        ]
        problems = [
            problem for number, each in released.items() for problem in _problems(schema, number, each)
        ]
        yield Evolved(schema, tuple(released), equal[-1] if equal else None, tuple(problems))


def _problems(schema: Schema, number: int, released: Schema) -> Iterator[str]:
    if are_equal_but_for_docs(schema.reader, released.reader):
        return
    for obstacle in obstacles(schema.reader, released.reader):
        yield f"cannot read what version {number} wrote: {obstacle}"
    for obstacle in obstacles(released.reader, schema.reader):
        yield f"version {number} cannot read what it writes: {obstacle}"
    if schema.fingerprint == released.fingerprint:
        yield (
            f"differs from version {number} in what no fingerprint tells (a default, alias or logical type), "
            "so their records cannot be told apart"
        )
