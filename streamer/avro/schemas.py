"""The bundled schemas: found, parsed and fingerprinted once, at start."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro.schema

from streamer.avro.datum import DatumReader
from streamer.errors import SchemaError

_PACKAGE = Path(__file__).resolve().parent.parent
IN_WHEEL = _PACKAGE / "_schemas"
IN_CHECKOUT = _PACKAGE.parent / "schemas"
SUFFIX = ".avsc"


@dataclass(frozen=True, slots=True)
class Schema:
    """One schema of a file."""

    name: str
    """Its name in Avro, such as `segment.Track`."""
    label: str
    """Its file's name without the suffix, such as `track`; for the bundled ones, the call's type."""
    source: Path
    fingerprint: bytes
    """CRC-64-AVRO of its parsing canonical form, little-endian: what single-object framing carries."""
    reader: DatumReader


class Schemas:
    """Schemas by name, label and fingerprint."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self._schemas = tuple(schemas)
        self._by_fingerprint = {schema.fingerprint: schema for schema in self._schemas}
        self._by_name = {schema.label: schema for schema in self._schemas}
        for schema in self._schemas:
            self._by_name.setdefault(schema.name, schema)

    def __iter__(self) -> Iterator[Schema]:
        return iter(self._schemas)

    def __len__(self) -> int:
        return len(self._schemas)

    def by_fingerprint(self, fingerprint: bytes) -> Schema | None:
        """The schema a single-object header names, if we have it."""
        return self._by_fingerprint.get(fingerprint)

    def by_name(self, name: str) -> Schema | None:
        """The schema of this label or full name; of several versions of one name, the first file's."""
        return self._by_name.get(name)


def load_schemas(directory: Path | None = None) -> Schemas:
    """Load every `.avsc` file of a directory; by default the bundled ones, in a wheel or a checkout.

    Each file holds one schema, complete in itself. An older version of one stays readable as a file
    of its own, such as `track.v1.avsc` beside `track.avsc`.

    Raises:
        SchemaError: the directory or a file is missing, unreadable, not a schema, or the same as another.
    """
    folder = directory or _bundled()
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    except OSError as error:
        raise SchemaError(
            f"cannot read the schemas in {folder} ({error.strerror}); "
            "install the package again, or name a directory of .avsc files"
        ) from None
    if not files:
        raise SchemaError(f"no {SUFFIX} files in {folder}; install the package again, or put schemas there")
    loaded: list[Schema] = []
    for path in files:
        schema = _load(path)
        for other in loaded:
            if schema.fingerprint == other.fingerprint:
                raise SchemaError(f"{path} and {other.source} hold the same schema; remove one of them")
        loaded.append(schema)
    return Schemas(loaded)


def _bundled() -> Path:
    return IN_WHEEL if IN_WHEEL.is_dir() else IN_CHECKOUT


def _load(path: Path) -> Schema:
    mend = "restore the file from the package, or mend it"
    try:
        text = path.read_text(encoding="utf-8")
        source: Any = json.loads(text)
    except OSError as error:
        raise SchemaError(f"cannot read the schema {path} ({error.strerror}); {mend}") from None
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"the schema {path} is not JSON ({error}); {mend}") from None
    if not isinstance(source, dict) or not isinstance(source.get("name"), str):
        raise SchemaError(f"the schema {path} is not a named Avro type; {mend}")
    try:
        reader = DatumReader(source)
    except SchemaError as error:
        raise SchemaError(f"the schema {path}: {error}; {mend}") from None
    canonical = fastavro.schema.to_parsing_canonical_form(source)
    return Schema(
        name=reader.parsed["name"],
        label=path.stem,
        source=path,
        # fastavro spells the fingerprint byte by byte in the order of the framing.
        fingerprint=bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")),
        reader=reader,
    )
