"""The embedded broker: a child that serves Kafka's protocol and leaves no orphan."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from streamer.standins.broker import CLIENT_PROPERTIES, PARTITIONS, EmbeddedBroker


def _is_running(pid: int) -> bool:
    try:
        # A zombie has ended; only its parent has not looked yet.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_until_ended(pid: int) -> None:
    deadline = time.monotonic() + 10
    while _is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.02)


def test_what_is_produced_can_be_consumed() -> None:
    """Other processes reach it at its address, over a topic made on request."""
    with EmbeddedBroker() as broker:
        assert broker.create_topic("events") == PARTITIONS
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        producer.produce("events", b"hello", partition=1)
        assert producer.flush(10) == 0
        consumer = Consumer(
            {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", **CLIENT_PROPERTIES}
        )
        consumer.assign([KafkaPartition("events", 1, 0)])
        found = consumer.poll(10)
        consumer.close()
        assert found is not None
        assert found.value() == b"hello"


def test_it_ends_with_its_block() -> None:
    """Leaving the block ends the child."""
    with EmbeddedBroker() as broker:
        pid = broker.pid
        assert pid is not None
        assert _is_running(pid)
    _wait_until_ended(pid)


def test_it_ends_when_its_parent_is_killed() -> None:
    """Even a SIGKILL of the parent leaves no broker behind."""
    code = (
        "import time\nfrom streamer.standins.broker import EmbeddedBroker\n"
        "with EmbeddedBroker() as broker:\n    print(broker.pid, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _is_running(pid)
        os.kill(parent.pid, signal.SIGKILL)
    _wait_until_ended(pid)
