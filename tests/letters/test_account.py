"""What a replay says of itself when it ends."""

import pytest

from streamer.app.replay_letters import Report
from streamer.cli.letter_tables import account_of, print_account


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
