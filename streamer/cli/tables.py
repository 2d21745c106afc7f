"""How findings are written: rows of tables for people, lines of JSON for programs."""

import json
import re
import sys
from typing import Any

_OBEYED = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]")
"""What a terminal obeys, by itself or as the beginning of more; line ends are ours."""


def escaped(text: str) -> str:
    """The same without what a terminal obeys, spelt as JSON does: JSON that holds it means what it did."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_json(told: dict[str, Any]) -> None:
    """One line of JSON."""
    sys.stdout.write(escaped(json.dumps(told, ensure_ascii=False, default=str)) + "\n")


def add_row(table: Any, *cells: str) -> None:  # noqa: ANN401 - rich's, loaded late
    """One row of a table."""
    from rich.text import Text  # noqa: PLC0415 - only tables need it

    table.add_row(*(Text(printable(cell)) for cell in cells))


def printable(text: str) -> str:
    """Without what a terminal obeys: an event may hold control sequences, which are not for this one."""
    return "".join(each if each.isprintable() else "�" for each in text)


def console() -> Any:  # noqa: ANN401 - rich's, loaded late
    """Where tables are printed."""
    from rich.console import Console  # noqa: PLC0415 - only tables need it

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)
