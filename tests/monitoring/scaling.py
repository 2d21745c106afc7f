"""The alert rules with all time in them divided by one factor, for tests that wait for alerts to fire.

scaled(tools.alerts.rules(), 60)
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION: Final = r"(?:\d+(?:ms|[smhdw]))+"
_RANGE: Final = re.compile(rf"\[(?P<range>{_DURATION})(?P<colon>:)?(?P<step>{_DURATION})?\]")
_OFFSET: Final = re.compile(rf"(?P<words>\boffset\s+-?)(?P<duration>{_DURATION})")
_SECONDS: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<mark>\s*# seconds)")
_DURATION_KEYS: Final = ("for", "keep_firing_for", "interval")


def scaled(rules: Mapping[str, Any], factor: int | Fraction) -> dict[str, Any]:
    """The same rules with every duration, range and number of seconds divided by `factor`.

    What is a count, a share or a rate stays. Raises ValueError where the quotient is no whole number of
    milliseconds above 0: Prometheus knows nothing finer.
    """
    by = Fraction(factor)
    return {"groups": [_group(group, by) for group in rules["groups"]]}


def _group(group: Mapping[str, Any], by: Fraction) -> dict[str, Any]:
    return {**_durations(group, by), "rules": [_rule(rule, by) for rule in group["rules"]]}


def _rule(rule: Mapping[str, Any], by: Fraction) -> dict[str, Any]:
    return {**_durations(rule, by), "expr": _expression(rule["expr"], by)}


def _durations(mapping: Mapping[str, Any], by: Fraction) -> dict[str, Any]:
    return {key: _duration(value, by) if key in _DURATION_KEYS else value for key, value in mapping.items()}


def _expression(text: str, by: Fraction) -> str:
    def ranged(found: re.Match[str]) -> str:
        step = _duration(found["step"], by) if found["step"] else ""
        return f"[{_duration(found['range'], by)}{found['colon'] or ''}{step}]"

    text = _RANGE.sub(ranged, text)
    text = _OFFSET.sub(lambda found: found["words"] + _duration(found["duration"], by), text)
    return _SECONDS.sub(lambda found: f"{float(Fraction(found['number']) / by)!r}{found['mark']}", text)


def _duration(text: str, by: Fraction) -> str:
    parts = re.findall(r"(\d+)(ms|[smhdw])", text)
    milliseconds = sum(int(number) * _UNITS[unit] for number, unit in parts) / by
    if milliseconds.denominator != 1 or milliseconds < 1:
        raise ValueError(f"{text} divided by {float(by):g} is no whole number of milliseconds")
    return f"{milliseconds}ms"
