"""The pipeline process alone, on a backlog: events/s, CPU seconds per million events, peak memory.

A real Apache Kafka holds the events before the pipeline starts; the sandbox answers without a quota, so
that CPU and not Planhat's budget is measured. Figures of the pipeline are its own process's, read from
the kernel; broker, sandbox and producer are other processes.

    python -m benchmarks.pipeline --events 200000
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.kafka.publish import Publisher
from streamer.standins.demo_metrics import Probe
from streamer.standins.demo_pipeline import Pipeline, free_port
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.cluster import RealKafka

TICKS = os.sysconf("SC_CLK_TCK")
SEED = 7


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(pid: int) -> float:
    """The most memory it ever held."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def fill(bootstrap: str, topic: str, events: int) -> int:
    """Produce the generator's events as Avro; returns their bytes."""
    encode = Encoder(load_schemas()).encode
    publisher = Publisher(bootstrap, topic)
    size = 0
    for made in Generator(SEED, events):
        value = made.value_bytes(encode)
        size += len(value or b"")
        publisher.publish(made.key, value)
    if publisher.flush(60) or publisher.failed:
        raise SystemExit("the broker did not take every event")
    return size


def settings(kafka: RealKafka, topic: str, sandbox: SandboxProcess, port: int) -> dict[str, str]:
    """What `streamer run` is told."""
    return {
        "STREAMER_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "STREAMER_KAFKA_TOPIC": topic,
        "STREAMER_START": "earliest",
        "STREAMER_PLANHAT_API_TOKEN": sandbox.api_token,
        "STREAMER_PLANHAT_TENANT_TOKEN": sandbox.tenant_token,
        "STREAMER_PLANHAT_API_URL": sandbox.url,
        "STREAMER_PLANHAT_ANALYTICS_URL": sandbox.url,
        "STREAMER_PLANHAT_CALLS_PER_MINUTE": "100000",
        "STREAMER_HTTP_HOST": "127.0.0.1",
        "STREAMER_HTTP_PORT": str(port),
        "STREAMER_LOG_LEVEL": "warning",
    }


def measure(events: int, directory: Path) -> None:
    """One run, and its figures."""
    port = free_port()
    unmetered = {"calls_per_minute": 0, "calls_per_second": 0, "keep_activities": 0}
    with RealKafka(directory) as kafka, SandboxProcess(unmetered) as sandbox:
        topic = kafka.create_topic("bench.events", partitions=4)
        letters = kafka.create_topic("bench.dead-letters")
        size = fill(kafka.bootstrap, topic, events)
        environment = settings(kafka, topic, sandbox, port) | {"STREAMER_KAFKA_DEAD_LETTER_TOPIC": letters}
        with Pipeline(environment, directory / "streamer.log") as pipeline:
            probe, settled, began = Probe(port), 0.0, 0.0
            idle_cpu = 0.0
            while settled < events:
                time.sleep(0.2)
                pipeline.check()
                scrape = probe.scrape()
                if scrape is None:
                    continue
                settled = scrape.total("streamer_events_total")
                if not began and scrape.total("streamer_polled_records_total"):
                    began, idle_cpu = time.monotonic(), cpu_seconds(pipeline.pid)
            seconds = time.monotonic() - began
            cpu = cpu_seconds(pipeline.pid) - idle_cpu
            memory = peak_mib(pipeline.pid)
            requests = scrape.total("streamer_deliveries_total") if scrape else 0
            pipeline.stop()
        sys.stdout.write(
            f"events                  {events:,} ({size / events:.0f} bytes each)\n"
            f"events/s                {events / seconds:,.0f}\n"
            f"CPU s / million events  {cpu / events * 1e6:.1f}\n"
            f"CPU share               {cpu / seconds:.2f} of a core\n"
            f"peak memory             {memory:.0f} MiB\n"
            f"events per request      {events / requests:.0f}\n"
        )


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        measure(arguments.events, Path(directory))


if __name__ == "__main__":
    main()
