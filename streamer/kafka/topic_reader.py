"""Reads stretches of a topic from outside any group: joins nothing, commits nothing.

For whoever looks into a topic: dead letters, and the events they were.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from streamer.errors import NoTopic, SourceError
from streamer.kafka.configuration import admin_configuration, consumer_configuration
from streamer.kafka.faults import error_of, never_works, source_error, text_of, unreachable
from streamer.kafka.last_commits import LastCommits
from streamer.kafka.nouns import records_of
from streamer.kafka.start import ANSWER_SECONDS, check_topics
from streamer.records import Found, Record, TopicPartition

_AT_ONCE: Final = 500
_LOOK_SECONDS: Final = 0.2
SILENCE_SECONDS: Final = 30.0
"""How long a broker may say nothing at all while there is something left to read."""


_MISSING: Final = frozenset({
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's own name for it
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - as above
})  # fmt: skip


class Stretch(NamedTuple):
    """What a partition's log holds: from the first record's offset to the next one to be written."""

    low: int
    high: int


class TopicReader:
    """Reads one topic. The group is named for its permissions alone."""

    def __init__(
        self, bootstrap_servers: str, group_id: str, topic: str, properties: Mapping[str, str] | None = None
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._properties = properties
        self._seen = seen = list[str]()
        configuration = consumer_configuration(bootstrap_servers, group_id, properties)
        # The end of a log may be no record at all (a transaction's marker, what compaction left): only
        # this tells that there is nothing more to come.
        configuration["enable.partition.eof"] = True
        # Not by `self`: in a circle the client would end when garbage is collected, on whatever thread.
        configuration["error_cb"] = lambda error: seen.append(text_of(error))
        self._consumer = Consumer(configuration)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def stretches(self) -> dict[int, Stretch]:
        """What each partition holds now. Raises SourceError where the topic cannot be used."""
        count = check_topics(self._bootstrap_servers, [self._topic], self._properties)[self._topic]
        return {number: self.stretch(number) for number in range(count)}

    def stretch(self, partition: int) -> Stretch:
        """What one partition holds now. Raises NoTopic where it is not there, else SourceError."""
        try:
            low, high = self._consumer.get_watermark_offsets(
                KafkaPartition(self._topic, partition), timeout=ANSWER_SECONDS
            )
        except KafkaException as exception:
            raise self._fault(exception) from exception
        return Stretch(low, high)

    def since(self, held: Mapping[int, Stretch], moment_ms: int) -> dict[int, Stretch]:
        """What of these stretches was written from that moment on, in milliseconds since 1970.

        By the log's index of times: where producers set the times and those jump back, some older records
        may come along. Raises SourceError.
        """
        asked = [KafkaPartition(self._topic, number, moment_ms) for number in held]
        try:
            answers = self._consumer.offsets_for_times(asked, timeout=ANSWER_SECONDS)
        except KafkaException as exception:
            raise self._fault(exception) from exception
        failed = next((each.error for each in answers if each.error is not None), None)
        if failed is not None:
            raise self._fault(KafkaException(failed))
        begins = {each.partition: each.offset for each in answers if each.offset >= 0}
        if not begins and any(each.timestamp_ms >= moment_ms for each in self._last_records(held)):
            return dict(held)  # a stand-in that knows no times, and answers "none" to any
        return {
            number: Stretch(min(max(begins.get(number, each.high), each.low), each.high), each.high)
            for number, each in held.items()
        }

    def committed(self) -> Mapping[TopicPartition, Found | None]:
        """What the group has committed, with where each log ends; None where nobody tells."""
        partitions = [TopicPartition(self._topic, number) for number in self.stretches()]
        admin = AdminClient(admin_configuration(self._bootstrap_servers, self._properties))
        return LastCommits(admin, self._topic).look_up(self._consumer, partitions)

    def _last_records(self, held: Mapping[int, Stretch]) -> Iterator[Record]:
        ends = {number: Stretch(max(each.low, each.high - 1), each.high) for number, each in held.items()}
        for records in self.read(ends):
            yield from records

    def read(self, wanted: Mapping[int, Stretch]) -> Iterator[Sequence[Record]]:
        """Records of these stretches, in the order of each partition, some at a time.

        Gaps are no matter; what was deleted meanwhile is passed over. Raises SourceError when the broker
        refuses, or says nothing for `SILENCE_SECONDS`.
        """
        left = {number: each.high for number, each in wanted.items() if each.low < each.high}
        try:
            yield from self._read(left, {number: wanted[number].low for number in left})
        except KafkaException as exception:
            raise self._fault(exception) from exception
        finally:
            self._consumer.unassign()

    def _read(self, left: dict[int, int], places: dict[int, int]) -> Iterator[Sequence[Record]]:
        """Records from `places` to the ends in `left`, from which partitions go as they come to theirs."""
        self._begin_at(places, left)
        heard_at = time.monotonic()
        while left:
            wanted, cut = [], set()
            for each in self._consumer.consume(_AT_ONCE, _LOOK_SECONDS):
                number, offset = each.partition(), each.offset()
                if number is None or offset is None or number not in left:
                    continue
                heard_at = time.monotonic()
                error = each.error()
                if error is not None:
                    code = self._code(error)
                    if code == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - librdkafka's own name for it
                        cut.add(number)
                    elif code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - as above
                        places[number] = left[number]
                else:
                    if offset < left[number]:
                        wanted.append(each)
                    places[number] = offset + 1
                if places[number] >= left[number]:
                    del left[number]
            if cut:
                # Deleted by retention, or the topic was made anew: what is left begins where the log does.
                places |= {number: self.stretch(number).low for number in cut}
                self._begin_at(places, left)
            if wanted:
                yield records_of(wanted)
                heard_at = time.monotonic()  # whoever takes them may take their time
            if time.monotonic() - heard_at > SILENCE_SECONDS:
                raise unreachable(self._bootstrap_servers, SILENCE_SECONDS, self._seen)

    def _code(self, error: KafkaError) -> int:
        """The code of an error that reading can live with; raises SourceError for another."""
        if never_works(error):
            raise source_error(error, self._bootstrap_servers, f"reading {self._topic}")
        return int(error.code())

    def _begin_at(self, places: Mapping[int, int], left: dict[int, int]) -> None:
        """Read on from these places; partitions whose log begins after their end are done."""
        for number in [each for each, end in left.items() if places[each] >= end]:
            del left[number]
        self._consumer.assign([KafkaPartition(self._topic, number, places[number]) for number in left])

    def _fault(self, exception: KafkaException) -> SourceError:
        error = error_of(exception)
        if error is not None and error.code() in _MISSING:
            return NoTopic(
                f"there is no topic {self._topic} at {self._bootstrap_servers}, or it has fewer partitions "
                "than before. To do: correct the name, or create it."
            )
        if error is not None and never_works(error):
            return source_error(error, self._bootstrap_servers, f"reading {self._topic}")
        return unreachable(self._bootstrap_servers, ANSWER_SECONDS, [text_of(exception)])
