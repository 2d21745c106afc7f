"""Passthrough from end to end: every call arrives, a user's in their order, and again only after a crash."""

import re
import subprocess
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import msgspec
import pytest

from streamer.outcomes import CallType, Fate
from streamer.standins.expectations import Expectation
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.client import SandboxClient
from streamer.standins.planhat.faults import Fault, FaultKind
from tests import program
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import Pipeline

pytestmark = pytest.mark.real_kafka

USERS: Final = 40
CALLS: Final = 60
"""Of each user."""
WITH_TENANT_TOKEN_ALONE: Final[dict[str, str | None]] = {
    "planhat_api_token": None,
    "planhat_api_url": None,
    "planhat_analytics_url": None,
    "planhat_calls_per_minute": None,
    "throttled_longest_seconds": None,
    "duplicated_tries": None,
    "duplicated_seconds": None,
}
KINDS: Final = ("track", "page", "identify", "group")


def call_of(user: str, number: int) -> dict[str, Any]:
    """The n-th call of a user; its messageId says which it is."""
    kind = KINDS[number % len(KINDS)]
    call: dict[str, Any] = {"type": kind, "messageId": f"{user}:{number}", "userId": user}
    if kind == "track":
        return call | {"event": "Signed In", "properties": {"number": number}}
    if kind == "group":
        return call | {"groupId": "acme", "traits": {"seats": number}}
    return call | ({"traits": {"email": f"{user}@acme.example"}} if kind == "identify" else {"name": "Home"})


def feed(pipeline: Pipeline, user: str, call: dict[str, Any], fate: Fate = Fate.DELIVERED) -> None:
    """Hand one call over, keyed by its user."""
    expectation = Expectation(CallType(call["type"]), fate)
    pipeline.produce(user.encode(), msgspec.json.encode(call), expectation)


def arrived(sandbox: SandboxClient) -> dict[str, list[int]]:
    """The numbers of each user's calls, in the order in which they came."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in sandbox.calls():
        if row.message_id is None:
            assert row.sent == {"type": "alias"}, "what a start asks, and Planhat ignores"
            continue
        user, _, number = row.message_id.partition(":")
        assert row.user_id == row.sent["userId"] == user
        assert row.sent["source"] == "Segment"
        numbers[user].append(int(number))
    return numbers


def test_a_users_calls_arrive_in_order_across_a_crash(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, show: Callable[[str], None]
) -> None:
    """One is killed mid-flight and another goes on, while requests fail; what is skipped never goes out."""
    pipeline = piped(
        planhat_segment_url=sandbox.url,
        session_timeout_seconds="6",
        duplicates_window="0",
        **WITH_TENANT_TOKEN_ALONE,
    )
    sandbox.switch({"analytics_seconds": 0.05})
    sandbox.add_faults(Fault(kind=FaultKind.STATUS, endpoint="segment", every=97, times=12))
    killed = pipeline.member("killed").wait_until_ready()
    users = [f"u-{number}" for number in range(USERS)]
    for number in range(CALLS):
        for user in users:
            feed(pipeline, user, call_of(user, number))
    for user in users:
        alias = {"type": "alias", "messageId": f"{user}:-1", "userId": user, "previousId": "p"}
        feed(pipeline, user, alias, Fate.SKIPPED)
        off = {**call_of(user, -4), "integrations": {"All": False}}
        feed(pipeline, user, off, Fate.SKIPPED)
    pipeline.feed(())

    wait_until(lambda: sandbox.view()["calls"]["received"] > USERS * CALLS // 4, 60, "a quarter has arrived")
    killed.kill()
    before = sandbox.view()["calls"]["received"]
    assert before < USERS * CALLS, "it was killed mid-flight"
    heir = pipeline.member("heir")
    pipeline.wait_until_committed(120, heir)
    scrape = heir.scrape().by("streamer_deliveries_total", "endpoint")
    assert heir.stop() == 0, heir.tail()

    numbers = arrived(sandbox)
    assert set(numbers) == set(users)
    again = 0
    for user in users:
        steps = list(pairwise(numbers[user]))
        back = [pair for pair in steps if pair[1] != pair[0] + 1]
        assert numbers[user][0] == 0
        assert numbers[user][-1] == CALLS - 1
        assert len(back) <= 1, (user, back)
        assert all(after <= last for last, after in back), "nothing was passed over"
        again += len(numbers[user]) - CALLS
    show(f"passthrough: {USERS * CALLS} calls, {again} of them again after a SIGKILL")
    assert {endpoint for endpoint, count in scrape.items() if count} == {"segment"}


def test_a_tenant_token_that_is_refused_ends_the_start(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess
) -> None:
    """Where Planhat does refuse it, nobody waits for the first event to learn so."""
    pipeline = piped(
        planhat_segment_url=sandbox.url,
        **{**WITH_TENANT_TOKEN_ALONE, "planhat_tenant_token": "11111111-1111-4111-8111-111111111111"},
    )
    member = pipeline.member("stranger")
    assert member.wait(60) == 4
    assert "STREAMER_PLANHAT_TENANT_TOKEN" in member.tail()


def test_check_says_what_it_verified(piped: Callable[..., Pipeline], sandbox: SandboxProcess) -> None:
    """The mode, that the endpoint takes requests, what nobody can verify, and settings that say nothing."""
    changes = {
        **WITH_TENANT_TOKEN_ALONE,
        "planhat_mode": "passthrough",
        "planhat_calls_per_minute": "10",
    }
    pipeline = piped(planhat_segment_url=sandbox.url, **changes)
    environment = {**program.variables(), **pipeline.settings()}
    checked = subprocess.run(
        program.command("check"),
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    said = re.sub(" +", " ", checked.stdout)
    assert "mode passthrough" in said
    assert "settings -- STREAMER_PLANHAT_CALLS_PER_MINUTE: in passthrough mode this says nothing" in said
    assert f"planhat ok requests taken by {sandbox.url}/dock/segment (HTTP 200)" in said
    assert "tenant -- cannot be verified: Planhat's Segment endpoint may answer 200" in said
    assert sandbox.view()["activities"]["stored"] == sandbox.view()["endusers"]["stored"] == 0
