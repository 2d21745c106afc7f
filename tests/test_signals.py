"""Signals that come at the worst moment."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from streamer.app.signals import stop_on_signal
from streamer.logs import configure_logs

LOGGING_HARD = """
import sys
from streamer.app.signals import stop_on_signal
from streamer.logs import Event, configure_logs, log

configure_logs(log_format="json")
with stop_on_signal() as request:
    print("ready", flush=True)
    while not request.is_made:
        log(Event.SERVING, host="here", port=1)
print("ended", flush=True)
"""


@pytest.mark.parametrize("attempt", range(10))
def test_a_signal_in_the_middle_of_a_log_line_does_not_hang(attempt: int) -> None:
    """The main thread does nothing but write lines, so the signal finds it holding the log's lock."""
    child = subprocess.Popen(
        [sys.executable, "-c", LOGGING_HARD], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.003 * attempt)
    child.send_signal(signal.SIGTERM)
    try:
        assert child.communicate(timeout=20)[0] == "ended\n"
    finally:
        child.kill()
    assert child.returncode == 0


def test_a_signal_before_there_is_anything_to_stop_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """Start-up checks take seconds; a SIGTERM meanwhile is neither lost nor the end of the process."""
    configure_logs(log_format="json")
    stopped = []
    with stop_on_signal() as request:
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.is_made
        request.tell(lambda: stopped.append(True))
    assert stopped == [True]
    assert '"event": "stop_requested", "signal": "SIGTERM"' in capfd.readouterr().err


def test_handlers_are_put_back() -> None:
    """Whoever embeds the program keeps its own handling of signals."""
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signal():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_second_signal_ends_at_once() -> None:
    """Even as the first process of a container, where the default action is ignored."""
    script = LOGGING_HARD.replace("while not request.is_made:", "while True:")
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    try:
        child.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 128 + signal.SIGTERM
    finally:
        child.kill()
        child.stdout.close()


def test_a_crash_tells_where_each_thread_stands_and_no_value() -> None:
    """Machine code that fails ends the process by a signal: files, lines and functions come out, no trait."""
    event = {"type": "track", "event": "Paid", "userId": "u-123", "properties": {"card": "hunter2"}}
    child = subprocess.Popen(
        [sys.executable, "-m", "streamer", "transform", "--json", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(json.dumps(event) + "\n")
        child.stdin.flush()
        assert "hunter2" in child.stdout.readline()
        child.send_signal(signal.SIGSEGV)
        said = child.communicate(timeout=20)[1]
    finally:
        child.kill()
    assert child.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in said
    assert re.search(r'File ".*streamer/cli/program\.py", line \d+ in main', said)
    assert "hunter2" not in said
