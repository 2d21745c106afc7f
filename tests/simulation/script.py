"""Scripts: lists of plain steps, one a line, that can be printed, read back and shrunk."""

from collections.abc import Iterable
from typing import NamedTuple


class Step(NamedTuple):
    """One thing that happens: a verb and its words."""

    verb: str
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.verb, *self.words))

    def number(self, place: int, default: int = 0) -> int:
        """The word at this place as a whole number."""
        return int(self.words[place]) if place < len(self.words) else default

    def word(self, place: int, default: str = "") -> str:
        """The word at this place."""
        return self.words[place] if place < len(self.words) else default

    def named(self) -> dict[str, str]:
        """Words of the form `name=value`."""
        return dict(word.split("=", 1) for word in self.words if "=" in word)


Script = list[Step]


def step(verb: str, *words: object) -> Step:
    """A step from anything that prints as its words."""
    return Step(verb, tuple(str(word) for word in words))


def written(script: Iterable[Step]) -> str:
    """The script as text, one step a line."""
    return "\n".join(str(each) for each in script)


def read(text: str) -> Script:
    """A script from its text; empty lines and what follows a `#` are left out."""
    lines = (line.split("#", 1)[0].split() for line in text.splitlines())
    return [Step(words[0], tuple(words[1:])) for words in lines if words]
