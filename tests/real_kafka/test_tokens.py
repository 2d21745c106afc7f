"""A Kafka that lets in who shows a token (SASL/OAUTHBEARER), through the program as an operator runs it.

Tokens live for seconds, and the broker ends the connection of whoever does not show a new one in time: a
client that has none, or only its first one, is found out.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from time import monotonic, sleep, time
from typing import Final

import pytest

from streamer.errors import SourceError
from streamer.kafka.access import check_access
from streamer.kafka.configuration import consumer_configuration
from streamer.kafka.letter_journal import LetterJournal
from streamer.kafka.permissions import Resource, needs_of
from streamer.kafka.replay_group import ReplayGroup
from streamer.kafka.start import check_topics
from streamer.kafka.stranded import coordinator_question
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from tests.identity_provider import AUDIENCE, IdentityProvider
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.commands import end, page_properties, start, text_of_properties
from tests.real_kafka.member import wait_until
from tests.real_kafka.pipeline import KAFKA_PROPERTIES, Pipeline
from tests.real_kafka.secured import Certificates, Grant, SecuredKafka

pytestmark = pytest.mark.real_kafka

USER: Final = "planhat-streamer"
SECRET: Final = "marked-secret-of-the-client"
SECRETS: Final = ("marked-", "eyJ")
"""What may be in no word: the client's secret, and how every token begins."""
LIFE_SECONDS: Final = 5
KNOWN_AT: Final = "streamer_log_end_timestamp_seconds"
CLIENTS: Final = 3
"""Those of a member that ask for tokens for as long as it runs: reader, dead letters, questions."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Whom the brokers do not know: it signs for the provider."""
    return Certificates(tmp_path_factory.mktemp("provider"))


@pytest.fixture(scope="module")
def provider(authority: Certificates) -> Iterator[IdentityProvider]:
    """Knows one client."""
    with IdentityProvider({USER: SECRET}, LIFE_SECONDS, authority.server("localhost")) as running:
        yield running


@pytest.fixture(scope="module")
def locked(
    real_kafka: RealKafka, provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecuredKafka]:
    """A Kafka that believes that provider."""
    real_kafka.require_owned()
    with SecuredKafka(tmp_path_factory.mktemp("believing-kafka"), provider) as kafka:
        yield kafka


@pytest.fixture(scope="module")
def properties(locked: SecuredKafka, provider: IdentityProvider, authority: Certificates) -> dict[str, str]:
    """The page's, with the paths and places of this test."""
    ours = {
        "sasl.oauthbearer.client.id": USER,
        "sasl.oauthbearer.client.secret": SECRET,
        "sasl.oauthbearer.token.endpoint.url": provider.token_url,
        "https.ca.location": str(authority.authority),
        "ssl.ca.location": str(locked.certificates.authority),
        # Both are bound to one address; `localhost` may have two.
        "broker.address.family": "v4",
    }
    return {**page_properties("token"), **ours}


@pytest.fixture
def pipeline(
    locked: SecuredKafka, properties: Mapping[str, str], sandbox: SandboxProcess, tmp_path: Path
) -> Iterator[Pipeline]:
    """One that is let in by tokens, and allowed what the page lists for these commands."""
    with Pipeline(
        locked, sandbox, tmp_path, partitions=2, kafka_bootstrap_servers=locked.token_bootstrap,
        kafka_properties=text_of_properties({**KAFKA_PROPERTIES, **properties}),
        commit_interval_seconds="0.1", session_timeout_seconds="6", linger_seconds="0.02",
    ) as made:  # fmt: skip
        commands = ("run", "explain", "dead-letters replay")
        names = {
            Resource.EVENTS: made.topic,
            Resource.LETTERS: made.letter_topic,
            Resource.GROUP: made.group,
            Resource.REPLAY_GROUP: f"{made.group}.replay",
        }
        needs = {need for command in commands for need in needs_of(command, names)}
        with locked.allowing(Grant(USER, *need) for need in needs):
            yield made


def test_a_member_and_all_commands_are_let_in_for_as_long_as_they_like(
    pipeline: Pipeline, provider: IdentityProvider, locked: SecuredKafka, tmp_path: Path
) -> None:
    """Events are delivered, letters written and offsets committed beyond a token's life, and all is told."""
    member = pipeline.member()
    events = pipeline.open(Generator(3, 300, companyless_share=0.0))
    pipeline.feed(islice(events, 100))
    pipeline.wait_until_committed()
    given, began = provider.given[USER], monotonic()

    published = tmp_path / "event.jsonl"
    published.write_text(json.dumps({"type": "track", "messageId": "m-1", "userId": "u-1", "event": "Paid"}))
    said = _ask_all(pipeline, locked, published)

    sleep(max(0.0, began + 1.2 * LIFE_SECONDS - monotonic()))
    now = time()
    assert provider.given[USER] >= given + CLIENTS
    pipeline.feed(events)
    pipeline.wait_until_committed()
    wait_until(lambda: member.scrape().total(KNOWN_AT) >= now, 10, "log ends are known anew")
    assert member.stop() == 0
    assert pipeline.account().lines() == []
    assert pipeline.expected.letters
    listed = end(start("dead-letters list --json --limit 1", pipeline.settings(log_level="error")))
    assert listed.code == 0, listed.said
    letter = json.loads(listed.said)["letter"]
    shown = end(start(f"dead-letters show {letter} --json", pipeline.settings(log_level="info")))
    assert shown.code == 0, shown.said
    replayed = end(start("dead-letters replay --json", pipeline.settings(log_level="info")))
    assert replayed.code == 0, replayed.said
    for text in (*said, listed.said, shown.said, replayed.said, member.text()):
        assert not any(secret in text for secret in SECRETS)


def _ask_all(pipeline: Pipeline, kafka: SecuredKafka, events: Path) -> list[str]:
    """What every command that asks Kafka says, and one with a wrong secret: all of them at once."""
    kafka.create_topic_named("published")
    settings = pipeline.settings(log_level="info")
    commands = (
        "check",
        "explain --user nobody",
        f"transform --topic {pipeline.topic} --count 3 --json",
        "dead-letters list --json",
        f"publish --topic published {events}",
    )
    properties = settings["STREAMER_KAFKA_PROPERTIES"].replace(SECRET, "marked-wrong")
    stranger = start("check", pipeline.settings(kafka_properties=properties))
    with kafka.allowing([Grant(USER, "Write", "topic", "published")]):
        running = {command: start(command, settings) for command in commands}
        ended = {command: end(child) for command, child in running.items()}
    assert {command: each.code for command, each in ended.items()} == dict.fromkeys(commands, 0), ended
    assert sum(kafka.end_offsets("published").values()) == 1
    refused = end(stranger)
    assert refused.code == 3, refused.said
    assert "the token endpoint gives us no token" in refused.said
    return [each.said for each in (*ended.values(), refused)]


def test_who_only_asks_is_let_in_too(
    pipeline: Pipeline, properties: Mapping[str, str], locked: SecuredKafka
) -> None:
    """Clients that poll nothing, or not yet: rights are asked for, letters noted, the coordinator answers."""
    place, group, letters = locked.token_bootstrap, f"{pipeline.group}.replay", pipeline.letter_topic
    names = {Resource.EVENTS: "nowhere", Resource.LETTERS: letters, Resource.REPLAY_GROUP: group}
    needs = needs_of("dead-letters replay", names)
    refused = [need for need in needs if need.name == "nowhere"]

    ask = coordinator_question(consumer_configuration(place, group, properties), pipeline.topic)
    # Again, because a new cluster has no coordinators in its first moments.
    wait_until(lambda: ask().exception(20) is None, 20, "the coordinator answers")
    with pytest.raises(SourceError, match=f"is not allowed at {place}: {refused[0]}. streamer stops"):
        check_access(place, group, needs, properties)
    LetterJournal(place, letters, properties).write([(0, b"{}")], [])
    with ReplayGroup(place, group, letters, 1, properties) as alone:
        alone.join(lambda _: None, lambda: None)


def test_a_token_that_the_broker_does_not_take_is_told_to_be_that(
    properties: Mapping[str, str], provider: IdentityProvider, locked: SecuredKafka
) -> None:
    """One for somebody else: not user and password, nor client and secret."""
    provider.audience = "somebody else"
    try:
        with pytest.raises(SourceError, match="lets us in: the broker does not accept our token") as refused:
            check_topics(locked.token_bootstrap, ["events"], properties, 2.0)
    finally:
        provider.audience = AUDIENCE
    assert "issuer and audience" in str(refused.value)
    assert not any(secret in str(refused.value) for secret in SECRETS)
