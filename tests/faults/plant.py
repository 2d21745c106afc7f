"""The parts under strikes: a broker behind wires, a Planhat, and members that die and are replaced."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaException

from streamer.records import MarkIgnored
from streamer.standins.demo_pipeline import free_ports
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.faults import Fault, FaultKind, ItemMatch
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.member import Member
from tests.real_kafka.pipeline import Pipeline
from tests.real_kafka.relay import Relay

SESSION_SECONDS: Final = 6.0
HTTP_SECONDS: Final = 4.0
ACTIVITY_WORKERS: Final = 2
SLOTS: Final = 4
"""Three members, and one more that comes and goes."""
STEADY: Final = 3
WHOLE_SECONDS: Final = 180.0
REFUSED: Final = tuple(f"refused-{number}" for number in range(8))
"""Ids of people whom Planhat refuses by item, for as long as the run lasts."""
API_ADDRESSES: Final = ("planhat_api_url", "planhat_analytics_url")
ODD: Final = "odd"
"""A custom field that no enduser may have: whoever says so is refused, by item."""

_SWITCHES: Final = {
    "history": 100_000,
    "calls_per_minute": 0,
    "calls_per_second": 0,
    "keep_activities": 5_000_000,
    "keep_requests": 2_000_000,
    "keep_ignored": 1_000_000,
    "service_seconds": 0.05,
    "analytics_seconds": 0.1,
}
"""It remembers everything, and takes its time, so that something is in flight when a strike comes."""

_SETTINGS: Final[dict[str, Any]] = {
    "session_timeout_seconds": f"{SESSION_SECONDS:g}",
    "http_main_seconds": f"{HTTP_SECONDS:g}",
    "http_analytics_seconds": f"{HTTP_SECONDS:g}",
    "activity_workers": str(ACTIVITY_WORKERS),
    "activity_bulk_items": "250",
    "hold_probe_seconds": "1",
    "drain_seconds": "30",
    "grace_seconds": "60",
    "log_level": "info",
}


class Broken(Exception):
    """The run cannot go on: a part did what it must not."""


class Change(NamedTuple):
    """Partitions came or went, by the member's own log."""

    at: float
    """Seconds since 1970."""
    partitions: frozenset[int]
    is_committed: bool
    """Of revoked ones: Kafka took its last commit."""


class Life(NamedTuple):
    """One member process, from its start to its end."""

    name: str
    slot: int
    member: Member

    def changes(self, event: str) -> list[Change]:
        """Its log's lines of this name that tell of partitions."""
        return [
            Change(_time_of(line), frozenset(_numbers_of(line["numbers"])), line.get("committed", False))
            for line in self.member.lines(event)
            if line["numbers"]
        ]

    def unheard(self) -> list[float]:
        """When its log says that Kafka did not tell in time what was settled before."""
        lines = self.member.lines("metadata_ignored")
        return [_time_of(line) for line in lines if line["reason"] == MarkIgnored.UNKNOWN]


class Plant:
    """Broker, wires, Planhat, members."""

    def __init__(
        self,
        kafka: RealKafka,
        wires: list[Relay],
        sandbox: SandboxProcess,
        pipeline: Pipeline,
        addresses: Sequence[str] = API_ADDRESSES,
    ) -> None:
        """`addresses`: the settings by which members find Planhat."""
        self._addresses = addresses
        self.kafka = kafka
        self.wires = wires
        self.sandbox = sandbox
        self.pipeline = pipeline
        self.lives: list[Life] = []
        self.now: dict[int, Life] = {}
        """Who lives in each slot."""

    def begin(self) -> None:
        """Start those that are there all along, and wait until they share all partitions."""
        for slot in range(STEADY):
            self.start(slot)
        self.wait_until_whole()

    def start(self, slot: int) -> Life:
        """Start a member in a slot; its name is never used again."""
        name = f"m{slot}-{sum(life.slot == slot for life in self.lives) + 1}"
        url = f"{self.sandbox.url}/from/{name}"
        member = self.pipeline.member(
            name,
            kafka_bootstrap_servers=f"127.0.0.1:{self.wires[slot].url.rpartition(':')[2]}",
            **dict.fromkeys(self._addresses, url),
        )
        life = Life(name, slot, member)
        self.lives.append(life)
        self.now[slot] = life
        return life

    def end(self, slot: int) -> None:
        """SIGTERM, and an end in order."""
        life = self.now.pop(slot)
        code = life.member.stop()
        if code != 0:
            raise Broken(f"{life.name} ended with {code} after SIGTERM:\n{life.member.tail()}")

    def kill(self, slot: int) -> float:
        """SIGKILL; when."""
        life = self.now.pop(slot)
        at = time()
        life.member.kill()
        return at

    def wait_until_whole(self) -> None:
        """Wait until those that live share all partitions, each with some."""
        deadline = monotonic() + WHOLE_SECONDS
        while not self._is_whole():
            if monotonic() > deadline:
                tails = "\n".join(f"--- {life.name}\n{life.member.tail()}" for life in self.now.values())
                raise Broken(f"the group was not whole after {WHOLE_SECONDS:g} s\n{tails}")
            sleep(0.25)

    def _is_whole(self) -> bool:
        for life in self.now.values():
            life.member.check()
        try:
            shares = self.pipeline.assignment()
        except (KafkaException, TimeoutError):
            return False  # the broker is not back yet
        return (
            set(shares) == {life.name for life in self.now.values()}
            and all(shares.values())
            and sum(map(len, shares.values())) == self.pipeline.partitions
        )


@contextmanager
def plant(
    folder: Path, partitions: int, addresses: Sequence[str] = API_ADDRESSES, **settings: str
) -> Iterator[Plant]:
    """Everything, started but for the members; all of it is ended on leaving. Settings are the members'."""
    ports = free_ports(SLOTS)
    names = [f"WIRE{slot}" for slot in range(SLOTS)]
    with ExitStack() as stack:
        kafka = stack.enter_context(
            RealKafka(
                folder / "kafka",
                listeners=dict.fromkeys(names, "PLAINTEXT"),
                advertised=dict(zip(names, ports, strict=True)),
            )
        )
        wires = [
            stack.enter_context(Relay(f"tcp://127.0.0.1:{kafka.port(name)}", port))
            for name, port in zip(names, ports, strict=True)
        ]
        sandbox = stack.enter_context(SandboxProcess(_SWITCHES))
        for items in (
            ItemMatch(field="externalId", values=frozenset(REFUSED)),
            ItemMatch(field=f"custom.{ODD}", values=frozenset({"yes"})),
        ):
            sandbox.add_faults(Fault(kind=FaultKind.REFUSE, endpoint="endusers", items=items, times=None))
        logs = folder / "members"
        logs.mkdir()
        pipeline = stack.enter_context(
            Pipeline(kafka, sandbox, logs, partitions=partitions, **{**_SETTINGS, **settings})
        )
        yield Plant(kafka, wires, sandbox, pipeline, addresses)


def _numbers_of(ranges: str) -> Iterator[int]:
    """`0-3 7`, one by one."""
    for each in ranges.split():
        low, _, high = each.partition("-")
        yield from range(int(low), int(high or low) + 1)


def _time_of(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()
