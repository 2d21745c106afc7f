"""The forecast of the time to drain."""

import pytest

from streamer.app.told import drain_forecast
from streamer.engine.forecast import Loads, seconds_to_drain
from streamer.engine.limits import Limits
from streamer.engine.ports import Load
from streamer.records import TopicPartition
from tests.engine.fakes import Bench, identify, track

FULL = Load(80.0, 80.0, wait_seconds=0.0, operations_per_call=5_000.0, operations_per_record=0.5)


def test_what_waits_and_what_is_unread_at_the_pace_and_fill_of_late() -> None:
    """400,000 operations a minute: 100,000 waiting and 600,000 records with one for every second."""
    assert seconds_to_drain(100_000, 600_000, FULL) == 60.0


def test_nothing_to_do_takes_no_time_also_without_a_share() -> None:
    """A spare replica has nothing to forecast."""
    assert seconds_to_drain(0, 0, Load()) == 0.0


def test_without_a_share_nobody_can_say() -> None:
    """Infinity is no figure to draw."""
    assert seconds_to_drain(10, 0, Load()) is None


def test_records_without_operations_for_the_main_api_do_not_count() -> None:
    """Activities go to a host that is not metered."""
    assert seconds_to_drain(0, 1_000_000, Load(80.0, 80.0, 0.0, 5_000.0, 0.0)) == 0.0


def test_means_follow_what_is_new() -> None:
    """Sixteen calls, and some thousands of records, and the past has mostly faded."""
    loads = Loads(5_000)
    for _ in range(48):
        loads.sent(1_000)
    assert loads.operations_per_call == pytest.approx(1_180, rel=0.05)
    for is_upsert in (False, True):
        for _ in range(30):
            loads.polled(1_000)
            loads.made(1_000 * is_upsert)
            loads.fade()
    assert loads.operations_per_record > 0.98


def test_the_engine_tells_its_load() -> None:
    """Half of the records are upserts; a call of a hundred was sent of 160 a minute."""
    bench = Bench(limits=Limits(high_water_records=100_000))
    for number in range(100):
        bench.source.feed(identify(f"u-{number}", company=None))
        bench.source.feed(track(f"u-{number}", company=None))
    bench.turn(6)
    gauges = bench.told.last_gauges
    assert gauges is not None
    assert gauges.load.share == gauges.load.calls_per_minute == 160.0
    assert gauges.load.operations_per_record == pytest.approx(0.5)
    assert gauges.load.operations_per_call == pytest.approx(5_000 - 4_900 / 16)
    assert gauges.load.wait_seconds == 0.0
    unread = {TopicPartition("t", 0): 1_000_000}
    assert drain_forecast(gauges, unread) == pytest.approx(
        500_000 / (160 * gauges.load.operations_per_call) * 60
    )
