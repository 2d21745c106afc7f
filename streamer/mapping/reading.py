"""Reading a mapping file: rules, or every mistake in it with the line where it stands and what to do."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import ValidationError

from streamer.mapping import shape
from streamer.mapping.compiling import compiled, rules_in_order
from streamer.mapping.lines import Path, locate
from streamer.mapping.targets import ACTIVITY, COMPANY, ENDUSER, nearest
from streamer.transform import defaults
from streamer.transform.rules import Companies, Deletion, Rules
from streamer.transform.trait_rules import Place, TraitRule

_AT_LINE = re.compile(
    r"^(?P<what>.*?) ?\(at (?:line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Finding(NamedTuple):
    """Something wrong with a file, or doubtful in it."""

    line: int
    """Counted from 1."""
    text: str
    """Where in the file's own terms, what is the matter, and what to do."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


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
    except tomllib.TOMLDecodeError as error:
        raise MappingMistakes([_syntax(str(error), text)]) from None
    except RecursionError:
        raise MappingMistakes([Finding(1, "is nested too deep to be a mapping")]) from None
    lines = locate(text)
    try:
        file = shape.MappingFile.model_validate(stated)
    except ValidationError as error:
        found = {
            _finding(detail["loc"], detail["type"], detail["msg"], lines)
            for detail in error.errors(include_url=False, include_input=False)
        }
        raise MappingMistakes(sorted(found)) from None
    if mistakes := list(_contradictions(file, lines)):
        raise MappingMistakes(mistakes)
    return Mapped(compiled(file), tuple(sorted(_doubts(file, lines))))


def _contradictions(file: shape.MappingFile, lines: dict[Path, int]) -> Iterator[Finding]:
    """What is sound alone and cannot be done together."""
    if file.calls.delete is Deletion.ARCHIVE and file.identify.companies is Companies.ALL:
        place: Path = ("calls", "delete")
        why = (
            "with identify.companies = 'all' a user is an enduser in each company, and Planhat archives one "
            "of them by its id, which does not tell them apart: choose 'delete', which leaves none"
        )
        yield Finding(_line(place, lines), f"{_shown(place)}: {why}")


def _syntax(sentence: str, text: str) -> Finding:
    found = _AT_LINE.match(sentence)
    last = text.count("\n") + 1
    line = int(found["line"]) if found and found["line"] else last
    what = found["what"] if found else sentence
    return Finding(min(line, last), f"this is no TOML: {what}; no more of the file could be read")


def _finding(loc: tuple[int | str, ...], kind: str, sentence: str, lines: dict[Path, int]) -> Finding:
    steps = loc[:-1] if loc and loc[-1] == "[key]" else loc  # how pydantic says that it is about the key
    path = tuple(step for step in steps if step not in shape.TAGS)
    return Finding(_line(path, lines), f"{_shown(path)}: {_words(path, kind, sentence)}")


def _words(path: Path, kind: str, sentence: str) -> str:
    if kind == "extra_forbidden":
        known = list(shape.table_at(path[:-1]).model_fields)
        hint = nearest(str(path[-1]), known) or f"; known are {', '.join(known)}"
        return f"there is no such key here{hint}"
    if kind == "missing":
        return "is missing: where the trait goes"
    return _must(sentence.removeprefix("Value error, "))


def _must(sentence: str) -> str:
    """Pydantic's sentence in the words of this house."""
    words = sentence.replace("Input should be", "must be").replace("a valid string", "text")
    words = words.replace("a valid list", "a list").replace("a valid boolean", "true or false")
    words = re.sub(r"a valid dictionary( or instance of \w+)?", "a table", words)
    return words.replace("List should have at", "a list of at").replace(" after validation", "")


def _line(path: Path, lines: dict[Path, int]) -> int:
    """The line of the place, or of the nearest that is written out around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _shown(path: Path) -> str:
    """As TOML spells it: keys with anything unusual in quotes."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = (
                step if _BARE.fullmatch(step) else '"' + step.replace("\\", "\\\\").replace('"', '\\"') + '"'
            )
            text += f".{key}" if text else key
    return text or "the file"


# --- what is allowed and still doubtful ---------------------------------------------------------------


def _doubts(file: shape.MappingFile, lines: dict[Path, int]) -> Iterator[Finding]:
    for table, stated, default, scope in (
        ("identify", file.identify.traits, defaults.IDENTIFY.rules, ENDUSER),
        ("group", file.group.traits, defaults.GROUP.rules, COMPANY),
    ):
        yield from _shared_targets(
            rules_in_order(default, stated, scope), set(default), (table, "traits"), lines
        )
    properties: list[tuple[Path, Any]] = [
        (("track", "properties"), file.track.properties),
        (("page", "properties"), file.page.properties),
        (("screen", "properties"), file.screen.properties),
    ]
    properties += [
        (("track", "events", name, "properties"), event.properties)
        for name, event in file.track.events.items()
    ]
    for path, stated in properties:
        yield from _shared_targets(rules_in_order((), stated, ACTIVITY), set(), path, lines)
    for path, patterns in (
        (("events", "allow"), file.events.allow),
        (("events", "deny"), file.events.deny),
        (("identify", "metrics"), file.identify.metrics),
        (("group", "metrics"), file.group.metrics),
        (("track", "events"), list(file.track.events)),
    ):
        yield from _odd_patterns(path, patterns, lines)


def _odd_patterns(path: Path, patterns: Sequence[str], lines: dict[Path, int]) -> Iterator[Finding]:
    for number, pattern in enumerate(patterns):
        place = (*path, pattern if path == ("track", "events") else number)
        if any(each in pattern for each in "[]^|\\"):
            text = f"{_shown(place)}: {pattern!r} is taken as it stands; only * and ? are wildcards"
            yield Finding(_line(place, lines), text)
    if path == ("events", "allow") and not patterns:
        yield Finding(
            _line(path, lines), f'{_shown(path)}: nothing is allowed: no event is told; ["*"] allows all'
        )


def _shared_targets(
    rules: Sequence[TraitRule], default: set[TraitRule], path: Path, lines: dict[Path, int]
) -> Iterator[Finding]:
    """Traits that go to one place: the later one wins, which may not be what is meant."""
    by_target: dict[tuple[Place, str], list[TraitRule]] = defaultdict(list)
    for rule in rules:
        for target in rule.targets:
            by_target[target.place, target.name].append(rule)
    for (_, name), sharing in by_target.items():
        for earlier, later in pairwise(sharing):
            is_twin = (earlier.name, later.name) in defaults.TWINS
            if is_twin or (earlier in default and later in default):
                continue
            place = (*path, later.name)
            line = _line(place, lines)
            both = f"{earlier.name!r} goes to {name!r} too; where a call has both, {later.name!r} wins"
            yield Finding(line, f"{_shown(place)}: {both}")
