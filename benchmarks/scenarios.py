"""What is measured of one system: a backlog, half of its own load, the drain under the quota, one SIGKILL.

Each has a consumer group and a sink or sandbox of its own. All raise Unfinished where the system does not get
done; figures are of one run.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.figures import quantile
from benchmarks.pipeline import SEED
from benchmarks.processes import cpu_seconds
from benchmarks.rivals.told import API_TOKEN, TENANT_TOKEN, Told
from benchmarks.systems import Running, a_sink
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.kafka.publish import Publisher
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.cluster import RealKafka

Figures = dict[str, float]

PARTITIONS = 4
LONGEST_SECONDS = 1_800.0
TICK_SECONDS = 0.01
"""Records of so much time are produced at once."""
MOST_KILLED_EVENTS = 100_000
"""In a run that is killed: what comes again is what was on its way, however long the backlog."""
WARM_UP = 0.3
"""Of the time at half load: what is produced in it is not judged."""
UNMETERED = {"keep_activities": 0, "keep_requests": 0, "keep_ignored": 0, "duplicate_view": False}


class Place(NamedTuple):
    """Where systems run."""

    kafka: RealKafka
    letters: str
    folder: Path

    def told(self, name: str, topic: str, url: str) -> Told:
        """With a group of its own."""
        group = f"{name}.{time.monotonic_ns()}"
        return Told(self.kafka.bootstrap, topic, self.letters, group, url)


def backlog(name: str, place: Place, topic: str) -> Figures:
    """Everything that lies in the topic, with the counting sink."""
    with a_sink() as sink:
        with Running(name, place.told(name, topic, sink.url), place.folder) as system:
            done = system.wait(place.kafka, LONGEST_SECONDS)
            found = done._asdict() | system.used() | sink.ask("/counts")
        return found | {"sink_cpu_seconds": cpu_seconds(sink.pid)}


def half_load(name: str, place: Place, events_per_second: float, seconds: float) -> Figures:
    """Latency in seconds, from a record's timestamp to the sink, at a steady pace."""
    records = _records(int(events_per_second * seconds))
    topic = place.kafka.create_topic("bench.paced", PARTITIONS)
    with a_sink(notes_events=True) as sink:
        told = place.told(name, topic, sink.url)
        with Running(name, told, place.folder) as system:
            # One record first: what is measured is a system that runs.
            _produce(place, topic, records[:1])
            system.wait(place.kafka, LONGEST_SECONDS)
            produced = _pace(place, topic, records[1:], events_per_second)
            system.wait(place.kafka, LONGEST_SECONDS)
            came: dict[str, Any] = sink.ask("/events")
    began = min(produced.values()) + WARM_UP * seconds
    late = [
        came["came_at"][event] - at
        for event, at in produced.items()
        if at >= began and event in came["came_at"]
    ]
    return {"paced": events_per_second, "p50": quantile(late, 0.5), "p99": quantile(late, 0.99)}


def drain(name: str, place: Place, topic: str, calls_per_minute: int, longest_seconds: float) -> Figures:
    """The same backlog into the sandbox, whose quota is on."""
    switches = {**UNMETERED, "calls_per_minute": calls_per_minute}
    with SandboxProcess(switches, api_token=API_TOKEN, tenant_token=TENANT_TOKEN) as sandbox:
        told = place.told(name, topic, sandbox.url)
        with Running(name, told, place.folder, calls_per_minute) as system:
            seconds = system.wait(place.kafka, longest_seconds).seconds
        refused = sandbox.view()["requests"]["over_quota"]
    return {"drain_seconds": seconds, "refused": float(refused)}


def killed(name: str, place: Place, events: int) -> Figures:
    """Events that came again after one SIGKILL, struck as the bulk comes that makes half of the items."""
    topic = place.kafka.create_topic("bench.killed", PARTITIONS)
    _produce(place, topic, _records(min(events, MOST_KILLED_EVENTS)))
    items = _items(name, place, topic)
    with (
        a_sink(notes_events=True) as sink,
        Running(name, place.told(name, topic, sink.url), place.folder) as system,
    ):
        sink.ask(f"/until?items={items // 2}")
        system.kill()
        system.start()
        restart_seconds = system.wait(place.kafka, LONGEST_SECONDS).seconds
        again: dict[str, Any] = sink.ask("/events")
    return {
        "again": sum(again["again"].values()),
        "activities_again": again["again"].get("activities", 0),
        "restart_seconds": restart_seconds,
    }


def _items(name: str, place: Place, topic: str) -> int:
    """How many items the backlog comes to, undisturbed."""
    return int(backlog(name, place, topic)["items"])


class _Record(NamedTuple):
    event: str
    """Its key; empty where nobody will tell of it."""
    key: bytes | None
    value: bytes | None


def _records(events: int) -> list[_Record]:
    """Made events without copies: nothing then comes twice but by the system's doing."""
    encode = Encoder(load_schemas()).encode
    made = (each for each in Generator(SEED, events) if not each.expectation.is_copy)
    return [_Record(each.expectation.event_key, each.key, each.value_bytes(encode)) for each in made]


def _produce(place: Place, topic: str, records: Sequence[_Record]) -> None:
    _pace(place, topic, records, float("inf"))


def _pace(place: Place, topic: str, records: Sequence[_Record], events_per_second: float) -> dict[str, float]:
    """Produce them; returns when each event was, in seconds since 1970, which its timestamp says too."""
    publisher = Publisher(place.kafka.bootstrap, topic)
    produced: dict[str, float] = {}
    began = time.time()
    for number, record in enumerate(records):
        due = began + number / events_per_second
        now = time.time()
        if due > now + TICK_SECONDS:
            time.sleep(due - now)
            now = time.time()
        publisher.publish(record.key, record.value, timestamp_ms=int(now * 1000))
        if record.event:
            produced[record.event] = now
    if publisher.flush(120) or publisher.failed:
        raise SystemExit("the broker did not take every event")
    return produced
