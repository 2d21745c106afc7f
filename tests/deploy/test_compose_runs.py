"""The compose file without containers: each service's own command, environment and configuration, run here.

Host names become loopback and ports free ones; nothing else is changed. Not here: Grafana, for which no
program can be had, and the images themselves.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from streamer.standins.demo_metrics import Scrape
from streamer.standins.demo_pipeline import free_ports
from streamer.standins.planhat.client import SandboxClient
from tests.deploy.apicurio import apicurio
from tests.deploy.shipped import ROOT, compose
from tests.monitoring.programs import program
from tests.real_kafka.cluster import RealKafka, fetch_jars, kafka_tool
from tests.real_kafka.member import wait_until

pytestmark = pytest.mark.real_kafka

SECONDS = 60.0


class Stage:
    """Services of the compose file as processes, in one network of loopback addresses."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.services: dict[str, Any] = compose()["services"]
        outside, sandbox, streamer, prometheus, alertmanager = free_ports(5)
        self.kafka = RealKafka(folder / "kafka")
        self.places = {
            "kafka:19092": self.kafka.bootstrap, "sandbox:8080": f"127.0.0.1:{sandbox}",
            "streamer:8000": f"127.0.0.1:{streamer}", "prometheus:9090": f"127.0.0.1:{prometheus}",
            "alertmanager:9093": f"127.0.0.1:{alertmanager}", "localhost:9092": f"127.0.0.1:{outside}",
        }  # fmt: skip
        self._paths = {"/sample/": f"{ROOT}/compose/sample/"}
        self._shims()

    def _shims(self) -> None:
        """Kafka's scripts, as the image has them under /opt/kafka/bin."""
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for name in ("kafka-topics.sh", "kafka-broker-api-versions.sh"):
            script = self.bin / name
            script.write_text(f'#!/bin/sh\nexec {shlex.join(kafka_tool(fetch_jars(), name))} "$@"\n')
            script.chmod(0o755)
        self._paths["/opt/kafka/bin"] = str(self.bin)

    def mapped(self, text: str) -> str:
        """Text of the compose file with this stage's addresses and paths; `$$` is compose's `$`."""
        for name, place in {**self.places, **self._paths}.items():
            text = text.replace(name, place)
        return text.replace("$$", "$")

    def environ(self, service: str) -> dict[str, str]:
        """The service's variables, and nothing of ours."""
        given = self.services[service].get("environment", {})
        path = f"{Path(sys.executable).parent}:{os.defpath}"
        return {"PATH": path, "PYTHONUTF8": "1"} | {name: self.mapped(text) for name, text in given.items()}

    def command(self, service: str) -> list[str]:
        """Its entry point and command; the image's own entry point is `streamer`, its command `run`."""
        described = self.services[service]
        entry = described.get("entrypoint", ["streamer"])
        command = described.get("command", [] if "entrypoint" in described else ["run"])
        return [self.mapped(word) for word in [*entry, *command]]

    def run(self, service: str) -> str:
        """A one-shot, to its end."""
        ended = subprocess.run(
            self.command(service), env=self.environ(service), cwd=self.folder, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def start(self, service: str, *changes: str, **environ: str) -> "subprocess.Popen[bytes]":
        """A service, until the end of the test; `changes` are words that replace those before their `=`."""
        words = self.command(service)
        for change in changes:
            option = change.partition("=")[0]
            words = [change if word.startswith(f"{option}=") else word for word in words]
        with (self.folder / f"{service}.log").open("wb") as log:
            child = subprocess.Popen(
                words, env=self.environ(service) | environ, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._stack.callback(_end, child)
        return child

    def is_healthy(self, service: str, port: str) -> bool:
        """Whether the service's own health check says so, told of its port here."""
        test = self.services[service]["healthcheck"]["test"]
        assert test[0] == "CMD"
        inside = {"kafka": "19092", "registry": "8080", "sandbox": "8080"}[service]
        words = [self.mapped(word) for word in test[1:]]
        words = [word.replace(f"127.0.0.1/{inside}", f"127.0.0.1/{port}") for word in words]
        words = [word.replace(f"'127.0.0.1', {inside}", f"'127.0.0.1', {port}") for word in words]
        path = f"{Path(sys.executable).parent}:{os.defpath}"
        return (
            subprocess.run(words, env={"PATH": path}, capture_output=True, timeout=30, check=False).returncode
            == 0
        )

    def log(self, service: str) -> str:
        """What a service wrote."""
        return (self.folder / f"{service}.log").read_text(errors="replace")[-3000:]


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def broker_properties(environment: Mapping[str, str]) -> dict[str, str]:
    """What the image apache/kafka makes of its variables: KAFKA_A_B is the property a.b."""
    marks = {"___": "-", "__": "_", "_": "."}
    return {
        re.sub("_{1,3}", lambda found: marks[found[0]], name.removeprefix("KAFKA_").lower()): text
        for name, text in environment.items()
    }


@contextmanager
def _kafka(stage: Stage) -> Iterator[None]:
    """The broker, with the compose file's properties on this stage's ports."""
    kafka = stage.kafka
    bound = {
        ":19092": kafka._port,
        ":9092": stage.places["localhost:9092"].rpartition(":")[2],
        ":9093": kafka._controller_port,
    }
    properties = broker_properties(stage.services["kafka"]["environment"])
    for name in ("listeners", "controller.quorum.voters", "advertised.listeners"):
        text = stage.mapped(properties[name]).replace("kafka:9093", "127.0.0.1:9093")
        for port, free in bound.items():
            text = re.sub(rf"{port}\b", f":{free}", text)
        properties[name] = text.replace("//:", "//127.0.0.1:")
    kafka._settings = properties
    with kafka:
        yield


def _scrape(url: str) -> Scrape:
    with urlopen(url, timeout=10) as reply:
        return Scrape(reply.read().decode())


def _get(url: str) -> Any:
    with urlopen(url, timeout=10) as reply:
        return json.load(reply)


def _started(folder: Path, stack: ExitStack) -> Stage:
    """Every service that the pipeline needs, in the order of the file."""
    stage = Stage(folder, stack)
    stack.enter_context(_kafka(stage))
    assert stage.is_healthy("kafka", stage.kafka.bootstrap.rpartition(":")[2])
    assert stage.run("topics").count("Created topic") == 2
    version = stage.services["registry"]["image"].rpartition(":")[2]
    registry = stack.enter_context(apicurio(version, folder / "registry.log"))
    stage.places["registry:8080"] = f"127.0.0.1:{registry}"
    assert stage.is_healthy("registry", str(registry))
    assert "track: registered as segment.Track, version 1" in stage.run("schemas")
    port = stage.places["sandbox:8080"].rpartition(":")[2]
    stage.start("sandbox", "--host=127.0.0.1", f"--port={port}")
    wait_until(lambda: stage.is_healthy("sandbox", port), SECONDS, f"the sandbox is well\n{folder}")
    return stage


def _prometheus(stage: Stage) -> list[str]:
    """Prometheus on the compose file's configuration; its rules lie where the file mounts them."""
    folder = stage.folder / "etc-prometheus"
    folder.mkdir()
    text = (ROOT / "compose" / "prometheus.yml").read_text()
    (folder / "prometheus.yml").write_text(stage.mapped(text))
    (mount,) = (each for each in stage.services["prometheus"]["volumes"] if "alerts" in each)
    source, target, _ = mount.split(":")
    assert target == "/etc/prometheus/alerts"
    (folder / "alerts").symlink_to(ROOT / source)
    checked = subprocess.run(
        [str(program("promtool")), "check", "config", str(folder / "prometheus.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return [
        str(program("prometheus")), f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={stage.folder / 'tsdb'}",
        f"--web.listen-address={stage.places['prometheus:9090']}",
    ]  # fmt: skip


def test_every_service_runs_as_the_file_says(tmp_path: Path) -> None:
    """Events go from the producer into the sandbox, by both framings, and Prometheus watches."""
    with ExitStack() as stack:
        stage = _started(tmp_path, stack)
        port = stage.places["streamer:8000"].rpartition(":")[2]
        streamer = stage.start("streamer", STREAMER_HTTP_PORT=port, STREAMER_HTTP_HOST="127.0.0.1")
        stage.start("producer")
        sandbox = SandboxClient(f"http://{stage.places['sandbox:8080']}")
        metrics = f"http://{stage.places['streamer:8000']}/metrics"

        def is_settled() -> bool:
            assert streamer.poll() is None, stage.log("streamer")
            try:
                scrape = _scrape(metrics)
            except OSError:
                return False
            return scrape.total("streamer_events_total") >= 220

        said = f"a round of events is settled\n{stage.log('producer')}\n{stage.log('streamer')}"
        wait_until(is_settled, SECONDS, said)
        view = sandbox.view()
        assert all(view[model]["stored"] for model in ("companies", "endusers", "activities"))
        assert "\n20 events published" in stage.log("producer"), "those by the registry's framing"
        reasons = _scrape(metrics).by("streamer_dead_letters_total", "reason")
        assert reasons.keys() <= {"event_not_defined"}, "the registry's framing is read"

        with (tmp_path / "prometheus.log").open("wb") as log:
            child = subprocess.Popen(_prometheus(stage), stdout=log, stderr=log, start_new_session=True)
        stack.callback(_end, child)
        _watch(stage)


def _watch(stage: Stage) -> None:
    """Alertmanager takes the file's configuration and an alert; Prometheus scrapes, judges and knows it."""
    config = ROOT / "compose" / "alertmanager.yml"
    place = stage.places["alertmanager:9093"]
    words = [
        word for word in stage.services["alertmanager"]["command"] if not word.startswith("--config.file")
    ]
    with (stage.folder / "alertmanager.log").open("wb") as log:
        child = subprocess.Popen(
            [str(program("alertmanager")), f"--config.file={config}", *words,
             f"--storage.path={stage.folder / 'alerts'}", f"--web.listen-address={place}"],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    stage._stack.callback(_end, child)
    prometheus = f"http://{stage.places['prometheus:9090']}/api/v1"

    def is_watched() -> bool:
        try:
            up = _get(f"{prometheus}/query?query=streamer_group_member")["data"]["result"]
            known = _get(f"{prometheus}/alertmanagers")["data"]["activeAlertmanagers"]
            return bool(up) and up[0]["value"][1] == "1" and len(known) == 1 and _posted(place)
        except OSError:
            return False

    wait_until(is_watched, SECONDS, f"Prometheus scrapes streamer\n{stage.log('alertmanager')}")
    groups = _get(f"{prometheus}/rules")["data"]["groups"]
    assert {group["name"] for group in groups} == {"streamer", "streamer-recorded"}
    assert all(rule["health"] != "err" for group in groups for rule in group["rules"])
    (alert,) = _get(f"http://{place}/api/v2/alerts")
    assert [receiver["name"] for receiver in alert["receivers"]] == ["on-call"]


def _posted(place: str) -> bool:
    sent = json.dumps([{"labels": {"alertname": "Test", "severity": "page"}}]).encode()
    request = Request(
        f"http://{place}/api/v2/alerts", data=sent, headers={"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=10) as reply:
        return bool(reply.status == 200)


def test_variables_become_properties_as_the_image_makes_them() -> None:
    """One underscore is a dot, two are one, three a dash."""
    assert broker_properties({"KAFKA_LOG_DIRS": "a", "KAFKA_A__B_C": "b", "KAFKA_A___B": "c"}) == {
        "log.dirs": "a", "a_b.c": "b", "a-b": "c",
    }  # fmt: skip
