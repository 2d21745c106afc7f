"""A group of so many replicas under a virtual clock: what its size alone costs. No Kafka, no threads.

Each replica is the real engine with doubles at its ports and its part of the partitions. All of them together
have one backlog and one budget of calls; no replica knows of another. So the figures are those of dividing:
how full bulks are, how many calls the busiest minute has, how long it takes, what a record costs.
"""

import time
from collections import deque
from typing import NamedTuple

from streamer.engine.limits import Limits
from streamer.outcomes import Endpoint
from tests.engine.fakes import Bench, identify

PARTITIONS = 512
MINUTE_SECONDS = 60.0
TURN_SECONDS = 0.25
MOST_TURNS = 100_000


class Group(NamedTuple):
    """What a group came to."""

    replicas: int
    events: int
    cpu_us: float
    """For each event; turns in which nothing happened are not counted."""
    calls: int
    """Of the main API."""
    busiest_minute: int
    """Calls within any sixty seconds, of all replicas together."""
    seconds: float
    """Of the virtual clock, until the last replica was done."""

    @property
    def events_per_request(self) -> float:
        """In the mean."""
        return self.events / self.calls


def measure(replicas: int, events: int) -> Group:
    """Endusers of their own, spread over the partitions, to the last answer."""
    spent, called = 0.0, []
    last = 0.0
    for replica in range(replicas):
        numbers = range(replica, PARTITIONS, replicas)
        cpu, moments, ended = _one(list(numbers), events)
        spent += cpu
        called += moments
        last = max(last, ended)
    return Group(replicas, events, spent / events * 1e6, len(called), busiest(called), last)


def _one(numbers: list[int], events: int) -> tuple[float, list[float], float]:
    """One replica: CPU seconds, when it called the main API, and when it was done; all from zero."""
    bench = Bench(limits=Limits(), partitions=0, topic_partitions=PARTITIONS)
    for number in numbers:
        for user in range(number, events, PARTITIONS):
            bench.source.feed(
                identify(f"u-{user}", company=f"c-{user % 500}", plan="pro", seats=user), number=number
            )
    bench.source.assign(*numbers)
    began, spent, moments, sent, done = bench.clock.now, 0.0, [], 0, 0.0
    for _ in range(MOST_TURNS):
        before = (bench.streamer.ledger.in_flight, len(bench.sink.sent), len(bench.told.outcomes))
        started = time.process_time()
        bench.streamer.run_once()
        cpu = time.process_time() - started
        now = bench.clock.now - began
        main = sum(batch.endpoint is not Endpoint.ACTIVITIES for batch in bench.sink.sent[sent:])
        sent = len(bench.sink.sent)
        moments += [now] * main
        if before != (bench.streamer.ledger.in_flight, sent, len(bench.told.outcomes)):
            spent, done = spent + cpu, now
        if not bench.streamer.ledger.in_flight and not any(bench.source.logs.values()):
            return spent, moments, done
        bench.clock.advance(TURN_SECONDS)
    raise RuntimeError(f"not done after {MOST_TURNS} turns")


def busiest(moments: list[float]) -> int:
    """The most of these within any sixty seconds."""
    window: deque[float] = deque()
    most = 0
    for moment in sorted(moments):
        window.append(moment)
        while window[0] <= moment - MINUTE_SECONDS:
            window.popleft()
        most = max(most, len(window))
    return most
