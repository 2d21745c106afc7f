"""The pipeline in one process without a broker or Planhat: what one event costs, and where it goes.

Real: decoder, transform, engine, encoding, metrics and log observers, limits as the settings have them.
Doubles: a source that has the records in memory as Kafka's edge would hand them out, and a sink that
answers everything as saved some turns later. So the figure is CPU of our own code alone, comparable between
two commits run by turns; the floor beside it is decode + transform + encode of the same records.

    python -m benchmarks.profile_run --events 100000
    python -m benchmarks.profile_run --events 100000 --profile 40     # where it goes, by cProfile
"""

import argparse
import cProfile
import pstats
import resource
import sys
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from benchmarks.rivals.mapping import Mapping as RecordMapping
from benchmarks.rivals.mapping import Unreadable
from streamer.app.building import decoder_of, limits_of, wanted_fields
from streamer.app.garbage import look_seldom
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.config import load_settings
from streamer.engine.loop import Streamer
from streamer.engine.ports import Assignment, Batch, CommitResult, DeadLetter, Delivery
from streamer.logs import LogObserver, Observers, configure_logs
from streamer.metrics import Metrics
from streamer.outcomes import Answered, Verdict
from streamer.planhat.items import encode_operation
from streamer.records import Found, Mark, Record, TopicPartition
from streamer.standins.bad_records import AvroValue
from streamer.standins.generator import Generator

PARTITIONS = 4
TOPIC = "segment.events"
ANSWER_TURNS = 8
"""Turns of the loop that a request is under way."""


class Source:
    """All records lie ready; commits succeed at once."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = deque(records)
        self._finished: list[tuple[Mapping[TopicPartition, Mark], CommitResult]] = []

    def subscribe(self, assignment: Assignment) -> None:
        """Everything is assigned."""
        assignment.assigned({TopicPartition(TOPIC, number): Found() for number in range(PARTITIONS)})

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """The next ones."""
        left = self._records
        if not left:
            time.sleep(timeout_seconds)  # as a broker does that has no more
        return [left.popleft() for _ in range(min(max_records, len(left)))]

    @property
    def left(self) -> int:
        """Records not handed out yet."""
        return len(self._records)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Nothing is paused for long."""

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """See pause."""

    def start_commit(self, marks: Mapping[TopicPartition, Mark]) -> None:
        """Committed."""
        self._finished.append((marks, CommitResult.COMMITTED))

    def finished_commits(self) -> Sequence[tuple[Mapping[TopicPartition, Mark], CommitResult]]:
        """All."""
        ended, self._finished = self._finished, []
        return ended

    def commit_now(self, marks: Mapping[TopicPartition, Mark]) -> CommitResult:
        """Committed."""
        return CommitResult.COMMITTED

    def close(self) -> None:
        """Nothing to close."""


class Sink:
    """Saves everything; answers come `ANSWER_TURNS` later."""

    def __init__(self) -> None:
        self._under_way: deque[tuple[int, Batch]] = deque()
        self._turn = 0
        self.requests = self.items = 0

    def submit(self, batch: Batch) -> bool:
        """Take it, and make its body as a worker would."""
        b"[" + b",".join(batch.items) + b"]"
        self._under_way.append((self._turn + ANSWER_TURNS, batch))
        self.requests += 1
        self.items += len(batch.items)
        return True

    def collect(self, timeout_seconds: float) -> Sequence[Delivery]:
        """What is due."""
        self._turn += 1
        time.sleep(timeout_seconds)
        due = []
        while self._under_way and self._under_way[0][0] <= self._turn:
            batch = self._under_way.popleft()[1]
            verdicts = (Verdict.ACCEPTED,) * len(batch.operations)
            due.append(Delivery(batch, Answered(verdicts), 0.05, 200))
        return due

    def refresh_credentials(self) -> None:
        """There are none."""


class DeadLetters:
    """Acknowledged at once."""

    def __init__(self) -> None:
        self._produced: list[tuple[DeadLetter, bool]] = []

    def produce(self, letter: DeadLetter) -> bool:
        """Taken."""
        self._produced.append((letter, True))
        return True

    def collect(self, timeout_seconds: float) -> Sequence[tuple[DeadLetter, bool]]:
        """All."""
        done, self._produced = self._produced, []
        return done


class Clock:
    """The machine's."""

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time()


def records_of(events: int, padding: int) -> list[Record]:
    """The generator's events as records, in the order of production; each with so many bytes more."""
    encode = Encoder(load_schemas()).encode
    offsets = [0] * PARTITIONS
    records = []
    now_ms = int(time.time() * 1000)
    for made in Generator(7, events):
        if padding and isinstance(made.value, AvroValue) and "properties" in made.value.event:
            made.value.event["properties"]["told"] = "x" * padding
        value = made.value_bytes(encode)
        number = hash(made.key) % PARTITIONS if made.key is not None else 0
        records.append(Record(TOPIC, number, offsets[number], now_ms, made.key, value))
        offsets[number] += 1
    return records


def streamer_of(records: Sequence[Record]) -> tuple[Streamer, Source, Sink]:
    """The engine with its real parts, as `app.building` puts them together."""
    settings = load_settings(
        {
            "STREAMER_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "STREAMER_START": "earliest",
            "STREAMER_PLANHAT_API_TOKEN": "token",
            "STREAMER_PLANHAT_TENANT_TOKEN": "00000000-0000-4000-8000-000000000000",
            "STREAMER_PLANHAT_SUBDOMAIN": "api",
            "STREAMER_PLANHAT_CALLS_PER_MINUTE": "100000",
        }
    )
    source, sink = Source(records), Sink()
    streamer = Streamer(
        limits=limits_of(settings),
        rules=settings.rules,
        source=source,
        decoder=decoder_of(settings, wanted=wanted_fields(settings)),
        encode=encode_operation,
        sink=sink,
        dead_letters=DeadLetters(),
        observer=Observers(Metrics(mode="api"), LogObserver()),
        clock=Clock(),
        dice=lambda: 0.5,
        topic_partitions=lambda: PARTITIONS,
    )
    return streamer, source, sink


def run(streamer: Streamer, source: Source) -> float:
    """Turn until everything is settled; CPU seconds."""
    source.subscribe(streamer)
    look_seldom()
    began = time.process_time()
    while source.left or streamer.ledger.in_flight:
        streamer.run_once()
    return time.process_time() - began


def floor(records: Sequence[Record]) -> float:
    """CPU seconds of decode + transform + encode of the same records, by the rivals' reading."""
    mapping = RecordMapping()
    began = time.process_time()
    for record in records:
        try:
            mapping.items(record.value or b"null")
        except Unreadable:
            continue
    return time.process_time() - began


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--padding", type=int, default=0, help="bytes more in each event with properties")
    parser.add_argument("--profile", type=int, default=0, metavar="LINES", help="cProfile's first lines")
    parser.add_argument("--no-floor", action="store_true")
    arguments = parser.parse_args()
    configure_logs(log_level="error")
    records = records_of(arguments.events, arguments.padding)
    floor_us = 0.0 if arguments.no_floor else floor(records) / len(records) * 1e6
    streamer, source, sink = streamer_of(records)
    profile = cProfile.Profile() if arguments.profile else None
    if profile is not None:
        profile.enable()
    us = run(streamer, source) / len(records) * 1e6
    if profile is not None:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(arguments.profile)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"us/event {us:.2f}  floor {floor_us:.2f}  requests {sink.requests}  items {sink.items}  "
        f"peak MiB {peak:.0f}\n"
    )


if __name__ == "__main__":
    main()
