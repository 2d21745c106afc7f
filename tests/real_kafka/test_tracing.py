"""From a producer's span to ours: real records, a real Kafka, a real collector's protocol."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import Producer
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.kafka.topic_reader import Stretch, TopicReader
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN, DEFAULT_TENANT_TOKEN
from tests import program
from tests.real_kafka.member import Member, wait_until
from tests.real_kafka.pipeline import Pipeline
from tests.real_kafka.test_replay import Scene
from tests.tracing.collector import Collector, collecting, values_of

pytestmark = pytest.mark.real_kafka

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
MARKED: Final = "trait-to-be-seen-nowhere"
PERSON: Final = "person-7-to-be-seen-nowhere"
KEY: Final = "collector-key-to-be-seen-nowhere"


def _publish(pipeline: Pipeline) -> None:
    """Four calls of one person, in order, of which three were written within spans of their producer."""
    producer = Producer({"bootstrap.servers": pipeline.kafka.bootstrap})
    encode = Encoder(load_schemas()).encode
    calls: list[dict[str, object]] = [
        {
            "type": "group",
            "anonymousId": "a-1",
            "groupId": "acme",
            "traits": {"name": "Acme", "note": MARKED},
        },
        {"type": "identify", "userId": PERSON, "traits": {"email": f"{PERSON}@acme.example", "plan": MARKED}},
        {"type": "track", "userId": PERSON, "event": "Opened", "properties": {"note": MARKED}},
        {"type": "track", "userId": PERSON, "event": "Opened", "properties": {"note": MARKED}},
    ]
    for number, call in enumerate(calls):
        call["context"] = {"groupId": "acme"}
        parent = f"00-{TRACE}-{number + 1:016x}-01".encode()
        headers: list[tuple[str, str | bytes | None]] = [("traceparent", parent)] if number < 3 else []
        producer.produce(pipeline.topic, encode(call), PERSON, partition=0, headers=headers)
    assert producer.flush(20) == 0


def _letters_of_calls(pipeline: Pipeline) -> Scene:
    """Those calls, each set aside as it was read."""
    scene = Scene(pipeline)
    _publish(pipeline)
    with TopicReader(scene.bootstrap, pipeline.group, pipeline.topic) as reader:
        originals = [record for records in reader.read({0: Stretch(0, 4)}) for record in records]
    scene.dead_letter(originals)
    return scene


def _environment(pipeline: Pipeline, collector: Collector) -> dict[str, str]:
    return {
        **pipeline.settings("traced", tracing="otlp"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={KEY}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }


def _command(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        program.command(*words),
        env={**program.variables(), **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _producers(spans: list[Span], endpoint: str) -> list[int]:
    """The numbers of the producer's spans that deliveries there are linked to."""
    links = [
        link for span in spans if values_of(span)["streamer.endpoint"] == endpoint for link in span.links
    ]
    assert {link.trace_id.hex() for link in links} <= {TRACE}
    return sorted(int.from_bytes(link.span_id) for link in links)


def test_deliveries_are_linked_to_the_spans_of_producers(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """Each request to Planhat has a span, linked to whoever wrote its records; nobody stands in it."""
    with collecting() as collector:
        pipeline = piped(partitions=1, linger_seconds="0.02")
        environment = _environment(pipeline, collector)
        checked = _command(environment, "check")
        assert f"tracing    ok   spans go to {collector.url}\n" in checked.stdout, (
            checked.stdout + checked.stderr
        )
        member = Member("traced", environment, tmp_path / "traced.log")
        pipeline.members.append(member)
        member.wait_until_ready()
        _publish(pipeline)
        ends = pipeline.kafka.end_offsets(pipeline.topic)
        wait_until(lambda: pipeline.committed() == ends, 60, f"{ends} are committed")
        assert member.stop() == 0, member.tail()

    spans = collector.spans()
    assert _producers(spans, "companies") == [1]
    assert _producers(spans, "endusers") == [2]
    assert _producers(spans, "activities") == [3]
    assert sum(values_of(span)["streamer.operations.accepted"] for span in spans) == 4
    assert {values_of(span)["messaging.destination.name"] for span in spans} == {pipeline.topic}
    asked = [row for row in sandbox.requests() if row.method in {"PUT", "POST"} and row.items]
    assert len(spans) == len(asked)
    assert len(member.lines("batch_delivered")) == len(spans)
    assert member.lines("tracing_failed") == []

    assert {row.info["note"] for row in sandbox.activities()} == {MARKED}
    exported = b"".join(collector.bodies)
    for hidden in (MARKED, PERSON, DEFAULT_TENANT_TOKEN, DEFAULT_API_TOKEN, KEY):
        assert hidden.encode() not in exported
        assert hidden not in member.text()
        assert hidden not in checked.stdout + checked.stderr


def test_a_replay_is_linked_to_the_producers_of_its_letters(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess
) -> None:
    """Its spans say that the replay's own group read letters; the last of them are sent before it ends."""
    with collecting() as collector:
        pipeline = piped(partitions=1, linger_seconds="0.02")
        scene = _letters_of_calls(pipeline)
        environment = _environment(pipeline, collector)
        # None would go by itself while the replay runs: all are sent at its end.
        environment |= {
            "STREAMER_KAFKA_DEAD_LETTER_TOPIC": scene.letter_topic,
            "OTEL_BSP_SCHEDULE_DELAY": "60000",
        }
        replayed = _command(environment, "dead-letters", "replay", "--json", "--calls-per-minute", "6000")

    told = replayed.stdout + replayed.stderr
    assert replayed.returncode == 0, told
    assert json.loads(replayed.stdout)["delivered"] == 4
    spans = collector.spans()
    assert _producers(spans, "companies") == [1]
    assert _producers(spans, "endusers") == [2]
    assert _producers(spans, "activities") == [3]
    assert sum(values_of(span)["streamer.operations.accepted"] for span in spans) == 4
    assert {values_of(span)["messaging.destination.name"] for span in spans} == {scene.letter_topic}
    assert {values_of(span)["messaging.consumer.group.name"] for span in spans} == {
        f"{pipeline.group}.replay"
    }
    assert "tracing_failed" not in told
    assert {row.info["note"] for row in sandbox.activities()} == {MARKED}
    exported = b"".join(collector.bodies)
    for hidden in (MARKED, PERSON, DEFAULT_TENANT_TOKEN, DEFAULT_API_TOKEN, KEY):
        assert hidden.encode() not in exported
        assert hidden not in told


def test_a_collector_that_is_away_does_not_hold_a_replay_up(piped: Callable[..., Pipeline]) -> None:
    """Every letter goes, the account is whole, and the log says that spans are lost."""
    pipeline = piped(partitions=1, linger_seconds="0.02")
    scene = _letters_of_calls(pipeline)
    with collecting() as collector:
        collector.status = 503
        environment = _environment(pipeline, collector)
        environment |= {"STREAMER_KAFKA_DEAD_LETTER_TOPIC": scene.letter_topic}
        replayed = _command(environment, "dead-letters", "replay", "--json", "--calls-per-minute", "6000")

    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(replayed.stdout)["delivered"] == 4
    assert replayed.stderr.count("tracing_failed") == 1


def test_spans_that_are_not_taken_show_in_the_metrics(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """All that is delivered has a span, and each that the collector refuses is counted once."""
    with collecting() as collector:
        collector.status = 400
        pipeline = piped(partitions=1, linger_seconds="0.02")
        member = Member("traced", _environment(pipeline, collector), tmp_path / "traced.log")
        pipeline.members.append(member)
        member.wait_until_ready()
        _publish(pipeline)
        ends = pipeline.kafka.end_offsets(pipeline.topic)
        wait_until(lambda: pipeline.committed() == ends, 60, f"{ends} are committed")

        def dropped() -> float:
            return member.scrape().total("streamer_dropped_spans_total", reason="not_taken")

        requests = member.scrape().total("streamer_deliveries_total")
        wait_until(lambda: dropped() >= requests, 20, f"{requests} spans are told to be dropped")
        assert dropped() == requests
        assert member.scrape().total("streamer_dropped_spans_total") == requests
        assert member.stop() == 0, member.tail()

    assert len(list(sandbox.activities())) == 2
