"""The bundled schemas and their released versions: found, parsed and fingerprinted once, at start."""

import json
import re
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
RELEASED = "released"
"""The folder beside the schemas that holds every version they ever had, such as `track.v1.avsc`."""
_VERSION = re.compile(r"(?P<label>.+)\.v(?P<number>[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Schema:
    """One schema of a file."""

    name: str
    """Its name in Avro, such as `segment.Track`."""
    label: str
    """Its file's name without the suffix, such as `track`; for the bundled ones, the call's type."""
    source: Path
    definition: Any
    """What its file says, as JSON."""
    fingerprint: bytes
    """CRC-64-AVRO of its parsing canonical form, little-endian: what single-object framing carries."""
    reader: DatumReader


class Schemas:
    """Schemas by name, label and fingerprint; `released` are versions of them, older ones included."""

    def __init__(self, schemas: Iterable[Schema], released: Iterable[Schema] = ()) -> None:
        self._schemas = tuple(schemas)
        self._released = tuple(released)
        self._by_fingerprint: dict[bytes, Schema] = {}
        self._by_name: dict[str, Schema] = {}
        everything = (*self._schemas, *self._released)
        for schema in everything:
            self._by_fingerprint.setdefault(schema.fingerprint, schema)
            self._by_name.setdefault(schema.label, schema)
        for schema in everything:
            self._by_name.setdefault(schema.name, schema)

    def __iter__(self) -> Iterator[Schema]:
        return iter(self._schemas)

    def __len__(self) -> int:
        return len(self._schemas)

    def released(self, schema: Schema) -> dict[int, Schema]:
        """The released versions of a schema by their numbers, the first one first."""
        found = {}
        for each in self._released:
            version = _VERSION.fullmatch(each.label)
            if version is not None and version["label"] == schema.label:
                found[int(version["number"])] = each
        return dict(sorted(found.items()))

    def by_fingerprint(self, fingerprint: bytes) -> Schema | None:
        """The schema a single-object header names, if we have it."""
        return self._by_fingerprint.get(fingerprint)

    def by_name(self, name: str) -> Schema | None:
        """The schema of this label or full name; of several versions of one name, the newest's."""
        return self._by_name.get(name)


def load_schemas(directory: Path | None = None) -> Schemas:
    """Load every `.avsc` file of a directory; by default the bundled ones, in a wheel or a checkout.

    Each file holds one schema, complete in itself. Older versions stay readable as files of the folder
    `released`, where there is one.

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
    return Schemas(loaded, map(_load, sorted((folder / RELEASED).glob(f"*{SUFFIX}"))))


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
        definition=source,
        # fastavro spells the fingerprint byte by byte in the order of the framing.
        fingerprint=bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")),
        reader=reader,
    )
