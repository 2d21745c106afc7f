"""A soak of seconds in every test run, so that the long one works when it is wanted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.schedule import Kind
from tests.real_kafka.cluster import RealKafka
from tests.soak import figures
from tests.soak.findings import report
from tests.soak.flat import FEWEST
from tests.soak.run import SPARED, soak

pytestmark = pytest.mark.real_kafka

SEED = 14
SECONDS = 8.0


def test_a_soak_of_seconds_loses_nothing_and_looks_at_every_member(
    real_kafka: RealKafka, tmp_path: Path, show: Callable[[str], None]
) -> None:
    """One strike; of what grows nothing can be said in so short a time."""
    real_kafka.require_owned()
    told: list[str] = []
    found = soak(tmp_path, seconds=SECONDS, per_second=300.0, every_seconds=3.5, seed=SEED, say=told.append)
    show(figures.soak_part(report(found, seed=SEED, python="", cores=0)))
    assert found.broken == []
    assert [each.strike.kind for each in found.struck] == [Kind.RESET]
    assert set(found.judged) == {f"m{slot}-1" for slot in SPARED}
    assert all(len(found.spans[name]) >= FEWEST for name in found.judged)
    assert found.ended_in_order == len(found.spans) == 3
    assert found.verdict.produced > SECONDS * 100
    assert found.verdict.letters == found.verdict.letters_due > 0
