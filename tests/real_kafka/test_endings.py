"""Starts that cannot be: the exit code, and words that say what to do."""

from collections.abc import Callable
from contextlib import closing
from time import monotonic
from typing import Final

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from streamer.standins.demo_pipeline import free_port
from streamer.standins.demo_topic import read_letters
from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.member import Member, plain
from tests.real_kafka.pipeline import Pipeline

pytestmark = pytest.mark.real_kafka

END_SECONDS: Final = 40.0
GOOD: Final = b'{"type":"track","event":"E","userId":"u","messageId":"m"}'


def _end(member: Member) -> tuple[int, str]:
    """Exit code, and everything it said as one line."""
    code = member.wait(END_SECONDS)
    return code, plain(member.text())


def _produce(pipeline: Pipeline, count: int, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": pipeline.kafka.bootstrap})
    for _ in range(count):
        producer.produce(pipeline.topic, value, partition=0)
    assert producer.flush(30) == 0


def _commit(pipeline: Pipeline, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": pipeline.kafka.bootstrap, "group.id": pipeline.group})
    with closing(consumer):
        consumer.commit(offsets=[TopicPartition(pipeline.topic, 0, offset)], asynchronous=False)


def test_a_new_group_must_say_where_to_start(piped: Callable[..., Pipeline]) -> None:
    """Without STREAMER_START a new group ends with 2, names the variable and commits nothing."""
    pipeline = piped(partitions=1)
    code, said = _end(pipeline.member(start=None))
    assert code == 2, said
    assert "STREAMER_START" in said
    assert pipeline.group in said
    assert pipeline.committed() == {}


@pytest.mark.parametrize("setting", ["kafka_topic", "kafka_dead_letter_topic"])
def test_a_missing_topic_is_named(piped: Callable[..., Pipeline], setting: str) -> None:
    """A topic that is not there ends with 3; it is named, with the command that creates it."""
    pipeline = piped(partitions=1)
    code, said = _end(pipeline.member(**{setting: "no.such.topic"}))
    assert code == 3, said
    assert "there is no topic no.such.topic" in said
    assert "kafka-topics.sh" in said


def test_an_unreachable_broker_ends_in_bounded_time(piped: Callable[..., Pipeline]) -> None:
    """Nobody listens: exit 3 within seconds, naming the address and the setting."""
    pipeline = piped(partitions=1)
    nowhere = f"127.0.0.1:{free_port()}"
    began = monotonic()
    code, said = _end(pipeline.member(kafka_bootstrap_servers=nowhere))
    assert code == 3, said
    assert monotonic() - began < 30
    assert nowhere in said
    assert "STREAMER_KAFKA_BOOTSTRAP_SERVERS" in said


def test_an_offset_that_was_deleted_ends_with_both_offsets(piped: Callable[..., Pipeline]) -> None:
    """Retention was faster: exit 3 with the offset wanted, what the log holds, and what mends it."""
    pipeline = piped(partitions=1)
    _produce(pipeline, 20, GOOD)
    _commit(pipeline, 5)
    place = TopicPartition(pipeline.topic, 0, 10)
    admin = pipeline.kafka.admin()
    admin.delete_records([place])[place].result(20)
    code, said = _end(pipeline.member())
    assert code == 3, said
    assert "wants offset 5" in said
    assert "holds 10 to 20" in said
    assert "--reset-offsets" in said
    assert pipeline.committed() == {0: 5}, "where to go on is the operator's decision"


def test_an_offset_beyond_the_log_ends_with_both_offsets(piped: Callable[..., Pipeline]) -> None:
    """The topic was made anew and is shorter than what was committed: exit 3, not a silent jump."""
    pipeline = piped(partitions=1)
    _produce(pipeline, 20, GOOD)
    _commit(pipeline, 50)
    code, said = _end(pipeline.member())
    assert code == 3, said
    assert "wants offset 50" in said
    assert "holds 0 to 20" in said
    assert pipeline.committed() == {0: 50}


def test_a_wrong_api_token_ends_before_anything_is_read(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess
) -> None:
    """Exit 4 naming the setting, not the token; nothing read, committed or sent."""
    pipeline = piped(partitions=1)
    _produce(pipeline, 5, GOOD)
    code, said = _end(pipeline.member(planhat_api_token="a-token-nobody-knows"))
    assert code == 4, said
    assert "STREAMER_PLANHAT_API_TOKEN" in said
    assert "a-token-nobody-knows" not in said
    assert pipeline.committed() == {}
    assert sandbox.view()["arrivals"] == 0


def test_an_all_bad_topic_ends_with_few_letters(piped: Callable[..., Pipeline]) -> None:
    """Everything is bad: exit 5, at most ten letters a start, and nothing committed past them."""
    pipeline = piped(partitions=1)
    _produce(pipeline, 300, b"no event at all")
    for starts in (1, 2):
        code, said = _end(pipeline.member())
        assert code == 5, said
        assert "dead-letter topic" in said
        letters = read_letters(pipeline.kafka.bootstrap, pipeline.letter_topic, pipeline.topic)
        assert len(letters) <= 10 * starts
        assert pipeline.committed()[0] <= len({letter.offset for letter in letters})
