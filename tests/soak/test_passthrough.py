"""The soak in passthrough mode: its account, and a run of seconds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.standins.planhat.rows import CallRow
from tests.real_kafka.cluster import RealKafka
from tests.soak.passthrough import Arrived, arrived, soak


def rows(*ids: str | None) -> list[CallRow]:
    """Calls with these messageIds, in the order in which they came."""
    return [CallRow(number, "track", None, each, {}) for number, each in enumerate(ids)]


def test_what_comes_again_is_counted_and_not_lost() -> None:
    """A crash goes back in a user's calls; what a start asks is no call."""
    assert arrived(rows(None, "a:0", "a:1", "b:0", "a:0", "a:1", "a:2"), 4) == Arrived(4, 0, 2, [])


def test_what_never_comes_is_lost() -> None:
    """The last one of a user is missed by the count alone."""
    assert arrived(rows("a:0"), 2) == Arrived(2, 1, 0, [])


def test_what_is_passed_over_and_what_was_never_produced_is_told() -> None:
    """Nothing of a user may come before what was said earlier."""
    passed_over = arrived(rows("a:0", "a:2"), 3)

    assert (passed_over.lost, passed_over.again) == (1, 0)
    assert passed_over.broken == ["a: 2 came for the first time where 1 was to come"]
    assert len(arrived(rows("a:0", "a:2", "a:1"), 3).broken) == 2
    assert arrived(rows("a:0", "b:0"), 1).broken == ["2 calls came, and 1 were produced"]


@pytest.mark.real_kafka
def test_a_soak_of_seconds_loses_no_call(
    real_kafka: RealKafka, tmp_path: Path, show: Callable[[str], None]
) -> None:
    """One strike; all that was produced comes, in order, and every member ends with 0."""
    real_kafka.require_owned()
    told: list[str] = []
    found = soak(tmp_path, seconds=8.0, per_second=100.0, every_seconds=3.5, seed=14, say=told.append)
    show(f"passthrough soak: {found.arrived}")

    assert found.broken == []
    assert len(found.struck) == 1
    assert found.arrived.produced > 200
    assert found.ended_in_order == len(found.spans) == 3
