"""A Kafka with locks, through the program as an operator runs it: let in, shut out, rights taken away.

The settings are those of docs/secured-kafka.md, with this test's files and passwords put in.
"""

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Final

import pytest

from streamer.errors import SourceError
from streamer.kafka.access import check_access
from streamer.kafka.letter_journal import LetterJournal
from streamer.kafka.permissions import PERMISSIONS, Need, Resource, acl_commands, needs_of, wishes_of
from streamer.kafka.replay_group import ReplayGroup
from streamer.kafka.topic_reader import TopicReader
from streamer.outcomes import Fate
from streamer.standins.composer import MadeEvent
from streamer.standins.demo_pipeline import free_port
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.cluster import RealKafka, fetch_jars, kafka_tool
from tests.real_kafka.commands import END_SECONDS, end, page_properties, start, text_of_properties
from tests.real_kafka.member import plain, wait_until
from tests.real_kafka.pipeline import KAFKA_PROPERTIES, SANDBOX_SWITCHES, Pipeline
from tests.real_kafka.secured import Certificates, Grant, SecuredKafka

pytestmark = pytest.mark.real_kafka

USER: Final = "planhat-streamer"
PASSWORD: Final = "marked-password-of-the-user"
KEY_PASSWORD: Final = "marked-password-of-the-key"
SECRETS: Final = ("marked-", "BEGIN ENCRYPTED")


@pytest.fixture(scope="module")
def locked(real_kafka: RealKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """A Kafka with locks, that knows one user."""
    real_kafka.require_owned()
    with SecuredKafka(tmp_path_factory.mktemp("secured-kafka")) as kafka:
        kafka.add_user(USER, PASSWORD)
        yield kafka


@pytest.fixture(scope="module")
def planhat() -> Iterator[SandboxProcess]:
    """One Planhat for all of them."""
    with SandboxProcess(SANDBOX_SWITCHES) as running:
        yield running


Pipelines = Callable[..., Pipeline]


@pytest.fixture
def secured(locked: SecuredKafka, planhat: SandboxProcess, tmp_path: Path) -> Iterator[Pipelines]:
    """Make pipelines whose members come in by one of the page's ways, allowed exactly what the list says."""
    with ExitStack() as stack:

        def make(way: str) -> Pipeline:
            planhat.reset()
            folder = tmp_path / "properties"
            folder.write_text(text_of_properties({**KAFKA_PROPERTIES, **_properties(locked, way)}))
            made = Pipeline(
                locked, planhat, tmp_path, partitions=2, kafka_bootstrap_servers=_bootstrap(locked, way),
                kafka_properties=None, kafka_properties_file=str(folder), commit_interval_seconds="0.1",
                session_timeout_seconds="6", linger_seconds="0.02",
            )  # fmt: skip
            stack.enter_context(locked.allowing(_grants(made)))
            return stack.enter_context(made)

        yield make


def _properties(kafka: SecuredKafka, way: str) -> dict[str, str]:
    """The page's properties with the paths and passwords of this test."""
    client = kafka.certificates.client(USER, KEY_PASSWORD)
    ours = {
        "sasl.username": USER,
        "sasl.password": PASSWORD,
        "ssl.ca.location": str(kafka.certificates.authority),
        "ssl.certificate.location": str(client.certificate),
        "ssl.key.location": str(client.key),
        "ssl.key.password": KEY_PASSWORD,
        "ssl.keystore.location": str(client.store),
        "ssl.keystore.password": KEY_PASSWORD,
        # The broker is bound to one address; `localhost` may have two.
        "broker.address.family": "v4",
    }
    shown = page_properties(way)
    return {name: ours.get(name, value) for name, value in {**shown, "broker.address.family": ""}.items()}


def _bootstrap(kafka: SecuredKafka, way: str) -> str:
    return kafka.scram_bootstrap if way == "scram" else kafka.tls_bootstrap


def _needs(pipeline: Pipeline) -> dict[Resource, Need]:
    names = {
        Resource.EVENTS: pipeline.topic,
        Resource.LETTERS: pipeline.letter_topic,
        Resource.GROUP: pipeline.group,
    }
    return dict(zip(names, needs_of("run", names), strict=True))


def _grants(pipeline: Pipeline, user: str = USER) -> list[Grant]:
    return [Grant(user, *need) for need in _needs(pipeline).values()]


def _begin(pipeline: Pipeline, seed: int) -> Iterator[MadeEvent]:
    """Some of a made stream, bad records too, delivered and committed; returns the rest."""
    events = pipeline.open(Generator(seed, 400, companyless_share=0.0))
    pipeline.feed(islice(events, 150))
    pipeline.wait_until_committed()
    return events


def _is_bad(made: MadeEvent) -> bool:
    return made.expectation.fate is Fate.DEAD_LETTERED


# --- shut out --------------------------------------------------------------------------------------

SHUT_OUT: Final[Mapping[str, tuple[str, dict[str, str | None], str, int, tuple[str, ...]]]] = {
    # name: (way, changes to the properties, bootstrap servers, exit code, words)
    "wrong password": (
        "scram", {"sasl.password": "marked-wrong"}, "scram", 3, ("user and password", "sasl.password"),
    ),
    "wrong mechanism": (
        "scram", {"sasl.mechanism": "PLAIN"}, "scram", 3, ("sasl.mechanism=SCRAM-SHA-512",),
    ),
    "unknown authority": (
        "scram", {"ssl.ca.location": "OTHER"}, "scram", 3,
        ("authority that is not trusted", "ssl.ca.location"),
    ),
    "wrong host name": (
        "scram", {}, "scram by address", 3,
        ("is not for 127.0.0.1", "STREAMER_KAFKA_BOOTSTRAP_SERVERS", "advertised.listeners"),
    ),
    "no client certificate": (
        "pem", {"ssl.certificate.location": None, "ssl.key.location": None, "ssl.key.password": None},
        "tls", 3, ("wants a certificate", "ssl.certificate.location", "ssl.keystore.location"),
    ),
    "a stranger's certificate": (
        "pkcs12", {"ssl.keystore.location": "OTHER"}, "tls", 3,
        ("does not accept our certificate", "ssl.keystore.location"),
    ),
    "plain to TLS": (
        "pem", {"security.protocol": "PLAINTEXT"}, "tls", 3, ("hangs up on PLAINTEXT", "security.protocol"),
    ),
    "TLS to plain": (
        "pem", {}, "plain", 3, ("does not speak TLS", "security.protocol=PLAINTEXT"),
    ),
    "nobody there": (
        "scram", {}, "nowhere", 3, ("no Kafka broker answered", "STREAMER_KAFKA_BOOTSTRAP_SERVERS"),
    ),
    "wrong password of the key": (
        "pem", {"ssl.key.password": "marked-wrong"}, "tls", 2, ("ssl.key.location",),
    ),
    "wrong password of the store": (
        "pkcs12", {"ssl.keystore.password": "marked-wrong"}, "tls", 2, ("ssl.keystore.location",),
    ),
    "no such file": (
        "scram", {"ssl.ca.location": "/no/such/ca.pem"}, "scram", 2, ("ssl.ca.location", "/no/such/ca.pem"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def attempts(
    locked: SecuredKafka, planhat: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """All of SHUT_OUT, under way: most of their time is waiting, so it is spent beside other tests."""
    folder = tmp_path_factory.mktemp("shut-out")
    other = Certificates(folder / "other")
    pipeline = Pipeline(locked, planhat, folder, partitions=1)
    places = {
        "scram": locked.scram_bootstrap,
        "scram by address": locked.scram_bootstrap.replace("localhost", "127.0.0.1"),
        "tls": locked.tls_bootstrap,
        "plain": locked.bootstrap,
        "nowhere": f"127.0.0.1:{free_port()}",
    }
    strangers = {
        "ssl.ca.location": str(other.authority),
        "ssl.keystore.location": str(other.client(USER, KEY_PASSWORD).store),
    }
    started = {}
    for name, (way, changes, place, _, _) in SHUT_OUT.items():
        wanted: dict[str, str | None] = {**_properties(locked, way), **changes}
        found = {
            key: strangers[key] if value == "OTHER" else value
            for key, value in wanted.items()
            if value is not None
        }
        settings = pipeline.settings(
            kafka_bootstrap_servers=places[place],
            kafka_properties=text_of_properties(found),
            log_level="info",
        )
        started[name] = start("check", settings)
    yield started
    for child in started.values():
        with child:  # waits for its end, and closes what it wrote to
            child.kill()


# --- let in ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("attempts")
@pytest.mark.parametrize("way", ["scram", "pem"])
def test_the_page_s_settings_let_check_and_run_in(secured: Pipelines, locked: SecuredKafka, way: str) -> None:
    """Told what the page shows and allowed what it lists: `check` is content, `run` delivers everything.

    Dead letters are among it. No secret is in anything that either of them says. The topic's retention is
    known only where the optional row is granted too.
    """
    pipeline = secured(way)
    if way == "scram":
        locked.allow([Grant(USER, "DescribeConfigs", "topic", pipeline.topic)])
    checked = end(start("check", pipeline.settings()))
    assert checked.code == 0, checked.said
    member = pipeline.member()
    _begin(pipeline, 3)
    undelivered = f'streamer_undelivered_records{{partition="0",topic="{pipeline.topic}"}}'
    wait_until(lambda: undelivered in member.get("/metrics")[1], 20, "the undelivered are known")
    retention = f'streamer_topic_retention_seconds{{topic="{pipeline.topic}"}}'
    if way == "scram":
        wait_until(lambda: retention in member.get("/metrics")[1], 20, "the retention is known")
    assert (retention in member.get("/metrics")[1]) is (way == "scram")
    assert member.stop() == 0
    assert pipeline.account().lines() == []
    assert pipeline.expected.letters
    for said in (checked.said, member.text()):
        assert not any(secret in said for secret in SECRETS)


def test_a_store_lets_in_as_files_do(secured: Pipelines) -> None:
    """Certificate and key from one PKCS12 store: `check` is content, and repeats no secret."""
    code, said = end(start("check", secured("pkcs12").settings()))
    assert code == 0, said
    assert not any(secret in said for secret in SECRETS)


# --- rights ----------------------------------------------------------------------------------------


def test_a_missing_right_is_named_and_so_is_what_grants_it(secured: Pipelines, locked: SecuredKafka) -> None:
    """Whichever row of the list is missing: exit 3 naming it and its command, and nothing else."""
    pipeline = secured("scram")
    needs = _needs(pipeline)
    running = {}
    with ExitStack() as stack:
        for number, missing in enumerate(needs):
            user = f"user-{number}"
            locked.add_user(user, PASSWORD)
            grants = [Grant(user, *need) for resource, need in needs.items() if resource is not missing]
            stack.enter_context(locked.allowing(grants))
            properties = {**_properties(locked, "scram"), "sasl.username": user}
            settings = pipeline.settings(
                kafka_properties_file=None, kafka_properties=text_of_properties(properties)
            )
            running[missing] = start("check", settings)
        ended = {missing: end(child) for missing, child in running.items()}
    for number, (missing, (code, said)) in enumerate(ended.items()):
        need = needs[missing]
        assert code == 3, said
        assert f"is not allowed at {locked.scram_bootstrap}: {need}." in said
        right = f"--operation {need.operation} --{need.kind} {need.name}"
        assert f"--add --allow-principal User:user-{number} {right}" in said
        assert said.count("kafka-acls.sh") == 1


def test_without_any_right_all_are_named_at_once(secured: Pipelines, locked: SecuredKafka) -> None:
    """Nothing is allowed: `run` ends with 3 before it reads, naming every row."""
    pipeline = secured("pem")
    locked.forbid(_grants(pipeline))
    member = pipeline.member()
    assert member.wait(END_SECONDS) == 3
    said = plain(member.text())
    assert f"not allowed at {locked.tls_bootstrap}: {', '.join(map(str, _needs(pipeline).values()))}." in said
    assert "partitions_assigned" not in said


def test_the_list_suffices_for_dead_letters_and_no_less_does(
    secured: Pipelines, locked: SecuredKafka
) -> None:
    """Allowed what is listed for `dead-letters replay`, one reads, notes and is alone; each row is needed."""
    pipeline = secured("scram")
    group = f"{pipeline.group}.replay"
    names = {
        Resource.EVENTS: pipeline.topic,
        Resource.LETTERS: pipeline.letter_topic,
        Resource.REPLAY_GROUP: group,
    }
    needs = needs_of("dead-letters replay", names)
    locked.add_user("replayer", PASSWORD)
    properties = {**_properties(locked, "scram"), "sasl.username": "replayer"}
    place = locked.scram_bootstrap, group
    with locked.allowing(Grant("replayer", *need) for need in needs):
        check_access(*place, needs, properties)
        LetterJournal(place[0], pipeline.letter_topic, properties).write([(0, b"{}")], [])
        with ReplayGroup(*place, pipeline.letter_topic, 1, properties) as alone:
            alone.join(lambda _: None, lambda: None)
        for topic, count in ((pipeline.letter_topic, 1), (pipeline.topic, 0)):
            with TopicReader(*place, topic, properties) as reader:
                assert sum(map(len, reader.read(reader.stretches()))) == count
        for need in needs:
            locked.forbid([Grant("replayer", *need)])
            with pytest.raises(SourceError) as refused:
                check_access(*place, needs, properties)
            assert f": {need}. streamer stops" in str(refused.value)
            locked.allow([Grant("replayer", *need)])


def test_a_story_is_told_as_far_as_rights_go(secured: Pipelines, locked: SecuredKafka) -> None:
    """With Read on events alone `explain` names what else it may not look at; what is allowed is told."""
    pipeline = secured("scram")
    pipeline.feed(islice(Generator(5, 400), 20))
    locked.add_user("teller", PASSWORD)
    names = {
        Resource.EVENTS: pipeline.topic,
        Resource.LETTERS: pipeline.letter_topic,
        Resource.GROUP: pipeline.group,
    }
    needs, wishes = needs_of("explain", names), wishes_of("explain", names)
    properties = {**_properties(locked, "scram"), "sasl.username": "teller"}
    settings = pipeline.settings(
        kafka_properties_file=None, kafka_properties=text_of_properties(properties), log_level="warning"
    )

    def unknown() -> str:
        ended = end(start("explain --user nobody --json", settings))
        assert ended.code == 0, ended.said
        # Beside the answer stands what Kafka's library may report of rights that are just being given.
        told = [json.loads(line) for line in ended.said.splitlines()]
        return " ".join(next(each["unknown"] for each in told if "unknown" in each))

    refused = end(start("explain --user nobody", settings))
    assert refused.code == 3
    assert f"not allowed at {locked.scram_bootstrap}: {needs[0]}." in refused.said
    with locked.allowing(Grant("teller", *need) for need in needs):
        said = unknown()
        assert len(wishes) == 2
        for need in wishes:
            assert f"This user is not allowed {need}, so" in said
        with locked.allowing(Grant("teller", *need) for need in wishes):
            assert "not allowed" not in unknown()


@pytest.mark.parametrize("resource", [Resource.EVENTS, Resource.GROUP])
def test_a_right_to_read_that_is_taken_away_ends_it(
    secured: Pipelines, locked: SecuredKafka, resource: Resource
) -> None:
    """While running: exit 3 naming the ACL; once it is back, the next start delivers what is left."""
    pipeline = secured("scram")
    member = pipeline.member()
    events = _begin(pipeline, 4)
    before = pipeline.committed()
    need = _needs(pipeline)[resource]
    locked.forbid([Grant(USER, *need)])
    pipeline.feed(events)
    assert member.wait(END_SECONDS) == 3, member.tail()
    assert str(need) in plain(member.text())
    after = pipeline.committed()
    locked.allow([Grant(USER, *need)])
    follower = pipeline.member("follower")
    pipeline.wait_until_committed()
    assert follower.stop() == 0
    again = {number: [range(after[number], end)] for number, end in pipeline.expected.ends.items()}
    assert pipeline.account(again).lines() == []
    assert after == before or resource is Resource.EVENTS


def test_letters_that_may_not_be_written_wait(secured: Pipelines, locked: SecuredKafka) -> None:
    """Write on the dead-letter topic taken away: it says so, commits nothing past a letter, goes on after."""
    pipeline = secured("scram")
    member = pipeline.member()
    events = _begin(pipeline, 7)
    before = pipeline.committed()
    need = _needs(pipeline)[Resource.LETTERS]
    locked.forbid([Grant(USER, *need)])
    rest = list(events)
    assert any(map(_is_bad, rest))
    pipeline.feed(rest)
    wait_until(lambda: str(need) in member.text(), END_SECONDS, "it says which right is missing")
    assert sum(pipeline.committed().values()) < sum(pipeline.expected.ends.values())
    assert all(at >= before[number] for number, at in pipeline.committed().items())
    locked.allow([Grant(USER, *need)])
    pipeline.wait_until_committed()
    assert member.stop() == 0
    assert pipeline.account().lines() == []


def test_a_changed_password_ends_nothing_that_runs(secured: Pipelines, locked: SecuredKafka) -> None:
    """Rotation as the page has it: the running replica goes on, and the next start uses the new password."""
    pipeline = secured("scram")
    member = pipeline.member()
    events = _begin(pipeline, 9)
    try:
        locked.add_user(USER, "marked-new-password")
        pipeline.feed(islice(events, 50))
        pipeline.wait_until_committed()
        assert member.stop() == 0
        properties = {
            **KAFKA_PROPERTIES,
            **_properties(locked, "scram"),
            "sasl.password": "marked-new-password",
        }
        fresh = pipeline.member(
            "fresh", kafka_properties_file=None, kafka_properties=text_of_properties(properties)
        )
        pipeline.feed(events)
        pipeline.wait_until_committed()
        assert fresh.stop() == 0
    finally:
        locked.add_user(USER, PASSWORD)
    assert pipeline.account().lines() == []


# --- shut out: what came of it -----------------------------------------------------------------------


@pytest.mark.parametrize("name", SHUT_OUT)
def test_who_is_not_let_in_is_told_what_to_mend(
    attempts: Mapping[str, subprocess.Popen[str]], name: str
) -> None:
    """Each ends with its exit code and names what has to change; no secret is repeated."""
    *_, code, words = SHUT_OUT[name]
    ended = end(attempts[name])
    assert ended.code == code, ended.said
    for word in words:
        assert word in ended.said
    assert not any(secret in ended.said for secret in SECRETS)


def test_kafka_understands_the_commands_that_grant(locked: SecuredKafka, tmp_path: Path) -> None:
    """Every command that an error or the page names is taken by Kafka's own tool, and grants what it says."""
    names = {each: f"granted-{each.name.lower()}" for each in Resource}
    needs = [Need(row.operation, row.resource.kind, names[row.resource]) for row in PERMISSIONS]
    properties = tmp_path / "admin.properties"
    properties.write_text("")  # the plain listener's user may do everything
    said = ""
    for command in acl_commands(needs, locked.bootstrap, "User:granted"):
        script, *options = shlex.split(command.replace("admin.properties", str(properties)))
        ended = subprocess.run(
            [*kafka_tool(fetch_jars(), script), *options], capture_output=True, text=True,
            timeout=END_SECONDS, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr
        said += ended.stdout

    for need in needs:
        assert need.name in said
        assert (
            f"operation={need.operation}".upper().replace("DESCRIBECONFIGS", "DESCRIBE_CONFIGS")
            in said.upper()
        )
