"""Names by wildcards: `*` stands for any text, `?` for any one character, and case counts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names, some of them with wildcards; compiled once.

    A look-up costs in proportion to the name's length and the patterns', whatever both of them are.
    """

    patterns: tuple[str, ...]
    _exact: frozenset[str] = field(init=False, repr=False, compare=False)
    _wild: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wild = [each for each in self.patterns if has_wildcard(each)]
        object.__setattr__(self, "_exact", frozenset(self.patterns) - frozenset(wild))
        object.__setattr__(self, "_wild", re.compile(_expression(wild), re.DOTALL) if wild else None)

    def __contains__(self, name: str) -> bool:
        return name in self._exact or (self._wild is not None and self._wild.match(name) is not None)


def has_wildcard(pattern: str) -> bool:
    """Whether it can stand for more than itself."""
    return "*" in pattern or "?" in pattern


def _expression(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{_of_one(pattern)})" for pattern in patterns)


def _of_one(pattern: str) -> str:
    """What stands between two stars is taken where it first occurs, and for good: atomic groups.

    Going back for a later one never helps (only what is last must stand at the end), and on a name made for
    it would take a time that grows with a power of its length.
    """
    first, *others = [_literal(part) for part in re.split(r"\*+", pattern)]
    if not others:
        return rf"{first}\Z"
    *between, last = others
    return first + "".join(f"(?>.*?{part})" for part in between) + rf".*{last}\Z"


def _literal(part: str) -> str:
    return ".".join(re.escape(piece) for piece in part.split("?"))
