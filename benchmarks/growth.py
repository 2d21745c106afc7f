"""What `streamer` costs as its work grows, one axis at a time, and whether it grows faster than the work.

    python -m benchmarks.growth --events 10000 --most 20000 --axes partitions,size     # two minutes
    python -m benchmarks.growth --write            # the results file, docs/performance.md, its plot

Each axis is written as it is done, into what the results file holds of the others. Exit code 1 where an axis
grows faster than its work. What is cut short (SIGTERM, Ctrl-C) leaves the axes that are done, and no system
running.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import growth_events, growth_page, performance_page, replicas
from benchmarks.growth_events import Record
from benchmarks.pipeline import SEED
from benchmarks.scenarios import PARTITIONS, Place, backlog
from benchmarks.systems import sigterm_unwinds
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.standins.generator import Generator
from tests.real_kafka.cluster import RealKafka

RESULTS = performance_page.ROOT / "benchmarks" / "results" / "growth.json"
USERS = 1_000
MOST_BYTES = 200_000_000
"""Of one backlog of large events: fewer of them lie there."""
BROKER = {"log.retention.check.interval.ms": "10000", "log.segment.bytes": str(64 << 20)}


class Scale(NamedTuple):
    """How much work."""

    events: int
    """Of each point, but where the axis itself says how many."""
    most: int
    """The longest backlog, and the most keys."""


class Work(NamedTuple):
    """One point of an axis."""

    x: int
    partitions: int
    records: Callable[[], Iterator[Record]]


def of_partitions(scale: Scale) -> list[Work]:
    """The same events in ever more partitions."""
    return [
        Work(number, number, lambda: growth_events.of_users(scale.events, USERS))
        for number in (1, 4, 16, 64, 256)
    ]


def of_keys(scale: Scale) -> list[Work]:
    """Events of ever more users, each heard of at least once."""
    sizes = [10**power for power in range(1, 8) if 10**power <= scale.most]
    return [Work(users, PARTITIONS, _users(max(scale.events, users), users)) for users in sizes]


def _users(events: int, users: int) -> Callable[[], Iterator[Record]]:
    return lambda: growth_events.of_users(events, users)


def of_size(scale: Scale) -> list[Work]:
    """Ever larger events."""
    sizes = (300, 1_000, 3_000, 10_000, 30_000)
    return [Work(size, PARTITIONS, _sized(min(scale.events, MOST_BYTES // size), size)) for size in sizes]


def _sized(events: int, size_bytes: int) -> Callable[[], Iterator[Record]]:
    return lambda: growth_events.of_size(events, size_bytes)


def of_backlog(scale: Scale) -> list[Work]:
    """Ever more events of all call types, as the comparison has them."""
    sizes = [10**power for power in range(4, 8) if 10**power <= scale.most]
    return [Work(size, PARTITIONS, _made(size)) for size in sizes]


def _made(events: int) -> Callable[[], Iterator[Record]]:
    encode = Encoder(load_schemas()).encode
    return lambda: ((each.key, each.value_bytes(encode)) for each in Generator(SEED, events))


AXES: dict[str, Callable[[Scale], list[Work]]] = {
    "partitions": of_partitions,
    "keys": of_keys,
    "size": of_size,
    "backlog": of_backlog,
}
REPLICAS = (1, 5, 20, 100, 500)


def measure(place: Place, works: Sequence[Work]) -> list[dict[str, float]]:
    """Each point of an axis by one run; start-up is measured for each, and taken off."""
    found = []
    for work in works:
        topic = place.kafka.create_topic("growth", work.partitions, retention_ms="3600000")
        single = place.kafka.create_topic("growth-single", work.partitions)
        growth_events.produce(place.kafka.bootstrap, single, growth_events.of_users(1, 1))
        events, size = growth_events.produce(place.kafka.bootstrap, topic, work.records())
        start = backlog("streamer", place, single)
        run = backlog("streamer", place, topic)
        place.kafka.admin().delete_topics([topic, single])
        point = {
            "x": work.x,
            "events": events,
            "event_bytes": size / events,
            "events_per_second": run["pace"],
            "cpu_us": (run["cpu_seconds"] - start["cpu_seconds"]) / events * 1e6,
            "start_cpu_seconds": start["cpu_seconds"],
            "peak_mib": run["peak_mib"],
            "events_per_request": events / run["requests"],
        }
        sys.stdout.write(growth_page.row(point) + "\n")
        sys.stdout.flush()
        found.append(point)
    return found


def measure_replicas(events: int) -> list[dict[str, float]]:
    """The simulated group; see `replicas`."""
    found = []
    for number in REPLICAS:
        group = replicas.measure(number, events)
        found.append(
            {
                "x": number,
                "events": events,
                "cpu_us": group.cpu_us,
                "events_per_request": group.events_per_request,
                "busiest_minute": group.busiest_minute,
                "seconds": group.seconds,
            }
        )
    return found


def keep(axis: str, points: list[dict[str, float]]) -> None:
    """Into the results file, and the page and plots anew."""
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"axes": {}}
    results["axes"][axis] = points
    results |= {"cores": os.cpu_count(), "python": ".".join(map(str, sys.version_info[:3]))}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    performance_page.write(performance_page.ROOT, *performance_page.read(performance_page.ROOT))


def main() -> int:
    """Measure, show, and write where asked; 1 where something grows faster than its work."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--most", type=int, default=1_000_000, help="keys and backlog at the most")
    parser.add_argument("--axes", default=",".join([*AXES, "replicas"]), help="with commas between")
    parser.add_argument("--write", action="store_true", help="the results file, the page and its plot")
    arguments = parser.parse_args()
    names, scale = arguments.axes.split(","), Scale(arguments.events, arguments.most)
    if unknown := set(names) - {*AXES, "replicas"}:
        parser.error(f"no such axis: {', '.join(sorted(unknown))}")
    found: dict[str, list[dict[str, float]]] = {}
    sigterm_unwinds()
    with tempfile.TemporaryDirectory() as directory, RealKafka(Path(directory), BROKER) as kafka:
        place = Place(kafka, kafka.create_topic("growth-letters"), Path(directory))
        for name in names:
            sys.stdout.write(f"{name}\n")
            works = AXES[name](scale) if name in AXES else []
            found[name] = measure(place, works) if works else measure_replicas(scale.events)
            if arguments.write:
                keep(name, found[name])
    sys.stdout.write(growth_page.fits({"axes": found}))
    return 1 if any(growth_page.is_superlinear(name, points) for name, points in found.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
