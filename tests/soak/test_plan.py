"""The plan of a soak: the same from the same seed, warm first, quiet at times, struck to the end."""

import pytest

from tests.faults.schedule import OF_MEMBERS
from tests.soak.plan import LAST_SHARE, WARMING, plan

HOUR = 3_600.0


@pytest.mark.parametrize("hours", [1, 8])
def test_a_plan_is_the_same_again_from_the_same_seed(hours: int) -> None:
    """And another from another."""
    assert plan(7, hours * HOUR, 180.0) == plan(7, hours * HOUR, 180.0)
    assert plan(7, hours * HOUR, 180.0) != plan(8, hours * HOUR, 180.0)


@pytest.mark.parametrize("seed", range(20))
def test_strikes_come_in_order_and_never_in_the_quiet(seed: int) -> None:
    """Nor so late that the end would be judged while members come back."""
    made = plan(seed, 4 * HOUR, 180.0)
    moments = [due.at for due in made.due]

    assert moments == sorted(moments)
    assert [due.strike.number for due in made.due] == list(range(1, len(made.due) + 1))
    assert moments[-1] < made.seconds * (1 - LAST_SHARE)
    for part in made.quiet:
        assert not any(part.begins <= at < part.ends for at in moments)
        assert part.ends < made.seconds


def test_the_warm_up_has_what_hits_all_members() -> None:
    """Faults that fill memory come before what is judged; so none of them is a member's alone."""
    made = plan(1, 600.0, 40.0)
    warming = [due.strike.kind for due in made.due if due.at < made.warm_up_seconds]

    assert warming == list(WARMING)
    assert not OF_MEMBERS & set(warming)


def test_strikes_come_about_as_often_as_they_should() -> None:
    """In eight hours, less half an hour of warm-up and a fifth of quiet: every three minutes."""
    made = plan(1, 8 * HOUR, 180.0)

    assert len(made.due) - len(WARMING) == pytest.approx(7.5 * HOUR * 0.8 / 180, rel=0.15)
    assert len(made.quiet) == 15
    assert made.warm_up_seconds == 1_800.0
