"""The runbooks' blocks: PromQL to ask, commands to look, to repair and to verify.

    for command in commands("StreamerOnHold", "repair"): ...

A command is one line, with words in capitals where the reader puts his own: `filled` does that.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent.parent
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
KINDS: Final = ("promql", "sh look", "sh repair", "sh verify")
PLACEHOLDERS: Final = (
    "NAMESPACE", "BROKERS", "TOPIC", "GROUP", "KAFKA_NAMESPACE", "KAFKA_POD", "TENANT_FILE", "API_FILE",
    "EVENTS_FILE", "REASON", "LETTER", "CALLS", "PARTITION", "OFFSET",
)  # fmt: skip

_FENCE: Final = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_CAPITALS: Final = re.compile(r"(?<![\w-])[A-Z][A-Z_]+(?![\w-]|=)")


class Block(NamedTuple):
    """One fenced block of a page."""

    kind: str
    lines: tuple[str, ...]


def pages() -> list[Path]:
    """Every runbook."""
    return sorted(RUNBOOKS.glob("*.md"))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for found in _FENCE.finditer(page.read_text(encoding="utf-8")):
        yield Block(found["kind"], tuple(found["text"].splitlines()))


def commands(alert: str, kind: str) -> list[str]:
    """The commands of an alert's page that `look`, `repair` or `verify`, one a line."""
    page = RUNBOOKS / f"{alert}.md"
    return [line for block in blocks(page) if block.kind == f"sh {kind}" for line in block.lines]


def filled(command: str, values: Mapping[str, str]) -> str:
    """A command with the reader's words put in. Raises KeyError for one that is not given."""
    return _CAPITALS.sub(lambda found: values[found[0]], command)


def placeholders(command: str) -> set[str]:
    """The words of a command that the reader replaces."""
    return set(_CAPITALS.findall(command))
