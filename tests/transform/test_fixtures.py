"""Fixture pairs: what each event on disk becomes, to the last byte of the requests.

`<case>.event.json` is the event, `<case>.planhat.json` the exact requests (or why there are none),
`<case>.mapping.toml`, where present, the mapping file, and `<case>.rules.json` the operator's other choices.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.mapping import read_mapping
from streamer.planhat.items import encode_operation
from streamer.planhat.requests import Addresses, request_for
from streamer.transform import Link, Rules, Skipped, transform
from streamer.transform.choices import Companies
from streamer.transform.event_lists import event_lists
from streamer.transform.suppression import Suppressed

FIXTURES = Path(__file__).parent.parent / "fixtures"
FOLDERS = ("identify", "group", "track", "page", "screen", "delete")
CASES = sorted(path for folder in FOLDERS for path in (FIXTURES / folder).glob("*.event.json"))
ADDRESSES = Addresses(
    api_url="https://api.planhat.com",
    analytics_url="https://analytics.planhat.com",
    tenant_token="00000000-0000-4000-8000-000000000000",
)


def sibling(event: Path, kind: str) -> Path:
    """The file of the same case that holds its requests or its rules."""
    return event.with_name(event.name.replace(".event.", f".{kind}."))


def rules_of(event: Path) -> Rules:
    """The operator's choices in this case."""
    mapping = event.with_name(event.name.replace(".event.json", ".mapping.toml"))
    base = read_mapping(mapping.read_text()).rules if mapping.exists() else Rules()
    path = sibling(event, "rules")
    if not path.exists():
        return base
    stated = json.loads(path.read_text())
    readers: dict[str, Any] = {
        "consent_categories": frozenset,
        "transport_aliases": tuple,
        "link": Link,
        "companies": Companies,
        "events": lambda lists: event_lists(**{name: tuple(names) for name, names in lists.items()}),
        "suppressed": lambda users: Suppressed.of(frozenset(users)),
    }
    return replace(base, **{name: readers[name](value) for name, value in stated.items()})


def outcome(event: Any, rules: Rules) -> Any:
    """What becomes of an event, in the form the fixtures have."""
    try:
        result = transform(parse(event), rules)
    except InvalidEvent as invalid:
        return {"invalid": str(invalid.reason)}
    if isinstance(result, Skipped):
        return {"skipped": str(result.reason)}
    requests = [
        request_for(operation.endpoint, [encode_operation(operation)], ADDRESSES)
        for operation in result.operations
    ]
    return [{"method": r.method, "url": r.url, "body": json.loads(r.body or b"null")} for r in requests]


@pytest.mark.parametrize("event", CASES, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
def test_event_becomes_exactly_these_requests(event: Path) -> None:
    """Each event on disk becomes the requests beside it, or is refused for the reason beside it."""
    expected = json.loads(sibling(event, "planhat").read_text())
    actual = outcome(json.loads(event.read_text()), rules_of(event))
    # As text: in Python True equals 1 and 1 equals 1.0, in JSON they differ.
    assert json.dumps(actual, indent=1, sort_keys=True) == json.dumps(expected, indent=1, sort_keys=True)


def test_there_are_enough_cases() -> None:
    """The corpus never shrinks below what was once promised, mapping files among it."""
    assert len(CASES) >= 60
    assert len(list(FIXTURES.rglob("*.mapping.toml"))) >= 15


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_call_type_has_its_cases(folder: str) -> None:
    """Each call type has at least six pairs, and no file stands without its event."""
    events = list((FIXTURES / folder).glob("*.event.json"))
    assert len(events) >= 6
    for path in (FIXTURES / folder).iterdir():
        case = path.name.split(".")[0]
        assert path.with_name(f"{case}.event.json") in events
        assert path.with_name(f"{case}.planhat.json").exists()
