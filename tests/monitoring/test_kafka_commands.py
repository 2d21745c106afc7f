"""The runbooks' commands to Kafka, run by Kafka's own tools: each is understood, and ends well."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined] # not in its __all__

from tests.monitoring.runbooks import commands, filled, pages
from tests.real_kafka.cluster import RealKafka, fetch_jars, kafka_tool

LINES = sorted({
    line
    for page in pages()
    for kind in ("look", "repair", "verify")
    for line in commands(page.stem, kind)
    if line.startswith("kafka-")
})  # fmt: skip


OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
MADE = re.findall(r"^ *(kafka-topics\.sh .*)$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
"""How topics are made before the first start."""


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


@pytest.mark.real_kafka
@pytest.mark.parametrize("line", MADE)
def test_topics_are_made_as_operations_say(line: str, words: dict[str, str], real_kafka: RealKafka) -> None:
    """Both topics come with the partitions and the retention that the page names."""
    topic = re.search(r"--topic (\S+) --partitions 6 --config retention\.ms=(\d+)", line)
    assert topic is not None
    mine = topic[1].replace("segment.events", f"{words['TOPIC']}.made")
    script, *options = shlex.split(filled(line.replace(topic[1], mine), words))
    subprocess.run([*kafka_tool(fetch_jars(), script), *options], capture_output=True, timeout=60, check=True)
    asked = ConfigResource(ConfigResource.Type.TOPIC, mine)
    admin = real_kafka.admin()
    told = admin.describe_configs([asked])[asked].result(30)

    assert len(admin.list_topics(mine, timeout=30).topics[mine].partitions) == 6
    assert told["retention.ms"].value == topic[2]


def test_operations_make_both_topics() -> None:
    """The page has the commands that the test above runs."""
    assert [re.findall(r"--topic (\S+)", line) for line in MADE] == [
        ["segment.events"],
        ["segment.events.dead-letters"],
    ]
