"""An owner that stands still is told of, once, and fails /livez."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.client import HTTPConnection
from time import monotonic, sleep

from streamer.app.watchdog import DEEPEST, LOOKS, Watchdog, stacks


class _Owner:
    """A poll counter, and what was told."""

    def __init__(self) -> None:
        self.polled = 0.0
        self.told: list[Mapping[str, str]] = []
        self.watchdog = Watchdog(lambda: self.polled, 60.0, self.told.append)

    def look(self, times: int) -> int:
        """So many looks; how often it told so far."""
        for _ in range(times):
            self.watchdog.look()
        return len(self.told)


def test_an_episode_is_told_once() -> None:
    """However long it lasts; the next one is told again."""
    owner = _Owner()
    assert owner.look(LOOKS) == 0
    assert owner.look(1) == 1
    assert owner.look(10 * LOOKS) == 1
    owner.polled += 1
    assert owner.look(LOOKS) == 1
    assert owner.look(1) == 2


def test_who_polls_now_and_then_is_not_stuck() -> None:
    """Slow is not still."""
    owner = _Owner()
    for _ in range(20):
        owner.polled += 1
        assert owner.look(LOOKS - 1) == 0


def test_stacks_name_every_thread_and_no_value() -> None:
    """Innermost first; a deep one is cut, and says so."""
    ready, over = threading.Event(), threading.Event()

    def deep(secret: str, depth: int) -> None:
        if depth:
            deep(secret, depth - 1)
        else:
            ready.set()
            over.wait()

    thread = threading.Thread(target=deep, args=("hunter2", 100), name="deep one")
    thread.start()
    try:
        ready.wait()
        told = stacks()
    finally:
        over.set()
        thread.join()
    assert "test_stacks_name_every_thread_and_no_value" in told["MainThread"]
    assert told["deep one"].count(" < ") == DEEPEST
    assert told["deep one"].endswith("more")
    assert "hunter2" not in str(told)


def test_it_ends_when_told() -> None:
    """No thread is left behind."""
    owner = _Owner()
    owner.watchdog.start()
    owner.watchdog.stop()
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


def test_a_blocked_owner_is_told_of_and_fails_livez() -> None:
    """A decoder that never returns: /livez turns to 503, and the log names the function that blocks."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.blocked_owner", "0.5"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        port = int(child.stdout.readline())
        _wait_for_status(port, 200)
        child.stdin.write("go\n")
        child.stdin.flush()
        line = json.loads(child.stderr.readline())
        _wait_for_status(port, 503)
    finally:
        child.kill()
        rest = child.communicate()[1]
    assert line["event"] == "owner_stuck"
    assert line["level"] == "error"
    assert "BlockedDecoder.decode < " in line["threads"]["MainThread"]
    assert "Streamer.run_once" in line["threads"]["MainThread"]
    assert "a value nobody may see" not in str(line)
    assert rest == "", "told once"


def _wait_for_status(port: int, status: int) -> None:
    deadline = monotonic() + 60
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/livez")
        found = connection.getresponse().status
        connection.close()
        if found == status:
            return
        assert monotonic() < deadline, f"/livez says {found}, not {status}"
        sleep(0.05)
