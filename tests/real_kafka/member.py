"""One `streamer run` process under test: its life, its log lines and what it serves."""

import json
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, NamedTuple, Self

from streamer.standins.demo_metrics import Scrape
from tests import program

LOOK_AGAIN_SECONDS: Final = 0.1
READY_SECONDS: Final = 60.0
END_SECONDS: Final = 60.0


class Ended(Exception):
    """A member ended that should be running."""


class Request(NamedTuple):
    """One request as the member's own log tells it."""

    endpoint: str
    operations: int
    accepted: int
    is_answered: bool


def wait_until(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    """Look again and again; an AssertionError says `what` did not come about in time."""
    deadline = monotonic() + seconds
    while not is_so():
        assert monotonic() < deadline, f"waited {seconds:g} s in vain: {what}"
        sleep(LOOK_AGAIN_SECONDS)


class Member:
    """One `streamer run` process. Its lines go to a file, and nothing of our environment to it."""

    def __init__(self, name: str, settings: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._port: int | None = None
        with log.open("wb") as lines:
            self._child = subprocess.Popen(
                program.command("run"),
                env={**program.variables(), **settings},
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # It must not outlive a test run that was killed: the pipe closes then, and the shell acts.
        self._watchdog = subprocess.Popen(
            ["sh", "-c", f"cat >/dev/null; kill -9 {self._child.pid} 2>/dev/null"],
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    # --- its life ----------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether the process runs."""
        return self._child.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def check(self) -> None:
        """Raise Ended, with its last lines, unless it runs."""
        code = self._child.poll()
        if code is not None:
            raise Ended(f"{self.name} ended with exit code {code}:\n{self.tail()}")

    def wait_until_ready(self) -> Self:
        """Wait until /readyz says that the group was joined."""

        def is_ready() -> bool:
            self.check()
            return self.get("/readyz")[0] == 200

        wait_until(is_ready, READY_SECONDS, f"{self.name} is ready\n{self.tail()}")
        return self

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the process."""
        self._child.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self._child.kill()
        self._child.wait(END_SECONDS)

    def stop(self) -> int:
        """SIGTERM, and wait for the end in order; the exit code."""
        self._child.send_signal(signal.SIGTERM)
        return self.wait(END_SECONDS)

    def wait(self, seconds: float) -> int:
        """The exit code, once it has ended by itself."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} runs on after {seconds:g} s:\n{self.tail()}") from None

    def close(self) -> None:
        """End it whatever it does."""
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait(END_SECONDS)
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        self._watchdog.wait(END_SECONDS)

    # --- what it says -------------------------------------------------------------------------------

    @property
    def port(self) -> int | None:
        """Where it serves /metrics and its health; None before it does."""
        if self._port is None:
            served = self.lines("serving")
            self._port = int(served[0]["port"]) if served else None
        return self._port

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of its own addresses; status 0 while nothing answers."""
        if self.port is None:
            return 0, ""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except (OSError, HTTPException):
            return 0, ""
        finally:
            connection.close()

    def scrape(self) -> Scrape:
        """Its metrics now; empty while nothing answers."""
        return Scrape(self.get("/metrics")[1])

    def text(self) -> str:
        """Everything it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        """The last lines it wrote, requests left out."""
        told = [line for line in self.text().splitlines() if '"batch_delivered"' not in line]
        return "\n".join(told[-25:])

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of this name; a line cut off by SIGKILL is none."""
        mark = f'"event": "{event}"'
        return [json.loads(line) for line in self.text().splitlines() if mark in line and line.endswith("}")]

    def requests(self) -> list[Request]:
        """Every request whose end it saw, from its log (which must be at level debug)."""
        answered = [(line, True) for line in self.lines("batch_delivered")]
        failed = [(line, False) for line in self.lines("delivery_failed")]
        return [
            Request(line["endpoint"], line["operations"], line["accepted"], is_answered)
            for line, is_answered in answered + failed
        ]

    def accepted(self, endpoint: str) -> int:
        """Operations it knows to be accepted."""
        return sum(each.accepted for each in self.requests() if each.endpoint == endpoint)


def plain(text: str) -> str:
    """One line of words, for matching what a program wrote over several."""
    return re.sub(r"\s+", " ", text)
