"""`streamer` beside what users would pick instead: same topic, broker, mapping; at-least-once everywhere.

    python -m benchmarks.compare --events 20000 --repeats 1 --only streamer,careful
    python -m benchmarks.compare --write            # a results file, docs/performance.md and its plot

The method is stated in docs/performance.md, which `--write` makes. A system that fails is told and left out.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
from confluent_kafka import Consumer, TopicPartition

from benchmarks import performance_page
from benchmarks.pipeline import fill
from benchmarks.processes import cpu_seconds, peak_mib
from benchmarks.rivals.mapping import Mapping as RecordMapping
from benchmarks.rivals.mapping import Unreadable
from benchmarks.rivals.told import Told
from streamer.standins.demo_pipeline import free_port
from streamer.standins.planhat.sandbox import DEFAULT_TENANT_TOKEN
from tests.real_kafka.cluster import RealKafka

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "compare.json"
RIVALS = ROOT / "benchmarks" / "rivals"
ENVIRONMENT = ROOT / ".cache" / "rivals" / "python"
PARTITIONS = 4
LONGEST_SECONDS = 1_800.0
LOOK_SECONDS = 0.1
FLOOR_RECORDS = 20_000


class System(NamedTuple):
    """How one is started."""

    module: str
    is_foreign: bool = False
    """Whether it runs in the rivals' own environment."""


SYSTEMS = {
    "streamer": System("streamer"),
    "careful": System("benchmarks.rivals.careful"),
    "aiokafka": System("benchmarks.rivals.aiokafka_loop", is_foreign=True),
    "quix": System("benchmarks.rivals.quix", is_foreign=True),
}


def rivals_python() -> str:
    """The interpreter of the rivals' environment, which is made on first use. Raises CalledProcessError."""
    python = ENVIRONMENT / "bin" / "python"
    wanted = (RIVALS / "requirements-python.txt").read_text()
    installed = ENVIRONMENT / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "-r", RIVALS / "requirements-python.txt"], check=True
        )
        installed.write_text(wanted)
    return str(python)


def command(system: System) -> list[str]:
    """Its command line."""
    python = rivals_python() if system.is_foreign else sys.executable
    return [python, "-m", system.module, *(["run"] if system.module == "streamer" else [])]


def variables(told: Told) -> dict[str, str]:
    """For `streamer` and rivals alike."""
    ours = {
        "KAFKA_BOOTSTRAP_SERVERS": told.bootstrap,
        "KAFKA_TOPIC": told.topic,
        "KAFKA_DEAD_LETTER_TOPIC": told.letters,
        "KAFKA_GROUP_ID": told.group,
        "START": "earliest",
        "PLANHAT_API_TOKEN": "token",
        "PLANHAT_TENANT_TOKEN": DEFAULT_TENANT_TOKEN,
        "PLANHAT_API_URL": told.url,
        "PLANHAT_ANALYTICS_URL": told.url,
        "PLANHAT_CALLS_PER_MINUTE": "100000",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(free_port()),
        "LOG_LEVEL": "warning",
    }
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "HOME": os.devnull}
    return environment | told.as_variables() | {f"STREAMER_{name}": value for name, value in ours.items()}


class Progress:
    """How far a group has committed, seen from outside."""

    def __init__(self, kafka: RealKafka, topic: str, group: str) -> None:
        self._ends = kafka.end_offsets(topic)
        self._asked = [TopicPartition(topic, each) for each in self._ends]
        self._consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})

    def is_done(self) -> bool:
        """Whether all that the topic holds is committed."""
        found = self._consumer.committed(self._asked, timeout=10)
        # Of a partition without events nothing is ever committed.
        return all(
            each.offset >= self._ends[each.partition] or not self._ends[each.partition] for each in found
        )

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def run_one(name: str, kafka: RealKafka, topic: str, letters: str, folder: Path) -> dict[str, float]:
    """One system on the whole backlog with a sink of its own; raises RuntimeError where it ends early."""
    group, port = f"{name}.{time.monotonic_ns()}", free_port()
    told = Told(kafka.bootstrap, topic, letters, group, f"http://127.0.0.1:{port}")
    log = folder / f"{group}.log"
    arguments = command(SYSTEMS[name])
    progress = Progress(kafka, topic, group)
    sink = subprocess.Popen([sys.executable, "-m", "benchmarks.sink", str(port)], cwd=ROOT)
    child = None
    try:
        counts(told.url)
        began = time.monotonic()
        with log.open("wb") as lines:
            child = subprocess.Popen(
                arguments, env=variables(told), cwd=folder, stdout=lines, stderr=lines, start_new_session=True
            )
        while not progress.is_done():
            if child.poll() is not None or time.monotonic() - began > LONGEST_SECONDS:
                raise RuntimeError(f"{name} did not finish: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - began
        found = {"seconds": seconds, "cpu_seconds": cpu_seconds(child.pid), "peak_mib": peak_mib(child.pid)}
        return found | counts(told.url) | {"sink_cpu_seconds": cpu_seconds(sink.pid)}
    finally:
        if child is not None:
            end(child)
        end(sink)
        progress.close()


def counts(url: str) -> dict[str, float]:
    """Requests and items that the sink has seen; waits until it serves."""
    client = httpx.Client(transport=httpx.HTTPTransport(retries=8))
    with client:
        return dict(client.get(f"{url}/counts").raise_for_status().json())


def end(child: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, and SIGKILL where that is no use."""
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def floor(kafka: RealKafka, topic: str, events: int) -> float:
    """CPU microseconds per event of decode + transform + encode alone, records being in memory already."""
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "floor", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    values: list[bytes | None] = []
    while len(values) < min(events, FLOOR_RECORDS):
        values += [message.value() for message in consumer.consume(500, 1.0)]
    consumer.close()
    mapping, best = RecordMapping(), float("inf")
    for _ in range(3):
        began = time.process_time()
        for value in values:
            try:
                mapping.items(value or b"null")
            except Unreadable:
                continue
        best = min(best, time.process_time() - began)
    return best / len(values) * 1e6


def summed_up(runs: Sequence[Mapping[str, float]], events: int) -> dict[str, float]:
    """Medians of one system's runs."""
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    net = middle["cpu_seconds"] - middle["start_cpu_seconds"]
    return {
        "start_cpu_seconds": middle["start_cpu_seconds"],
        "events_per_second": events / middle["seconds"],
        "cpu_seconds_per_million": net / events * 1e6,
        "sink_cpu_seconds_per_million": middle["sink_cpu_seconds"] / events * 1e6,
        "peak_mib": middle["peak_mib"],
        "requests": middle["requests"],
        "items": middle["items"],
        "events_per_request": events / middle["requests"] if middle["requests"] else 0.0,
    }


def measure(events: int, repeats: int, names: Sequence[str], folder: Path) -> dict[str, object]:
    """Everything, in rounds: one run of each system, then the next round."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    with RealKafka(folder) as kafka:
        topic = kafka.create_topic("bench.events", PARTITIONS)
        letters = kafka.create_topic("bench.dead-letters")
        size = fill(kafka.bootstrap, topic, events)
        single = kafka.create_topic("bench.single", PARTITIONS)
        fill(kafka.bootstrap, single, 1)
        floor_us = floor(kafka, topic, events)
        for _ in range(repeats):
            for name in names:
                if name in failed:
                    continue
                try:
                    start = run_one(name, kafka, single, letters, folder)["cpu_seconds"]
                    found = run_one(name, kafka, topic, letters, folder)
                    runs[name].append(found | {"start_cpu_seconds": start})
                except (OSError, RuntimeError, httpx.HTTPError, subprocess.SubprocessError) as error:
                    # One rival's fault must not cost the others their figures.
                    traceback.print_exception(error)
                    failed[name] = type(error).__name__
    return {
        "events": events,
        "event_bytes": size / events,
        "repeats": repeats,
        "cores": os.cpu_count(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "floor_us": floor_us,
        "failed": failed,
        "systems": {
            name: summed_up(found, events) for name, found in runs.items() if found and name not in failed
        },
    }


def main() -> int:
    """Measure, show, and write where asked; 1 where a system failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--only", default=",".join(SYSTEMS), help="systems, with commas between")
    parser.add_argument("--write", action="store_true", help="the results file, the page and its plot")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    if unknown := set(names) - set(SYSTEMS):
        parser.error(f"no such system: {', '.join(sorted(unknown))}; there are {', '.join(SYSTEMS)}")
    with tempfile.TemporaryDirectory() as directory:
        results = measure(arguments.events, arguments.repeats, names, Path(directory))
    sys.stdout.write(performance_page.table(results))
    if arguments.write:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        performance_page.write(ROOT, results)
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
