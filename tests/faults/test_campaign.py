"""A short campaign in every test run, so that the long one works when it is wanted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.campaign import campaign
from tests.faults.report import table
from tests.faults.schedule import Kind, schedule
from tests.real_kafka.cluster import RealKafka

pytestmark = pytest.mark.real_kafka

SEED = 13_066
STRIKES = 3


def test_three_strikes_break_no_law(
    real_kafka: RealKafka, tmp_path: Path, show: Callable[[str], None]
) -> None:
    """A stop past the session, a rebalance and a kill: nothing lost, everything that came again explained."""
    real_kafka.require_owned()
    kinds = {strike.kind for strike in schedule(SEED, STRIKES)}
    assert kinds == {Kind.SIGSTOP, Kind.REBALANCE, Kind.SIGKILL}
    told: list[str] = []
    found = campaign(
        tmp_path, events=6_000, strikes=STRIKES, seed=SEED, per_second=1_000.0, allows_behind=False,
        say=told.append,
    )  # fmt: skip
    show(table(found))
    assert found.broken == []
    assert found.lost == 0
    assert found.letters == found.letters_due
    assert (tmp_path / "report.json").exists()
