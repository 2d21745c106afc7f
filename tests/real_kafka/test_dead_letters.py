"""Dead letters against Apache Kafka."""

import pytest

from streamer.engine.ports import DeadLetter
from streamer.kafka.dead_letters import KafkaDeadLetters
from streamer.outcomes import InvalidReason
from streamer.records import Record
from tests.kafka.dead_letter_contract import DeadLetterContract, a_letter, answers, headers_of, read_all
from tests.real_kafka.cluster import RealKafka

pytestmark = pytest.mark.real_kafka


class TestDeadLetters(DeadLetterContract):
    """The contract."""

    @pytest.fixture
    def cluster(self, real_kafka: RealKafka) -> RealKafka:
        """The real one."""
        return real_kafka


def test_what_the_broker_finds_too_large_becomes_a_stub(real_kafka: RealKafka) -> None:
    """A record beyond the topic's limit leaves headers, a SHA-256 and no value; its neighbours are whole."""
    topic = real_kafka.create_topic("small", max_message_bytes="3000")
    letters = KafkaDeadLetters(real_kafka.bootstrap, topic, "g")
    letters.produce(a_letter(value=b"before"))
    letters.produce(a_letter(value=b"x" * 5000))
    letters.produce(a_letter(value=b"after"))
    assert [acknowledged for _, acknowledged in answers(letters, 3)] == [True] * 3
    found = {each.value(): headers_of(each) for each in read_all(real_kafka, topic, 3)}
    assert set(found) == {b"before", b"after", None}
    assert found[None]["reason"] == "oversize"
    assert found[None]["value_bytes"] == "5000"
    assert found[b"after"]["reason"] == "refused"


def test_a_key_that_is_too_large_goes_as_well(real_kafka: RealKafka) -> None:
    """Where even the stub is refused only our own headers are left."""
    topic = real_kafka.create_topic("tiny", max_message_bytes="2000")
    letters = KafkaDeadLetters(real_kafka.bootstrap, topic, "g")
    record = Record("events", 0, 9, -1, b"k" * 5000, b"v", (("h", b"h" * 5000),))
    letters.produce(DeadLetter(record, InvalidReason.NOT_AVRO))
    assert [acknowledged for _, acknowledged in answers(letters, 1)] == [True]
    (found,) = read_all(real_kafka, topic, 1)
    assert (found.key(), found.value()) == (None, None)
    assert headers_of(found)["offset"] == "9"
    assert len(list(found.headers() or [])) == len(headers_of(found))


def test_an_invalid_letter_costs_its_neighbours_nothing(real_kafka: RealKafka) -> None:
    """A compacted topic takes no record without a key: of letters sent together that one alone is refused."""
    topic = real_kafka.create_topic("compacted", cleanup_policy="compact")
    letters = KafkaDeadLetters(real_kafka.bootstrap, topic, "g")
    keyless = DeadLetter(Record("events", 3, 1, -1, None, b"v"), InvalidReason.NOT_AVRO)
    for each in (a_letter(offset=0), keyless, a_letter(offset=2)):
        letters.produce(each)
    found = {letter.record.offset: acknowledged for letter, acknowledged in answers(letters, 3)}
    assert found == {0: True, 1: False, 2: True}
    assert {headers_of(each)["offset"] for each in read_all(real_kafka, topic, 2)} == {"0", "2"}
