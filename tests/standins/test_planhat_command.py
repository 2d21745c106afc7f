"""`streamer sandbox` as a program, and as a child process."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from streamer.errors import UsageError
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.client import SandboxClient, SandboxUnusable
from streamer.standins.planhat.command import add_arguments, run, switches_of

MODULE = [sys.executable, "-m", "streamer.standins.planhat"]


def parsed(*arguments: str) -> argparse.Namespace:
    """The arguments, parsed."""
    parser = argparse.ArgumentParser(prog="streamer sandbox")
    add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_with_0(number: signal.Signals) -> None:
    """One line when ready; SIGTERM and SIGINT end it with 0, silently."""
    with subprocess.Popen([*MODULE, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        line = child.stdout.readline().decode()
        url = line.split()[3]

        assert httpx.get(f"{url}/sandbox/healthz").status_code == 200
        child.send_signal(number)
        assert child.wait(10) == 0
        assert child.stdout.read() == b""
        assert child.stderr.read() == b""


def test_it_stops_while_a_request_waits() -> None:
    """A request that would take a minute does not hold up the end."""
    sandbox = SandboxProcess({"service_seconds": 60}).start()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(
            f"{sandbox.url}/endusers", headers={"Authorization": f"Bearer {sandbox.api_token}"}, timeout=0.2
        )
    started = time.monotonic()

    assert sandbox.stop() == 0

    assert time.monotonic() - started < 5.0


def test_a_child_has_the_tokens_and_switches_it_was_given() -> None:
    """Tokens and switches reach the child; its address is a free port."""
    with SandboxProcess({"calls_per_minute": 7, "auto_domains": False}, api_token="key") as sandbox:
        headers = {"Authorization": "Bearer key"}
        reply = httpx.get(f"{sandbox.url}/endusers?limit=1", headers=headers)

        assert reply.json() == []
        assert reply.headers["X-Rate-Limit-Limit"] == "7"
        shown = {each["name"]: each["value"] for each in httpx.get(f"{sandbox.url}/sandbox/switches").json()}
        assert shown["auto_domains"] == "off"
    assert sandbox.pid is None


def test_a_child_ends_with_its_parent() -> None:
    """When the parent is killed without a chance to clean up, the child goes too."""
    script = (
        "import time\nfrom streamer.standins.planhat.child import SandboxProcess\n"
        "print(SandboxProcess().start().url, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().decode().strip()
        assert SandboxClient(url).view()["arrivals"] == 0
        parent.kill()

    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        try:
            SandboxClient(url, timeout_seconds=1.0).view()
        except SandboxUnusable:
            break
        time.sleep(0.05)
    with pytest.raises(SandboxUnusable, match="does not answer"):
        SandboxClient(url).view()


def test_a_child_that_cannot_start_says_why() -> None:
    """The child's own words are in the error."""
    with pytest.raises(SandboxUnusable, match="there is no switch 'colour'"):
        SandboxProcess({"colour": "red"}).start()


def test_a_taken_address_is_an_error_that_says_what_to_do() -> None:
    """Another program on the port: exit code 2, naming the address and --port 0."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(UsageError, match=f"127.0.0.1:{port}.*--port 0"):
            run(parsed("--port", str(port)))
        finished = subprocess.run([*MODULE, "--port", str(port)], capture_output=True, check=False)
        assert finished.returncode == 2


def test_wrong_arguments_are_a_usage_error() -> None:
    """Malformed and unknown switches and ports are named; exit code 2."""
    with pytest.raises(UsageError, match="NAME=VALUE"):
        switches_of(["error_shape"], None)
    with pytest.raises(UsageError, match="error_shape cannot be 'xml'"):
        switches_of(["error_shape=xml"], None)
    with pytest.raises(UsageError, match="65535"):
        run(parsed("--port", "70000"))
    finished = subprocess.run([*MODULE, "--switch", "a=b"], capture_output=True, check=False)
    assert finished.returncode == 2
    assert finished.stdout == b""


def test_quota_is_a_switch() -> None:
    """`--quota N` sets the calls of a minute."""
    assert switches_of(["history=3"], 20).calls_per_minute == 20
    assert switches_of(["history=3"], None).history == 3


def test_help_lists_every_switch() -> None:
    """Help names each switch, its values and the source of its default."""
    finished = subprocess.run(
        [*MODULE, "--help"], capture_output=True, check=True, env={**os.environ, "COLUMNS": "80"}
    )

    assert b"duplicates_in_request=error  [I]" in finished.stdout
    assert b"calls_per_minute=200  [D]" in finished.stdout
