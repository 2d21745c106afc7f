"""Single stories that a schedule of strikes does not tell, each on parts of its own.

Each takes a folder and a length in seconds (where time matters), says its figures and returns what is
broken: nothing, if all is well. Stories of one member take a broker that is shared, too.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain, count, islice
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, Final, NamedTuple

from confluent_kafka import Producer

from streamer.outcomes import Endpoint
from streamer.standins.demo_topic import read_letters
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.faults import Fault, FaultKind, ItemMatch
from tests.faults.campaign import drain
from tests.faults.gathering import gather
from tests.faults.load import Load
from tests.faults.plant import HTTP_SECONDS, plant
from tests.faults.report import table
from tests.faults.schedule import Kind, Strike
from tests.faults.strikes import Struck
from tests.faults.verdict import verdict
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import SANDBOX_SWITCHES, Pipeline

Tell = Callable[[str], None]
Scenario = Callable[[Path, float, Tell], list[str]]

# --- Planhat stalls -------------------------------------------------------------------------------

NORMAL_PER_SECOND: Final = 50.0
TIMES_NORMAL: Final = 10.0
FULL_AFTER: Final = 0.2
"""After this share of the stall high water is reached: for the rest of it memory must be flat."""
GROWTH_RATIO: Final = 0.05
GROWTH_MIB: Final = 8.0
_MEMBERS: Final = 2


def stall(folder: Path, seconds: float, say: Tell) -> list[str]:
    """Planhat answers nothing for a while, at ten times the normal rate of events.

    Memory must be flat once high water is reached, the members must stay in the group, and afterwards
    nothing comes again but what was unanswered.
    """
    rate = NORMAL_PER_SECOND * TIMES_NORMAL
    full = int(rate * seconds * FULL_AFTER / _MEMBERS)
    events = int(rate * seconds * 1.2) + 2_000
    sizes = {
        "high_water_records": str(full),
        "bulk_items": str(min(5_000, full // 4)),
        "activity_bulk_items": str(min(250, full // 4)),
        "gate_longest_seconds": f"{min(60.0, seconds):g}",
    }
    with plant(folder, 8, **sizes) as parts:
        lives = [parts.start(slot) for slot in range(_MEMBERS)]
        parts.wait_until_whole()
        load = Load(parts.pipeline, parts.pipeline.open(Generator(1, events, companyless_share=0.0)), rate)
        load.start()
        load.let(2_000)
        load.wait_for(2_000)
        joined = [len(life.member.lines("partitions_assigned")) for life in lives]
        memory = Memory({life.name: life.member.pid for life in lives})
        at = time()
        # The worst way to stall: what is asked is done, and nobody is told.
        parts.sandbox.add_faults(
            Fault(kind=FaultKind.LOST_REPLY, seconds=HTTP_SECONDS + 1.0, times=None, for_seconds=seconds)
        )
        load.let(events)
        memory.watch(seconds)
        struck = Struck(Strike(1, Kind.TIMED_OUT, 0.0, 0.0, 0.0), at, time(), (), events)
        load.join()
        load.wait_for(0)
        drain(parts, say)
        broken = [
            f"{life.name} did not keep its partitions"
            for life, before in zip(lives, joined, strict=True)
            if life.member.lines("partitions_lost")
            or len(life.member.lines("partitions_assigned")) != before
            or not life.member.is_running
        ]
        for slot in list(parts.now):
            parts.end(slot)
        found = verdict(gather(parts, [struck]), allows_behind=False)
    say(f"stalled for {seconds:g} s at {rate:g} events a second; high water {full} records a member")
    for name in memory.samples:
        at_full, most = memory.at(name, FULL_AFTER * 1.5), memory.most(name, FULL_AFTER * 1.5)
        say(
            f"{name}: {memory.at(name, 0):.1f} MiB before, {at_full:.1f} MiB full, "
            f"at most {most:.1f} MiB after"
        )
        if most > at_full * (1 + GROWTH_RATIO) + GROWTH_MIB:
            broken.append(f"{name} grew from {at_full:.1f} to {most:.1f} MiB while nothing moved")
    say(table(found))
    return [*broken, *found.broken]


class Memory:
    """Resident memory of some processes, once a second."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self.samples: dict[str, list[float]] = {name: [] for name in pids}

    def watch(self, seconds: float) -> None:
        """Look for so long."""
        until = monotonic() + seconds
        while monotonic() < until:
            for name, pid in self._pids.items():
                self.samples[name].append(resident_mib(pid))
            sleep(1.0)

    def at(self, name: str, share: float) -> float:
        """After this share of the time."""
        samples = self.samples[name]
        return samples[min(int(share * len(samples)), len(samples) - 1)]

    def most(self, name: str, share: float) -> float:
        """From then on."""
        samples = self.samples[name]
        return max(samples[min(int(share * len(samples)), len(samples) - 1) :])


def resident_mib(pid: int) -> float:
    """What a process holds in memory now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


# --- stories of one member --------------------------------------------------------------------------


@contextmanager
def _one(folder: Path, shared: RealKafka | None, **settings: Any) -> Iterator[Pipeline]:
    """A pipeline on a sandbox of its own, and a broker of its own where none is shared."""
    logs = folder / "members"
    logs.mkdir()
    with ExitStack() as stack:
        kafka = shared or stack.enter_context(RealKafka(folder / "kafka"))
        sandbox = stack.enter_context(SandboxProcess({**SANDBOX_SWITCHES, "keep_activities": 1_000_000}))
        yield stack.enter_context(Pipeline(kafka, sandbox, logs, partitions=1, **settings))


def _produce(pipeline: Pipeline, events: Iterable[Mapping[str, object] | bytes]) -> None:
    producer = Producer({"bootstrap.servers": pipeline.kafka.bootstrap, "linger.ms": 5})
    for event in events:
        value = event if isinstance(event, bytes) else json.dumps(event).encode()
        producer.produce(pipeline.topic, value, b"key", 0)
        producer.poll(0)
    assert producer.flush(60) == 0


def _company() -> dict[str, object]:
    return {"type": "group", "groupId": "acme", "anonymousId": "s", "traits": {"name": "Acme"}}


def _identify(user: str) -> dict[str, object]:
    return {
        "type": "identify",
        "userId": user,
        "messageId": user,
        "context": {"groupId": "acme"},
        "traits": {"email": f"{user}@acme.example"},
    }


def _letters(pipeline: Pipeline) -> list[tuple[int, int]]:
    found = read_letters(pipeline.kafka.bootstrap, pipeline.letter_topic, pipeline.topic)
    return [(letter.partition, letter.offset) for letter in found]


BULK: Final = 5_000
MOST_EXTRA_CALLS: Final = 26


def poison(folder: Path, _seconds: float, say: Tell, kafka: RealKafka | None = None) -> list[str]:
    """One entry for which Planhat refuses a whole full bulk costs at most 26 extra calls."""
    bad = ItemMatch(field="externalId", values=frozenset({"u-poison"}))
    with _one(folder, kafka, linger_seconds="3", alone_seconds="2") as pipeline:
        sandbox = pipeline.sandbox
        _produce(pipeline, [_company()])
        member = pipeline.member().wait_until_ready()
        wait_until(lambda: pipeline.committed().get(0) == 1, 30, "the company is there")
        sandbox.add_faults(
            Fault(kind=FaultKind.STATUS, endpoint="endusers", status=400, items=bad, times=None, body="no")
        )
        users = [f"u-{number}" for number in range(BULK - 1)]
        users.insert(BULK * 2 // 3, "u-poison")
        _produce(pipeline, map(_identify, users))
        wait_until(lambda: sandbox.view()["endusers"]["stored"] == BULK - 1, 90, "all others are saved")
        rows = [row for row in sandbox.requests() if row.endpoint == Endpoint.ENDUSERS]
        largest, calls = max(row.items for row in rows), len(rows)
        # A hundred others must succeed before one is at fault that is refused alone.
        _produce(pipeline, (_identify(f"v-{number}") for number in range(200)))
        wait_until(lambda: pipeline.committed().get(0) == 1 + BULK + 200, 120, "the one becomes a letter")
        code, letters = member.stop(), _letters(pipeline)
    say(f"the largest bulk held {largest}; {calls} calls until all others were saved; letters {letters}")
    broken = []
    if largest < BULK:
        broken.append(f"the bulk was not full: {largest}")
    if calls - 1 > MOST_EXTRA_CALLS:
        broken.append(f"{calls - 1} extra calls, at most {MOST_EXTRA_CALLS} are allowed")
    if letters != [(0, 1 + BULK * 2 // 3)]:
        broken.append(f"letters of {letters}")
    return broken if code == 0 else [*broken, f"exit code {code}"]


def mandatory(folder: Path, _seconds: float, say: Tell, kafka: RealKafka | None = None) -> list[str]:
    """A field made mandatory at Planhat: every create is refused by name; hold, and nothing is set aside."""
    with _one(folder, kafka, hold_probe_seconds="1") as pipeline:
        sandbox = pipeline.sandbox
        _produce(pipeline, chain([_company()], map(_identify, ("u-1", "u-2"))))
        member = pipeline.member().wait_until_ready()
        wait_until(lambda: pipeline.committed().get(0) == 3, 30, "all is well at first")
        sandbox.add_faults(
            Fault(kind=FaultKind.REFUSE, endpoint="endusers", times=None, error="Region must be specified")
        )
        _produce(pipeline, (_identify(f"v-{number}") for number in range(2_000)))
        wait_until(lambda: bool(member.lines("hold_entered")), 60, f"hold\n{member.tail()}")
        sleep(2.0)  # two probes of the hold
        held, letters, committed = member.lines("hold_entered"), _letters(pipeline), pipeline.committed()
        is_ready = member.get("/readyz")[0] == 200
        sandbox.clear_faults()
        wait_until(lambda: pipeline.committed().get(0) == 2_003, 60, "the field is optional again: all go")
        code, after = member.stop(), _letters(pipeline)
    say(
        f"hold {held[0]['reason']}, committed {committed}, letters {len(letters)}, "
        f"after the repair {len(after)}"
    )
    broken = []
    if letters or after:
        broken.append(f"{len(letters)} and then {len(after)} records were set aside")
    if committed != {0: 3}:
        broken.append(f"committed {committed}, of 3 that were accepted")
    return broken if code == 0 and is_ready else [*broken, f"exit code {code}, ready {is_ready}"]


RESTARTS: Final = 10
MOST_LETTERS_A_START: Final = 10


def restarts(
    folder: Path, _seconds: float, say: Tell, kafka: RealKafka | None = None, starts: int = RESTARTS
) -> list[str]:
    """Starts on a topic where everything is bad: ten leave at most a hundred letters."""
    with _one(folder, kafka) as pipeline:
        _produce(pipeline, [b"no event at all"] * 2_000)
        codes = [pipeline.member().wait(60.0) for _ in range(starts)]
        letters, committed = _letters(pipeline), pipeline.committed()
    say(f"exit codes {codes}; {len(letters)} letters of {len(set(letters))} records; committed {committed}")
    broken = [f"{len(letters)} letters"] if len(letters) > MOST_LETTERS_A_START * starts else []
    if set(codes) != {5}:
        broken.append(f"exit codes {codes}")
    if committed.get(0, 0) > len(set(letters)):
        broken.append(f"committed {committed} past what was set aside")
    return broken


class _Recreated(NamedTuple):
    """What became of a topic made anew."""

    code: int | None
    arrived: int
    committed: int


def recreated(folder: Path, _seconds: float, say: Tell) -> list[str]:
    """The topic is deleted and made anew, with fewer records and with more: nothing is skipped in silence."""
    broken = []
    for later in (100, 2_000):
        part = folder / f"later-{later}"
        part.mkdir()
        found = _recreate(part, earlier=500, later=later)
        say(f"500 records, then {later} in the new topic: {found}")
        if found.code is None and found.arrived < later:
            broken.append(
                f"the member runs on, and {later - found.arrived} of {later} new records are skipped"
            )
        if found.code not in {None, 3}:
            broken.append(f"exit code {found.code}")
    return broken


def _recreate(folder: Path, *, earlier: int, later: int) -> _Recreated:
    numbers = count(1)

    def activities(name: str, most: int) -> Iterator[Mapping[str, object]]:
        for number in islice(numbers, most):
            yield {
                "type": "track",
                "event": name,
                "userId": "u-123",
                "messageId": f"m-{number}",
                "context": {"groupId": "acme"},
                "properties": {},
            }

    with _one(folder, None) as pipeline:
        kafka, topic = pipeline.kafka, pipeline.topic
        _produce(pipeline, [_company(), *activities("Before", earlier)])
        member = pipeline.member().wait_until_ready()
        wait_until(lambda: pipeline.committed().get(0) == earlier + 1, 60, "the old topic is read")
        admin = kafka.admin()
        admin.delete_topics([topic])[topic].result(30)
        sleep(1.0)
        kafka.create_topic_named(topic, 1)
        _produce(pipeline, activities("After", later))
        deadline = monotonic() + 45.0
        while member.is_running and monotonic() < deadline and _after(pipeline) < later:
            sleep(0.5)
        sleep(2.0)
        code = None if member.is_running else member.wait(1.0)
        return _Recreated(code, _after(pipeline), pipeline.committed().get(0, 0))


def _after(pipeline: Pipeline) -> int:
    return sum(row.action == "After" for row in pipeline.sandbox.activities())


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "stall": stall,
    "recreated": recreated,
    "restarts": restarts,
    "poison": poison,
    "mandatory": mandatory,
}
