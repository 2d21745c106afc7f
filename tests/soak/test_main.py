"""The command says what cannot be soaked, before anything starts."""

import re
from pathlib import Path

import pytest

from tests.soak import __main__ as command
from tests.soak.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--seconds", "60"], "too short to judge what grows: 300 at least", id="too short"),
        pytest.param(["--hours", "8", "--rate", "300"], "139 a second, at most", id="too many events"),
        pytest.param(["--rate", "0"], "--rate: '0' is no number above 0", id="no load"),
        pytest.param(["--every", "-1"], "--every: '-1' is no number above 0", id="strikes without end"),
        pytest.param(["--mode", "passthrough", "--write"], "leave --write out", id="no page shows it"),
        pytest.param(["--hours", "nan"], "--hours: 'nan' is no number above 0", id="no time"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what can be: a longer time, a slower pace."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_the_pages_tell_to_run_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's own help, the Makefile's, and the page's: so long at such a pace."""
    monkeypatch.setattr(command, "unavailable_reason", lambda: "not here")
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "docs/reliability.md")]
    told = re.findall(r"HOURS=(\d+) RATE=(\d+)", "\n".join(texts))
    told += re.findall(r"--hours (\d+) --rate (\d+)", command.__doc__ or "")

    assert len(told) == 3
    for hours, rate in told:
        assert main(["--hours", hours, "--rate", rate]) == 2, "it got as far as to look for a Kafka"
