"""What a member says of itself over HTTP while it lives."""

import signal
from collections.abc import Callable

import pytest

from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.faults import Fault, FaultKind
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import Pipeline, skips_of

pytestmark = pytest.mark.real_kafka


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
    assert settled.total("streamer_commits_total", result="committed") > 0
    skips = skips_of(member)
    member.send_signal(signal.SIGTERM)
    assert member.wait(30) == 0
    assert [line["signal"] for line in member.lines("stop_requested")] == ["SIGTERM"]
    assert member.get("/livez")[0] == 0
    assert pipeline.account(skipped=skips).lines() == []
