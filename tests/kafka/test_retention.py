"""How long a topic's records are kept, read from its configuration; the asking is tested on a real Kafka."""

import pytest

from streamer.kafka.retention import retention_seconds


@pytest.mark.parametrize(
    ("configuration", "seconds"),
    [
        ({"cleanup.policy": "delete", "retention.ms": "604800000"}, 604_800),
        ({"cleanup.policy": "compact,delete", "retention.ms": "1500"}, 1.5),
        ({"cleanup.policy": "delete", "retention.ms": "-1"}, None),
        ({"cleanup.policy": "compact", "retention.ms": "604800000"}, None),
        ({"retention.ms": "604800000"}, None),
        ({"cleanup.policy": "delete", "retention.ms": None}, None),
        ({}, None),
    ],
)
def test_a_limit_is_told_only_where_there_is_one(
    configuration: dict[str, str | None], seconds: float | None
) -> None:
    """Records go by their age where the topic deletes and has a time to do so; all else is no limit."""
    assert retention_seconds(configuration) == seconds
