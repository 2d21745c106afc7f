"""What a benchmark asserts it also refuses."""

import pytest

from benchmarks.quota import Figures, Row, report

GOOD = Figures(Row(3, 16), 97, 31_100.0, 0.973, 0.999, 0.0, 0.0)


def test_a_quota_that_is_used_up_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """A row with a skewed backlog stands beside the others without a bar."""
    skewed = GOOD._replace(row=Row(3, 16, 0.8), used=0.36, fill=0.9)
    assert report([GOOD, skewed]) == 0
    shown = capsys.readouterr().out
    assert "36.0%" in shown
    assert shown.count("(no bar)") == 1


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"used": 0.949}, "94.9% of the quota used"),
        ({"fill": 0.93}, "mean fill 93.0%"),
        ({"refused_in_all": 1.0}, "1 calls answered 429"),
    ],
)
def test_a_bar_that_is_missed_fails_and_is_named(
    missing: dict[str, float], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which row, which bar."""
    assert report([GOOD, GOOD._replace(row=Row(1, 4), **missing)]) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("MISSED")]
    assert len(told) == 1
    assert told[0].startswith(f"MISSED: 1 replicas, 4 partitions: {words}")
