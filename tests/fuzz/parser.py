"""An event's JSON: it becomes a call or is invalid for a known reason, and any call becomes operations.

Under the rules of an empty mapping, of the example in the docs, and in passthrough mode.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from streamer.avro import json_text
from streamer.errors import InvalidEvent
from streamer.events.parse import FIELDS_READ, call_type_of, parse, type_text
from streamer.mapping import read_mapping
from streamer.planhat.items import encode_operation
from streamer.transform import Rules, Skipped, told_of
from tests.fuzz import Target

ROOT: Final = Path(__file__).parents[2]
FIXTURES: Final = ROOT / "tests" / "fixtures"
DETAILS: Final = FIELDS_READ | {
    *("not an object", "type is none of Segment's", "no type", "userId, anonymousId"),
    *("context.consent", "context.consent.categoryPreferences"),
}
"""All that is ever said of an invalid event: names, and never what stands in it."""
RULES: Final = (
    Rules(consent_categories=frozenset({"Marketing"}), transport_aliases=("Kafka",)),
    read_mapping((ROOT / "docs" / "mapping.example.toml").read_text()).rules,
    Rules(forwards=True),
)


def _one(value: bytes) -> None:
    try:
        event = json_text.parse(value)
    except InvalidEvent:
        return
    call_type_of(event)
    type_text(event)
    try:
        call = parse(event)
    except InvalidEvent as invalid:
        if invalid.detail not in DETAILS:
            raise
        return
    for rules in RULES:
        told = told_of(call, event, rules)
        if isinstance(told, Skipped):
            continue
        for operation in told.operations:
            assert operation.keys
            encoded = encode_operation(operation)
            assert encoded
            json.loads(encoded)


def _seeds() -> Iterator[bytes]:
    for path in sorted(FIXTURES.glob("*/*.event.json")):
        yield json.dumps(json.loads(path.read_text()), separators=(",", ":")).encode()


_WORDS = sorted(
    {*FIELDS_READ, "consent", "categoryPreferences", "personas", "email", "companies", "company", "id"}
)
TARGET: Final = Target(_one, _seeds(), [f'"{word}":'.encode() for word in _WORDS])
