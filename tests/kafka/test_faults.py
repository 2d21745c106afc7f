"""What a broker's error makes the operator do."""

import pytest
from confluent_kafka import KafkaError

from streamer.kafka.faults import never_works, source_error


@pytest.mark.parametrize("code", [KafkaError.FENCED_INSTANCE_ID, KafkaError.UNRELEASED_INSTANCE_ID])
def test_what_made_an_error_fatal_is_what_is_mended(code: int) -> None:
    """The library tells it in words alone: two processes of one name are told to be that."""
    words = f"Fatal consumer error: {KafkaError(code).str()}"
    error = KafkaError(KafkaError._FATAL, words, True)
    assert never_works(error)
    assert "STREAMER_KAFKA_GROUP_INSTANCE_ID; give each its own" in str(
        source_error(error, "b:1", "reading t")
    )


def test_a_fatal_error_that_nobody_knows_says_to_start_again() -> None:
    """There is nothing else to say."""
    error = KafkaError(KafkaError._FATAL, "Fatal error: something new", True)
    assert "the client cannot go on; start it again" in str(source_error(error, "b:1", "reading t"))
