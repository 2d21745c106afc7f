"""Brokers and Planhat going away and coming back while events flow."""

import os
import signal
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import sleep
from typing import Final

import pytest

from streamer.outcomes import Endpoint
from streamer.standins.account_books import Expected
from streamer.standins.demo_pipeline import free_port
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.client import SandboxClient
from streamer.standins.planhat.faults import Fault, FaultKind
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.member import Member, wait_until
from tests.real_kafka.pipeline import SANDBOX_SWITCHES, Pipeline, skips_of
from tests.real_kafka.relay import Relay
from tests.real_kafka.tenures import (
    arrivals_at,
    judge,
    places_of,
    resent,
    takeovers_at_losses,
    unclear_requests,
)

pytestmark = pytest.mark.real_kafka

EVENTS: Final = 1_500
SLOW: Final = {"analytics_seconds": 0.3, "service_seconds": 0.05}
"""Planhat takes its time, so that there is something in flight when things break."""
SMALL_BULKS: Final = {
    "activity_bulk_items": "50",
    "activity_workers": "2",
    # Copies on the topic are delivered too, so that arrivals can be compared with records.
    "duplicates_window": "0",
}


def _is_in_flight(sandbox: SandboxClient) -> bool:
    return bool(sandbox.view()["requests"]["in_flight"].get(Endpoint.ACTIVITIES))


def _nothing_left(pipeline: Pipeline, *losers: Member) -> None:
    """No letter but those due, nothing lost, and nothing twice but what members lost that may have."""
    takeovers = takeovers_at_losses(pipeline, *losers)
    assert pipeline.account(resent(takeovers)).lines() == [], pipeline.tails()
    places, arrived = places_of(pipeline.expected), arrivals_at(pipeline.sandbox)
    assert judge(takeovers, places, arrived.activities).unexplained == []


# --- the broker -----------------------------------------------------------------------------------


def test_a_restarted_broker_is_waited_for(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, real_kafka: RealKafka
) -> None:
    """The broker restarts mid-flight: nothing is lost, and nothing comes twice from members that stay.

    All stay, but for one whom the broker, as it stops or starts, tells that there are no brokers: some one
    in twenty runs has such a member (see test_forgetful_broker.py). It comes again as a new one.
    """
    real_kafka.require_owned()
    pipeline = piped(**SMALL_BULKS)
    members = [pipeline.member("one").wait_until_ready(), pipeline.member("two").wait_until_ready()]
    events = pipeline.open(Generator(3, EVENTS))
    pipeline.wait_until_shared(*members)
    sandbox.switch(SLOW)
    pipeline.feed(islice(events, EVENTS // 2))
    wait_until(lambda: _is_in_flight(sandbox), 20, "something is in flight")
    real_kafka.restart()
    pipeline.feed(events)
    pipeline.wait_until_committed(120)
    assert [member.stop() for member in members] == [0, 0]
    forgot = [member for member in members if "the client forgot them all" in member.text()]
    assert [member for member in members if member.lines("partitions_lost")] == forgot
    _nothing_left(pipeline, *forgot)


def test_a_killed_broker_that_stays_away_costs_the_session_and_no_event(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, real_kafka: RealKafka
) -> None:
    """Away for longer than the session, the partitions are lost; again comes only what was uncommitted."""
    real_kafka.require_owned()
    pipeline = piped(session_timeout_seconds="6", **SMALL_BULKS)
    member = pipeline.member().wait_until_ready()
    events = pipeline.open(Generator(4, EVENTS))
    sandbox.switch(SLOW)
    pipeline.feed(islice(events, EVENTS // 2))
    wait_until(lambda: _is_in_flight(sandbox), 20, "something is in flight")
    real_kafka.kill()
    wait_until(lambda: bool(member.lines("partitions_lost")), 30, f"partitions are lost\n{member.tail()}")
    real_kafka.start()
    pipeline.feed(events)
    pipeline.wait_until_committed(90)
    assert member.stop() == 0

    takeovers = takeovers_at_losses(pipeline, member)
    places, arrived = places_of(pipeline.expected), arrivals_at(sandbox)
    assert pipeline.account(resent(takeovers)).lines() == []
    assert judge(takeovers, places, arrived.activities).unexplained == []
    assert judge(takeovers, places, arrived.upserts, unclear_requests(sandbox)).unexplained == []


# --- Planhat --------------------------------------------------------------------------------------


def test_a_planhat_that_is_away_at_the_start_is_waited_for(real_kafka: RealKafka, tmp_path: Path) -> None:
    """The port refuses: the member is ready and waits; Planhat comes, and gets each event once."""
    port = free_port()
    away = SandboxClient(f"http://127.0.0.1:{port}")
    with Pipeline(real_kafka, away, tmp_path, partitions=1) as pipeline:
        member = pipeline.member().wait_until_ready()
        pipeline.feed(Generator(8, 600))
        wait_until(
            lambda: member.scrape().total("streamer_deliveries_total", result="connection") >= 3,
            30,
            f"refused connections are counted\n{member.tail()}",
        )
        assert member.get("/readyz")[0] == 200
        assert pipeline.committed().get(0, 0) < 600
        with SandboxProcess(SANDBOX_SWITCHES, port=port):
            pipeline.wait_until_committed(60)
            skips = skips_of(member)
            assert member.stop() == 0
            assert pipeline.account(skipped=skips).lines() == []


@pytest.fixture
def relay(sandbox: SandboxProcess) -> Iterator[Relay]:
    """The wire to the sandbox."""
    with Relay(sandbox.url) as wire:
        yield wire


def test_a_planhat_that_goes_and_comes_back_gets_everything(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, relay: Relay
) -> None:
    """Cut off mid-flight for seconds: nothing commits past it, and only cut requests come again."""
    pipeline = piped(planhat=relay.url, **SMALL_BULKS)
    member = pipeline.member().wait_until_ready()
    events = pipeline.open(Generator(6, EVENTS))
    sandbox.switch(SLOW)
    pipeline.feed(events)
    wait_until(lambda: _is_in_flight(sandbox), 20, "something is in flight")
    relay.cut()
    wait_until(
        lambda: member.scrape().total("streamer_deliveries_total", result="connection") >= 5,
        30,
        "the outage shows",
    )
    arrived = sandbox.view()["arrivals"]
    committed = _once_it_stands(lambda: sum(pipeline.committed().values()))
    sleep(2)
    assert sandbox.view()["arrivals"] == arrived, "nothing gets through"
    assert sum(pipeline.committed().values()) == committed < pipeline.expected.produced
    assert member.get("/readyz")[0] == 200
    relay.mend()
    pipeline.wait_until_committed(60)
    assert member.stop() == 0
    _only_failed_requests_came_again(pipeline, member)


def _once_it_stands(look: Callable[[], int]) -> int:
    """A figure once it stands for two seconds: commits of what was answered before a cut come late."""
    now = look()
    for _ in range(10):
        sleep(2)
        before, now = now, look()
        if before == now:
            break
    return now


def _only_failed_requests_came_again(pipeline: Pipeline, member: Member) -> None:
    """Nothing is lost, and no more came again than was in requests that failed."""
    arrived = arrivals_at(pipeline.sandbox)
    extra = sum(map(len, arrived.activities.values())) - _records(pipeline.expected, arrived.activities)
    failed = sum(
        each.operations
        for each in member.requests()
        if not each.is_answered and each.endpoint == Endpoint.ACTIVITIES
    )
    assert 0 <= extra <= failed
    whole = {number: [range(end)] for number, end in pipeline.expected.ends.items()}
    assert pipeline.account(whole).lines() == []


def _records(expected: Expected, keys: object) -> int:
    assert isinstance(keys, dict)
    return sum(len(places) for key, places in places_of(expected).items() if key in keys)


def test_a_frozen_planhat_is_asked_again(piped: Callable[..., Pipeline], sandbox: SandboxProcess) -> None:
    """Longer silent than a request may take: what timed out comes again, and nothing else."""
    pipeline = piped(http_main_seconds="2", http_analytics_seconds="2", **SMALL_BULKS)
    member = pipeline.member().wait_until_ready()
    events = pipeline.open(Generator(9, EVENTS))
    sandbox.switch(SLOW)
    pipeline.feed(events)
    wait_until(lambda: _is_in_flight(sandbox), 20, "something is in flight")
    assert sandbox.pid is not None
    os.kill(sandbox.pid, signal.SIGSTOP)
    try:
        wait_until(
            lambda: member.scrape().total("streamer_deliveries_total", result="timeout") >= 2,
            30,
            "time-outs show",
        )
    finally:
        os.kill(sandbox.pid, signal.SIGCONT)
    pipeline.wait_until_committed(90)
    assert member.stop() == 0
    _only_failed_requests_came_again(pipeline, member)


def test_errors_resets_and_lost_replies_lose_nothing(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess
) -> None:
    """Bursts of 500, 408, 429, resets, lost replies: exactly what was in lost replies counts twice."""
    pipeline = piped(**SMALL_BULKS)
    member = pipeline.member().wait_until_ready()
    events = pipeline.open(Generator(12, 2_000, companyless_share=0.0))
    throttled = {"Retry-After": "1"}
    sandbox.add_faults(
        Fault(kind=FaultKind.STATUS, endpoint="activities", status=500, skip=2, times=2),
        Fault(kind=FaultKind.STATUS, endpoint="endusers", status=500, times=1),
        Fault(kind=FaultKind.RESET, endpoint="activities", skip=6, times=2),
        Fault(kind=FaultKind.RESET, endpoint="endusers", times=1),
        Fault(kind=FaultKind.LOST_REPLY, endpoint="activities", skip=10, every=4, times=3),
        Fault(kind=FaultKind.LOST_REPLY, endpoint="endusers", times=1),
        Fault(kind=FaultKind.STATUS, endpoint="endusers", status=429, times=1, headers=throttled),
        Fault(kind=FaultKind.STATUS, endpoint="companies", status=429, times=1, headers=throttled),
        Fault(kind=FaultKind.STATUS, endpoint="activities", status=408, skip=12, times=2),
    )
    pipeline.feed(events)
    pipeline.wait_until_committed(90)
    skips = skips_of(member)
    assert member.stop() == 0
    struck = sandbox.view()["requests"]["faults"]
    assert struck == {"status": 7, "reset": 3, "lost_reply": 4}, "every fault was met"

    lost = {row.number for row in sandbox.requests() if row.fault == FaultKind.LOST_REPLY}
    arrived, places = arrivals_at(sandbox), places_of(pipeline.expected)
    again = {
        key: len(requests) - len(places[key])
        for key, requests in arrived.activities.items()
        if len(requests) > len(places[key])
    }
    in_lost = {
        key: sum(each.number in lost for each in requests)
        for key, requests in arrived.activities.items()
        if any(each.number in lost for each in requests)
    }
    assert again == in_lost
    assert again
    ranges: dict[int, list[range]] = {}
    for key, times in again.items():
        for place in places[key]:
            ranges.setdefault(place.partition, []).extend([range(place.offset, place.offset + 1)] * times)
    assert pipeline.account(ranges, skips).lines() == []


def test_a_burst_of_errors_holds_no_innocent_up(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess
) -> None:
    """Three bulks in a row answered 500 and then all well: nobody is at fault, nobody waits for minutes."""
    pipeline = piped(partitions=1)
    pipeline.member().wait_until_ready()
    events = pipeline.open(Generator(12, 600))
    sandbox.add_faults(Fault(kind=FaultKind.STATUS, endpoint="endusers", status=500, skip=1, times=3))
    pipeline.feed(events)
    pipeline.wait_until_committed(20)
    _nothing_left(pipeline)
