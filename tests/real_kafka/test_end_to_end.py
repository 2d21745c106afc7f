"""The demo's events through three members, of whom one is killed and one is stopped mid-flight."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from threading import Event
from time import time
from typing import Final

import pytest

from streamer.outcomes import Endpoint
from streamer.standins.account_findings import Audit
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.commits import CommitHistory
from tests.real_kafka.member import Member, wait_until
from tests.real_kafka.pipeline import Pipeline
from tests.real_kafka.tenures import (
    Changes,
    Duplicates,
    arrivals_at,
    judge,
    places_of,
    resent,
    unclear_requests,
)

pytestmark = pytest.mark.real_kafka

EVENTS: Final = 8_000
MOST_EVENTS: Final = 20_000
"""Fed on until all that is to happen mid-flight has happened, on a machine however slow."""
PER_SECOND: Final = 400
PLANHAT_SECONDS: Final = 0.4
"""How long the sandbox works on a request: long enough to be killed within."""
FATES: Final = {
    "steady": "from the start to the end",
    "killed": "SIGKILL mid-flight",
    "late": "joined late, SIGTERM mid-flight",
}


_HEADINGS: Final = (
    f"{'member':<7}", f"{'fate':<32}", "activities", "again", "unanswered", "since commit", "upserts", "again"
)  # fmt: skip


def _is_mid_flight(sandbox: SandboxProcess, pipeline: Pipeline, partitions: Collection[int]) -> bool:
    """Whether activities of these partitions were applied in a request that is not answered yet."""
    answered = {row.number for row in sandbox.requests()}
    places = places_of(pipeline.expected)
    return any(
        place.partition in partitions
        for row in sandbox.activities()
        if row.request not in answered
        for place in places.get(row.info["eventKey"], ())
    )


def _revoked_at(*members: Member) -> Callable[[str], float]:
    """When a member last gave partitions away, by its own log."""

    def at(name: str) -> float:
        (member,) = (each for each in members if each.name == name)
        line = [each for each in member.lines("partitions_revoked") if each["partitions"]][-1]
        return datetime.fromisoformat(line["time"]).timestamp()

    return at


def _table(members: Collection[Member], activities: Duplicates, upserts: Duplicates, account: Audit) -> str:
    faults = len(account.lines())
    lines = [
        f"SIGKILL test: {account.produced} events, 4 partitions, {PER_SECOND} a second, {faults} faults",
        "accepted operations, and those that came again because the member's partitions were taken over",
        " ".join(_HEADINGS),
    ]
    for member in members:
        again, unanswered = activities.of(member.name), activities.unanswered[member.name]
        accepted = {endpoint: member.accepted(endpoint) for endpoint in Endpoint}
        lines.append(
            f"{member.name:<7} {FATES[member.name]:<32} {accepted[Endpoint.ACTIVITIES]:>10} {again:>5} "
            f"{unanswered:>10} {again - unanswered:>12} "
            f"{accepted[Endpoint.ENDUSERS] + accepted[Endpoint.COMPANIES]:>7} {upserts.of(member.name):>5}"
        )
    lines.append(f"dead letters written twice: {account.letters_repeated}")
    return "\n".join(lines)


def test_three_members_lose_nothing(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, show: Callable[[str], None], tmp_path: Path
) -> None:
    """One joins late, one is killed, one stopped: nothing is lost, and again comes only what must."""
    # Without the window of messageIds, so that exactly what is read again comes again.
    pipeline = piped(session_timeout_seconds="6", duplicates_window="0")
    steady = pipeline.member("steady").wait_until_ready()
    events = pipeline.open(Generator(7, MOST_EVENTS))
    sandbox.switch({"analytics_seconds": PLANHAT_SECONDS, "service_seconds": PLANHAT_SECONDS / 4})
    changes = Changes(pipeline.wait_until_shared(steady), pipeline.expected.ends)

    has_happened = Event()
    flowing = takewhile(lambda _: pipeline.expected.produced < EVENTS or not has_happened.is_set(), events)
    with ThreadPoolExecutor(1) as threads, ExitStack() as stack:
        stack.callback(has_happened.set)
        fed = threads.submit(pipeline.feed, flowing, PER_SECOND)
        killed = pipeline.member("killed")
        changes.note(pipeline.wait_until_shared(steady, killed), _revoked_at(steady))
        late = pipeline.member("late")
        shares = pipeline.wait_until_shared(steady, killed, late)
        changes.note(shares, _revoked_at(steady, killed))

        wait_until(
            lambda: _is_mid_flight(sandbox, pipeline, shares["killed"]), 30, "a request of it is under way"
        )
        killed.kill()
        killed_at = time()
        shares = pipeline.wait_until_shared(steady, late)
        # Its session lasts six seconds more, so a commit within one is its own.
        changes.note(shares, lambda _: killed_at, commits_for_seconds=1.0)

        wait_until(
            lambda: _is_mid_flight(sandbox, pipeline, shares["late"]), 30, "a request of it is under way"
        )
        assert late.stop() == 0, late.tail()
        changes.note(pipeline.wait_until_shared(steady), _revoked_at(late))
        assert not fed.done(), "all this happened mid-flight"
        has_happened.set()
        fed.result(60)
    pipeline.wait_until_committed(90, steady)
    assert steady.stop() == 0, steady.tail()

    takeovers = changes.takeovers(CommitHistory(pipeline.kafka, pipeline.group, pipeline.topic))
    places, arrived = places_of(pipeline.expected), arrivals_at(sandbox)
    activities = judge(takeovers, places, arrived.activities)
    upserts = judge(takeovers, places, arrived.upserts, unclear_requests(sandbox))
    account = pipeline.account(resent(takeovers))
    table = _table([steady, killed, late], activities, upserts, account)
    show(table)
    (tmp_path / "sigkill.txt").write_text(f"{table}\n")

    assert account.produced >= EVENTS
    assert account.lines() == []
    assert activities.unexplained == []
    assert upserts.unexplained == []
    assert account.duplicates_from_resends == activities.total
    assert activities.of("killed"), "the kill cost something, or it was not mid-flight"
