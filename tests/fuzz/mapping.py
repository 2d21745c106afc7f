"""A mapping file: rules that hold for any event, or mistakes that each have their line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from streamer.events.parse import parse
from streamer.mapping import MappingMistakes, json_schema, read_mapping
from streamer.planhat.items import encode_operation
from streamer.transform import Skipped, transform
from tests.fuzz import Target

ROOT: Final = Path(__file__).parents[2]
EVENTS: Final = [json.loads(line) for line in (ROOT / "docs/mapping/events.jsonl").read_text().splitlines()]
LONGEST_TEXT: Final = 3000


def _one(value: bytes) -> None:
    text = value.decode("utf-8", "replace")
    try:
        rules, doubts = read_mapping(text)
    except MappingMistakes as refused:
        _hold(text, refused.mistakes)
        # Refused without a word nobody could mend it.
        if not refused.mistakes:
            raise
        return
    _hold(text, doubts)
    for call in _CALLS:
        told = transform(call, rules)
        for operation in () if isinstance(told, Skipped) else told.operations:
            assert operation.keys
            encode_operation(operation)


def _hold(text: str, findings: tuple[Any, ...]) -> None:
    lines = text.count("\n") + 1
    for finding in findings:
        assert 1 <= finding.line <= lines, (finding, lines)
        assert finding.text.isprintable()
        assert len(finding.text) < LONGEST_TEXT


def _words(schema: Any) -> Iterator[str]:
    """Every key and every word that a file may hold."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        yield from (word for word in schema.get("enum", []) if isinstance(word, str))
        for part in schema.values():
            yield from _words(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _words(part)


def _seeds() -> Iterator[bytes]:
    for path in sorted([*ROOT.glob("docs/mapping*.toml"), *ROOT.glob("docs/mapping/*.toml")]):
        yield path.read_bytes()
    for path in sorted(ROOT.glob("tests/fixtures/*/*.mapping.toml")):
        yield path.read_bytes()


_CALLS = [parse(event) for event in EVENTS]
TARGET: Final = Target(
    _one,
    _seeds(),
    [
        *(word.encode() for word in sorted(set(_words(json_schema())))),
        *(b"[[", b"]]", b'"""', b"'''", b" = ", b"metric:", b"custom:", b"info:", b"{event}", b"\\u0000"),
    ],
)
