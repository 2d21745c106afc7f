"""What a member says of itself over HTTP while it lives."""

import json
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.faults import Fault, FaultKind
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN, DEFAULT_TENANT_TOKEN
from tests.real_kafka.member import Member, wait_until
from tests.real_kafka.pipeline import Pipeline, skips_of

pytestmark = pytest.mark.real_kafka


def status_of(member: Member) -> dict[str, Any]:
    """What the member's status page tells, as programs read it."""
    told: dict[str, Any] = json.loads(member.get("/status.json")[1])
    return told


def first_line(member: Member) -> str:
    """The first line of the member's status page."""
    (line,) = re.findall("<h1>(.*?)</h1>", member.get("/")[1])
    return str(line)


def test_health_and_metrics_follow_a_life(piped: Callable[..., Pipeline], sandbox: SandboxProcess) -> None:
    """Ready once joined, undelivered while Planhat is down, nothing left afterwards, exit 0 on SIGTERM."""
    pipeline = piped(partitions=2)
    member = pipeline.member().wait_until_ready()
    status, words = member.get("/livez")
    assert (status, words.startswith("last poll")) == (200, True)
    assert member.get("/anything")[0] == 404

    events = pipeline.open(Generator(5, 400))
    sandbox.add_faults(Fault(kind=FaultKind.STATUS, status=503, times=None))
    pipeline.feed(events)
    wait_until(
        lambda: member.scrape().total("streamer_undelivered_records") >= 100, 20, "undelivered records show"
    )
    wait_until(lambda: member.scrape().total("streamer_deliveries_total", result="5xx") > 0, 20, "503 shows")
    down = member.scrape()
    assert down.total("streamer_gate_closed_seconds") >= 0
    assert down.total("streamer_in_flight_records") > 0
    wait_until(
        lambda: first_line(member).startswith("Nothing to do for now: Planhat accepts no "),
        20,
        "the page tells of the outage",
    )
    assert member.get("/readyz")[0] == 200, "an outage of Planhat is no reason to take a replica out"
    assert member.get("/livez")[0] == 200

    sandbox.clear_faults()
    pipeline.wait_until_committed(60)
    wait_until(
        lambda: member.scrape().total("streamer_undelivered_records") == 0, 20, "nothing is undelivered"
    )
    settled = member.scrape()
    assert settled.total("streamer_events_total") == 400
    assert settled.total("streamer_in_flight_records") == 0
    assert settled.total("streamer_failures_total") == 0
    wait_until(
        lambda: (
            {each["number"]: each["committed_offset"] for each in status_of(member)["partitions"]}
            == pipeline.committed()
        ),
        20,
        "the page tells what the group has committed",
    )
    assert first_line(member).startswith("All is well: ")
    assert first_line(member).endswith("and nothing waits.")
    for secret in (DEFAULT_API_TOKEN, DEFAULT_TENANT_TOKEN):
        assert secret not in member.get("/")[1] + member.get("/status.json")[1]
    assert settled.total("streamer_commits_total", result="committed") > 0
    skips = skips_of(member)
    member.send_signal(signal.SIGTERM)
    assert member.wait(30) == 0
    assert [line["signal"] for line in member.lines("stop_requested")] == ["SIGTERM"]
    assert member.get("/livez")[0] == 0
    assert pipeline.account(skipped=skips).lines() == []
