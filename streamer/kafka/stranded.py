"""Whether a client is of no use any more: it is out of its group, and will not come back by itself.

That is judged by the client's own reports. One may have forgotten every broker, which is plain to see. Or it
stays outside with nobody to wait for; then another client asks whether the group's coordinator answers, for
while it does not there is nothing wrong with ours.
"""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from time import monotonic
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streamer.kafka.configuration import Configuration, logger
from streamer.kafka.faults import text_of
from streamer.kafka.statistics import Statistics

OUTSIDE_SECONDS: Final = 30.0
"""How long a member may be outside its group for no reason; at least a session, in which it may come back."""

MOST_PATIENCE: Final = 16.0
"""How many times longer each next client is let be at most, while none of them becomes a member."""

ANSWER_SECONDS: Final = 10.0
"""How long an answer is waited for before the question is put again."""

_NEXT: Final = (
    "another one joins the group, and is given partitions when the session of the old one has ended"
)


def seconds_outside(configuration: Configuration) -> float:
    """How long a member with this configuration may be outside its group for no reason."""
    return max(OUTSIDE_SECONDS, float(configuration.get("session.timeout.ms", 0)) / 1000)


class Stranded:
    """Told of each report of one client."""

    def __init__(
        self, ask: Callable[[], "Future[Any]"], bound_seconds: float, now: Callable[[], float] = monotonic
    ) -> None:
        """Prepare to judge; `ask` puts a question to the group's coordinator, through another client."""
        self._ask = ask
        self._bound = bound_seconds
        self._patience = 1.0
        self._now = now
        self.begin_anew()

    def begin_anew(self) -> None:
        """Another client's reports follow."""
        self._had_brokers = True
        self._outside_since: float | None = None
        self._asked: Future[Any] | None = None
        self.why: str | None = None
        """Why the client must be replaced, and what comes of that; None while it need not be."""

    def reported(self, report: Statistics) -> None:
        """Judge by one more report. Never waits."""
        # Twice in a row: a client that starts again from its configuration has none for a moment.
        if not (report.has_brokers or self._had_brokers):
            self.why = f"a broker said that there are no brokers, and the client forgot them all; {_NEXT}"
        elif report.is_idle_outside:
            self._look(self._now())
        else:
            self._outside_since = self._asked = self.why = None
            self._patience = 1.0 if report.is_steady else self._patience
        self._had_brokers = report.has_brokers

    def _look(self, now: float) -> None:
        if self._outside_since is None:
            self._outside_since = now
        seconds = now - self._outside_since
        if seconds < self._bound * self._patience:
            return
        if self._asked is None:
            self._asked = self._ask()
        elif self._asked.done():
            if _is_answered(self._asked):
                # Whatever keeps one client outside may keep the next one there: a password, a firewall.
                self._patience = min(2 * self._patience, MOST_PATIENCE)
                self.why = (
                    f"the client is outside its group for {seconds:.0f} s and waits for nobody, while the "
                    f"group's coordinator answers others; {_NEXT}; where that comes again and again, look "
                    "whether every broker can be reached from here"
                )
            self._asked = None


def coordinator_question(configuration: Configuration, topic: str) -> "Callable[[], Future[Any]]":
    """A question that the group's coordinator alone can answer, put by a client of its own, on a thread.

    Not by an `AdminClient`: where a coordinator goes away while one looks for it, librdkafka 2.16 ends the
    process (`rd_kafka_enq_once_del_source_return: Assertion eonce->refcnt > 0`; its issue 4605).
    """

    def ask() -> "Future[Any]":
        asked: Future[Any] = Future()
        quiet = {**configuration, "statistics.interval.ms": 0}
        Thread(target=_put, args=(quiet, topic, asked), name="kafka-question", daemon=True).start()
        return asked

    return ask


def _put(configuration: Configuration, topic: str, asked: "Future[Any]") -> None:
    try:
        client = Consumer(configuration)
    except KafkaException as exception:  # of a certificate that is just being replaced, say
        asked.set_exception(exception)
        return
    try:
        # For offsets, not for members: those a coordinator tells of the older protocol only.
        asked.set_result(client.committed([KafkaPartition(topic, 0)], timeout=ANSWER_SECONDS))
    except KafkaException as exception:
        asked.set_exception(exception)
    finally:
        client.close()


def _is_answered(asked: "Future[Any]") -> bool:
    try:
        asked.result()
    except KafkaException as exception:
        logger.debug("kafka: no answer of the group's coordinator: %s", text_of(exception))
        return False
    return True
