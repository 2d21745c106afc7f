"""The question by which a stranded member is told from a cluster that is away, while that goes and comes."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

import pytest
from confluent_kafka import KafkaException

from streamer.kafka import stranded
from streamer.kafka.configuration import consumer_configuration
from tests.real_kafka.cluster import RealKafka

pytestmark = pytest.mark.real_kafka

BOUND_SECONDS: Final = 30.0


def _is_answered(asked: "Future[Any]") -> bool:
    try:
        asked.result(BOUND_SECONDS)
    except KafkaException:
        return False
    return True


def _wait_for_an_answer(ask: "Callable[[], Future[Any]]") -> None:
    deadline = time.monotonic() + BOUND_SECONDS
    while not _is_answered(ask()):
        assert time.monotonic() < deadline


def test_it_outlives_a_broker_that_goes_away_and_comes_back(
    own_kafka: RealKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answered, then not, then again; through an AdminClient this ended the process."""
    monkeypatch.setattr(stranded, "ANSWER_SECONDS", 3.0)
    topic = own_kafka.create_topic("asked")
    ask = stranded.coordinator_question(consumer_configuration(own_kafka.bootstrap, f"g.{topic}"), topic)
    _wait_for_an_answer(ask)

    own_kafka.stop()
    under_way = [ask() for _ in range(5)]
    assert not any(map(_is_answered, under_way))
    under_way = [ask() for _ in range(5)]
    own_kafka.start()
    for each in under_way:
        _is_answered(each)  # by then or not: none of them ends the process

    _wait_for_an_answer(ask)
