"""`transform --topic` and `explain` on a real Kafka: what is found, what is said, nothing changed."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Producer, TopicPartition

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.cli import main
from streamer.standins.demo_pipeline import free_ports
from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import SANDBOX_SWITCHES, Pipeline

pytestmark = [pytest.mark.real_kafka, pytest.mark.usefixtures("logging_restored")]

Told = dict[str, Any]
SAVED: Final = {"type": "identify", "userId": "u-1", "traits": {"email": "u-1@acme.example", "plan": "pro"}}
SETTLED: Final[list[tuple[int, dict[str, Any] | None]]] = [
    # (partition, event): what the member delivers before it ends
    (0, {"type": "group", "anonymousId": "a-1", "groupId": "acme", "traits": {"name": "Acme"}}),
    (0, {**SAVED, "context": {"groupId": "acme"}, "messageId": "m-1"}),
    (0, {"type": "track", "userId": "u-1", "event": "Opened", "messageId": "m-2"}),
    (0, {"type": "identify", "userId": "u-2", "traits": {"name": "Bo"}, "context": {"groupId": "co-9"}}),
    (0, {"type": "track", "userId": "u-3"}),
    (1, {"type": "track", "userId": "u-3", "event": "Opened", "integrations": {"All": False}}),
    (1, None),
]
LATER: Final[list[tuple[int, dict[str, Any]]]] = [
    (1, {**SAVED, "traits": {"plan": "free"}, "messageId": "m-3"}),
]


class Plant:
    """Topics that hold something, a group that has read most of it, and a sandbox."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._producer = Producer({"bootstrap.servers": pipeline.kafka.bootstrap})
        self._encode = Encoder(load_schemas()).encode

    def publish(self, events: list[tuple[int, dict[str, Any] | None]]) -> None:
        """Events as they are, without a key where they name no user; those no schema has go as JSON."""
        for partition, event in events:
            user = None if event is None else event.get("userId")
            value = None if event is None else self._value(event)
            self._producer.produce(self.pipeline.topic, value, user, partition=partition)
        assert self._producer.flush(20) == 0

    def _value(self, event: dict[str, Any]) -> bytes:
        return json.dumps(event).encode() if event["type"] == "track" else self._encode(event)

    def deliver(self) -> None:
        """Let a member deliver all there is, and end it."""
        member = self.pipeline.member().wait_until_ready()
        ends = self.pipeline.kafka.end_offsets(self.pipeline.topic)
        wait_until(lambda: self.pipeline.committed() == ends, 60, f"{ends} are committed")
        assert member.stop() == 0

    def groups(self) -> set[str]:
        """The groups that the cluster knows."""
        admin = self.pipeline.kafka.admin()
        return {each.group_id for each in admin.list_consumer_groups().result(20).valid}


@pytest.fixture(scope="module")
def plant(real_kafka: RealKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One plant for all of them: nothing they do changes it."""
    folder = tmp_path_factory.mktemp("explain")
    with (
        SandboxProcess(SANDBOX_SWITCHES) as sandbox,
        Pipeline(real_kafka, sandbox, folder, partitions=2, linger_seconds="0.02") as pipeline,
    ):
        made = Plant(pipeline)
        made.publish(SETTLED)
        made.deliver()
        made.publish([*LATER])
        yield made


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(plant: Plant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command under the plant's settings: its exit code, what it printed and what it complained of."""

    def command(*words: str, **changes: str | None) -> tuple[int, str, str]:
        for name in [name for name in os.environ if name.startswith("STREAMER_")]:
            monkeypatch.delenv(name)
        for name, text in plant.pipeline.settings("reader", **{"log_level": "warning", **changes}).items():
            monkeypatch.setenv(name, text)
        code = main(words)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def explained(run: Run, *words: str, code: int = 0, **changes: str | None) -> Told:
    """What `explain --json` told."""
    ended, out, said = run("explain", "--json", *words, **changes)
    assert ended == code, said
    told: Told = json.loads(out)
    return told


# --- transform --topic ----------------------------------------------------------------------------


def rows(run: Run, *words: str) -> list[Told]:
    """What `transform --topic --json` printed."""
    code, out, said = run("transform", "--json", "--topic", *words)
    assert code == 0, said
    return [json.loads(line) for line in out.splitlines()]


def places(found: list[Told]) -> list[tuple[int, int]]:
    """Partition and offset of each, in order of these."""
    return sorted((each["partition"], each["offset"]) for each in found)


def test_a_stretch_of_a_topic_is_transformed(run: Run, plant: Plant) -> None:
    """By partition, offset, count and time; each event with its place, tombstones and bad ones too."""
    everything = rows(run, "--why")
    assert places(everything) == [(0, n) for n in range(5)] + [(1, n) for n in range(3)]
    by_place = {(each["partition"], each["offset"]): each for each in everything}
    assert by_place[0, 1]["requests"][0]["body"][0]["custom"] == {"plan": "pro"}
    assert by_place[0, 1]["why"]["fields"]
    assert (by_place[0, 4]["outcome"], by_place[0, 4]["reason"]) == ("invalid", "event_not_defined")
    assert (by_place[1, 1]["outcome"], by_place[1, 1]["reason"]) == ("skipped", "tombstone")

    assert places(rows(run, "--partition", "0", "--offset", "3", "--count", "1")) == [(0, 3)]
    assert places(rows(run, "--offset", "-1")) == [(0, 4), (1, 2)]
    assert places(rows(run, plant.pipeline.topic, "--partition", "1")) == [(1, 0), (1, 1), (1, 2)]
    assert places(rows(run, "--from", "1h", "--partition", "0")) == [(0, n) for n in range(5)]


def test_a_change_of_the_mapping_is_tried_on_a_live_topic(run: Run, tmp_path: Path) -> None:
    """What a new mapping would change is counted over what the topic holds, with examples by their places."""
    new = tmp_path / "new.toml"
    new.write_text('version = 1\n[identify.traits]\nplan = "drop"\n')
    code, out, said = run("transform", "--topic", "--json", "--mapping", str(new), "--against")
    assert code == 0, said
    changed = json.loads(out)
    assert changed["kinds"]["different"] == 2
    assert changed["fields"] == [{"field": "endusers.custom.plan", "how": "removed", "events": 2}]
    examples = [each for each in changed["examples"] if each["kind"] == "different"]
    assert sorted((each["partition"], each["offset"]) for each in examples) == [(0, 1), (1, 2)]
    assert "pro" not in json.dumps(examples)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--topic", "--partition", "7"], 2, "--partition cannot be 7"),
        (["--topic", "--partition", "0", "--offset", "99"], 2, "holds 0 to 4 now"),
        (["--topic", "nowhere"], 3, "there is no topic nowhere"),
    ],
)
def test_what_is_not_there_is_said(run: Run, words: list[str], code: int, said: str) -> None:
    """A partition, an offset or a topic that is not there is named."""
    ended, out, complained = run("transform", *words)
    assert (ended, out) == (code, "")
    assert said in complained


def test_looking_changes_nothing(run: Run, plant: Plant) -> None:
    """Neither command moves the group's offsets, nor makes a group of its own or of a name it was given."""
    before = plant.pipeline.committed()
    stranger = f"stranger.{plant.pipeline.group}"
    assert run("transform", "--topic", kafka_group_id=stranger)[0] == 0
    for group in (plant.pipeline.group, stranger):
        assert run("explain", "--user", "u-1", kafka_group_id=group)[0] == 0

    assert plant.pipeline.committed() == before
    assert stranger not in plant.groups()
    assert plant.pipeline.assignment() == {}


# --- explain ----------------------------------------------------------------------------------------


def test_one_who_is_there(run: Run) -> None:
    """Each call with its place and state; Planhat's record beside what the topic says; values masked."""
    told = explained(run, "--user", "u-1", "--ask-planhat")

    assert [(call["partition"], call["offset"], call["state"]) for call in told["calls"]] == [
        (0, 1, "committed"),
        (0, 2, "committed"),
        (1, 2, "not_settled"),
    ]
    assert told["planhat"]["look"] == told["planhat_company"]["look"] == "found"
    assert (told["differs"], told["company"]) == (["custom.plan"], "acme")
    assert "1 field is not what its calls say: custom.plan" in told["verdict"]
    assert "one call of it is not finished with yet, the first at 1@2" in told["verdict"]
    assert any("on partitions 0, 1" in note for note in told["notes"])
    assert "u-1@acme.example" not in json.dumps(told)
    shown = explained(run, "--user", "u-1", "--ask-planhat", "--show-values")
    assert shown["says"]["custom.plan"] == "free"
    assert shown["planhat"]["record"]["custom"] == {"plan": "pro"}


def test_one_whose_company_nobody_made(run: Run, plant: Plant) -> None:
    """The question of every CS person: Planhat has neither the enduser nor the company; two calls tell."""
    asked = list(plant.pipeline.sandbox.requests())
    code, out, _ = run("explain", "--user", "u-2", "--ask-planhat")

    assert code == 0
    assert "0@3" in out
    assert "verdict: not in Planhat: its last call names company co-9, which no group call made" in out
    assert "Bo" not in out
    asked = list(plant.pipeline.sandbox.requests())[len(asked) :]
    assert [each.method for each in asked] == ["GET", "GET"]


def test_one_of_whom_nothing_gets_through(run: Run) -> None:
    """A dead letter and a skipped call: both are told with their reasons, and what to do."""
    told = explained(run, "--user", "u-3")
    assert [(each["reason"], each["state"]) for each in told["dead_letters"]] == [
        ("event_not_defined", "open")
    ]
    assert told["calls"][0]["dead_letter"] == told["dead_letters"][0]["letter"]
    assert "is a dead letter (event_not_defined)" in told["verdict"]
    assert "none of its 2 calls is sent" in told["verdict"]

    _, out, _ = run("explain", "--user", "u-3")
    assert "dead letter 0:0: event_not_defined, open" in out


def test_by_address_and_by_company(run: Run) -> None:
    """An address leads to the user id, a company to its group calls and to who names it."""
    by_address = explained(run, "--email", "U-1@ACME.example", "--ask-planhat")
    assert [(call["partition"], call["offset"]) for call in by_address["calls"]] == [(0, 1)]
    assert by_address["planhat"]["look"] == "found"
    assert any("the user id u-1" in note for note in by_address["notes"])

    company = explained(run, "--company", "acme", "--ask-planhat")
    assert company["verdict"] == "in Planhat: this company is there, as its calls say."
    assert any("names this company" in note for note in company["notes"])
    assert any("has no key" in note for note in company["notes"])


def test_one_of_whom_nothing_is_there(run: Run, plant: Plant) -> None:
    """Silence is told as such: of a time of which the topic holds nothing, too."""
    told = explained(run, "--user", "u-1", "--since", "2100-01-01T00:00:00Z")
    assert (told["records"], told["count"]) == (0, 0)
    assert told["verdict"].endswith(
        "by the topic: " + plant.pipeline.topic + " holds no record of that time."
    )


# --- what cannot be found out ---------------------------------------------------------------------------


def test_a_planhat_that_is_away_costs_its_own_line(run: Run) -> None:
    """Without Planhat the rest is told; where it refuses the token too, and then the exit says so."""
    (port,) = free_ports(1)
    told = explained(run, "--user", "u-2", "--ask-planhat", planhat_api_url=f"http://127.0.0.1:{port}")
    assert told["count"] == 1
    assert "could not be told (no reply: the connection was refused)" in told["verdict"]

    refused = explained(run, "--user", "u-2", "--ask-planhat", code=4, planhat_api_token="wrong-token")
    assert "refused with HTTP 401" in refused["verdict"]


def test_no_dead_letter_topic_and_no_group(run: Run) -> None:
    """A dead-letter topic that is not there, and a group without offsets, are said; the rest is told."""
    told = explained(run, "--user", "u-1", kafka_dead_letter_topic="nowhere", kafka_group_id="fresh")
    assert told["count"] == 3
    assert [call["state"] for call in told["calls"]] == ["not_settled"] * 3
    unknown = "\n".join(told["unknown"])
    assert "Dead letters of it are not known: there is no topic nowhere" in unknown
    assert "Group fresh has committed nothing" in unknown


def test_what_retention_took_is_told(run: Run, real_kafka: RealKafka) -> None:
    """Of a topic whose beginning is deleted, and of an empty one, the verdict does not speak of more."""
    topic = real_kafka.create_topic("cut", 1)
    empty = explained(run, "--user", "u-1", kafka_topic=topic)
    assert "holds no record of that time" in empty["verdict"]

    producer = Producer({"bootstrap.servers": real_kafka.bootstrap})
    for _ in range(3):
        producer.produce(topic, json.dumps(SAVED).encode())
    assert producer.flush(20) == 0
    admin = real_kafka.admin()
    for each in admin.delete_records([TopicPartition(topic, 0, 2)]).values():
        each.result(20)
    told = explained(run, "--user", "u-1", kafka_topic=topic)
    assert [call["offset"] for call in told["calls"]] == [2]
    assert any("everything older is deleted" in note for note in told["notes"])
    gone = explained(run, "--user", "u-2", kafka_topic=topic)
    assert "what is older was deleted by retention" in gone["verdict"]


def test_no_topic_is_no_story(run: Run) -> None:
    """Without the event topic there is nothing to tell: the exit is 3 and names it."""
    code, out, said = run("explain", "--user", "u-1", kafka_topic="nowhere")
    assert (code, out) == (3, "")
    assert "there is no topic nowhere" in said


def test_what_is_asked_wrongly_is_refused(run: Run) -> None:
    """A name of nothing and a time that is none end with 2, before anything is read."""
    for words in (["--user", " "], ["--user", "u-1", "--since", "yesterday"]):
        code, out, _ = run("explain", *words)
        assert (code, out) == (2, "")
