"""The whole of the demo, as an operator runs it."""

import argparse
import os
import re
import signal
import subprocess
import sys

import pytest

from streamer.outcomes import Endpoint
from streamer.standins import demo
from streamer.standins.demo_metrics import Probe
from streamer.standins.demo_pipeline import PipelineEnded
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.faults import Fault, FaultKind
from tests import readme

pytestmark = pytest.mark.long


def _arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return parser.parse_args(given)


def _children(pid: int) -> set[int]:
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in found.stdout.splitlines()]
    return {child for child, parent in pairs if parent == pid}


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_two_thousand_events_end_accounted_for() -> None:
    """`streamer demo`, small: exit 0, the account, the table and the address of the metrics."""
    ended = subprocess.run(
        [sys.executable, "-m", "streamer", "demo", "--events", "2000"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Every one of 2,000 events is accounted for." in ended.stdout
    assert "Events by call and outcome" in ended.stdout
    assert readme.example("make demo").pattern.fullmatch(ended.stdout), "the README shows something else"
    rows = re.findall(r"^requests, (\w+) +([\d,]+) of .+ average \((.+)\)(.*)$", ended.stdout, re.MULTILINE)
    assert [endpoint for endpoint, *_ in rows] == [Endpoint.COMPANIES, Endpoint.ENDUSERS, Endpoint.ACTIVITIES]
    for _, requests, answers, _ in rows:
        assert int(requests) == sum(int(answer.split(" x ")[0]) for answer in answers.split(", "))
    assert [beside.rstrip() for *_, beside in rows] == ["", ", reads: 1", ""]
    assert re.search(r"Metrics were at http://127\.0\.0\.1:\d+/metrics\.", ended.stdout)
    assert ended.stderr == ""


def test_a_demo_that_loses_its_planhat_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sandbox that refuses our credentials nothing arrives, and the exit code says so."""

    class Refusing(SandboxProcess):
        def __init__(self, switches: dict[str, object]) -> None:
            super().__init__({**switches, "calls_per_minute": 200}, api_token="another")
            self.api_token = "refused"

    monkeypatch.setattr(demo, "SandboxProcess", Refusing)
    with pytest.raises(PipelineEnded, match="exit code 4"):
        demo.run(_arguments("--events", "50", "--patience", "20"))


def test_a_lost_and_a_doubled_activity_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Planhat drops one activity, and an answer is lost on its way: the exit code is 1, both are named."""

    class Faulty(SandboxProcess):
        def start(self) -> "Faulty":
            super().start()
            self.add_faults(
                Fault(kind=FaultKind.IGNORE, endpoint="activities", skip=20),
                Fault(kind=FaultKind.LOST_REPLY, endpoint="activities", skip=1),
            )
            return self

    monkeypatch.setattr(demo, "SandboxProcess", Faulty)
    assert demo.run(_arguments("--events", "400")) == 1
    said = capsys.readouterr().out
    assert "NOT every one of 400 events is accounted for" in said
    assert "- 1 activities lost: " in said
    assert re.search(r"- \d+ activities counted too often: ", said)


def test_an_interrupted_demo_leaves_no_children() -> None:
    """SIGTERM at any moment stops broker, sandbox and pipeline."""
    running = subprocess.Popen(
        [sys.executable, "-m", "streamer", "demo", "--events", "20000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("delivering"):
                break
        children = _children(running.pid)
        running.send_signal(signal.SIGTERM)
        rest = running.stdout.read()
        assert running.wait(120) == 130
    assert "no account was closed" in rest
    assert len(children) == 3
    assert not [pid for pid in children if _is_running(pid)]


def test_keep_leaves_everything_running_until_interrupted() -> None:
    """The account is closed first; addresses answer until Ctrl+C, and the exit code is the account's."""
    running = subprocess.Popen(
        [sys.executable, "-m", "streamer", "demo", "--events", "300", "--keep"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = ""
    with running:
        assert running.stdout is not None
        for line in running.stdout:
            said += line
            if "Ctrl+C ends it" in line:
                break
        port = re.search(r"metrics http://127\.0\.0\.1:(\d+)/metrics", said)
        assert port is not None, said
        scrape = Probe(int(port[1])).scrape()
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
        running.stdout.read()
        assert running.wait(120) == 0
    assert "Every one of 300 events is accounted for." in said
    assert scrape is not None
    assert scrape.total("streamer_events_total") == 300
