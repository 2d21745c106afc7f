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


def _standing(state: str, join_state: str) -> str:
    return json.dumps({"cgrp": {"state": state, "join_state": join_state}})


@pytest.mark.parametrize(
    ("state", "join_state", "is_idle"),
    [
        ("up", "steady", False),
        # For as long as the slowest of the others takes to come, or to give up what it had.
        ("up", "wait-join", False),
        ("up", "wait-sync", False),
        # For as long as we take to finish what was sent.
        ("up", "wait-assign-call", False),
        ("up", "wait-unassign-call", False),
        ("query-coord", "wait-unassign-call", False),
        ("up", "init", True),
        ("up", "wait-metadata", True),
        ("up", "wait-unassign-to-complete", True),
        ("up", "wait-incr-unassign-to-complete", True),
        # Cut off: no heartbeat goes out, no answer can come.
        ("query-coord", "init", True),
        ("wait-coord", "wait-incr-unassign-to-complete", True),
        ("wait-broker", "init", True),
        ("wait-broker-transport", "steady", True),
        ("wait-coord", "wait-join", True),
    ],
)
def test_a_member_outside_its_group_is_idle_unless_it_waits_for_somebody(
    state: str, join_state: str, *, is_idle: bool
) -> None:
    """Nobody knows how long other members take, or we do; all else is soon over."""
    assert read_statistics(_standing(state, join_state), "events").is_idle_outside is is_idle


def test_a_client_without_a_group_is_not_outside_one() -> None:
    """A report that tells of no group says nothing of us."""
    assert not read_statistics("{}", "events").is_idle_outside
