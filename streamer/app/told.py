"""What the owner thread tells every observer, and what only it may ask the Kafka edge for metrics."""

from collections.abc import Callable, Mapping

from streamer.app.awaited_schemas import AwaitedSchemas
from streamer.engine.forecast import seconds_to_drain
from streamer.engine.ports import Gauges, Observer
from streamer.kafka.source import KafkaSource
from streamer.logs import Observers
from streamer.metrics import KafkaReport
from streamer.outcomes import Host
from streamer.records import TopicPartition


class Told(Observers):
    """Every observer, and the Kafka edge and the awaited schemas as of the engine's last report."""

    def __init__(
        self,
        source: KafkaSource,
        awaited_schemas: AwaitedSchemas,
        time: Callable[[], float],
        *observers: Observer,
        is_metered: bool = True,
    ) -> None:
        """`time`: seconds since 1970. `is_metered`: whether there is a quota to forecast by."""
        super().__init__(*observers)
        self._source = source
        self._awaited_schemas = awaited_schemas
        self._time = time
        self._is_metered = is_metered
        self._outside_since: float | None = None
        self.kafka = KafkaReport()
        """Replaced, never changed: other threads read it."""

    def gauges(self, gauges: Gauges) -> None:
        """Pass on, and look at the Kafka edge and the awaited."""
        unread, retention = self._source.unread(), self._source.retention_seconds
        since, places = self._source.unread_since(), self._source.places()
        is_member = self._source.is_member
        if is_member:
            self._outside_since = None
        elif self._outside_since is None:
            self._outside_since = self._time()
        self.kafka = KafkaReport(
            unread=unread,
            undelivered_age_seconds=undelivered_ages(self._time(), gauges, unread, since),
            is_member=is_member,
            outside_since=self._outside_since,
            log_ends_at=self._source.log_ends_at,
            retention_seconds={} if retention is None else {self._source.topic: retention},
            drain_forecast_seconds=drain_forecast(gauges, unread) if self._is_metered else None,
            committed={each: at.committed for each, at in places.items() if at.committed is not None},
            is_paused={each: at.is_paused for each, at in places.items()},
        )
        self._awaited_schemas.look()
        super().gauges(gauges)


def drain_forecast(gauges: Gauges, unread: Mapping[TopicPartition, int]) -> float | None:
    """Seconds until what this replica has to send to the main API is sent; None where nobody can say."""
    waiting = sum(count for each, count in gauges.waiting_operations.items() if each.host is Host.MAIN)
    return seconds_to_drain(waiting, sum(unread.values()), gauges.load)


def undelivered_ages(
    now: float,
    gauges: Gauges,
    unread: Mapping[TopicPartition, int],
    unread_since: Mapping[TopicPartition, float],
) -> dict[TopicPartition, float]:
    """How many seconds ago, at most, the oldest record not delivered was written; 0 where there is none.

    What is in flight is older than what is unread. Of what is unread nobody knows the timestamp, only
    that it was written after `unread_since`: a record that ends a quiet night is not a night old.
    Partitions are left out of which that is not known either.
    """
    ages: dict[TopicPartition, float] = {}
    for partition in {*unread, *gauges.in_flight_by_partition}:
        if gauges.in_flight_by_partition.get(partition):
            read_at = now - gauges.oldest_unsettled_seconds[partition]
            since: float | None = gauges.oldest_unsettled_written_at.get(partition, read_at)
        elif unread.get(partition):
            since = unread_since.get(partition)
        else:
            # Nothing in flight, and nothing unread as far as the log's end is known.
            since = now if partition in unread else None
        if since is not None:
            ages[partition] = max(0.0, now - since)
    return ages
