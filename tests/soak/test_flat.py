"""A leak is told, and nothing else is: warm-up, noise, and what a fault did once."""

import math
from collections.abc import Callable
from random import Random

import pytest

from tests.soak.flat import FEWEST, Bound, Point, flat, slope

BOUND = Bound(ratio=0.1, noise=6.0, an_hour=6.0, step=64.0)
MINUTE = 60.0


def figures(minutes: int, figure: Callable[[float], float], noise: float = 0.0, seed: int = 1) -> list[Point]:
    """One a minute, of a figure that goes by hours; each is off by up to `noise`."""
    rng = Random(seed)
    return [
        Point(minute * MINUTE, figure(minute / 60) + rng.uniform(-noise, noise)) for minute in range(minutes)
    ]


def test_the_slope_is_what_it_is_an_hour() -> None:
    """Times are seconds, slopes are by hours."""
    assert slope(figures(60, lambda hours: 100 + 12 * hours)) == pytest.approx(12.0)


def test_the_slope_is_not_moved_by_outliers() -> None:
    """One point in six is far off, and all of those late: a fit by squares would rise by 100 an hour."""
    points = figures(120, lambda _: 100.0)
    for place in range(100, 120):
        points[place] = points[place]._replace(value=400.0)

    assert slope(points) == 0.0


@pytest.mark.parametrize("seed", range(20))
def test_what_keeps_its_level_is_flat_whatever_the_noise(seed: int) -> None:
    """Sixteen MiB from the lowest to the highest, in three hours."""
    assert flat(figures(180, lambda _: 120.0, noise=8.0, seed=seed), BOUND).is_flat


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_is_told_through_noise(seed: int) -> None:
    """10 MiB an hour, in three hours, among 8 MiB of noise: no fault is its excuse."""
    found = flat(
        figures(180, lambda hours: 120 + 10 * hours, noise=8.0, seed=seed), BOUND,
        faults=[minute * MINUTE for minute in range(5, 180, 5)],
    )  # fmt: skip

    assert not found.is_flat
    assert found.an_hour == pytest.approx(10.0, abs=2.0)


def test_a_leak_that_is_slow_but_long_is_told_by_its_slope_alone() -> None:
    """The end is within a tenth of the level."""
    found = flat(figures(60, lambda hours: 120 + 7 * hours), BOUND)

    assert found.end < found.level * 1.1
    assert not found.is_flat


def test_a_jump_at_the_end_is_told_by_the_level_alone() -> None:
    """The slope over all pairs sees nothing of it."""
    found = flat(figures(180, lambda hours: 120.0 if hours < 2.5 else 140.0), BOUND)

    assert found.an_hour < BOUND.an_hour
    assert not found.is_flat


def test_growth_that_ends_with_the_warm_up_is_forgiven() -> None:
    """It nears its level; what is left of that after the warm-up is no leak."""
    points = figures(180, lambda hours: 60 + 60 * (1 - math.exp(-hours * 4)))

    assert not flat(points, BOUND).is_flat
    assert flat(points[45:], BOUND).is_flat


def test_a_step_at_a_fault_is_forgiven_where_it_levels() -> None:
    """It is told how much came, and since when it is level."""
    points = figures(180, lambda hours: 120.0 if hours < 1 else 160.0, noise=3.0)
    found = flat(points, BOUND, faults=[20 * MINUTE, 60 * MINUTE, 100 * MINUTE])

    assert found.is_flat
    assert found.since == 60 * MINUTE
    assert found.forgiven == pytest.approx(40.0, abs=3.0)


def test_a_step_without_a_fault_is_not_forgiven() -> None:
    """Nor one long after a fault, nor before one."""
    points = figures(180, lambda hours: 120.0 if hours < 1 else 160.0, noise=3.0)

    assert not flat(points, BOUND).is_flat
    assert not flat(points, BOUND, faults=[20 * MINUTE, 150 * MINUTE]).is_flat


def test_a_step_is_not_forgiven_where_growth_goes_on_after_it() -> None:
    """The fault began a leak."""
    points = figures(180, lambda hours: 120.0 if hours < 1 else 150 + 12 * (hours - 1), noise=3.0)

    assert not flat(points, BOUND, faults=[60 * MINUTE]).is_flat


def test_a_step_at_every_fault_is_a_leak() -> None:
    """Each of them levels until the next."""
    faults = [minute * MINUTE for minute in range(15, 180, 15)]
    points = figures(180, lambda hours: 120 + 5 * math.floor(hours * 4))

    assert not flat(points, BOUND, faults).is_flat


def test_a_step_too_late_to_be_seen_levelling_is_not_forgiven() -> None:
    """Less than a third of the time is left."""
    points = figures(180, lambda hours: 120.0 if hours < 2.2 else 160.0)

    assert not flat(points, BOUND, faults=[2.2 * 60 * MINUTE]).is_flat


def test_a_step_larger_than_all_that_faults_may_add_is_not_forgiven() -> None:
    """However level it is afterwards."""
    points = figures(180, lambda hours: 120.0 if hours < 1 else 200.0)

    assert not flat(points, BOUND, faults=[60 * MINUTE]).is_flat
    assert flat(points, BOUND._replace(step=80.0), faults=[60 * MINUTE]).is_flat


def test_what_falls_is_flat() -> None:
    """Memory given back is no fault."""
    assert flat(figures(180, lambda hours: 160 - 20 * hours), BOUND).is_flat


def test_a_short_run_says_how_small_a_leak_it_could_see() -> None:
    """In a tenth of an hour 6 MiB of noise are 60 MiB an hour; in two hours the bound itself is seen."""
    points = [Point(place * 6.0, 120.0) for place in range(61)]

    assert flat(points, BOUND).visible == pytest.approx(60.0)
    assert flat(figures(121, lambda _: 120.0), BOUND).visible == BOUND.an_hour
    assert not flat([point._replace(value=120 + point.at * 70 / 3600) for point in points], BOUND).is_flat


def test_handles_are_counted_not_weighed() -> None:
    """A bound without a share: eight more than thirty are too many, two are not."""
    bound = Bound(ratio=0.0, noise=5.0, an_hour=5.0, step=0.0)

    assert flat(figures(60, lambda hours: 30 + round(2 * hours)), bound).is_flat
    assert not flat(figures(60, lambda hours: 30 + round(8 * hours)), bound).is_flat


def test_too_few_points_are_no_judgement() -> None:
    """Rather none than one by chance."""
    with pytest.raises(ValueError, match=str(FEWEST)):
        flat(figures(FEWEST - 1, lambda _: 1.0), BOUND)
