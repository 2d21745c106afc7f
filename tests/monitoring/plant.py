"""A pipeline under watch: real Kafka, sandbox, `streamer run`, Prometheus by our rules, Alertmanager.

Time is divided by `FACTOR`, in the rules and in the settings that they speak of.
"""

import json
import re
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import Producer

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.standins.demo_pipeline import free_ports
from streamer.standins.planhat.child import SandboxProcess
from tests import program
from tests.monitoring.runbooks import commands, filled, placeholders
from tests.monitoring.scaling import scaled
from tests.monitoring.servers import Alertmanager, Prometheus, Receiver
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.member import Member, wait_until
from tests.real_kafka.pipeline import Pipeline
from tests.real_kafka.relay import Relay
from tools import alerts

FACTOR: Final = 60
USERS: Final = 40
PER_SECOND: Final = 40.0
COMMAND_SECONDS: Final = 60.0

SETTINGS: Final[Mapping[str, Any]] = {
    "hold_probe_seconds": "1",
    "gate_longest_seconds": "1",
    "throttled_longest_seconds": "2",
    "linger_seconds": "0.1",
    "log_level": "info",
    "planhat_calls_per_minute": "6000",
    "bulk_items": "20",
}


class Traffic(threading.Thread):
    """Events at a steady rate: every call, some of no account; every twentieth as `Plant` wishes it."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0})
        self._topic = topic
        self._encode = Encoder(load_schemas()).encode
        self._is_over = threading.Event()
        self.is_poisoned = False
        """Every twentieth event is an identify that Planhat refuses."""
        self.per_second = PER_SECOND

    def run(self) -> None:
        started, sent = monotonic(), 0.0
        for event in self._events():
            if self._is_over.wait(max(0.0, started + sent - monotonic())):
                break
            self._producer.produce(self._topic, self._encode(event), event["userId"].encode())
            self._producer.poll(0)
            sent += 1 / self.per_second
        self._producer.flush(5)

    def end(self) -> None:
        """Send nothing more."""
        self._is_over.set()
        self.join()

    def _events(self) -> Iterator[dict[str, Any]]:
        flow = uuid.uuid4().hex  # another feeder's events are no copies of these
        for number in count():
            user, place = f"u-{number % USERS}", number % 20
            named = {"messageId": f"{flow}-{number}"}
            common = {**named, "userId": user}
            if place == 0 and self.is_poisoned:
                yield identify(f"u-bad-{number}", plan="unknown to Planhat") | {
                    "messageId": common["messageId"]
                }
            elif place < 5:
                # Of endusers who are told of once: they are not told as one, and so need calls.
                yield identify(f"u-new-{number}", level=number) | named
            elif place < 10:
                yield {**common, "type": "page", "name": "Reports"}
            elif place == 10:
                yield {**common, "type": "alias", "previousId": "a-1"}
            else:
                yield {**common, "type": "track", "event": "Report Exported"}


def identify(user: str, **traits: object) -> dict[str, Any]:
    """An enduser of one of the companies there are."""
    email = {"email": f"{user}@acme.example"}
    return {"type": "identify", "userId": user, "traits": {**email, **traits}, "context": {"groupId": "acme"}}


class Plant:
    """Everything running, and the hands of whoever is called: `repair` does what a runbook says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self.token_file = folder / "api-token"
        self.new_token_file = folder / "new-api-token"

    def __enter__(self) -> Self:
        enter = self._stack.enter_context
        self.kafka = enter(RealKafka(self.folder / "kafka"))
        self.sandbox = enter(SandboxProcess({"calls_per_minute": 100_000, "calls_per_second": 0}))
        self.relay = enter(Relay(self.sandbox.url))
        self.token_file.write_text(self.sandbox.api_token)
        (self._port,) = free_ports(1)
        self.pipeline = enter(
            Pipeline(
                self.kafka, self.sandbox, self.folder, planhat=self.relay.url, http_port=str(self._port),
                **SETTINGS,
            )
        )  # fmt: skip
        self._changes: dict[str, str | None] = {
            "planhat_api_token": None, "planhat_api_token_file": str(self.token_file),
        }  # fmt: skip
        self.traffic = Traffic(self.kafka.bootstrap, self.pipeline.topic)
        self._stack.callback(self.traffic.end)
        self.member = self._start_member()
        self._store_company()
        self.traffic.start()
        # Last, and what is told before the first scrape is forgotten: starts, and Prometheus' finding of its
        # targets (up to 5 s), take as long as ever where time is divided, and are told as an outage.
        self.receiver = enter(Receiver())
        alertmanager = enter(Alertmanager(self.folder, self.receiver))
        rules = scaled(alerts.rules(), FACTOR)
        target = f"127.0.0.1:{self._port}"
        self.prometheus = enter(Prometheus(self.folder, [target], rules, alertmanager))
        wait_until(lambda: bool(self.prometheus.query("streamer_build_info")), 30, "the first scrape")
        settle(2.0)
        self.wait_until_quiet(30)
        self.receiver.told.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start_member(self) -> Member:
        return self.pipeline.member("watched", **self._changes).wait_until_ready()

    def _store_company(self) -> None:
        group = {"type": "group", "messageId": "m-g", "userId": "u-0", "groupId": "acme",
                 "traits": {"name": "Acme"}}  # fmt: skip
        file = self.folder / "company.json"
        file.write_text(json.dumps(group))
        self.run_streamer("publish", str(file))
        wait_until(lambda: any(self.sandbox.companies()), 30, "the company is there")

    # --- what alerts say -----------------------------------------------------------------------------

    def wait_until_firing(self, alert: str, seconds: float) -> float:
        """Wait until the receiver was told that it fires; how long that took."""
        began = monotonic()
        wait_until(lambda: alert in self.receiver.firing(), seconds, f"{alert} fires\n{self.member.tail()}")
        return monotonic() - began

    def wait_until_quiet(self, seconds: float) -> float:
        """Wait until nothing fires; how long that took."""
        began = monotonic()

        def is_quiet() -> bool:
            return not self.receiver.firing()

        wait_until(is_quiet, seconds, "nothing fires")
        assert not self.receiver.firing(), self.receiver.firing()
        return monotonic() - began

    # --- what a person does ----------------------------------------------------------------------------

    def restart(self) -> None:
        """What `kubectl rollout restart` comes to with one replica."""
        assert self.member.stop() == 0, self.member.tail()
        self.member = self._start_member()

    def run_streamer(self, *words: str) -> str:
        """Run a command of the program as whoever is called would; it must end well."""
        ended = subprocess.run(
            program.command(*words),
            env={**program.variables(), **self._environ()},
            capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def _environ(self) -> dict[str, str]:
        return self.pipeline.settings("person", **self._changes)

    def repair(self, alert: str, kind: str, mark: str, **values: str) -> str:
        """Do what the one command of the alert's page that holds `mark` says; returns the command.

        Where there is no cluster, `kubectl` is done by hand: each of its forms is told here and no other.
        """
        (command,) = (each for each in commands(alert, kind) if mark in each)
        given = {name: values.get(name, name.lower()) for name in placeholders(command)}
        done = filled(command, given)
        if done.startswith("streamer "):
            self.run_streamer(*done.split()[1:])
        elif found := re.search(r" set env deployment/streamer STREAMER_(\w+)=(\S+)$", done):
            self._changes[found[1].lower()] = found[2]
            self.restart()
        elif done.endswith(" rollout restart deployment/streamer"):
            self.restart()
        elif re.search(r" delete pod \S+$", done):
            self.kafka.start()  # whoever keeps the pod makes a new one of the same disk
        elif found := re.search(
            r" create secret generic streamer-planhat .*--from-file=api-token=(\S+) ", done
        ):
            self.token_file.write_text(Path(found[1]).read_text())
        else:
            raise AssertionError(f"nobody here can do: {done}")
        return command


def settle(seconds: float) -> None:
    """Let the plant run undisturbed: what is measured is what is *not* told meanwhile."""
    sleep(seconds)


def values_of(series: Sequence[Mapping[str, Any]]) -> list[float]:
    """Every sample of a range query's series."""
    return [float(value) for each in series for _, value in each["values"]]
