"""How old what is not delivered is, from what the engine and the Kafka edge know."""

from collections.abc import Mapping
from dataclasses import replace
from unittest.mock import Mock

import pytest

from streamer.app.awaited_schemas import AwaitedSchemas
from streamer.app.told import Told, undelivered_ages
from streamer.engine.ports import Gauges
from streamer.kafka.backlog import Place
from streamer.kafka.source import KafkaSource
from streamer.outcomes import Endpoint
from streamer.records import TopicPartition

NOW = 1_790_000_000.0
HERE, THERE = TopicPartition("t", 0), TopicPartition("t", 1)


def _gauges(in_flight: int, read_ago: float = 0.0, written_at: float | None = None) -> Gauges:
    """The engine's state with so many records of the partition in flight."""
    return Gauges(
        in_flight_records=in_flight,
        in_flight_bytes=0,
        in_flight_by_partition={HERE: in_flight},
        oldest_unsettled_seconds={HERE: read_ago},
        oldest_unsettled_written_at={} if written_at is None else {HERE: written_at},
        paused_partitions=0,
        gates_closed_seconds={},
        waiting_operations={},
        hold=None,
        tokens=0.0,
        letters_held=0,
    )


@pytest.mark.parametrize(
    ("gauges", "unread", "since", "age"),
    [
        pytest.param(_gauges(3, 5, NOW - 90), {HERE: 7}, {HERE: NOW - 1}, 90, id="in flight is the oldest"),
        pytest.param(_gauges(3, 5), {}, {}, 5, id="without a timestamp: since it was read"),
        pytest.param(_gauges(0), {HERE: 7}, {HERE: NOW - 30}, 30, id="only unread"),
        pytest.param(_gauges(0), {HERE: 7}, {}, None, id="unread, nobody knows since when"),
        pytest.param(_gauges(0), {HERE: 0}, {HERE: NOW - 36_000}, 0, id="a quiet night"),
        pytest.param(_gauges(0), {}, {HERE: NOW - 30}, None, id="the log's end is not known"),
        pytest.param(_gauges(1, 0, NOW + 60), {}, {}, 0, id="written by a clock that runs ahead"),
    ],
)
def test_the_age_is_that_of_the_oldest_undelivered(
    gauges: Gauges,
    unread: Mapping[TopicPartition, int],
    since: Mapping[TopicPartition, float],
    age: float | None,
) -> None:
    """In flight before unread, 0 without either, nothing where nothing is known, and never below 0."""
    assert undelivered_ages(NOW, gauges, unread, since).get(HERE) == age


@pytest.mark.parametrize(("is_metered", "forecast"), [(True, 0.0), (False, None)])
def test_without_a_quota_nothing_is_forecast_by_it(is_metered: bool, forecast: float | None) -> None:
    """Forwarded calls have none: a 0 would say that a backlog of hours is through."""
    source = Mock(spec=KafkaSource, retention_seconds=None, topic="t", is_member=True, log_ends_at=NOW)
    source.unread.return_value = {HERE: 1_000_000}
    source.unread_since.return_value = {}
    source.places.return_value = {HERE: Place(7, is_paused=True), THERE: Place(None, is_paused=False)}
    told = Told(source, Mock(spec=AwaitedSchemas), lambda: NOW, is_metered=is_metered)
    told.gauges(replace(_gauges(3), waiting_operations={Endpoint.SEGMENT: 3}))
    assert told.kafka.drain_forecast_seconds == forecast
    assert told.kafka.committed == {HERE: 7}
    assert told.kafka.is_paused == {HERE: True, THERE: False}


def test_since_when_a_member_is_outside_its_group() -> None:
    """From the first look that found it outside, until one finds it inside; then anew."""
    source = Mock(spec=KafkaSource, retention_seconds=None, topic="t", log_ends_at=NOW)
    for ask in (source.unread, source.unread_since, source.places):
        ask.return_value = {}
    clock = iter(range(100))
    told = Told(source, Mock(spec=AwaitedSchemas), lambda: NOW + next(clock))
    seen = []
    for is_member in (False, False, True, False, False):
        source.is_member = is_member
        told.gauges(_gauges(0))
        seen.append(told.kafka.outside_since)

    first, anew = seen[0], seen[3]
    assert first is not None
    assert anew is not None
    assert seen == [first, first, None, anew, anew]
    assert first < anew
