"""The command says what cannot be soaked, before anything starts."""

import pytest

from tests.soak.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--seconds", "60"], "too short to judge what grows: 300 at least", id="too short"),
        pytest.param(["--hours", "8", "--rate", "300"], "139 a second, at most", id="too many events"),
        pytest.param(["--rate", "0"], "--rate: '0' is no number above 0", id="no load"),
        pytest.param(["--every", "-1"], "--every: '-1' is no number above 0", id="strikes without end"),
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
