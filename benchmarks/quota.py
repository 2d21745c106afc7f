"""How much of Planhat's quota a saturated group uses: operations a minute against budget x bulk size.

A backlog of distinct users lies in a real Apache Kafka; a sandbox for each row counts calls by a sliding
window, and its quota is the group's whole budget: one call too many is a 429. Bulks and budget are scaled
down, so that processors of any kind keep up: fill is given as a part of a full bulk. All rows run at once,
each with a topic, a group, replicas and a sandbox of its own.

    python -m benchmarks.quota --seconds 183

The seconds are a multiple of 61, the window that the quota keeps to: so no call is cut off at the end.
Exit code 1 where an even backlog uses less than 95 % of budget x bulk size, fills bulks to less than 95 %, or
is answered 429.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec

from streamer.kafka.publish import Publisher
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.member import Member

WARM_UP_SECONDS = 80.0
HIGH_WATER_BULKS = 12
"""As many full bulks as the default high water holds."""


class Row(NamedTuple):
    """One measurement."""

    replicas: int
    partitions: int
    skew: float = 0.0
    """Part of the backlog that lies in the first partition; 0 is even."""

    @property
    def has_bars(self) -> bool:
        """A backlog that lies in one partition wastes quota by design (decision 0024): it is only shown."""
        return not self.skew


ROWS = (Row(1, 1), Row(1, 4), Row(1, 16), Row(3, 1), Row(3, 4), Row(3, 16), Row(3, 16, 0.8))


class Scale(NamedTuple):
    """How large and how long."""

    budget: int
    bulk: int
    seconds: float

    @property
    def backlog(self) -> int:
        """Users enough for the warm-up and the measurement, and then some."""
        minutes = (WARM_UP_SECONDS + self.seconds) / 60.0 + 2.0
        return int(self.budget * self.bulk * minutes) + 2 * HIGH_WATER_BULKS * self.bulk


LEAST_USED = 0.95
"""Of the budget x bulk size."""
LEAST_FILL = 0.95
"""Of a full bulk."""


class Figures(NamedTuple):
    """What a row came to."""

    row: Row
    calls: float
    per_minute: float
    """Operations."""
    used: float
    """Part of budget x bulk size."""
    fill: float
    """Part of a full bulk, in the mean."""
    refused: float
    """Calls answered 429 while it was measured."""
    refused_in_all: float
    """With the warm-up."""

    @property
    def missed(self) -> list[str]:
        """The bars that it does not reach, in words."""
        bars = (
            (self.used < LEAST_USED, f"{self.used:.1%} of the quota used, at least {LEAST_USED:.0%} wanted"),
            (self.fill < LEAST_FILL, f"mean fill {self.fill:.1%}, at least {LEAST_FILL:.0%} wanted"),
            (self.refused_in_all > 0, f"{self.refused_in_all:.0f} calls answered 429, none wanted"),
        )
        return [words for is_missed, words in bars if is_missed and self.row.has_bars]

    def __str__(self) -> str:
        skew = f"{self.row.skew:.0%} in one" if self.row.skew else "even"
        note = "" if self.row.has_bars else "  (no bar)"
        return (
            f"{self.row.replicas:>8} {self.row.partitions:>10}  {skew:<10} {self.calls:>6.0f} "
            f"{self.per_minute:>16,.0f} {self.used:>7.1%} {self.fill:>9.1%} {self.refused:>5.0f} "
            f"{self.refused_in_all:>13.0f}{note}"
        )


class Counted(NamedTuple):
    """What a group's replicas count together."""

    operations: float
    calls: float
    refused: float


def fill(bootstrap: str, topic: str, row: Row, users: int) -> None:
    """Produce one identify call of each user."""
    publisher = Publisher(bootstrap, topic)
    for number in range(users):
        user = f"u-{number}"
        call = {
            "type": "identify",
            "messageId": f"m-{number}",
            "userId": user,
            "context": {"groupId": "acme"},
            "traits": {"email": f"{user}@example.com", "plan": "team", "seats": number % 50},
        }
        is_first = number % 100 < 100 * row.skew
        partition = 0 if is_first else number % row.partitions
        publisher.publish(user.encode(), msgspec.json.encode(call), partition=partition)
    if publisher.flush(120) or publisher.failed:
        raise SystemExit("the broker did not take every event")


def settings(
    kafka: RealKafka, topic: str, letters: str, sandbox: SandboxProcess, scale: Scale
) -> dict[str, str]:
    """What each replica is told."""
    told = {
        "kafka_bootstrap_servers": kafka.bootstrap,
        "kafka_topic": topic,
        "kafka_dead_letter_topic": letters,
        "kafka_group_id": f"group.{topic}",
        "start": "earliest",
        "planhat_api_token": sandbox.api_token,
        "planhat_tenant_token": sandbox.tenant_token,
        "planhat_api_url": sandbox.url,
        "planhat_analytics_url": sandbox.url,
        "planhat_calls_per_minute": str(scale.budget),
        "bulk_items": str(scale.bulk),
        "high_water_records": str(HIGH_WATER_BULKS * scale.bulk),
        "http_host": "127.0.0.1",
        "http_port": "0",
        "log_format": "json",
    }
    return {f"STREAMER_{key.upper()}": value for key, value in told.items()}


def counted(members: Sequence[Member]) -> Counted:
    """The sums now."""
    scrapes = [member.scrape() for member in members]

    def total(name: str, **labels: str) -> float:
        return sum(scrape.total(name, endpoint="endusers", **labels) for scrape in scrapes)

    return Counted(
        total("streamer_operations_total", outcome="delivered"),
        total("streamer_deliveries_total"),
        total("streamer_deliveries_total", result="429"),
    )


def seed(sandbox: SandboxProcess) -> None:
    """One company for all users, by another token: calls are counted for each."""
    company = [{"externalId": "acme", "name": "Acme"}]
    bearer = {"Authorization": f"Bearer {sandbox.api_token}"}
    httpx.put(f"{sandbox.url}/companies", json=company, headers=bearer).raise_for_status()
    sandbox.change_api_token(DEFAULT_API_TOKEN)
    sandbox.api_token = DEFAULT_API_TOKEN


def measure(kafka: RealKafka, row: Row, scale: Scale, folder: Path) -> Figures:
    """One row of the table."""
    switches = {"calls_per_minute": scale.budget, "quota_window": "sliding"}
    topic = kafka.create_topic("quota", row.partitions)
    letters = kafka.create_topic("quota-letters")
    fill(kafka.bootstrap, topic, row, scale.backlog)
    with SandboxProcess(switches, api_token="seed") as sandbox, ExitStack() as stack:
        seed(sandbox)
        members = []
        for number in range(row.replicas):
            log = folder / f"{topic}-{number}.log"
            member = Member(f"{topic}-{number}", settings(kafka, topic, letters, sandbox, scale), log)
            stack.callback(member.close)
            members.append(member)
        for member in members:
            member.wait_until_ready()
        time.sleep(WARM_UP_SECONDS)
        before, began = counted(members), time.monotonic()
        time.sleep(scale.seconds)
        after, minutes = counted(members), (time.monotonic() - began) / 60.0
        for member in members:
            member.check()
    operations, calls = after.operations - before.operations, after.calls - before.calls
    return Figures(
        row,
        calls,
        operations / minutes,
        operations / minutes / (scale.budget * scale.bulk),
        operations / calls / scale.bulk if calls else 0.0,
        after.refused - before.refused,
        after.refused,
    )


def main() -> int:
    """Parse and measure; 0 where every row with bars reaches them, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--budget", type=int, default=32, help="calls a minute of the group, and the tenant's"
    )
    parser.add_argument("--bulk", type=int, default=1_000, help="operations in a full bulk")
    parser.add_argument("--seconds", type=float, default=183.0, help="of measuring, after the warm-up")
    arguments = parser.parse_args()
    scale = Scale(arguments.budget, arguments.bulk, arguments.seconds)
    with (
        tempfile.TemporaryDirectory() as directory,
        RealKafka(Path(directory)) as kafka,
        ThreadPoolExecutor(len(ROWS)) as pool,
    ):
        found = list(pool.map(lambda row: measure(kafka, row, scale, Path(directory)), ROWS))
    sys.stdout.write(
        f"budget {scale.budget} calls a minute, bulks of {scale.bulk:,}, {scale.seconds:g} s each\n"
        "replicas partitions  backlog     calls  operations/min    used mean fill   429 with warm-up\n"
    )
    return report(found)


def report(found: Sequence[Figures]) -> int:
    """Write the table and which row misses which bar; the exit code."""
    sys.stdout.writelines(f"{figures}\n" for figures in found)
    missed = [(figures.row, words) for figures in found for words in figures.missed]
    for row, words in missed:
        sys.stdout.write(f"MISSED: {row.replicas} replicas, {row.partitions} partitions: {words}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
