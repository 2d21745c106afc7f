"""Taking over at a time, as docs/coming-from-segment.md has it: nothing before T, everything from then on."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.request import Request, urlopen

import pytest
from confluent_kafka import Producer

from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import Pipeline

pytestmark = pytest.mark.real_kafka

SECONDS: Final = 60.0
T_MS: Final = int(time.time()) * 1000 - 3_600_000
"""An hour ago: older records could be past the topic's retention."""
COMPANY: Final = "acme"
MINUTE_MS: Final = 60_000


def _produce(pipeline: Pipeline, minutes: Mapping[int, list[int]], prefix: str) -> set[str]:
    """One track call for each minute from T, dated by it in Kafka, by partition; returns their names.

    The events' own timestamps are all the same: they are of no account.
    """
    producer = Producer({"bootstrap.servers": pipeline.kafka.bootstrap})
    names = set()
    for partition, wanted in minutes.items():
        for minute in wanted:
            name = f"{prefix} {partition} {minute}"
            names.add(name)
            event = {
                "type": "track",
                "event": name,
                "messageId": name,
                "userId": f"u-{partition}",
                "timestamp": "2026-01-01T00:00:00Z",
                "context": {"groupId": COMPANY},
            }
            at = T_MS + minute * MINUTE_MS
            producer.produce(pipeline.topic, json.dumps(event), partition=partition, timestamp=at)
    assert producer.flush(30) == 0
    return names


def _add_company(sandbox: SandboxProcess) -> None:
    """With a company there, Planhat makes an enduser of whoever an activity names."""
    request = Request(
        f"{sandbox.url}/companies",
        json.dumps([{"externalId": COMPANY, "name": "Acme"}]).encode(),
        {"Authorization": f"Bearer {sandbox.api_token}", "Content-Type": "application/json"},
        method="PUT",
    )
    with urlopen(request, timeout=10) as reply:
        assert reply.status == 200


def _delivered(sandbox: SandboxProcess) -> list[str]:
    return sorted(row.action for row in sandbox.activities())


def _ends(pipeline: Pipeline) -> dict[int, int]:
    return pipeline.kafka.end_offsets(pipeline.topic)


def test_records_from_a_time_on_are_delivered_and_none_before(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess
) -> None:
    """From T on, each once, on every partition, whatever is in it; and a restart never resolves T again."""
    _add_company(sandbox)
    pipeline = piped(partitions=4, start=datetime.fromtimestamp(T_MS / 1000, UTC).isoformat())
    _produce(pipeline, {0: [-3, -2, -1], 1: [-2, -1]}, "before")
    # Partition 1 has nothing from T on, partition 2 nothing before it, partition 3 nothing at all.
    wanted = _produce(pipeline, {0: [0, 1, 2], 2: [0, 5]}, "after")

    first = pipeline.member("first")
    wait_until(lambda: len(_delivered(sandbox)) >= len(wanted), SECONDS, "it is delivered")
    assert first.stop() == 0
    assert _delivered(sandbox) == sorted(wanted)
    assert pipeline.committed() == _ends(pipeline)

    # Dated before T, and written after the group had its place: late, and rightly delivered. What the
    # restart is told of a start moves nothing.
    late = _produce(pipeline, {0: [-9], 1: [-8, 1], 3: [-7]}, "late")
    second = pipeline.member("second", start="earliest")
    wait_until(lambda: len(_delivered(sandbox)) >= len(wanted | late), SECONDS, "the rest is delivered")
    assert second.stop() == 0
    assert _delivered(sandbox) == sorted(wanted | late)
    assert pipeline.committed() == _ends(pipeline)
