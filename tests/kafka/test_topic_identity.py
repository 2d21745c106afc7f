"""A topic made anew is told by its id alone."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Uuid
from confluent_kafka.admin import AdminClient

from streamer.kafka.topic_identity import TopicIdentity

OLD, NEW = Uuid(1, 2), Uuid(3, 4)


class Broker:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.questions: list[Future[Any]] = []

    def describe_topics(self, _topics: object, request_timeout: float) -> dict[str, Future[Any]]:
        """Take a question down."""
        assert request_timeout > 0
        self.questions.append(Future())
        return {"events": self.questions[-1]}


@pytest.fixture
def broker() -> Broker:
    """One that was asked nothing yet."""
    return Broker()


@pytest.fixture
def identity(broker: Broker) -> TopicIdentity:
    """Of a topic of which nothing is known yet."""
    return TopicIdentity(cast("AdminClient", broker), "events")


def test_without_an_id_nothing_is_asked(broker: Broker, identity: TopicIdentity) -> None:
    """A cluster that tells none is left alone."""
    identity.seen("")
    identity.ask()
    assert broker.questions == []
    assert not identity.is_another


def test_another_id_is_another_topic(broker: Broker, identity: TopicIdentity) -> None:
    """The same id is the same topic, however often it is told; another stays another."""
    identity.seen(str(OLD))
    for told, is_another in ((OLD, False), (OLD, False), (NEW, True), (OLD, True)):
        identity.ask()
        broker.questions[-1].set_result(SimpleNamespace(topic_id=told))
        identity.ask()
        assert identity.is_another is is_another


def test_one_question_at_a_time_and_none_is_waited_for(broker: Broker, identity: TopicIdentity) -> None:
    """A broker that does not answer is not asked again before it did."""
    identity.seen(str(OLD))
    for _ in range(3):
        identity.ask()
    assert len(broker.questions) == 1


def test_no_answer_tells_nothing(broker: Broker, identity: TopicIdentity) -> None:
    """A topic that is gone, or a broker that is away: the next question comes, and nothing is concluded."""
    identity.seen(str(OLD))
    identity.ask()
    broker.questions[-1].set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))
    identity.ask()
    identity.ask()
    assert len(broker.questions) == 2
    assert not identity.is_another
