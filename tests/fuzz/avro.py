"""Bytes found by coverage for the readers made for schemas: `make fuzz`, or `python -m tests.fuzz.avro`.

The first byte of an input picks a schema, the rest is its datum, and both ways of reading must agree as in
`tests.avro.compare`. atheris (libFuzzer for Python) follows branches of the made source itself, so that it
walks to corners that random damage seldom meets.

The corpus begins with datums of every schema; with CORPUS=<directory> what was found is kept there.
"""

import argparse
import contextlib
import importlib
import random
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from streamer.avro.schemas import load_schemas
from tests.avro import hostile
from tests.avro.compare import Pair, cases_of
from tests.avro.random_data import LOGICAL, SchemaMaker, Writer

EXIT_MISSING: Final = 2
SCHEMAS: Final = 40
"""How many there are to pick from."""
CORPUS_OF_EACH: Final = 8
LONGEST: Final = 4096
_MISSING: Final = """\
atheris is not installed, and no test needs it. To fuzz, put it where nothing else lives, and name the place:
    .venv/bin/python -m pip install --target /tmp/atheris atheris
    make fuzz ATHERIS=/tmp/atheris FUZZ_SECONDS=600
"""


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


def write_corpus(directory: Path, schemas: list[Pair]) -> None:
    """A few datums of each schema, under the byte that picks it."""
    directory.mkdir(parents=True, exist_ok=True)
    for index, pair in enumerate(schemas):
        writer = Writer(random.Random(index), pair.datums)
        for number in range(CORPUS_OF_EACH):
            with contextlib.suppress(RecursionError):
                (directory / f"{index:02}-{number}").write_bytes(bytes([index]) + writer.datum())


def main() -> int:
    """Fuzz for so many seconds. Ends the process, as libFuzzer does; not 0 where the two disagree."""
    parser = argparse.ArgumentParser(description="fuzz the readers made for schemas")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="where what was found is kept")
    args = parser.parse_args()
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        print(_MISSING, end="")
        return EXIT_MISSING
    schemas = pairs()
    for pair in schemas:
        pair._made = atheris.instrument_func(pair._made)

    def one(value: bytes) -> None:
        if value:
            schemas[value[0] % len(schemas)].compare(value[1:])

    with tempfile.TemporaryDirectory() as scratch:
        corpus = args.corpus or Path(scratch) / "corpus"
        write_corpus(corpus, schemas)
        limits = [f"-max_total_time={args.seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={scratch}/"]
        atheris.Setup([sys.argv[0], *limits, str(corpus)], one)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
