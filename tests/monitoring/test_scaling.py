"""Rules in a hurry: all time divided by one factor, and nothing else touched."""

import re
from fractions import Fraction
from typing import Any

import promql_parser
import pytest

from tests.monitoring.scaling import scaled
from tools import alerts

FACTOR = 60


def _rules(grouped: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in grouped["groups"] for rule in group["rules"]]


def test_all_time_is_divided() -> None:
    """Waits, ranges, offsets, steps and seconds shrink by the factor; counts, shares and words stay."""
    rule = {
        "alert": "Some",
        "for": "1h30m",
        "expr": "x[10m:1m] offset 1h > 90 # seconds\nand y[5m] >= 10",
        "annotations": {"summary": "for 10m"},
    }

    assert scaled({"groups": [{"name": "g", "interval": "30s", "rules": [rule]}]}, FACTOR) == {
        "groups": [
            {
                "name": "g",
                "interval": "500ms",
                "rules": [
                    {
                        "alert": "Some",
                        "for": "90000ms",
                        "expr": "x[10000ms:1000ms] offset 60000ms > 1.5 # seconds\nand y[5000ms] >= 10",
                        "annotations": {"summary": "for 10m"},
                    }
                ],
            }
        ]
    }


def test_scaling_there_and_back_changes_nothing() -> None:
    """The shipped rules, scaled down and up again, say the same: nothing is rounded."""
    there_and_back = scaled(scaled(alerts.rules(), FACTOR), Fraction(1, FACTOR))
    same = scaled(alerts.rules(), 1)

    assert _rules(there_and_back) == _rules(same)


def test_scaled_rules_are_promql() -> None:
    """Every expression of the scaled rules parses."""
    for rule in _rules(scaled(alerts.rules(), FACTOR)):
        promql_parser.parse(rule["expr"])


@pytest.mark.parametrize("duration", ["1ms", "1s"])
def test_what_prometheus_cannot_express_is_refused(duration: str) -> None:
    """A wait that would not be a whole number of milliseconds is an error, not a rounded one."""
    with pytest.raises(ValueError, match="no whole number of milliseconds"):
        scaled({"groups": [{"name": "g", "rules": [{"record": "r", "expr": f"x[{duration}]"}]}]}, 7)


def test_every_number_of_seconds_is_marked() -> None:
    """A number of a minute or more that something is compared with bears the mark, or is no time."""
    for rule in _rules(alerts.rules()):
        for line in rule["expr"].splitlines():
            compared = re.search(r"[<>]=? *(\d+)", line)
            assert not compared or int(compared[1]) < 60 or line.endswith("# seconds"), line
