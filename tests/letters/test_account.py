"""What a replay says of itself when it ends."""

import pytest

from streamer.app.replay_letters import Report
from streamer.cli.letter_tables import account_of, print_account
from streamer.letters.letter import LetterId, Place
from streamer.letters.told import Told, Unmended


def said(report: Report, capsys: pytest.CaptureFixture[str]) -> str:
    """The account for a person."""
    print_account(report)
    return capsys.readouterr().out


def test_a_stop_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A replay that was told to stop before it knew its letters does not say that there were none."""
    assert "nothing to replay" in said(Report(), capsys)
    stopped = said(Report(is_stopped=True), capsys)

    assert "told to stop" in stopped
    assert "nothing to replay" not in stopped
    assert account_of(Report(is_stopped=True))["stopped"] is True


def test_what_may_stand_over_newer_state_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A letter whose later call did not go again is named with it, for people and for programs."""
    told = Told(unmended=[Unmended(LetterId(3, 7), Place("events", 2, 9))])
    report = Report(selected=1, told=told)
    words = said(report, capsys)

    assert "perhaps over newer state" in words
    assert "3:7, later: events[2]@9" in words
    assert account_of(report)["unmended"] == [{"letter": "3:7", "later": "events[2]@9"}]
    assert report.left == 0
