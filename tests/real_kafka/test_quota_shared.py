"""Replicas share the group's calls by their partitions, whoever comes and goes."""

from collections.abc import Callable

import pytest

from tests.real_kafka.member import Member, wait_until
from tests.real_kafka.pipeline import Pipeline

pytestmark = pytest.mark.real_kafka

SECONDS = 20.0


def shares(*members: Member) -> list[float]:
    """Each one's calls a minute, by its own metrics."""
    return [member.scrape().total("streamer_quota_share_calls_per_minute") for member in members]


def test_replicas_share_the_calls_of_the_group(piped: Callable[..., Pipeline]) -> None:
    """One has all 160; of three each has its partitions' part; the fifth on four partitions has none."""
    pipeline = piped(partitions=4, planhat_calls_per_minute="160", session_timeout_seconds="6")
    first = pipeline.member("first").wait_until_ready()
    wait_until(lambda: shares(first) == [160.0], SECONDS, "one replica has all calls")

    others = [pipeline.member(name).wait_until_ready() for name in ("second", "third")]
    pipeline.wait_until_shared(first, *others)
    wait_until(
        lambda: sorted(shares(first, *others)) == [40.0, 40.0, 80.0], SECONDS, "each has its partitions' part"
    )

    more = [pipeline.member(name).wait_until_ready() for name in ("fourth", "fifth")]
    everybody = [first, *others, *more]
    wait_until(
        lambda: sorted(shares(*everybody)) == [0.0, 40.0, 40.0, 40.0, 40.0],
        SECONDS,
        "four have a partition each, one has none",
    )
    first.kill()
    wait_until(lambda: sum(shares(*everybody[1:])) == 160.0, 60.0, "the others have what it left")
