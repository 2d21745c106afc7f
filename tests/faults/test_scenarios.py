"""The stories in every test run, as short as what they claim allows."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.faults.plant import SESSION_SECONDS
from tests.faults.scenarios import mandatory, poison, restarts
from tests.faults.stall import stall
from tests.real_kafka.cluster import RealKafka

pytestmark = pytest.mark.real_kafka


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(poison, id="poison"),
        pytest.param(mandatory, id="mandatory"),
        pytest.param(partial(restarts, starts=3), id="restarts"),
    ],
)
def test_a_story_of_one_member_ends_well(
    story: Callable[..., list[str]], real_kafka: RealKafka, tmp_path: Path, show: Callable[[str], None]
) -> None:
    """An entry that spoils a full bulk; a field made mandatory; a topic of nothing but bad records."""
    assert story(tmp_path, 0.0, show, kafka=real_kafka) == []


def test_a_stall_longer_than_the_session_costs_no_partition(
    real_kafka: RealKafka, tmp_path: Path, show: Callable[[str], None]
) -> None:
    """Planhat does what it is asked and tells nobody: memory flat, members stay, what was lost is told."""
    real_kafka.require_owned()
    assert stall(tmp_path, SESSION_SECONDS + 2.0, show) == []
