"""A real Prometheus and a real Alertmanager on loopback, and a receiver of what they tell.

with Receiver() as receiver, Alertmanager(folder, receiver) as alertmanager:
    with Prometheus(folder, targets, rules, alertmanager) as prometheus:
        prometheus.query("up")
"""

import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, time
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlencode

import yaml

from streamer.standins.demo_pipeline import free_ports
from tests.monitoring.programs import program
from tests.real_kafka.member import wait_until

START_SECONDS: Final = 60.0
SCRAPE: Final = "500ms"


class Told(NamedTuple):
    """One alert as the receiver was told of it."""

    name: str
    status: str
    """firing or resolved."""
    labels: Mapping[str, str]
    at: float


class Receiver:
    """Takes Alertmanager's webhooks."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in sent["alerts"]:
                    labels = alert["labels"]
                    receiver.told.append(Told(labels["alertname"], alert["status"], labels, monotonic()))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def firing(self) -> set[str]:
        """Names of the alerts that were told as firing and not as resolved since."""
        last: dict[frozenset[tuple[str, str]], Told] = {}
        for told in self.told:
            last[frozenset(told.labels.items())] = told
        return {told.name for told in last.values() if told.status == "firing"}


class Program:
    """A server in a process of its own, which does not outlive a test run that was killed."""

    name = ""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        (self.port,) = free_ports(1)
        self._log = folder / f"{self.name}.log"
        self._command = [str(program(self.name)), f"--web.listen-address=127.0.0.1:{self.port}", *arguments]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self._watchdog = subprocess.Popen(
            ["sh", "-c", f"cat >/dev/null; kill -9 {self._child.pid} 2>/dev/null"],
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

        def is_ready() -> bool:
            assert self._child.poll() is None, self._log.read_text()
            return self.get("/-/ready")[0] == 200

        wait_until(is_ready, START_SECONDS, f"{self.name} is ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.wait()
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        self._watchdog.wait()

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of its addresses; status 0 while nothing answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except (OSError, HTTPException):
            return 0, ""
        finally:
            connection.close()


class Alertmanager(Program):
    """Tells the receiver at once, and again when it is over."""

    name = "alertmanager"

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        route = {
            "receiver": "test", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s",
            "repeat_interval": "1h",
        }  # fmt: skip
        webhook = {"url": receiver.url, "send_resolved": True}
        config = {"route": route, "receivers": [{"name": "test", "webhook_configs": [webhook]}]}
        path = folder / "alertmanager.yml"
        path.write_text(yaml.safe_dump(config))
        storage = f"--storage.path={folder / 'alertmanager'}"
        super().__init__(folder, [f"--config.file={path}", storage, "--cluster.listen-address="])


class Prometheus(Program):
    """Scrapes twice a second, and judges by these rules."""

    name = "prometheus"

    def __init__(
        self, folder: Path, targets: Sequence[str], rules: Mapping[str, Any], alertmanager: Alertmanager
    ) -> None:
        (folder / "rules.yml").write_text(yaml.safe_dump(dict(rules)))
        config = {
            "global": {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "streamer", "static_configs": [{"targets": list(targets)}]}],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]
            },
        }
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        storage = f"--storage.tsdb.path={folder / 'prometheus'}"
        super().__init__(folder, [f"--config.file={path}", storage])
        self.started_at = time()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query now."""
        return self._ask("query", query=expression)

    def over_time(self, expression: str, seconds: float) -> list[dict[str, Any]]:
        """The series of a range query over the last `seconds`."""
        now = time()
        step = max(0.5, seconds / 5_000)
        return self._ask("query_range", query=expression, start=now - seconds, end=now, step=step)

    def _ask(self, what: str, **words: object) -> list[dict[str, Any]]:
        status, text = self.get(f"/api/v1/{what}?{urlencode(words)}")
        assert status == 200, f"{words}: {text}"
        result: list[dict[str, Any]] = json.loads(text)["data"]["result"]
        return result
