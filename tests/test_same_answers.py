"""The comparison of the compiled wheel with the pure one tells a difference where there is one."""

from itertools import islice

import pytest

from streamer.outcomes import CallType, SkipReason
from streamer.transform import ruled
from streamer.transform.retyping import number_of
from tests.same_answers import cases, line, rule_sets

EVENTS = 400


def told() -> list[str]:
    """What some events come to: the end of what is told, where chance makes them."""
    return [line(case) for case in cases(3, EVENTS) if case.name.startswith("seed")]


def test_the_same_is_told_twice() -> None:
    """Nothing in a line is of the moment."""
    assert told() == told()


def test_events_of_every_kind_are_told() -> None:
    """Every type, what is told and what is skipped, and no failure of our own code."""
    everything = "\n".join(told())

    assert all(f"CallType.{kind.name}" in everything for kind in CallType)
    assert all(
        f"SkipReason.{reason.name}" in everything for reason in (SkipReason.ANONYMOUS, SkipReason.CONSENT)
    )
    assert all(made in everything for made in ("UpsertEnduser", "UpsertCompany", "LogActivity", "PushMetric"))
    assert "ForwardCall" in everything
    assert "InvalidReason.INTERNAL" not in everything


def test_a_number_that_became_a_float_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is what mypyc makes of it where an annotation says so."""
    before = told()
    monkeypatch.setattr(
        ruled, "number_of", lambda value: float(n) if isinstance(n := number_of(value), int) else n
    )

    assert told() != before


def test_each_part_is_made_hostile() -> None:
    """Under the event's own rules, and under others in turn."""
    hostile = list(islice((case for case in cases(3, 0) if " hostile " in case.name), 400))

    assert len({case.name for case in hostile}) == len(hostile)
    assert {case.name.partition(" rules ")[2] for case in hostile} == {"own", *rule_sets()}
