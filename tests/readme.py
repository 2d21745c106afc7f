"""The commands that the README or another page shows, and whether one printed what stands under it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).resolve().parent.parent / "README.md"
ELISION = "..."
"""A line that stands for any number of lines."""

_VARYING = re.compile(r"https?://[^\s/]+|\b[\w.-]+:\d+\b|\d[\d,.]*")
"""What differs from run to run: where a server is, and every number."""


class Example(NamedTuple):
    """A command that a page shows, and the output it shows under it."""

    command: str
    output: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """What a run prints that did the same: other numbers, other addresses, other widths of columns."""
        lines = [r"(?:.*\n)*?" if line == ELISION else _line(line) for line in self.output.splitlines()]
        return re.compile("".join(lines))


def _line(shown: str) -> str:
    words = []
    for word in shown.split():
        parts = _VARYING.split(word)
        varying = ["\\S+" if "://" in part or ":" in part else r"[\d,.]+" for part in _VARYING.findall(word)]
        words.append("".join(map("".join, zip(map(re.escape, parts), [*varying, ""], strict=True))))
    return (" +" if shown.startswith(" ") else "") + " +".join(words) + " *\n"


def examples(page: Path = README) -> Iterator[Example]:
    """Indented lines that begin with `$`, each with the indented lines below it."""
    command: str | None = None
    output: list[str] = []
    for line in [*page.read_text(encoding="utf-8").splitlines(), ""]:
        if command is not None and (line.startswith("    $ ") or not line.startswith("    ")):
            yield Example(command, "".join(f"{text}\n" for text in output))
            command, output = None, []
        if line.startswith("    $ "):
            command = line.removeprefix("    $ ").partition("  #")[0].strip()
        elif command is not None:
            output.append(line.removeprefix("    "))


def example(command: str) -> Example:
    """The README's one example of a command."""
    (found,) = (shown for shown in examples() if shown.command == command)
    return found
