"""The runbooks' commands to Kafka, run by Kafka's own tools: each is understood, and ends well."""

import shlex
import subprocess

import pytest
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place

from tests.monitoring.runbooks import commands, filled, pages
from tests.real_kafka.cluster import RealKafka, fetch_jars, kafka_tool

LINES = sorted({
    line
    for page in pages()
    for kind in ("look", "repair", "verify")
    for line in commands(page.stem, kind)
    if line.startswith("kafka-")
})  # fmt: skip


@pytest.fixture(scope="module")
def words(real_kafka: RealKafka) -> dict[str, str]:
    """What a reader puts in: topics that are there, and a group that committed."""
    topic = real_kafka.create_topic("events")
    real_kafka.create_topic_named(f"{topic}.dead-letters")
    group = f"group.{topic}"
    consumer = Consumer({"bootstrap.servers": real_kafka.bootstrap, "group.id": group})
    consumer.commit(offsets=[Place(topic, 0, 0)], asynchronous=False)
    consumer.close()
    return {"BROKERS": real_kafka.bootstrap, "TOPIC": topic, "GROUP": group}


@pytest.mark.real_kafka
@pytest.mark.parametrize("line", LINES)
def test_kafka_understands_what_a_runbook_says(line: str, words: dict[str, str]) -> None:
    """Script, options and names of properties are those of the Kafka that tests run."""
    script, *options = shlex.split(filled(line, words))
    ended = subprocess.run(
        [*kafka_tool(fetch_jars(), script), *options], capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Error" not in ended.stdout + ended.stderr
