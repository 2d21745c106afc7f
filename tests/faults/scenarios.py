"""Single stories that a schedule of strikes does not tell, each on parts of its own.

Each takes a folder and a length in seconds (where time matters), says its figures and returns what is
broken: nothing, if all is well. Stories of one member take a broker that is shared, too.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain, count, islice
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, NamedTuple

from confluent_kafka import Producer

from streamer.outcomes import Endpoint
from streamer.standins.demo_topic import read_letters
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.faults import Fault, FaultKind, ItemMatch
from tests.faults.campaign import Tell
from tests.faults.stall import stall
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import SANDBOX_SWITCHES, Pipeline

Scenario = Callable[[Path, float, Tell], list[str]]


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
