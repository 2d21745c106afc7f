"""Partitions for which librdkafka found no usable offset: they start at their beginning, or a person says."""

from collections.abc import Callable, Collection
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException

from streamer.errors import SourceError
from streamer.kafka.configuration import logger
from streamer.kafka.faults import offset_gone, text_of
from streamer.kafka.nouns import kafka_partitions
from streamer.records import TopicPartition

_LOOKUP_SECONDS: Final = 5.0


class Unplaced(set[TopicPartition]):
    """Partitions that wait for a place to be read from."""

    def __init__(self, bootstrap_servers: str, group_id: str) -> None:
        super().__init__()
        self._bootstrap_servers = bootstrap_servers
        self._group_id = group_id

    def place(
        self,
        consumer: Consumer,
        assigned: Collection[TopicPartition],
        paused: Collection[TopicPartition],
        position: Callable[[TopicPartition], int | None],
    ) -> None:
        """Start those that are assigned and have no offset; `position` says where one was read up to.

        Raises SourceError where one has an offset that its log does not hold: going on elsewhere is a
        person's decision.
        """
        wanted = sorted(self.intersection(assigned))
        if not wanted:
            self.clear()
            return
        try:
            committed = consumer.committed(kafka_partitions(wanted), timeout=_LOOKUP_SECONDS)
            for each in committed:
                partition = TopicPartition(each.topic, each.partition)
                given = position(partition)
                offset = each.offset if given is None else given
                if offset >= 0:
                    raise self._out_of_range(consumer, partition, offset)
        except KafkaException as exception:
            logger.warning("kafka: no offset yet for new partitions: %s", text_of(exception))
            return  # asked again at the next poll
        fresh = kafka_partitions(wanted)
        consumer.incremental_unassign(fresh)
        for each in fresh:
            each.offset = OFFSET_BEGINNING
        consumer.incremental_assign(fresh)
        still = [each for each in wanted if each in paused]
        if still:
            consumer.pause(kafka_partitions(still))
        self.clear()

    def _out_of_range(self, consumer: Consumer, partition: TopicPartition, offset: int) -> SourceError:
        low, high = consumer.get_watermark_offsets(kafka_partitions([partition])[0], timeout=_LOOKUP_SECONDS)
        return offset_gone(partition, offset, (low, high), self._group_id, self._bootstrap_servers)
