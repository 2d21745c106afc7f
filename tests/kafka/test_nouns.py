"""librdkafka's nouns become ours."""

from confluent_kafka import KafkaError, Message

from streamer.kafka.nouns import records_of
from streamer.records import Record


def fetched(offset: int) -> Message:
    """A record as librdkafka hands it over: with a topic name of its own."""
    topic = "".join(["segment", ".", "events"])
    return Message(topic=topic, partition=2, offset=offset, key=b"u-1", value=b"{}", timestamp=(1, 1_700))


def test_a_record_is_read_as_it_was_fetched() -> None:
    """Every field of it; without headers there are none."""
    assert records_of([fetched(7)]) == [Record("segment.events", 2, 7, 1_700, b"u-1", b"{}")]


def test_records_share_the_name_of_their_topic() -> None:
    """It is held once, not once for each of 60,000 records in flight, whenever they were read."""
    first, second = records_of([fetched(7), fetched(8)])
    (third,) = records_of([fetched(9)])
    assert first.topic is second.topic is third.topic


def test_what_reports_an_error_is_no_record() -> None:
    """It is left out, and what stands beside it is not."""
    error = KafkaError(KafkaError._PARTITION_EOF)
    report = Message(topic="segment.events", partition=2, offset=8, error=error)
    assert [each.offset for each in records_of([fetched(7), report, fetched(8)])] == [7, 8]


def test_a_time_that_is_none_is_minus_one() -> None:
    """Kafka says by its kind whether a timestamp is one; headers are kept in their order."""
    headers: list[tuple[str, str | bytes | None]] = [("b", b"1"), ("a", None)]
    message = Message(topic="segment.events", partition=0, offset=0, timestamp=(0, 1_700), headers=headers)
    (found,) = records_of([message])
    assert (found.timestamp_ms, found.headers) == (-1, (("b", b"1"), ("a", None)))
