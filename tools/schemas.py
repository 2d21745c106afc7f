"""Released versions of the schemas: `freeze` what has changed as a new one, `check` that all evolved well.

`schemas/released/` holds every version of every schema, `track.v1.avsc` and so on, and
`released.sha256` what each file must still be. So the check needs no history and no tags: it works in a
shallow clone and in a source archive. What is merged counts as released, since records may be written
with it from then on.
"""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from streamer.avro.evolution import Evolved, evolved
from streamer.avro.schemas import IN_CHECKOUT, RELEASED, SUFFIX, load_schemas
from streamer.errors import SchemaError

SUMS = "released.sha256"
"""As `sha256sum --check` reads it."""


def problems(folder: Path = IN_CHECKOUT) -> list[str]:
    """What is wrong with the schemas of a folder and their released versions; empty when all is well."""
    try:
        schemas = load_schemas(folder)
    except SchemaError as error:
        return [str(error)]
    found = list(_unfrozen(folder))
    beside = list(evolved(schemas))
    for each in beside:
        found += [f"{each.schema.label} {problem}" for problem in each.problems]
        found += _numbering(each)
    known = {f"{each.schema.label}.v{number}{SUFFIX}" for each in beside for number in each.versions}
    strangers = sorted(path.name for path in (folder / RELEASED).glob(f"*{SUFFIX}") if path.name not in known)
    return found + [f"{RELEASED}/{name} is a version of no schema here" for name in strangers]


def _numbering(each: Evolved) -> Iterator[str]:
    label = each.schema.label
    if list(each.versions) != list(range(1, len(each.versions) + 1)):
        yield f"{label} has versions {each.versions}: one is missing, which records may be written with"
    if each.current is None:
        yield f"{label} says what no released version says: `make schemas` makes it version {_next(each)}"
    elif each.current != len(each.versions):
        yield f"{label} says what version {each.current} says, and there are later ones"


def _unfrozen(folder: Path) -> Iterator[str]:
    """Released files that are not what they were, or are not noted."""
    noted = _noted(folder)
    there = {path.name: _sum(path) for path in (folder / RELEASED).glob(f"*{SUFFIX}")}
    for name in sorted(noted.keys() | there.keys()):
        if name not in there:
            yield f"{RELEASED}/{name} is gone, and records may be written with it: restore it"
        elif name not in noted:
            yield f"{RELEASED}/{name} is not noted in {SUMS}: `make schemas` makes versions"
        elif noted[name] != there[name]:
            yield f"{RELEASED}/{name} was changed, and what is released stays: restore it"


def freeze(folder: Path = IN_CHECKOUT) -> list[str]:
    """Make each schema that has changed its next version; gives the names of the new files.

    Raises:
        SchemaError: a change breaks what is promised, so that no version can be made of it.
    """
    beside = list(evolved(load_schemas(folder)))
    broken = [f"{each.schema.label} {problem}" for each in beside for problem in each.problems]
    if broken:
        raise SchemaError("\n".join(broken))
    made = []
    noted = _noted(folder)
    (folder / RELEASED).mkdir(exist_ok=True)
    for each in beside:
        if each.current is None:
            path = folder / RELEASED / f"{each.schema.label}.v{_next(each)}{SUFFIX}"
            shutil.copyfile(each.schema.source, path)
            noted[path.name] = _sum(path)
            made.append(path.name)
    lines = [f"{noted[name]}  {name}\n" for name in sorted(noted)]
    (folder / RELEASED / SUMS).write_text("".join(lines), encoding="utf-8")
    return made


def _next(each: Evolved) -> int:
    return max(each.versions, default=0) + 1


def _noted(folder: Path) -> dict[str, str]:
    path = folder / RELEASED / SUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(words: list[str]) -> int:
    """Do as told; 1 where something is wrong."""
    match words:
        case ["check"]:
            found = problems()
            print("\n".join(found) or "schemas: every released version is kept, and all fit together")
            return 1 if found else 0
        case ["freeze"]:
            try:
                made = freeze()
            except SchemaError as error:
                print(error)
                return 1
            print(
                "\n".join(f"new: schemas/{RELEASED}/{name}" for name in made) or "schemas: nothing to freeze"
            )
            return 0
        case _:
            print("usage: python -m tools.schemas check|freeze")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
