"""What would change, as a person and as a program read it."""

import json
from typing import Any

import pytest

from streamer.cli.change_tables import changes_json, print_changes
from streamer.local.changes import Changes, compare_all
from streamer.local.transform import Given
from streamer.transform import Link, Rules

EVENTS: list[dict[str, Any]] = [
    {"type": "screen", "userId": "u-1", "name": "Home", "messageId": "m-1"},
    {"type": "group", "userId": "u-secret", "groupId": "acme", "traits": {"plan": "pro"}},
    {"type": "track", "userId": "u-1", "event": "Opened"},
    {"type": "track"},
]


@pytest.fixture(name="changes")
def _changes() -> Changes:
    """What screens delivered and links left out would change."""
    given = [Given(event, place=(3, number)) for number, event in enumerate(EVENTS)]
    return compare_all(given, Rules(), Rules(deliver_screens=True, link=Link.NEVER))


def test_a_person_reads_counts_and_examples(changes: Changes, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts by kind and call, reasons, fields, and an example of each kind with its place; values masked."""
    print_changes(changes, shows_values=False)
    text = capsys.readouterr().out
    for line in (
        "4 events\n",
        "        1  unchanged (1 track)\n",
        "        1  sent otherwise (1 group)\n",
        "        1  now sent (1 screen)\n",
        "        1  invalid whatever the rules are (1 track)\n",
        "        1  unsupported_type → sent\n",
        "        1  - endusers.externalId\n",
        "for example event 0 at 3@0: screen m-1, unsupported_type → sent\n",
        "for example event 1 at 3@1: group, sent otherwise\n",
        '    - endusers.externalId = "<text, 8 characters>"\n',
    ):
        assert line in text
    assert "u-secret" not in text

    print_changes(changes, shows_values=True)
    assert '    - endusers.externalId = "u-secret"\n' in capsys.readouterr().out


def test_a_program_reads_the_same(changes: Changes) -> None:
    """--json holds every kind, every field and the examples; values masked unless asked for."""
    told = changes_json(changes, shows_values=False)
    assert told["kinds"] == {
        "unchanged": 1,
        "different": 1,
        "now_sent": 1,
        "now_skipped": 0,
        "other_reason": 0,
        "invalid": 1,
    }
    assert {"field": "endusers.externalId", "how": "removed", "events": 1} in told["fields"]
    assert [each["kind"] for each in told["examples"]] == ["now_sent", "different", "invalid"]
    assert "u-secret" not in json.dumps(told)
    assert "u-secret" in json.dumps(changes_json(changes, shows_values=True))
