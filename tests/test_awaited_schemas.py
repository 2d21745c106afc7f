"""A registry that gives no schema is told: in the log, in a gauge, and in what `run` itself says."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from streamer.app.awaited_schemas import AwaitedSchemas
from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.registry import Registry
from streamer.avro.registry_client import RegistryClient
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import AwaitingSchema
from streamer.kafka.publish import Publisher
from streamer.logs import configure_logs
from streamer.logs.quiet import QUIET_SECONDS
from streamer.standins.broker import CLIENT_PROPERTIES, EmbeddedBroker
from streamer.standins.demo_metrics import Scrape
from streamer.standins.planhat.child import SandboxProcess
from tests.avro.events import INVOICE_PAID
from tests.avro.registry_server import RegistryServer, Reply, running_registry

SCHEMAS = load_schemas()
LONG_SECONDS = 30


class Watched:
    """A registry's server, a decoder that asks it, and what is told of it."""

    def __init__(self, server: RegistryServer, stream: io.StringIO) -> None:
        self.server = server
        self.now = 1000.0
        self.decoder = Decoder(SCHEMAS, registry=Registry(RegistryClient(server.url), lambda: self.now))
        self.awaited = AwaitedSchemas(self.decoder, lambda: self.now)
        self._stream = stream

    def decode(self, schema_id: int) -> object:
        """One record of this schema, or what is said instead."""
        return self.decoder.decode(Encoder(SCHEMAS).encode(INVOICE_PAID, f"confluent:{schema_id}"))

    def until(self, is_over: Callable[[], bool]) -> None:
        """Look as the owner thread does, each time a little later, until this holds."""

        def looked() -> bool:
            self.awaited.look()
            return is_over()

        _until(looked)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log."""
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


def _until(is_over: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_SECONDS
    while not is_over():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(name="watched")
def _watched(logging_restored: None) -> Iterator[Watched]:
    stream = io.StringIO()
    configure_logs(log_format="json", stream=stream)
    with running_registry() as server:
        watched = Watched(server, stream)
        yield watched
        watched.decoder.close()


@pytest.mark.parametrize(
    ("status", "body", "reason", "advice"),
    [
        (500, b"", "server_error", "the registry's own log"),
        (401, b"", "credentials", "STREAMER_SCHEMA_REGISTRY_PASSWORD"),
        (404, b"<html>", "not_a_registry", "STREAMER_SCHEMA_REGISTRY_URL"),
        (404, b'{"error_code": 40403}', "absent", "register it"),
    ],
)
def test_a_registry_that_does_not_help_is_told_with_what_to_do(
    watched: Watched, status: int, body: bytes, reason: str, advice: str
) -> None:
    """One line and the gauge say why records wait; another line and the gauge say when they no longer do."""
    track = SCHEMAS.by_name("track")
    assert track is not None
    number = watched.server.register("events", json.loads(track.source.read_text()))
    watched.server.instead = Reply(status, body)
    assert isinstance(watched.decode(number), AwaitingSchema)
    watched.until(lambda: bool(watched.awaited.by_reason))
    assert watched.awaited.by_reason == {reason: 1}
    (line,) = watched.lines
    assert (line["event"], line["level"]) == ("schema_awaited", "warning")
    assert (line["schema_id"], line["reason"], line["schemas"]) == (number, reason, 1)
    assert advice in line["next"]

    watched.now += QUIET_SECONDS
    watched.decode(number)
    watched.until(lambda: len(watched.lines) == 2)
    assert watched.lines[1]["seconds"] == QUIET_SECONDS

    watched.server.instead = None
    watched.now += 60
    assert isinstance(watched.decode(number), AwaitingSchema)
    watched.until(lambda: watched.decoder.knows_schema(number))
    watched.awaited.look()
    assert watched.awaited.by_reason == {}
    assert (watched.lines[-1]["event"], watched.lines[-1]["schema_id"]) == ("schema_arrived", number)


def test_many_schemas_in_one_trouble_make_one_line(watched: Watched) -> None:
    """Hostile bytes can name thousands of ids: a line counts them, and names the one awaited longest."""
    watched.server.instead = Reply(503, b"")
    watched.decode(1)
    watched.until(lambda: len(watched.lines) == 1)
    watched.now += QUIET_SECONDS - 1
    for schema_id in range(1, 21):
        watched.decode(schema_id)
    watched.until(lambda: watched.awaited.by_reason.get("server_error") == 20)
    watched.now += 1
    watched.awaited.look()

    _, line = watched.lines
    assert (line["schema_id"], line["schemas"], line["seconds"]) == (1, 20, QUIET_SECONDS)


def test_what_nobody_waits_for_any_more_did_not_arrive(watched: Watched) -> None:
    """A partition that went elsewhere takes its schema off the gauge, and no line claims that it came."""
    watched.server.instead = Reply(503, b"")
    watched.decode(1)
    watched.until(lambda: len(watched.lines) == 1)
    watched.now += 60
    watched.awaited.look()

    assert watched.awaited.by_reason == {}
    assert len(watched.lines) == 1


@pytest.fixture(name="ends", scope="module")
def _ends() -> Iterator[tuple[EmbeddedBroker, SandboxProcess]]:
    """Both ends of the way, as stand-ins."""
    with EmbeddedBroker() as broker, SandboxProcess() as sandbox:
        for topic in ("segment.events", "segment.events.dead-letters"):
            broker.create_topic(topic)
        yield broker, sandbox


def test_run_tells_of_its_registry(ends: tuple[EmbeddedBroker, SandboxProcess], tmp_path: Path) -> None:
    """`run` says in its log and metrics that a schema is awaited, waits, and delivers when it is there."""
    broker, sandbox = ends
    track = SCHEMAS.by_name("track")
    assert track is not None
    with running_registry() as server, (tmp_path / "log").open("wb") as log:
        number = server.register("events", json.loads(track.source.read_text()))
        server.instead = Reply(500, b"")
        publisher = Publisher(broker.bootstrap_servers, "segment.events")
        publisher.publish(None, Encoder(SCHEMAS).encode(INVOICE_PAID, f"confluent:{number}"))
        assert publisher.flush(LONG_SECONDS) == 0
        properties = "\n".join(f"{name}={value}" for name, value in CLIENT_PROPERTIES.items())
        environment = {
            "PATH": os.defpath,
            "STREAMER_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "STREAMER_KAFKA_PROPERTIES": properties,
            "STREAMER_START": "earliest",
            "STREAMER_SCHEMA_REGISTRY_URL": server.url,
            "STREAMER_PLANHAT_API_TOKEN": sandbox.api_token,
            "STREAMER_PLANHAT_TENANT_TOKEN": sandbox.tenant_token,
            "STREAMER_PLANHAT_API_URL": sandbox.url,
            "STREAMER_PLANHAT_ANALYTICS_URL": sandbox.url,
            "STREAMER_HTTP_HOST": "127.0.0.1",
            "STREAMER_HTTP_PORT": "0",
            "STREAMER_LOG_FORMAT": "json",
        }
        words = [sys.executable, "-m", "streamer", "run"]
        running = subprocess.Popen(words, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:

            def told(event: str) -> list[dict[str, Any]]:
                lines = map(json.loads, (tmp_path / "log").read_text().splitlines())
                return [line for line in lines if line["event"] == event]

            def scraped() -> Scrape:
                with urlopen(f"http://127.0.0.1:{told('serving')[0]['port']}/metrics", timeout=10) as page:
                    return Scrape(page.read().decode())

            _until(lambda: bool(told("schema_awaited")))
            (awaited, *_) = told("schema_awaited")
            assert (awaited["schema_id"], awaited["reason"]) == (number, "server_error")
            assert scraped().by("streamer_awaited_schemas", "reason") == {"server_error": 1}
            assert scraped().total("streamer_events_total") == 0

            server.instead = None
            _until(lambda: bool(told("schema_arrived")))
            _until(lambda: scraped().total("streamer_events_total", outcome="delivered") == 1)
            assert scraped().by("streamer_awaited_schemas", "reason") == {}
        finally:
            running.terminate()
            assert running.wait(LONG_SECONDS) == 0
