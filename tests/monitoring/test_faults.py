"""Five faults in a real plant: the right alert is told, the dashboard shows it, the runbook repairs it."""

from collections.abc import Callable
from pathlib import Path
from time import time
from typing import NamedTuple

import pytest

from streamer.standins.planhat.faults import Fault, FaultKind, ItemMatch
from tests.monitoring.panels import panels
from tests.monitoring.plant import Plant, settle, values_of
from tests.real_kafka.member import wait_until

pytestmark = pytest.mark.real_kafka

HEALTHY_SECONDS = 12.0
"""Longer than any alert's `for` in this time: a false one would be told."""
FIRING_SECONDS = 90.0
QUIET_SECONDS = 90.0
LOOK_BACK_SECONDS = 10.0


class Row(NamedTuple):
    """What one fault came to."""

    fault: str
    alert: str
    fired: float
    panels: tuple[str, ...]
    repair: str
    quiet: float
    others: tuple[str, ...]


Shown = tuple[str, Callable[[float], bool]]
"""A panel, and what one of its values must be to show the fault."""


def _is_up(value: float) -> bool:
    return value > 0


def _judge(plant: Plant, fault: str, alert: str, shown: tuple[Shown, ...], repair: Callable[[], str]) -> Row:
    """Wait for the alert, look at the dashboard, repair, and wait until all is quiet."""
    fired = plant.wait_until_firing(alert, FIRING_SECONDS)
    queries = panels()
    for title, is_shown in shown:

        def is_seen(title: str = title, is_shown: Callable[[float], bool] = is_shown) -> bool:
            found = [
                value
                for query in queries[title]
                for value in values_of(plant.prometheus.over_time(query, LOOK_BACK_SECONDS))
            ]
            return any(map(is_shown, found))

        wait_until(is_seen, 10, f"{title} shows: {fault}")
    others = tuple(sorted(plant.receiver.firing() - {alert}))
    command = repair()
    quiet = plant.wait_until_quiet(QUIET_SECONDS)
    return Row(fault, alert, fired, tuple(title for title, _ in shown), command, quiet, others)


def _kill_planhat(plant: Plant) -> Row:
    plant.relay.cut()

    def repair() -> str:
        plant.relay.mend()
        return f"itself, seen by {plant.repair('StreamerPlanhatWaiting', 'look', 'streamer check')}"

    shown = (("Gates and holds (timeseries)", _is_up), ("Sent again, by reason (timeseries)", _is_up))
    return _judge(plant, "Planhat is killed", "StreamerPlanhatWaiting", shown, repair)


def _kill_broker(plant: Plant) -> Row:
    plant.kafka.kill()
    shown: tuple[Shown, ...] = (
        ("Members (timeseries)", lambda value: value == 0),
        ("Since Kafka was heard of (timeseries)", lambda value: value > 3),
    )
    return _judge(
        plant, "the broker is killed", "StreamerNotConsuming", shown,
        lambda: plant.repair("StreamerNotConsuming", "repair", "delete pod"),
    )  # fmt: skip


def _take_token(plant: Plant) -> Row:
    plant.sandbox.change_api_token("token-made-anew")
    plant.new_token_file.write_text("token-made-anew")
    tenant = plant.folder / "tenant"
    tenant.write_text(plant.sandbox.tenant_token)
    files = {"API_FILE": str(plant.new_token_file), "TENANT_FILE": str(tenant)}
    shown = (("On hold (stat)", _is_up), ("Gates and holds (timeseries)", _is_up))
    return _judge(
        plant, "the token is taken away", "StreamerOnHold", shown,
        lambda: plant.repair("StreamerOnHold", "repair", "create secret", **files),
    )  # fmt: skip


def _starve_quota(plant: Plant) -> Row:
    plant.repair("StreamerNotDraining", "repair", "set env", CALLS="6")
    shown: tuple[Shown, ...] = (
        ("Undelivered (stat)", lambda value: value > 100),
        ("Age of the oldest undelivered (stat)", lambda value: value > 15),
        ("Operations waiting (timeseries)", lambda value: value > 50),
    )

    def repair() -> str:
        command = plant.repair("StreamerNotDraining", "repair", "set env", CALLS="6000")
        wait_until(lambda: _waiting(plant) < 50, QUIET_SECONDS, "what waited is delivered")
        return command

    return _judge(plant, "the quota is starved", "StreamerNotDraining", shown, repair)


def _waiting(plant: Plant) -> float:
    """Records undelivered now; many while nobody tells."""
    found = plant.prometheus.query("sum(streamer_undelivered_records)")
    return float(found[0]["value"][1]) if found else float("inf")


def _poison(plant: Plant) -> Row:
    poison = ItemMatch(field="custom.plan", values=frozenset({"unknown to Planhat"}))
    plant.sandbox.add_faults(
        Fault(kind=FaultKind.REFUSE, items=poison, times=None, error="plan is not one of ours")
    )
    plant.traffic.is_poisoned = True
    alert = "StreamerDeadLettersRising"

    def repair() -> str:
        plant.repair(alert, "look", "list --reason", REASON="refused")
        plant.traffic.is_poisoned = False
        plant.sandbox.clear_faults()  # the cause is mended: Planhat knows the plan now
        before = _refused(plant)
        plant.repair(alert, "look", "--dry-run", REASON="refused")
        command = plant.repair(alert, "repair", "replay", REASON="refused")
        plant.repair(alert, "verify", "list", REASON="refused")
        assert before >= 10
        assert _refused(plant) == 0, "every letter was replayed"
        stored = sum(str(row.external_id).startswith("u-bad-") for row in plant.sandbox.endusers())
        assert stored >= before
        return command

    shown = (
        ("Dead letters, by reason (timeseries)", _is_up),
        ("Dead letters, last hour (stat)", lambda value: value >= 1),
    )
    return _judge(plant, "5 % of the events are poison", alert, shown, repair)


def _refused(plant: Plant) -> int:
    return len(plant.run_streamer("dead-letters", "list", "--json", "--reason", "refused").splitlines())


def _every_query_finds(plant: Plant, seconds: float) -> int:
    """Every query of the dashboard found something in the whole run; how many there are."""
    asked = [(title, query) for title, queries in panels().items() for query in queries]
    empty = [f"{title}: {query}" for title, query in asked if not plant.prometheus.over_time(query, seconds)]
    assert empty == []
    return len(asked)


def _table(rows: list[Row], queries: int) -> str:
    lines = [f"five faults, time divided by 60, {queries} queries of the dashboard found data"]
    for row in rows:
        lines += [
            f"{row.fault}: {row.alert} after {row.fired:.1f} s"
            + (f" (also {', '.join(row.others)})" if row.others else ""),
            f"    seen on: {', '.join(row.panels)}",
            f"    repaired by: {row.repair}; quiet after {row.quiet:.1f} s",
        ]
    return "\n".join(lines)


@pytest.mark.timeout(600)
def test_each_fault_is_told_shown_and_repaired(tmp_path: Path, show: Callable[[str], None]) -> None:
    """Kill Planhat, kill the broker, take the token, starve the quota, poison: alert, dashboard, runbook."""
    began = time()
    with Plant(tmp_path) as plant:
        settle(HEALTHY_SECONDS)
        told = [(each.name, each.labels.get("reason"), each.status) for each in plant.receiver.told]
        assert told == [], f"a healthy plant is quiet\n{plant.member.tail()}"
        rows = [fault(plant) for fault in (_kill_planhat, _kill_broker, _take_token, _starve_quota, _poison)]
        queries = _every_query_finds(plant, time() - began)
        show(_table(rows, queries))
