"""How much is read, and when, though nothing is to be."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.limits import Limits
from streamer.engine.trickle import LONGEST_SECONDS, Trickle
from streamer.records import Record

LIMITS = Limits()
PAUSE = LIMITS.alone_seconds / LIMITS.alone_refusals


def test_it_opens_between_any_two_tries_of_a_suspect() -> None:
    """First after a pause that is shorter than theirs, and again a pause after something was read."""
    assert LIMITS.alone_seconds / (LIMITS.alone_refusals - 1) > PAUSE + LONGEST_SECONDS
    trickle = Trickle(LIMITS)
    assert not trickle.is_open(0.0, 60_000, 0, is_needed=True)
    assert not trickle.is_open(PAUSE - 1.0, 60_000, 0, is_needed=True)
    assert trickle.is_open(PAUSE, 60_000, 0, is_needed=True)
    trickle.has_read([], PAUSE + 0.1)
    assert not trickle.is_open(2 * PAUSE, 60_000, 0, is_needed=True)
    assert trickle.is_open(2 * PAUSE + 0.1, 60_000, 0, is_needed=True)


def test_it_closes_when_nothing_comes() -> None:
    """Else whatever is written meanwhile would be read the moment it is, all of it."""
    trickle = Trickle(LIMITS)
    trickle.is_open(0.0, 60_000, 0, is_needed=True)
    assert trickle.is_open(PAUSE + LONGEST_SECONDS, 60_000, 0, is_needed=True)
    assert not trickle.is_open(PAUSE + LONGEST_SECONDS + 0.1, 60_000, 0, is_needed=True)
    assert trickle.is_open(2 * PAUSE + LONGEST_SECONDS + 0.1, 60_000, 0, is_needed=True)


def test_it_forgets_what_is_over() -> None:
    """New trouble waits a whole pause, as the first did."""
    trickle = Trickle(LIMITS)
    trickle.is_open(0.0, 60_000, 0, is_needed=True)
    assert not trickle.is_open(PAUSE, 60_000, 0, is_needed=False)
    assert not trickle.is_open(PAUSE + 0.1, 60_000, 0, is_needed=True)


def _times_above(trickle: Trickle, each: Sequence[Record]) -> int:
    """How often it opens while as much as high water is in flight, when so many are read each time."""
    now, times = 0.0, 0
    trickle.is_open(now, 60_000, 0, is_needed=True)
    for _ in range(100):
        now += PAUSE
        if trickle.is_open(now, 60_000, 0, is_needed=True):
            times += 1
            trickle.has_read(each, now)
    return times


@pytest.mark.parametrize(("value_bytes", "times"), [(10, 12), (1 << 20, 1)])
def test_a_tenth_of_high_water_is_read_above_it(value_bytes: int, times: int) -> None:
    """In records, or in bytes: a dozen times, or until that much was read."""
    trickle = Trickle(LIMITS)
    each = [Record("events", 0, 0, 0, b"k", b"v" * value_bytes)] * trickle.records
    assert _times_above(trickle, each) == times
    assert not trickle.is_open(1e6, 60_000, 0, is_needed=True)
    assert not trickle.is_open(1e6, 59_999, 128 << 20, is_needed=True)


def test_below_high_water_it_goes_on_for_ever() -> None:
    """There what is read is bounded by high water itself; and what was read above counts no more."""
    trickle = Trickle(LIMITS)
    each = [Record("events", 0, 0, 0, b"k", b"v")] * trickle.records
    assert _times_above(trickle, each) == 12
    now = 1e6
    trickle.is_open(now, 59_999, 0, is_needed=True)
    for _ in range(100):
        now += PAUSE
        assert trickle.is_open(now, 59_999, 0, is_needed=True)
        trickle.has_read(each, now)
    assert trickle.is_open(now + PAUSE, 60_000, 0, is_needed=True)


@given(st.integers(1, 10_000_000), st.integers(1, 10_000))
def test_the_room_lasts_for_a_dozen_times(high_water: int, poll: int) -> None:
    """Twice as long as a proof takes; shorter only where there is room for less than a dozen records."""
    trickle = Trickle(Limits(high_water_records=high_water, poll_records=poll))
    assert 1 <= trickle.records <= poll
    assert trickle.records == 1 or 12 * trickle.records <= high_water * 0.1


def test_every_other_time_is_not_for_all_partitions() -> None:
    """Whether or not anything came."""
    trickle, now, times = Trickle(LIMITS), 0.0, []
    trickle.is_open(now, 60_000, 0, is_needed=True)
    for number in range(6):
        now += PAUSE
        assert trickle.is_open(now, 60_000, 0, is_needed=True)
        times.append(trickle.takes_all)
        if number % 2:
            trickle.has_read([], now)
        else:
            now += LONGEST_SECONDS + 0.1
            trickle.is_open(now, 60_000, 0, is_needed=True)
    assert times == [False, True] * 3
