"""Reading a mapping file: rules, or every mistake in it with the line where it stands and what to do."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from streamer.mapping import shape
from streamer.mapping.compiling import compiled
from streamer.mapping.doubts import doubts
from streamer.mapping.finding import Finding, finding_at, shown
from streamer.mapping.lines import Path, locate
from streamer.mapping.syntax import syntax_mistake
from streamer.mapping.targets import nearest
from streamer.mapping.values import TAGS
from streamer.transform.choices import Companies, Deletion
from streamer.transform.rules import Rules


class MappingMistakes(Exception):
    """A file that cannot be used; every mistake in it, in the order of its lines."""

    def __init__(self, mistakes: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


class Mapped(NamedTuple):
    """What a file says."""

    rules: Rules
    warnings: tuple[Finding, ...]


def read_mapping(text: str) -> Mapped:
    """The rules that a mapping file says. Raises MappingMistakes."""
    try:
        stated = tomllib.loads(text)
    except RecursionError:
        raise MappingMistakes([Finding(1, "is nested too deep to be a mapping")]) from None
    except ValueError as error:
        raise MappingMistakes([syntax_mistake(error, text)]) from None
    lines = locate(text)
    try:
        file = shape.MappingFile.model_validate(stated)
    except ValidationError as error:
        raise MappingMistakes(_mistakes(error, stated, lines)) from None
    if mistakes := list(_contradictions(file, lines)):
        raise MappingMistakes(mistakes)
    return Mapped(compiled(file), tuple(sorted(doubts(file, lines))))


def _mistakes(error: ValidationError, stated: Mapping[str, Any], lines: dict[Path, int]) -> list[Finding]:
    found = set()
    for detail in error.errors(include_url=False, include_input=False):
        path, kind = _path(detail["loc"], lines), detail["type"]
        if kind == "missing" and _has_bare_path(path[:-1], stated):
            continue  # told of the keys there
        found.add(finding_at(path, lines, _words(path, kind, detail["msg"], stated)))
    return sorted(found)


def _contradictions(file: shape.MappingFile, lines: dict[Path, int]) -> Iterator[Finding]:
    """What is sound alone and cannot be done together."""
    if file.calls.delete is Deletion.ARCHIVE and file.identify.companies is Companies.ALL:
        why = (
            "with identify.companies = 'all' a user is an enduser in each company, and Planhat archives one "
            "of them by its id, which does not tell them apart: choose 'delete', which leaves none"
        )
        yield finding_at(("calls", "delete"), lines, why)


def _path(loc: tuple[int | str, ...], lines: dict[Path, int]) -> Path:
    """The place in the file: pydantic puts words of its own between the keys, which may be keys as well."""
    path: Path = ()
    for step in loc:
        if step not in (*TAGS, "[key]") or (*path, step) in lines:
            path = (*path, step)
    return path


def _words(path: Path, kind: str, sentence: str, stated: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        if _has_bare_path(path[:-1], stated):
            return f"a path stands in quotes: {_quoted_path(path, stated)}"
        known = list(shape.table_at(path[:-1]).model_fields)
        hint = nearest(str(path[-1]), known) or f"; known are {', '.join(known)}"
        return f"there is no such key here{hint}"
    if kind == "missing":
        return "is missing: where the trait goes"
    return _must(sentence.removeprefix("Value error, "))


def _has_bare_path(path: Path, stated: Mapping[str, Any]) -> bool:
    """Whether the rule here is a table only because somebody wrote address.city without quotes."""
    table = shape.table_at(path)
    if not issubclass(table, shape.RuleTable):
        return False
    keys = _at(path, stated)
    if not isinstance(keys, dict) or not keys:
        return False
    return not any(key in table.model_fields or nearest(key, list(table.model_fields)) for key in keys)


def _quoted_path(path: Path, stated: Mapping[str, Any]) -> str:
    """The trait and the keys behind it, in one pair of quotes."""
    *_, trait, key = path
    keys, value = [str(trait), str(key)], _at(path, stated)
    while isinstance(value, dict) and len(value) == 1 and "to" not in value:
        ((deeper, value),) = value.items()
        keys.append(deeper)
    return shown((".".join(keys),))


def _at(path: Path, stated: Mapping[str, Any]) -> object:
    value: Any = stated
    for step in path:
        value = value[step]
    return value


def _must(sentence: str) -> str:
    """Pydantic's sentence in the words of this house."""
    words = sentence.replace("Input should be", "must be").replace("a valid string", "text")
    words = words.replace("a valid list", "a list").replace("a valid boolean", "true or false")
    words = re.sub(r"a valid dictionary( or instance of \w+)?", "a table", words)
    return words.replace("List should have at", "must be a list of at").replace(" after validation", "")
