"""The suppression list: a file of users of whom Planhat is told nothing, read once, at start."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from streamer.transform.suppression import Suppressed

LARGEST_BYTES = 64 * 2**20
"""Of the file; about two million users."""
LONGEST_ENTRY = 1000
"""Characters of one user id."""
_SHOWN = 10
_SEVERAL = re.compile(r"[,;\s]")


@dataclass(frozen=True, slots=True)
class SuppressionFile:
    """What was read, and where. Its text shows how many there are, and nobody."""

    path: str
    suppressed: Suppressed = field(repr=False)

    def __str__(self) -> str:
        count = len(self.suppressed.user_ids)
        return f"{self.path} ({count:,} {'entry' if count == 1 else 'entries'})"


def read_suppression_file(path: str) -> SuppressionFile:
    """Read a list of one user id or e-mail address a line; blank lines and those that begin with # are none.

    Raises ValueError that names every line at fault (ten of them) by its number, and quotes none: they are
    of people who asked for less of that.
    """
    file = Path(path)
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"the file is larger than {LARGEST_BYTES // 2**20} MiB")
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    entries: set[str] = set()
    problems = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        try:
            entry = _entry(line)
        except ValueError as error:
            problems.append(f"line {number} {error}")
        else:
            if entry:
                entries.add(entry)
    if problems:
        more = f"; {len(problems) - _SHOWN} more lines are wrong" if len(problems) > _SHOWN else ""
        raise ValueError("; ".join(problems[:_SHOWN]) + more)
    return SuppressionFile(path, Suppressed.of(frozenset(entries)))


def _entry(line: bytes) -> str:
    """The user of one line; nothing where it names none. Raises ValueError that says what it is instead.

    What looks like a row of a table is refused: taken for an id it would match nobody, and the user it names
    would be told of.
    """
    try:
        entry = line.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if entry.startswith("#"):
        return ""
    if len(entry) > LONGEST_ENTRY:
        raise ValueError(f"is longer than {LONGEST_ENTRY} characters")
    if not entry.isprintable():
        raise ValueError("holds a character that cannot be printed")
    if len(entry) > 1 and entry[0] == entry[-1] and entry[0] in "\"'":
        raise ValueError("stands in quotation marks")
    if "@" in entry and _SEVERAL.search(entry):
        raise ValueError("holds more than one value")
    return entry
