"""The few numbers that are read from librdkafka's report."""

import json

import pytest

from streamer.kafka.statistics import read_statistics


def _report(**brokers: str) -> str:
    """A report with brokers of these sources."""
    return json.dumps({"brokers": {name: {"source": source} for name, source in brokers.items()}})


@pytest.mark.parametrize(
    ("report", "has_brokers"),
    [
        (_report(GroupCoordinator="logical", internal="internal"), False),
        (_report(), False),
        ("{}", False),
        (_report(GroupCoordinator="logical", one="configured"), True),
        (_report(GroupCoordinator="logical", one="learned"), True),
    ],
)
def test_a_client_without_brokers_is_known_by_its_report(report: str, *, has_brokers: bool) -> None:
    """What librdkafka makes up for itself is no broker: a client that has nothing else never connects."""
    assert read_statistics(report, "events").has_brokers is has_brokers
