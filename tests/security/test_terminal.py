"""What commands print of events does nothing to the terminal: no colour, no title, no cursor, no order."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from streamer.cli import main
from streamer.cli.letter_tables import print_letter, print_table
from streamer.cli.tables import escaped
from streamer.letters.history import Filed
from streamer.letters.letter import Letter, LetterId
from streamer.letters.subjects import Subject
from streamer.records import Record

EVIL = "\x1b[2J\x1b]0;title\x07\x9b31m\x7f\r\x08\u202e\u2066\u2028x"
"""Clears the screen, sets the title, colours, deletes, goes back, turns the order of reading, ends lines."""
EVENT: dict[str, Any] = {
    "type": "track",
    "messageId": EVIL,
    "userId": f"u{EVIL}",
    "event": f"E{EVIL}",
    "properties": {f"k{EVIL}": EVIL},
    "traits": {f"k{EVIL}": EVIL},
}
Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("logging_restored")


def obeyed(text: str) -> set[str]:
    """What of a text a terminal would obey; line ends aside."""
    return {each for each in text if unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp"}} - {"\n"}


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file of such events: one of each call, and what is none."""
    kinds = ("track", "identify", "group", "page", "alias", EVIL)
    events = [{**EVENT, "type": kind, "groupId": EVIL, "name": EVIL} for kind in kinds]
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in events))
    (tmp_path / "new.toml").write_text('[track]\nunlisted = "drop"\n')
    return str(path)


@pytest.mark.parametrize(
    "words",
    [
        *(["transform"], ["transform", "--json"], ["transform", "--why"], ["transform", "--why", "--json"]),
        ["transform", "--mapping", "NEW", "--against", "", "--show-values"],
        *(["mapping", "fields"], ["mapping", "fields", "--json"]),
    ],
    ids=" ".join,
)
def test_commands_on_files_print_nothing_that_is_obeyed(words: list[str], file: str, capsys: Capture) -> None:
    """Of events that were read from a file, or from a live topic, which is printed alike."""
    line = [str(Path(file).parent / "new.toml") if each == "NEW" else each for each in words]
    assert main([*line, file]) == 0

    said = capsys.readouterr()
    assert obeyed(said.out + said.err) == set()
    assert said.out.strip()


def test_json_means_what_it_did(file: str, capsys: Capture) -> None:
    """A program reads the same values as before."""
    assert main(["transform", "--json", file]) == 0

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0]["messageId"] == EVIL
    assert json.loads(escaped(json.dumps(EVENT, ensure_ascii=False))) == EVENT


def test_letters_are_shown_without_what_is_obeyed(capsys: Capture) -> None:
    """Revealed or not: who it is about, its headers, its reason, whoever wrote them."""
    record = Record("events", 2, 991, 5, EVIL.encode(), EVIL.encode())
    letter = Letter(LetterId(3, 1), 5, record, EVIL, EVIL, EVIL, EVIL, EVIL, 1, EVIL, EVIL)
    filed = Filed(letter, 9, Subject("track", (EVIL,)), ids=[LetterId(3, 1)])
    for reveal in (False, True):
        print_table([filed], reveal=reveal)
    told: dict[str, Any] = dict.fromkeys(
        ("written", "reason", "meaning", "detail", "topic", "group", "first_failure", "http_status"), EVIL
    )
    told |= dict.fromkeys(("schema_id", "state", "now"), EVIL) | dict.fromkeys(("partition", "offset"), 1)
    told |= {"ids": [EVIL], "names": [EVIL], "history": [], "headers": [[EVIL, EVIL]], "event": EVENT}
    print_letter({**told, "attempts": 1, "value_bytes": 9, "is_stub": False})

    assert obeyed(capsys.readouterr().out) == set()
