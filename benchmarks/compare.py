"""`streamer` beside what users would pick instead: same topic, broker, mapping; at-least-once everywhere.

    python -m benchmarks.compare --events 20000 --repeats 1 --only streamer,careful
    python -m benchmarks.compare --beside latency,drain,kill --only streamer
    python -m benchmarks.compare --write            # a results file, docs/performance.md and its plot

The method is stated in docs/performance.md, which `--write` makes: anew after each run of a system. What is
cut short (SIGTERM, Ctrl-C) so leaves what it found, and the page says that it was cut; the systems that run
are ended. A system that fails is told and left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
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
from benchmarks.systems import ROOT, SYSTEMS, Unfinished, sigterm_unwinds
from streamer.avro.decoder import Decoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent
from streamer.events.parse import FIELDS_READ, parse
from streamer.planhat.items import encode_operation
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


class Found:
    """What was measured so far."""

    def __init__(
        self, plan: Plan, names: Sequence[str], event_bytes: float, floor_us: float, own_us: float
    ) -> None:
        self._plan = plan
        self._event_bytes = event_bytes
        self._floor_us = floor_us
        self._own_us = own_us
        self.runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        self.failed: dict[str, str] = {}
        """What it failed with, by system."""
        self.missed: dict[str, set[str]] = {name: set() for name in names}
        """What of `BESIDE` did not come to its end, by system."""

    def results(self) -> dict[str, object]:
        """As they are kept. `repeats` counts the rounds of which every system has a run, but is 1 at least.

        `is_amid_round`: some systems have one run more than others, or there is one without.
        """
        kept = {name: runs for name, runs in self.runs.items() if name not in self.failed}
        counts = {len(runs) for runs in kept.values()}
        floors = [run["floor_us"] for runs in self.runs.values() for run in runs]
        return {
            "events": self._plan.events,
            "event_bytes": self._event_bytes,
            "repeats": max(1, min(counts, default=0)),
            "is_amid_round": len(counts) > 1,
            "cores": os.cpu_count(),
            "python": ".".join(map(str, sys.version_info[:3])),
            "latency_seconds": self._plan.latency_seconds,
            "calls_per_minute": self._plan.calls_per_minute,
            "longest_drain_seconds": self._plan.drain_seconds,
            "floor_us": median(floors or [self._floor_us]),
            "own_us": self._own_us,
            "failed": self.failed,
            "missed": {name: sorted(beside) for name, beside in self.missed.items() if beside},
            "systems": {name: summed_up(runs, self._plan.events) for name, runs in kept.items() if runs},
        }


def measure(plan: Plan, names: Sequence[str], folder: Path) -> Generator[Found, None, None]:
    """Everything, in rounds: one run of each system, then the next round. Tells after each run."""
    with RealKafka(folder) as kafka:
        place = Place(kafka, kafka.create_topic("bench.dead-letters"), folder)
        topics = Topics(
            kafka.create_topic("bench.events", PARTITIONS), kafka.create_topic("bench.single", PARTITIONS)
        )
        size = fill(kafka.bootstrap, topics.whole, plan.events)
        fill(kafka.bootstrap, topics.single, 1)
        values = values_of(kafka, topics.whole, plan.events)
        floor = partial(cpu_us, RecordMapping().items, values)
        own_us = cpu_us(own_work(), values)
        found = Found(plan, names, size / plan.events, floor(), own_us)
        for name in (name for _ in range(plan.repeats) for name in names):
            if name in found.failed:
                continue
            try:
                is_first = not found.runs[name]
                run = one_round(name, place, plan, topics, found.missed[name], floor, is_first=is_first)
                found.runs[name].append(run)
            except (OSError, RuntimeError, httpx.HTTPError, subprocess.SubprocessError) as error:
                # One rival's fault must not cost the others their figures.
                traceback.print_exception(error)
                found.failed[name] = type(error).__name__
            yield found


def keep(results: Mapping[str, object]) -> None:
    """Into the results file, and the page and its plot anew."""
    whole = RESULTS.with_suffix(".new")
    whole.write_text(json.dumps(results, indent=2) + "\n")
    whole.replace(RESULTS)
    performance_page.write(ROOT, *performance_page.read(ROOT))


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
    if plan.repeats < 1:
        parser.error("there is one round at least")
    names = arguments.only.split(",")
    if unknown := set(names) - set(SYSTEMS):
        parser.error(f"no such system: {', '.join(sorted(unknown))}; there are {', '.join(SYSTEMS)}")
    sigterm_unwinds()
    with tempfile.TemporaryDirectory() as directory, closing(measure(plan, names, Path(directory))) as rounds:
        for found in rounds:
            results = found.results()
            sys.stdout.write(f"{performance_page.table(results)}\n{performance_page.behaviour(results)}\n")
            sys.stdout.flush()
            if arguments.write:
                keep(results)
    return 1 if found.failed else 0


if __name__ == "__main__":
    sys.exit(main())
