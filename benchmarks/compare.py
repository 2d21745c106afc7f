"""`streamer` beside what users would pick instead: same topic, broker, mapping; at-least-once everywhere.

    python -m benchmarks.compare --events 20000 --repeats 1 --only streamer,careful
    python -m benchmarks.compare --beside latency,drain,kill --only streamer
    python -m benchmarks.compare --write            # a results file, docs/performance.md and its plot

The method is stated in docs/performance.md, which `--write` makes. A system that fails is told and left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
from confluent_kafka import Consumer

from benchmarks import performance_page
from benchmarks.figures import summed_up
from benchmarks.pipeline import fill
from benchmarks.rivals.mapping import Mapping as RecordMapping
from benchmarks.rivals.mapping import Unreadable
from benchmarks.scenarios import PARTITIONS, Place, backlog, drain, half_load, killed
from benchmarks.systems import ROOT, SYSTEMS, Unfinished
from streamer.avro.decoder import Decoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent
from streamer.events.parse import FIELDS_READ, parse
from streamer.planhat.requests import encode_operation
from streamer.transform import Rules, Skipped, transform
from tests.real_kafka.cluster import RealKafka

RESULTS = ROOT / "benchmarks" / "results" / "compare.json"
FLOOR_RECORDS = 20_000
BESIDE = ("latency", "drain", "kill")
PLANHATS_CALLS_PER_MINUTE = 200
LEAST_CALLS_PER_MINUTE = 6


class Plan(NamedTuple):
    """What is measured, and how long."""

    events: int
    repeats: int
    beside: frozenset[str]
    """Of `BESIDE`."""
    latency_seconds: float
    drain_seconds: float

    @property
    def calls_per_minute(self) -> int:
        """Planhat's own quota for a million events; of fewer a part of it, so that it is felt."""
        return max(LEAST_CALLS_PER_MINUTE, PLANHATS_CALLS_PER_MINUTE * min(self.events, 10**6) // 10**6)


class Topics(NamedTuple):
    """What lies there before a system starts."""

    whole: str
    single: str
    """With one event, for what start-up costs."""


def values_of(kafka: RealKafka, topic: str, events: int) -> list[bytes]:
    """Values of records that lie in the topic, tombstones left out."""
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "floor", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    values: list[bytes | None] = []
    while len(values) < min(events, FLOOR_RECORDS):
        values += [message.value() for message in consumer.consume(500, 1.0)]
    consumer.close()
    return [value for value in values if value is not None]


def cpu_us(work: Callable[[bytes], object], values: Sequence[bytes]) -> float:
    """CPU microseconds for each of them, those that are refused included: the best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        for value in values:
            try:
                work(value)
            except (Unreadable, InvalidEvent):
                continue
        best = min(best, time.process_time() - began)
    return best / len(values) * 1e6


def own_work() -> Callable[[bytes], object]:
    """What `streamer` does of a record in any case: decode, parse, transform, encode."""
    decode, rules = Decoder(load_schemas(), wanted=FIELDS_READ).decode, Rules()

    def work(value: bytes) -> list[bytes]:
        decoded = decode(value)
        outcome = transform(parse(decoded.value if isinstance(decoded, Decoded) else None), rules)
        return [] if isinstance(outcome, Skipped) else [encode_operation(each) for each in outcome.operations]

    return work


def one_round(
    name: str,
    place: Place,
    plan: Plan,
    topics: Topics,
    missed: set[str],
    floor: Callable[[], float],
    *,
    is_first: bool,
) -> dict[str, float]:
    """Everything that is asked for, of one system; raises Unfinished where the backlog is not done.

    What is measured beside it and does not come to its end is `missed`: the other figures are kept.
    The floor is asked for right before the backlog and right after: a machine changes its pace by the minute.
    """
    start = backlog(name, place, topics.single)["cpu_seconds"]
    before = floor()
    found = backlog(name, place, topics.whole)
    run = found | {"start_cpu_seconds": start, "floor_us": (before + floor()) / 2}
    pace = found["pace"] / 2
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "latency": lambda: half_load(name, place, pace, plan.latency_seconds),
        "drain": lambda: drain(name, place, topics.whole, plan.calls_per_minute, plan.drain_seconds),
        "kill": lambda: killed(name, place, plan.events),
    }
    for beside in sorted(plan.beside):
        # Its pace is the quota's: once is enough for what takes longest of all.
        if beside == "drain" and not is_first:
            continue
        try:
            run |= ways[beside]()
        except (Unfinished, ValueError, httpx.HTTPError) as error:
            traceback.print_exception(error)
            missed.add(beside)
    return run


def measure(plan: Plan, names: Sequence[str], folder: Path) -> dict[str, object]:
    """Everything, in rounds: one run of each system, then the next round."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    missed: dict[str, set[str]] = {name: set() for name in names}
    with RealKafka(folder) as kafka:
        place = Place(kafka, kafka.create_topic("bench.dead-letters"), folder)
        topics = Topics(
            kafka.create_topic("bench.events", PARTITIONS), kafka.create_topic("bench.single", PARTITIONS)
        )
        size = fill(kafka.bootstrap, topics.whole, plan.events)
        fill(kafka.bootstrap, topics.single, 1)
        values = values_of(kafka, topics.whole, plan.events)
        floor, own_us = partial(cpu_us, RecordMapping().items, values), cpu_us(own_work(), values)
        for name in (name for _ in range(plan.repeats) for name in names):
            if name in failed:
                continue
            try:
                is_first = not runs[name]
                run = one_round(name, place, plan, topics, missed[name], floor, is_first=is_first)
                runs[name].append(run)
            except (OSError, RuntimeError, httpx.HTTPError, subprocess.SubprocessError) as error:
                # One rival's fault must not cost the others their figures.
                traceback.print_exception(error)
                failed[name] = type(error).__name__
    floors = [run["floor_us"] for found in runs.values() for run in found]
    return {
        "events": plan.events,
        "event_bytes": size / plan.events,
        "repeats": plan.repeats,
        "cores": os.cpu_count(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "latency_seconds": plan.latency_seconds,
        "calls_per_minute": plan.calls_per_minute,
        "floor_us": median(floors) if floors else floor(),
        "own_us": own_us,
        "failed": failed,
        "missed": {name: sorted(found) for name, found in missed.items() if found},
        "systems": {
            name: summed_up(found, plan.events)
            for name, found in runs.items()
            if found and name not in failed
        },
    }


def main() -> int:
    """Measure, show, and write where asked; 1 where a system failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--only", default=",".join(SYSTEMS), help="systems, with commas between")
    parser.add_argument("--beside", default="", help=f"what else: {','.join(BESIDE)}, or some of it")
    parser.add_argument("--latency-seconds", type=float, default=20.0, help="at half load, for each system")
    parser.add_argument("--drain-seconds", type=float, default=900.0, help="after which a drain has failed")
    parser.add_argument("--write", action="store_true", help="the results file, the page and its plot")
    arguments = parser.parse_args()
    beside = frozenset(filter(None, arguments.beside.split(",")))
    if not beside.issubset(BESIDE):
        parser.error(f"beside the backlog there are {', '.join(BESIDE)}")
    plan = Plan(
        arguments.events, arguments.repeats, beside, arguments.latency_seconds, arguments.drain_seconds
    )
    names = arguments.only.split(",")
    if unknown := set(names) - set(SYSTEMS):
        parser.error(f"no such system: {', '.join(sorted(unknown))}; there are {', '.join(SYSTEMS)}")
    with tempfile.TemporaryDirectory() as directory:
        results = measure(plan, names, Path(directory))
    sys.stdout.write(f"{performance_page.table(results)}\n{performance_page.behaviour(results)}")
    if arguments.write:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        performance_page.write(ROOT, *performance_page.read(ROOT))
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
