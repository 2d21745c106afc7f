"""What is wrong with a mapping file, or doubtful in it: the line, the place in the file's terms, and why."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from streamer.mapping.lines import Path

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST = 400
"""Of what is said of one place: names and values of any length may stand in a file."""


class Finding(NamedTuple):
    """Something wrong with a file, or doubtful in it."""

    line: int
    """Counted from 1."""
    text: str
    """Where in the file's own terms, what is the matter, what to do; one line that a terminal can show."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


def finding_at(path: Path, lines: Mapping[Path, int], what: str) -> Finding:
    """What is the matter at this place, or with what is not there."""
    return Finding(_line(path, lines), plain(f"{shown(path)}: {what}"))


def shown(path: Path) -> str:
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


def plain(text: str) -> str:
    """On one line, without what a terminal would obey, and not without end."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    """As TOML writes it in a string."""
    code = ord(character)
    return f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"


def _line(path: Path, lines: Mapping[Path, int]) -> int:
    """The line of the place, or of the nearest that is written out around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
