"""The story that docs/explain.md shows is one that `explain` tells."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamer.app.story.values import Kind, Look, Present, Settling, Wanted
from streamer.cli.story_tables import MOST_ROWS, print_story
from streamer.records import Record
from tests.story.stories import ABSENT, USER, identify, letter_of, record, story_of, story_of_records

PAGE = Path(__file__).parent.parent.parent / "docs" / "explain.md"


def _ms(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1_000)


def _others(count: int) -> list[Record]:
    """Records about somebody else, in another partition."""
    return [record(number, identify("u-9"), partition=1) for number in range(count)]


def _sample() -> list[str]:
    """Its words."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    enduser u-2: "))
    stop = lines.index("", start)
    return " ".join(lines[start:stop]).split()


def test_the_sample_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Word by word; where a line breaks is the terminal's."""
    monkeypatch.setenv("COLUMNS", "200")
    written = _ms("2026-11-26T18:58:02")
    call = record(3, identify("u-2", company="co-9", plan="pro"))._replace(timestamp_ms=written)
    story = story_of_records(Wanted(Kind.USER, "u-2"), [*_others(7), call])
    story.since_ms = _ms("2026-11-19T19:00:00")
    story.calls[0].settling = Settling.COMMITTED
    story.present, story.present_company = ABSENT, Present(Look.ABSENT)

    print_story(story, shows_values=False)

    assert capsys.readouterr().out.split() == _sample()


def test_a_flood_of_letters_does_not_bury_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """Of letters whose call was not met the latest are told, and how many there are; --json has all."""
    story = story_of(USER, identify("u-1", "acme"))
    for offset in range(60):
        letter_of(story, 0)
        story.letters[-1].offset = offset
    story.calls[0].letter = None

    print_story(story, shows_values=False)

    said = capsys.readouterr().out
    assert said.count("dead letter of ") == MOST_ROWS
    assert "dead letter of 0@59 (identify)" in said
    assert f"(the latest {MOST_ROWS} of 60 dead letters without their call; --json tells all)" in said
