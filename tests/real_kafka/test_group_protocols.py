"""Two members under each way to share a topic: the classic protocol, KIP-848, and static members of both."""

import re
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from itertools import takewhile
from threading import Event
from time import sleep, time
from typing import Any, Final

import pytest

from streamer.outcomes import Endpoint
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.commits import CommitHistory
from tests.real_kafka.member import Member, wait_until
from tests.real_kafka.pipeline import KAFKA_PROPERTIES, SANDBOX_SWITCHES, Pipeline
from tests.real_kafka.tenures import Changes, Shares, arrivals_at, judge, places_of, resent, unclear_requests

pytestmark = pytest.mark.real_kafka

SESSION_SECONDS: Final = 6.0
"""Of both protocols: a setting of ours in one, of the broker in the other."""
PER_SECOND: Final = 150.0
MOST_EVENTS: Final = 20_000
MEMBERSHIP_CHANGES: Final = 3
"""One comes, one goes, one comes back."""
SLOW: Final = {"analytics_seconds": 0.2, "service_seconds": 0.05}
_PARTITION: Final = re.compile(r'^streamer_oldest_unsettled_seconds{[^}]*partition="(\d+)"', re.MULTILINE)
SMALL_BULKS: Final = {"activity_bulk_items": "20", "activity_workers": "2"}


def _settings(protocol: str, name: str, instance: str | None) -> dict[str, Any]:
    properties = {**KAFKA_PROPERTIES, "client.id": name}
    if protocol == "consumer":
        del properties["heartbeat.interval.ms"]
    return {
        "kafka_group_protocol": protocol,
        "kafka_group_instance_id": instance,
        "kafka_properties": "\n".join(f"{key}={value}" for key, value in properties.items()),
    }


def _shares(*members: Member) -> dict[str, set[int]]:
    """Partitions by member, by what they say of themselves: the broker tells one protocol's groups only."""
    return {each.name: set(map(int, _PARTITION.findall(each.get("/metrics")[1]))) for each in members}


def _wait_until_shared(pipeline: Pipeline, *members: Member) -> Shares:
    """Wait until exactly these share all partitions, each with some; returns which."""
    last: dict[str, set[int]] = {}

    def is_shared() -> bool:
        nonlocal last
        for each in members:
            each.check()
        last = _shares(*members)
        numbers = [number for share in last.values() for number in share]
        return all(last.values()) and sorted(numbers) == list(range(pipeline.partitions))

    wait_until(is_shared, 60, f"{[each.name for each in members]} share all partitions")
    return last


def _changes(member: Member, event: str) -> list[dict[str, Any]]:
    """Lines of its log that tell of partitions: the classic protocol has a second round without any."""
    return [each for each in member.lines(event) if each["partitions"]]


def _gave_up_at(*members: Member) -> Callable[[str], float]:
    """When a member last gave partitions away, by its own log."""

    def at(name: str) -> float:
        (member,) = (each for each in members if each.name == name)
        return datetime.fromisoformat(_changes(member, "partitions_revoked")[-1]["time"]).timestamp()

    return at


@pytest.mark.parametrize("is_static", [False, True], ids=["dynamic", "static"])
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_members_come_stop_and_come_back(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, protocol: str, *, is_static: bool
) -> None:
    """One joins, one is stopped mid-flight and starts again: nothing is lost, only what must comes again."""
    pipeline = piped(session_timeout_seconds=str(SESSION_SECONDS), **SMALL_BULKS)

    def member(name: str, instance: str) -> Member:
        return pipeline.member(name, **_settings(protocol, name, instance if is_static else None))

    steady = member("steady", "pod-0").wait_until_ready()
    events = pipeline.open(Generator(11, MOST_EVENTS))
    sandbox.switch(SLOW)
    changes = Changes(_wait_until_shared(pipeline, steady), pipeline.expected.ends)
    has_happened = Event()
    with ThreadPoolExecutor(1) as threads, ExitStack() as stack:
        stack.callback(has_happened.set)
        fed = threads.submit(
            pipeline.feed, takewhile(lambda _: not has_happened.is_set(), events), PER_SECOND
        )
        second = member("second", "pod-1")
        before = _wait_until_shared(pipeline, steady, second)
        changes.note(before, _gave_up_at(steady))
        wait_until(lambda: _in_flight(sandbox), 20, "something is in flight")
        revoked = len(steady.lines("partitions_revoked"))
        assert second.stop() == 0, second.tail()
        if not is_static:
            changes.note(_wait_until_shared(pipeline, steady), _gave_up_at(second))
        back = member("back", "pod-1")
        shares = _wait_until_shared(pipeline, steady, back)
        if is_static:
            assert shares["back"] == before["second"], "who comes back in time finds what it had"
            assert len(steady.lines("partitions_revoked")) == revoked, "and nobody else is disturbed"
        changes.note(shares, _gave_up_at(steady, second))
        assert not fed.done(), "all this happened mid-flight"
        has_happened.set()
        fed.result(60)
    pipeline.wait_until_committed(90, steady, back)
    # As many rebalances as changes: none sets off another.
    assert len(_changes(steady, "partitions_assigned")) <= 1 + MEMBERSHIP_CHANGES
    assert len(_changes(steady, "partitions_revoked")) <= MEMBERSHIP_CHANGES
    assert not steady.lines("partitions_lost")
    assert [each.stop() for each in (steady, back)] == [0, 0]

    takeovers = changes.takeovers(CommitHistory(pipeline.kafka, pipeline.group, pipeline.topic))
    places, arrived = places_of(pipeline.expected), arrivals_at(sandbox)
    assert pipeline.account(resent(takeovers)).lines() == []
    assert judge(takeovers, places, arrived.activities).unexplained == []
    assert judge(takeovers, places, arrived.upserts, unclear_requests(sandbox)).unexplained == []


def _in_flight(sandbox: SandboxProcess) -> bool:
    return bool(sandbox.view()["requests"]["in_flight"].get(Endpoint.ACTIVITIES))


# --- frozen ---------------------------------------------------------------------------------------


@pytest.fixture
def apart() -> Iterator[SandboxProcess]:
    """A second Planhat, so that one member's requests are told from the other's."""
    with SandboxProcess(SANDBOX_SWITCHES) as running:
        yield running


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_who_wakes_up_without_its_partitions_sends_nothing(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, apart: SandboxProcess, protocol: str
) -> None:
    """Stopped past its session with much in hand: not one request until it is given partitions anew."""
    pipeline = piped(session_timeout_seconds=str(SESSION_SECONDS), **SMALL_BULKS)
    steady = pipeline.member("steady", **_settings(protocol, "steady", None)).wait_until_ready()
    events = pipeline.open(Generator(12, MOST_EVENTS))
    elsewhere: Mapping[str, Any] = {"planhat_api_url": apart.url, "planhat_analytics_url": apart.url}
    frozen = pipeline.member("frozen", **_settings(protocol, "frozen", None), **elsewhere)
    _wait_until_shared(pipeline, steady, frozen)
    for planhat in (sandbox, apart):
        planhat.switch(SLOW)
    pipeline.feed(takewhile(lambda _: pipeline.expected.produced < 4_000, events))
    wait_until(lambda: _in_flight(apart), 20, "something of it is in flight")
    frozen.send_signal(signal.SIGSTOP)
    try:
        _wait_until_shared(pipeline, steady)
        sleep(1)  # what it had sent before has arrived by now
        before = {row.number for row in apart.requests()}
        woke_at = time()
    finally:
        frozen.send_signal(signal.SIGCONT)
    wait_until(lambda: bool(frozen.lines("partitions_lost")), 30, f"it learns of the loss\n{frozen.tail()}")
    wait_until(lambda: _assigned_after(frozen, woke_at) is not None, 60, f"it is back\n{frozen.tail()}")
    again_at = _assigned_after(frozen, woke_at)
    assert again_at is not None
    early = [row for row in apart.requests() if row.number not in before and row.time < again_at]
    assert early == []
    pipeline.wait_until_committed(90, steady, frozen)


def _assigned_after(member: Member, moment: float) -> float | None:
    assigned = _changes(member, "partitions_assigned")
    times = [datetime.fromisoformat(line["time"]).timestamp() for line in assigned]
    return next((at for at in times if at > moment), None)


# --- one name, two processes ------------------------------------------------------------------------


def test_a_killed_static_member_is_replaced_at_once(piped: Callable[..., Pipeline]) -> None:
    """In the classic protocol whoever comes with the name gets what it had; nobody waits for a session."""
    pipeline = piped(session_timeout_seconds="60")
    steady = pipeline.member("steady", **_settings("classic", "steady", "pod-0")).wait_until_ready()
    killed = pipeline.member("killed", **_settings("classic", "killed", "pod-1")).wait_until_ready()
    before = _wait_until_shared(pipeline, steady, killed)
    killed.kill()
    back = pipeline.member("back", **_settings("classic", "back", "pod-1"))
    assert _wait_until_shared(pipeline, steady, back)["back"] == before["killed"]


def test_a_killed_static_member_is_waited_for(piped: Callable[..., Pipeline]) -> None:
    """In the newer one the name is taken until the session has ended: exit 3, which says so."""
    pipeline = piped()
    steady = pipeline.member("steady", **_settings("consumer", "steady", "pod-0")).wait_until_ready()
    killed = pipeline.member("killed", **_settings("consumer", "killed", "pod-1")).wait_until_ready()
    _wait_until_shared(pipeline, steady, killed)
    killed.kill()
    early = pipeline.member("early", **_settings("consumer", "early", "pod-1"))
    assert early.wait(30) == 3
    assert "start again when its session has ended" in early.lines("failed")[0]["problem"]
    sleep(SESSION_SECONDS + 1)
    back = pipeline.member("back", **_settings("consumer", "back", "pod-1"))
    _wait_until_shared(pipeline, steady, back)


def test_of_two_with_one_name_the_older_ends(piped: Callable[..., Pipeline]) -> None:
    """The one that is replaced is told so, and ends with exit 3."""
    pipeline = piped(session_timeout_seconds="60")
    older = pipeline.member("older", **_settings("classic", "older", "pod-0")).wait_until_ready()
    pipeline.member("newer", **_settings("classic", "newer", "pod-0")).wait_until_ready()
    assert older.wait(60) == 3
    assert "STREAMER_KAFKA_GROUP_INSTANCE_ID; give each its own" in older.lines("failed")[0]["problem"]


def test_the_protocol_is_changed_one_by_one(piped: Callable[..., Pipeline]) -> None:
    """A classic member and one of the newer protocol share the partitions meanwhile."""
    pipeline = piped(session_timeout_seconds=str(SESSION_SECONDS))
    old = pipeline.member("old", **_settings("classic", "old", None)).wait_until_ready()
    new = pipeline.member("new", **_settings("consumer", "new", None)).wait_until_ready()
    _wait_until_shared(pipeline, old, new)
    assert old.stop() == 0
    _wait_until_shared(pipeline, new)
