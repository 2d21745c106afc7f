"""librdkafka's nouns become ours."""

from confluent_kafka import Message

from streamer.kafka.nouns import record_of
from streamer.records import Record


def fetched(offset: int) -> Message:
    """A record as librdkafka hands it over: with a topic name of its own."""
    topic = "".join(["segment", ".", "events"])
    return Message(topic=topic, partition=2, offset=offset, key=b"u-1", value=b"{}", timestamp=(1, 1_700))


def test_a_record_is_read_as_it_was_fetched() -> None:
    """Every field of it; without headers there are none."""
    assert record_of(fetched(7)) == Record("segment.events", 2, 7, 1_700, b"u-1", b"{}")


def test_records_share_the_name_of_their_topic() -> None:
    """It is held once, not once for each of 60,000 records in flight."""
    assert record_of(fetched(7)).topic is record_of(fetched(8)).topic
