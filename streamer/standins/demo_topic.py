"""The demo's own ends of the topics: producing, committed offsets, dead letters read back.

A second door to the broker beside `kafka/`, on purpose: what checks the pipeline must not lean on it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as Place

from streamer.errors import SourceError
from streamer.standins.account_findings import SeenLetter
from streamer.standins.account_view import seen_letter
from streamer.standins.broker import CLIENT_PROPERTIES

Acknowledged = Callable[[int, int], None]
"""Told the partition and the offset the broker gave a record."""

_SECONDS: Final = 20.0
_QUIET: Final = {"log_level": 2}
"""When the demo ends its broker goes first; librdkafka would complain of that on the terminal."""


class DemoTopic:
    """Produces to one topic. Each record's place comes from the broker's acknowledgement."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._refusal: KafkaError | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                **_QUIET,
            }
        )

    def produce(self, key: bytes | None, value: bytes | None, acknowledged: Acknowledged) -> None:
        """Hand a record over; `acknowledged` is called from a later `settle` or `produce`.

        Raises SourceError when the broker refused an earlier one.
        """

        def answer(error: KafkaError | None, record: Message) -> None:
            if error is not None:
                self._refusal = error
            else:
                acknowledged(*_place(record))

        while True:
            self.check()
            try:
                self._producer.produce(self._topic, value, key, on_delivery=answer)
            except BufferError:
                self._producer.poll(0.1)
            else:
                break
        self._producer.poll(0)

    def settle(self) -> None:
        """Wait until every record is acknowledged; raises SourceError when one cannot be."""
        left = self._producer.flush(_SECONDS)
        self.check()
        if left:
            raise SourceError(f"the embedded broker acknowledged nothing for {_SECONDS:g} s; {left} left")

    def check(self) -> None:
        """Raise SourceError if the broker refused a record."""
        if self._refusal is not None:
            raise SourceError(f"the embedded broker refused a record: {self._refusal.str()}")


class GroupOffsets:
    """What a consumer group has committed, asked without joining it."""

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, **_QUIET}
        )

    def committed(self, partitions: set[int]) -> dict[int, int]:
        """Next offset by partition; those without a commit are left out."""
        if not partitions:
            return {}
        try:
            found = self._consumer.committed(
                [Place(self._topic, number) for number in sorted(partitions)], timeout=_SECONDS
            )
        except KafkaException as error:
            raise SourceError(f"the committed offsets cannot be read: {error.args[0].str()}") from error
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def close(self) -> None:
        """Let the broker go."""
        self._consumer.close()


def read_letters(bootstrap: str, dead_letter_topic: str, source_topic: str) -> list[SeenLetter]:
    """Every dead letter of the source topic, from the beginning to the end seen now.

    Raises SourceError when the topic cannot be read to its end, or holds something else.
    """
    letters = []
    with _reader(bootstrap) as consumer:
        for headers in _read_to_end(consumer, dead_letter_topic):
            found = seen_letter(headers)
            if found is None or found[0] != source_topic:
                raise SourceError(f"{dead_letter_topic} holds a record that is no dead letter of the demo")
            letters.append(found[1])
    return letters


def _read_to_end(consumer: Consumer, topic: str) -> Iterator[list[tuple[str, bytes | None]]]:
    """Headers of every record."""
    try:
        known = consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions
        ends = {
            number: consumer.get_watermark_offsets(Place(topic, number), timeout=_SECONDS)[1]
            for number in known
        }
        open_ends = {number: end for number, end in ends.items() if end > 0}
        consumer.assign([Place(topic, number, OFFSET_BEGINNING) for number in open_ends])
        deadline = monotonic() + _SECONDS
        while open_ends:
            if monotonic() > deadline:
                raise SourceError(f"{topic} could not be read to its end within {_SECONDS:g} s")
            for record in consumer.consume(500, 0.2):
                if record.error() is not None:
                    continue
                deadline = monotonic() + _SECONDS
                partition, offset = _place(record)
                yield _headers(record)
                if partition in open_ends and offset + 1 >= open_ends[partition]:
                    del open_ends[partition]
    except KafkaException as error:
        raise SourceError(f"{topic} cannot be read: {error.args[0].str()}") from error


def _place(record: Message) -> tuple[int, int]:
    """Partition and offset, which every record that was acknowledged or read has."""
    partition, offset = record.partition(), record.offset()
    if partition is None or offset is None:
        raise SourceError("librdkafka told of a record without saying where it is")
    return partition, offset


def _headers(record: Message) -> list[tuple[str, bytes | None]]:
    headers = record.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]


@contextmanager
def _reader(bootstrap: str) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "demo-reader",
            "enable.auto.commit": False,
            **CLIENT_PROPERTIES,
            **_QUIET,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()
