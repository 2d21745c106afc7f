"""When a client is given up: at once without any broker, after a while where only it is kept outside."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from streamer.kafka.configuration import consumer_configuration
from streamer.kafka.statistics import Statistics
from streamer.kafka.stranded import Stranded, coordinator_question, seconds_outside

STEADY = Statistics(is_steady=True)
OUTSIDE = Statistics(is_idle_outside=True)
WAITING = Statistics()
"""Neither a member nor idle: it waits for the others."""
FORGETFUL = Statistics(has_brokers=False, is_idle_outside=True)


class Judged:
    """A judge with a clock and a coordinator that are moved by hand."""

    def __init__(self, bound_seconds: float = 30.0) -> None:
        self.seconds = 1000.0
        self.asked: list[Future[Any]] = []
        self.judge = Stranded(self._ask, bound_seconds, lambda: self.seconds)

    def _ask(self) -> "Future[Any]":
        self.asked.append(Future())
        return self.asked[-1]

    def reports(self, report: Statistics, seconds: float) -> None:
        """The same one every two seconds, for so long."""
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds += 2.0
            self.judge.reported(report)

    def why(self) -> str:
        """Why the client is given up; empty while it is not."""
        return self.judge.why or ""

    def answers(self) -> None:
        self.asked[-1].set_result("the offsets of the group")

    def refuses(self) -> None:
        self.asked[-1].set_exception(KafkaException(KafkaError(KafkaError.NOT_COORDINATOR)))


def test_one_that_forgot_every_broker_is_given_up_at_the_second_report() -> None:
    """One alone may be of a client that starts again from its configuration."""
    judged = Judged()
    judged.judge.reported(STEADY)
    judged.judge.reported(FORGETFUL)
    assert not judged.why()
    judged.judge.reported(FORGETFUL)
    assert "forgot them all" in judged.why()


def test_one_kept_outside_is_given_up_when_its_coordinator_answers_another() -> None:
    """Not before the bound, and not before the answer; the reason says for how long."""
    judged = Judged()
    judged.reports(STEADY, 60)
    judged.reports(OUTSIDE, 30)
    assert not judged.asked
    judged.reports(OUTSIDE, 2)
    assert len(judged.asked) == 1
    assert not judged.why()
    judged.answers()
    judged.reports(OUTSIDE, 2)
    assert "outside its group for 32 s" in judged.why()


def test_nobody_is_given_up_while_the_coordinator_is_away_for_all() -> None:
    """However long that takes: another client could not join either. It is asked again and again."""
    judged = Judged()
    judged.reports(OUTSIDE, 40)
    for _ in range(20):
        judged.refuses()
        judged.reports(OUTSIDE, 60)
    assert not judged.why()
    assert len(judged.asked) == 21
    judged.answers()
    judged.reports(OUTSIDE, 2)
    assert judged.why()


@pytest.mark.parametrize("other", [STEADY, WAITING])
def test_one_that_comes_back_meanwhile_stays(other: Statistics) -> None:
    """The time begins anew, and a late answer is of a question that nobody has any more."""
    judged = Judged()
    judged.reports(OUTSIDE, 34)
    judged.reports(other, 2)
    judged.answers()
    judged.reports(OUTSIDE, 28)
    assert not judged.why()
    assert len(judged.asked) == 1


def test_one_that_waits_for_others_stays_for_as_long_as_they_let_it() -> None:
    """Their time to finish is theirs."""
    judged = Judged()
    judged.reports(WAITING, 3600)
    assert not judged.asked
    assert not judged.why()


def test_the_next_client_has_its_own_time() -> None:
    """What was seen of the old one does not count against it."""
    judged = Judged()
    judged.reports(OUTSIDE, 34)
    judged.answers()
    judged.reports(OUTSIDE, 2)
    judged.judge.begin_anew()
    assert not judged.why()
    judged.reports(OUTSIDE, 28)
    judged.judge.reported(FORGETFUL)
    assert not judged.why()
    assert len(judged.asked) == 1


def _seconds_until_given_up(judged: Judged) -> float:
    """From now on, of a new client that stays outside while its coordinator answers."""
    judged.judge.begin_anew()
    since, questions = judged.seconds, len(judged.asked)
    while not judged.why():
        judged.reports(OUTSIDE, 2)
        if len(judged.asked) > questions:
            judged.answers()
            questions += 1
    return judged.seconds - since


def test_one_after_another_is_given_up_ever_more_seldom_until_one_is_a_member() -> None:
    """What keeps all of them outside is not mended by yet another; waiting for others is not membership."""
    judged = Judged()
    taken = []
    for _ in range(7):
        taken.append(_seconds_until_given_up(judged))
        judged.judge.reported(WAITING)
    assert taken == [34, 64, 124, 244, 484, 484, 484]
    judged.judge.reported(STEADY)
    assert _seconds_until_given_up(judged) == 34


@pytest.mark.parametrize(
    ("configuration", "seconds"),
    [({"session.timeout.ms": 45_000}, 45.0), ({"session.timeout.ms": "6000"}, 30.0), ({}, 30.0)],
)
def test_one_is_let_be_for_a_session_at_least(configuration: dict[str, Any], seconds: float) -> None:
    """So long it may come back as what it was; with the newer protocol the broker says how long."""
    assert seconds_outside(configuration) == seconds


def test_a_question_that_cannot_be_put_is_not_waited_for() -> None:
    """The certificate may be gone while it is replaced; a later question finds the new one."""
    properties = {"security.protocol": "ssl", "ssl.ca.location": "/is/just/being/replaced"}
    ask = coordinator_question(consumer_configuration("127.0.0.1:1", "g", properties), "events")

    assert isinstance(ask().exception(10.0), KafkaException)
