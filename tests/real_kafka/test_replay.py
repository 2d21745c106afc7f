"""Dead letters replayed through a real Kafka: each once or named, none over newer state."""

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from confluent_kafka import TopicPartition

from streamer.app.replay_letters import AT_ONCE
from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import DeadLetter, Decoded
from streamer.events.parse import parse
from streamer.kafka.dead_letters import KafkaDeadLetters
from streamer.kafka.topic_reader import Stretch, TopicReader
from streamer.letters.journal import JournalEntry, ReplayFate, Settlement, written
from streamer.outcomes import Endpoint, InvalidReason
from streamer.planhat.client import Client, Reply, trusted_authorities
from streamer.planhat.items import encode_operation
from streamer.planhat.requests import Addresses, request_for
from streamer.records import Record
from streamer.standins.demo_topic import DemoTopic
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.faults import Fault, FaultKind
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN, DEFAULT_TENANT_TOKEN
from streamer.transform import Rules, Transformed, transform
from tests import program
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import Pipeline

pytestmark = pytest.mark.real_kafka

LETTERS = 1_000
USERS = 300
OVERTAKEN = 20
"""Users of whom a later identify was delivered."""
NEWER = 100_000
"""Levels from here on are those of later identifies."""
PARTITIONS = 3
SECONDS = 120.0


class Replayed(NamedTuple):
    """How a replay ended."""

    code: int
    account: dict[str, Any]
    words: str


class Scene:
    """A source topic and letters of records on it, before a sandbox."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.bootstrap = pipeline.kafka.bootstrap
        self._changes: dict[str, str] = {}
        self.encode = Encoder(load_schemas()).encode
        self._source = DemoTopic(self.bootstrap, pipeline.topic)
        self.letter_topic = pipeline.kafka.create_topic("letters", PARTITIONS)
        self._letters = KafkaDeadLetters(self.bootstrap, self.letter_topic, pipeline.group)

    # --- the topics --------------------------------------------------------------------------------

    def publish(self, events: list[dict[str, Any]]) -> list[Record]:
        """Events to the source topic, by user; the records they became."""
        places: list[tuple[int, int]] = []
        for event in events:
            key, value = str(event.get("userId", "")).encode(), self.encode(event)

            def note(partition: int, offset: int) -> None:
                places.append((partition, offset))

            self._source.produce(key, value, note)
        self._source.settle()
        # Read back: a letter names its original by the time that the topic gave it, too.
        wanted = {
            number: Stretch(min(offsets), max(offsets) + 1)
            for number in {number for number, _ in places}
            if (offsets := [offset for partition, offset in places if partition == number])
        }
        with TopicReader(self.bootstrap, self.pipeline.group, self.pipeline.topic) as reader:
            read = [record for records in reader.read(wanted) for record in records]
        by_place = {(record.partition, record.offset): record for record in read}
        return [by_place[place] for place in places]

    def dead_letter(self, records: list[Record], reason: InvalidReason = InvalidReason.REFUSED) -> None:
        """Letters of these records."""
        waiting = 0
        for record in records:
            letter = DeadLetter(record, reason, "detail", None, 400, 1, 1_700_000_000.0)
            while not self._letters.produce(letter):
                self._letters.collect(0.1)
            waiting += 1
        while waiting:
            answered = self._letters.collect(0.5)
            assert all(is_acknowledged for _, is_acknowledged in answered)
            waiting -= len(answered)

    def store(self, events: list[dict[str, Any]]) -> None:
        """Let Planhat know these calls, as a pipeline would have told it."""
        sandbox = self.pipeline.sandbox.url
        addresses = Addresses(sandbox, sandbox, DEFAULT_TENANT_TOKEN)
        client = Client(trusted_authorities(), deadline_seconds=30)
        made = [transform(parse(event), Rules()) for event in events]
        operations = [
            each for result in made if isinstance(result, Transformed) for each in result.operations
        ]
        for endpoint in (Endpoint.COMPANIES, Endpoint.ENDUSERS):
            items = [encode_operation(each) for each in operations if each.endpoint is endpoint]
            request, statuses = request_for(endpoint, items, addresses), [0]
            # Planhat refuses what a replay has in flight right then: it goes again, as a pipeline's would.
            while statuses[-1] != 200 and len(statuses) < 50:
                reply = client.send(request, bearer=DEFAULT_API_TOKEN)
                assert isinstance(reply, Reply)
                statuses.append(reply.status)
            assert statuses[-1] == 200, statuses
        client.close()

    # --- commands ----------------------------------------------------------------------------------

    @contextmanager
    def settings_changed(self, **changes: str) -> Iterator[None]:
        """Commands see these settings while the block runs."""
        self._changes = changes
        yield
        self._changes = {}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start `streamer dead-letters ...`."""
        changes = {"kafka_dead_letter_topic": self.letter_topic, "log_level": "info", **self._changes}
        settings = self.pipeline.settings("replay", **changes)
        return subprocess.Popen(
            program.command("dead-letters", *words),
            env={**program.variables(), **settings},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: str) -> Replayed:
        """Run a command to its end; what it printed as JSON, if it is one object."""
        child = self.start(*words)
        out, words_said = child.communicate(timeout=SECONDS)
        account = json.loads(out) if out.startswith("{") and out.count("\n") == 1 else {"out": out}
        return Replayed(child.returncode, account, words_said)

    def replay(self, *words: str) -> Replayed:
        """Run a replay to its end; it must end well."""
        replayed = self.run("replay", "--json", "--calls-per-minute", "6000", *words)
        assert replayed.code == 0, replayed
        return replayed

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """What `list --json` prints."""
        listed = self.run("list", "--json", *words)
        assert listed.code == 0, listed
        text = listed.account["out"] if "out" in listed.account else json.dumps(listed.account)
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def scene(piped: Callable[..., Pipeline]) -> Scene:
    """Topics, letters and a sandbox of the test's own."""
    return Scene(piped(partitions=PARTITIONS))


def identify(user: int, level: int) -> dict[str, Any]:
    """An enduser of a company."""
    return {
        "type": "identify",
        "messageId": f"identify-{level}",
        "userId": f"u-{user}",
        "traits": {"email": f"u-{user}@acme.example", "level": level},
        "context": {"groupId": f"acme-{user % 7}"},
    }


def track(user: int, number: int) -> dict[str, Any]:
    """An activity."""
    return {
        "type": "track",
        "messageId": f"track-{number}",
        "userId": f"u-{user}",
        "event": "Report Exported",
        "properties": {"number": number},
    }


def companies() -> list[dict[str, Any]]:
    """The companies of all users; of no user, so that they make no enduser."""
    return [
        {"type": "group", "messageId": f"g-{n}", "anonymousId": f"a-{n}", "groupId": f"acme-{n}",
         "traits": {"name": f"Acme {n}"}}
        for n in range(7)
    ]  # fmt: skip


def levels(sandbox: SandboxProcess) -> Mapping[str, int]:
    """The level that the sandbox knows of each enduser."""
    return {str(row.external_id): row.custom["level"] for row in sandbox.endusers()}


def activities(sandbox: SandboxProcess) -> Counter[str]:
    """How often the sandbox stored each activity."""
    return Counter(row.info["messageId"] for row in sandbox.activities())


def test_a_thousand_letters_interrupted_twice(
    scene: Scene, sandbox: SandboxProcess, show: Callable[[str], None]
) -> None:
    """Each letter is delivered once or named as perhaps twice, and none is put over newer state."""
    events = [
        track(number // 3 % USERS, number) if number % 3 else identify(number // 3 % USERS, number)
        for number in range(LETTERS)
    ]
    originals = scene.publish(events)
    newer = [identify(user, NEWER + user) for user in range(OVERTAKEN)]
    scene.publish(newer)
    scene.store([*companies(), *newer])
    scene.dead_letter(originals)
    scene.dead_letter(originals[:30])  # written twice, as after a crash
    message_at = {(each.partition, each.offset): _event_of(each)["messageId"] for each in originals}
    message_of = {row["letter"]: message_at[row["partition"], row["offset"]] for row in scene.rows()}
    assert len(message_of) == LETTERS

    sandbox.switch({"analytics_seconds": 0.3})
    doubtful: set[str] = set()
    taken: set[str] = set()
    for least in (150, 350):
        _kill_when(scene, sandbox, least)
        taken = {row["letter"] for row in scene.rows() if row["state"] == "taken"}
        # What the first kill left in doubt is sent first by the second, so it may be in doubt still.
        assert 0 < len(taken) <= 2 * AT_ONCE
        doubtful |= taken
    sandbox.switch({"analytics_seconds": 0})
    account = scene.replay().account
    stored, known = activities(sandbox), levels(sandbox)
    twice = {message for message, count in stored.items() if count > 1}
    perhaps_twice = {row["letter"] for row in scene.rows("--all") if row["perhaps_twice"]}
    held = {message_of[each["letter"]] for each in account["held_back"]}

    assert account["left"] == 0
    assert account["overtaken"] == []
    assert stored.keys() == {event["messageId"] for event in events if event["type"] == "track"}
    assert twice <= {message_of[letter] for letter in perhaps_twice}
    assert perhaps_twice <= doubtful
    assert {each["letter"] for each in account["uncertain"]} == taken
    assert held == {f"identify-{3 * n}" for n in range(LETTERS // 3 + 1) if n % USERS < OVERTAKEN}
    latest = {n % USERS: 3 * n for n in range(LETTERS // 3 + 1)}
    assert known == {f"u-{user}": NEWER + user if user < OVERTAKEN else latest[user] for user in latest}
    show(
        f"replay of {LETTERS} letters killed twice: {len(perhaps_twice)} named as perhaps delivered twice, "
        f"{len(twice)} activities were, {len(held)} letters held back"
    )

    assert scene.replay().account["delivered"] == 0, "all is settled or held back"
    assert scene.replay("--force").account["delivered"] == len(held)
    assert scene.replay().account["selected"] == 0


def _kill_when(scene: Scene, sandbox: SandboxProcess, least: int) -> None:
    """Start a replay and kill it once so many activities were stored."""
    child = scene.start("replay", "--json", "--calls-per-minute", "6000")

    def is_mid_flight() -> bool:
        assert child.poll() is None, child.communicate()
        return len(activities(sandbox)) >= least

    wait_until(is_mid_flight, 60, f"{least} activities are stored")
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=SECONDS)


def _event_of(record: Record) -> dict[str, Any]:
    found = Decoder(load_schemas()).decode(record.value or b"")
    assert isinstance(found, Decoded)
    return dict(found.value)


def test_newer_calls_that_come_meanwhile_win(scene: Scene, sandbox: SandboxProcess) -> None:
    """Calls delivered while their users' letters are replayed are not overwritten, whichever came first."""
    users = range(12)
    originals = scene.publish([identify(user, user) for user in users])
    scene.store(companies())
    scene.dead_letter(originals)
    sandbox.switch({"service_seconds": 0.4})
    child = scene.start("replay", "--json", "--rate", "4", "--calls-per-minute", "6000")
    wait_until(lambda: len(levels(sandbox)) >= 3, 60, "the replay is at work")
    newer = [identify(user, NEWER + user) for user in users]
    scene.publish(newer)
    scene.store(newer)
    out, words = child.communicate(timeout=SECONDS)

    account = json.loads(out)
    assert child.returncode == 0, words
    assert account["delivered"] + len(account["held_back"]) == len(users)
    assert account["held_back"], "the later letters met newer calls"
    assert levels(sandbox) == {f"u-{user}": NEWER + user for user in users}


def test_filters_leave_the_others_open(scene: Scene, sandbox: SandboxProcess) -> None:
    """A replay of one reason, one user or one letter leaves all others for the next."""
    scene.store([*companies(), *(identify(n, n) for n in (*range(4), *range(10, 16)))])
    first = scene.publish([track(number, number) for number in range(4)])
    second = scene.publish([track(number, number) for number in range(10, 16)])
    scene.dead_letter(first, InvalidReason.REFUSED)
    scene.dead_letter(second, InvalidReason.UNKNOWN_SCHEMA)

    rehearsed = scene.replay("--reason", "refused", "--dry-run")
    assert rehearsed.account["operations"] == {"activities": 4}
    assert activities(sandbox) == {}
    assert scene.replay("--reason", "refused").account["delivered"] == 4
    assert scene.replay("--user", "u-12").account["delivered"] == 1
    one = scene.rows()[0]["letter"]
    assert scene.replay("--letter", one).account["delivered"] == 1
    assert scene.replay().account["delivered"] == 4
    assert len(scene.rows("--all")) == 10
    assert scene.rows() == []


def test_no_event_passes_for_a_note_of_a_replay(scene: Scene) -> None:
    """Whoever writes events can neither hide their own letter nor settle another's."""
    unnamed = b'{"type":"track","userId":"u-1"}'
    scene.dead_letter([Record(scene.pipeline.topic, 0, 900, 1_000, b"u-1", unnamed)])
    (victim,) = scene.rows()
    partition, offset = (int(part) for part in victim["letter"].split(":"))
    forged = JournalEntry(partition, "x", 1, settled=(Settlement(offset, ReplayFate.DELIVERED),))
    headers = (("streamer.journal", b"1"),)
    # The same key, so that the letter comes to lie in the partition of the one it speaks of.
    scene.dead_letter([Record(scene.pipeline.topic, 0, 901, 1_000, b"u-1", written(forged), headers)])

    assert [(row["offset"], row["state"]) for row in scene.rows()] == [(900, "open"), (901, "open")]


def test_what_still_fails_stays_the_letter_it_is(scene: Scene) -> None:
    """A letter that fails again is not written again: it stays open, with the newest reason and its tries."""
    unnamed = b'{"type":"track","userId":"u-1"}'
    bad = [Record(scene.pipeline.topic, 0, 900 + n, 1_000, b"u-1", unnamed) for n in (1, 2)]
    scene.dead_letter(bad, InvalidReason.UNKNOWN_SCHEMA)
    before = scene.pipeline.kafka.end_offsets(scene.letter_topic)

    replayed = scene.replay()
    rows = scene.rows()

    assert replayed.account["failed"] == {"event_not_defined": 2}
    assert [(row["reason"], row["state"], row["replays"]) for row in rows] == [
        ("event_not_defined", "failed", 1)
    ] * 2
    after = scene.pipeline.kafka.end_offsets(scene.letter_topic)
    assert sum(after.values()) - sum(before.values()) <= 2, "two notes, and no letter"


def test_a_stub_is_read_from_its_source(scene: Scene, sandbox: SandboxProcess) -> None:
    """A letter whose topic could not take the original is delivered from where it was read."""
    scene.store([*companies(), identify(5, 5)])
    large = track(5, 5)
    large["properties"]["padding"] = "x" * 300_000
    (original,) = scene.publish([large])
    small = scene.pipeline.kafka.create_topic("small", 1, max_message_bytes="20000")
    scene.letter_topic = small
    scene._letters = KafkaDeadLetters(scene.bootstrap, small, scene.pipeline.group)
    scene.dead_letter([original])
    gone = original._replace(offset=999)
    scene.dead_letter([gone])

    (stub, missing) = scene.rows()
    shown = scene.run("show", "--json", stub["letter"]).account
    replayed = scene.replay().account

    assert shown["is_stub"]
    assert shown["value_bytes"] == len(original.value or b"")
    assert replayed["delivered"] == 1
    assert replayed["gone"] == [missing["letter"]]
    assert activities(sandbox) == {"track-5": 1}


def test_a_second_replay_at_the_same_time_ends_with_3(scene: Scene, sandbox: SandboxProcess) -> None:
    """Two replays never send the same letters: the second says so, and the first goes on."""
    scene.store([*companies(), *(identify(n, n) for n in range(9))])
    scene.dead_letter(scene.publish([track(number % 9, number) for number in range(60)]))
    first = scene.start("replay", "--json", "--rate", "2")
    wait_until(lambda: len(activities(sandbox)) > 0, 60, "the first is at work")

    second = scene.run("replay")
    is_running = first.poll() is None
    first.send_signal(signal.SIGTERM)
    out, words = first.communicate(timeout=SECONDS)

    assert second.code == 3, second
    assert "another replay" in second.words
    assert is_running, "it was not disturbed"
    assert first.returncode == 0, words
    account = json.loads(out)
    assert account["delivered"] + account["left"] == 60
    rest = scene.replay().account
    assert rest["delivered"] == account["left"]
    doubtful = len(rest["uncertain"])  # sent when the signal came, and not answered yet
    assert doubtful < account["left"]
    assert len(activities(sandbox)) == 60
    assert activities(sandbox).total() <= 60 + doubtful


def test_what_was_sent_and_not_answered_at_sigterm_is_named(scene: Scene, sandbox: SandboxProcess) -> None:
    """A letter whose answer never came stays in doubt after an orderly stop, and is named for good."""
    scene.store([*companies(), *(identify(n, n) for n in range(3))])
    scene.dead_letter(scene.publish([track(n, n) for n in range(3)]))
    sandbox.add_faults(Fault(kind=FaultKind.LOST_REPLY, endpoint="activities", times=None, seconds=4))
    first = scene.start("replay", "--json")
    wait_until(lambda: len(activities(sandbox)) == 3, 60, "all were stored")
    first.send_signal(signal.SIGTERM)
    out, words = first.communicate(timeout=SECONDS)
    sandbox.clear_faults()
    rest = scene.replay().account

    assert first.returncode == 0, words
    assert json.loads(out)["left"] == 3
    assert len(rest["uncertain"]) == rest["delivered"] == 3
    assert activities(sandbox) == {f"track-{n}": 2 for n in range(3)}
    assert [row["perhaps_twice"] for row in scene.rows("--all")] == [True] * 3


def test_what_came_after_and_was_deleted_holds_a_letter_back(scene: Scene, sandbox: SandboxProcess) -> None:
    """Where retention took what followed a letter, nobody can tell what it would overwrite."""
    old, newer = identify(1, 1), identify(1, NEWER)
    (original,) = scene.publish([old])
    (later,) = scene.publish([newer])
    scene.publish([track(1, 1)])
    scene.store([*companies(), newer])
    scene.dead_letter([original])
    admin = scene.pipeline.kafka.admin()
    place = TopicPartition(later.topic, later.partition, later.offset + 1)
    admin.delete_records([place])[place].result(20)
    (letter,) = (row["letter"] for row in scene.rows())

    rehearsed = scene.replay("--dry-run").account
    replayed = scene.replay().account

    assert rehearsed["held_back_unknown"] == replayed["held_back_unknown"] == [letter]
    assert replayed["delivered"] == 0
    assert levels(sandbox) == {"u-1": NEWER}
    assert scene.replay("--force").account["delivered"] == 1
    assert levels(sandbox) == {"u-1": 1}


def test_letters_of_another_group_are_left_alone(scene: Scene, sandbox: SandboxProcess) -> None:
    """Deployments may share a dead-letter topic: each replays its own, another's by name."""
    scene.store([*companies(), identify(1, 1), identify(2, 2)])
    ours, theirs = scene.publish([track(1, 1)]), scene.publish([track(2, 2)])
    scene.dead_letter(ours)
    scene._letters = KafkaDeadLetters(scene.bootstrap, scene.letter_topic, "another")
    scene.dead_letter(theirs)

    assert "1 letters are of other groups, which --group shows: " in scene.run("list").account["out"]
    assert scene.replay().account["selected"] == 1
    assert activities(sandbox) == {"track-1": 1}
    assert len(scene.rows("--group", "another")) == 1
    assert scene.replay("--group", "another").account["delivered"] == 1
    assert activities(sandbox) == {"track-1": 1, "track-2": 1}


def test_a_planhat_that_is_away_is_waited_for(scene: Scene, sandbox: SandboxProcess) -> None:
    """While Planhat answers 503 a replay waits, and goes on by itself."""
    scene.store([*companies(), *(identify(n, n) for n in range(5))])
    scene.dead_letter(scene.publish([track(n, n) for n in range(5)]))
    sandbox.add_faults(Fault(kind=FaultKind.STATUS, status=503, times=3))
    replayed = scene.replay()

    assert replayed.account["delivered"] == 5
    assert "delivery_retried" in replayed.words
    assert activities(sandbox) == {f"track-{n}": 1 for n in range(5)}


def test_refused_credentials_end_a_replay_with_4(scene: Scene, sandbox: SandboxProcess) -> None:
    """Planhat that refuses the token ends the replay before it takes a letter; all stay open."""
    scene.dead_letter(scene.publish([identify(n, n) for n in range(5)]))
    with scene.settings_changed(planhat_api_token="wrong"):
        refused = scene.run("replay")

    assert refused.code == 4, refused
    assert [row["state"] for row in scene.rows()] == ["open"] * 5


def test_listing_and_showing_tell_all_but_what_users_said(scene: Scene) -> None:
    """Values stay masked unless asked for; reasons, places, states and what would come of it are shown."""
    scene.dead_letter(scene.publish([identify(7, 41)]), InvalidReason.REFUSED)
    scene.dead_letter(
        [Record(scene.pipeline.topic, 1, 5, 1_000, None, b"\x1b[2Junreadable")], InvalidReason.NOT_AVRO
    )
    table = scene.run("list").account["out"]
    (of_user,) = scene.rows("--user", "U-7@acme.example")
    shown = scene.run("show", of_user["letter"]).account["out"]
    revealed = scene.run("show", of_user["letter"], "--reveal").account["out"]
    unreadable = scene.run("show", "--json", scene.rows("--reason", "not_avro")[0]["letter"]).account

    assert "2 dead letters: 1 refused, 1 not_avro" in table
    assert of_user["names"] == ["****"] * 3
    for text in (table, shown):
        assert "u-7" not in text
        assert "acme" not in text
    assert '"level": "<number>"' in shown
    assert "would be sent: 1 to endusers" in shown
    assert "u-7@acme.example" in revealed
    assert '"level": 41' in revealed
    assert unreadable["event"] is None
    assert (
        unreadable["now"] == "still invalid: not_avro (starts neither like JSON nor like a framing of Avro)"
    )
    assert scene.run("show", "0:4711").code == 2
