"""SASL/OAUTHBEARER before any broker is asked: which properties can work, and why no token is to be had.

Without a token librdkafka connects to nobody, so none of these needs a broker.
"""

import socket
import time
from collections.abc import Iterator
from typing import Final

import pytest
from confluent_kafka import KafkaError

from streamer.errors import SourceError
from streamer.kafka import probe, refusals
from streamer.kafka.configuration import property_problems
from streamer.kafka.refusals import Report, is_for_want_of_a_token, refusal_of
from streamer.kafka.start import check_topics
from tests.identity_provider import IdentityProvider

SECRET: Final = "marked-secret-of-the-client"


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    """One that knows one client."""
    with IdentityProvider({"streamer": SECRET}) as running:
        yield running


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of an endpoint that takes questions and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/token"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little patience."""
    monkeypatch.setattr(refusals, "_LOOK_SECONDS", 0.3)
    monkeypatch.setattr(probe, "_CLOSE_SECONDS", 0.3)


def _properties(url: str, **changes: str | None) -> dict[str, str]:
    properties = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "streamer",
        "sasl.oauthbearer.client.secret": SECRET,
        "sasl.oauthbearer.token.endpoint.url": url,
        **{name.replace("_", "."): value for name, value in changes.items()},
    }
    return {name: value for name, value in properties.items() if value is not None}


def _refusal(properties: dict[str, str]) -> str:
    """What a start ends with, that looks for a topic for half a second."""
    with pytest.raises(SourceError) as refused:
        check_topics("127.0.0.1:1", ["events"], properties, 0.5)
    assert SECRET not in str(refused.value)
    return str(refused.value)


# --- which can work --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sasl_mechanism", "sasl_mechanisms"])
def test_a_method_by_which_nobody_would_fetch_a_token_is_refused(name: str) -> None:
    """Without `oidc` a program must fetch tokens itself, which ours does not: told at once."""
    changes = {"sasl_mechanism": None, name: "OAUTHBEARER", "sasl_oauthbearer_method": None}
    (problem,) = property_problems(_properties("http://127.0.0.1:1/", **changes))
    assert "set it, with sasl.oauthbearer.client.id" in problem.lower()


def test_what_else_is_done_with_a_mechanism_is_let_be(provider: IdentityProvider) -> None:
    """The method of tokens that are no secret, and the mechanism where no SASL is spoken."""
    unsigned = {"sasl_oauthbearer_method": None, "enable_sasl_oauthbearer_unsecure_jwt": "true"}
    assert property_problems(_properties(provider.token_url, **unsigned)) == []
    plain = {"sasl_oauthbearer_method": None, "security_protocol": "PLAINTEXT"}
    assert property_problems(_properties(provider.token_url, **plain)) == []


def test_to_look_at_properties_asks_for_no_token(provider: IdentityProvider, silent: str) -> None:
    """They are tried in clients that are ended at once: nobody is asked, so nobody is waited for."""
    began = time.monotonic()
    assert property_problems(_properties(provider.token_url)) == []
    assert property_problems(_properties(silent)) == []
    assert time.monotonic() - began < 5
    assert not provider.given


def test_what_is_missing_is_told(provider: IdentityProvider) -> None:
    """In librdkafka's words, which name the property."""
    (problem,) = property_problems(_properties(provider.token_url, sasl_oauthbearer_client_secret=None))
    assert "sasl.oauthbearer.client.secret" in problem
    (problem,) = property_problems(_properties(provider.token_url, https_ca_location="/no/such/ca.pem"))
    assert "https.ca.location: /no/such/ca.pem cannot be read" in problem


# --- why there is none -----------------------------------------------------------------------------


def test_a_secret_that_the_provider_refuses(provider: IdentityProvider) -> None:
    """Its own words, and what to correct; the wrong secret is in none of them."""
    said = _refusal(_properties(provider.token_url, sasl_oauthbearer_client_secret="marked-wrong"))
    assert 'the token endpoint gives us no token: {"error": "invalid_client"' in said
    assert "To do: correct sasl.oauthbearer.client.id, sasl.oauthbearer.client.secret" in said
    assert "marked" not in said
    assert "user and password" not in said


def test_an_endpoint_that_repeats_the_secret(provider: IdentityProvider) -> None:
    """It is struck out of what is told."""
    provider.remark = "marked-wrong is not it"
    said = _refusal(_properties(provider.token_url, sasl_oauthbearer_client_secret="marked-wrong"))
    assert "is not it" in said
    assert "marked" not in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/token", "nonsense"])
def test_an_endpoint_that_is_not_there(url: str) -> None:
    """Told at the first failure, with the property to look at."""
    said = _refusal(_properties(url))
    assert "the token endpoint does not answer, and without a token we do not come in: " in said
    assert "see that sasl.oauthbearer.token.endpoint.url in STREAMER_KAFKA_PROPERTIES is right" in said


def test_an_address_that_is_no_endpoint(provider: IdentityProvider) -> None:
    """A path that the provider does not know."""
    provider.status = 404
    said = _refusal(_properties(provider.token_url))
    assert "there is no token endpoint at that address (404)" in said


def test_an_endpoint_that_cannot_answer_now(provider: IdentityProvider) -> None:
    """Librdkafka asks it again for long and reports nothing meanwhile; we look ourselves."""
    provider.status = 503
    said = _refusal(_properties(provider.token_url))
    assert "the token endpoint answers 503, and without a token we do not come in." in said
    assert "start again once it answers" in said


def test_an_endpoint_that_says_nothing(silent: str) -> None:
    """Nor does librdkafka, which waits 20 s for it, and as long to end its client; we wait for neither."""
    began = time.monotonic()
    said = _refusal(_properties(silent))
    assert "the token endpoint does not answer, and without a token we do not come in." in said
    assert time.monotonic() - began < 8


def test_a_broker_that_is_not_there_is_told_to_be(provider: IdentityProvider) -> None:
    """With a token in hand it is the broker that does not answer."""
    assert "no Kafka broker answered at 127.0.0.1:1 within" in _refusal(_properties(provider.token_url))


def test_a_token_that_the_broker_refuses_is_no_password(provider: IdentityProvider) -> None:
    """The report as Apache Kafka's refusal makes it (tests/real_kafka/test_tokens.py)."""
    words = (
        'sasl_ssl://b:1/bootstrap: SASL authentication error: {"status":"invalid_token"} (_AUTHENTICATION)'
    )
    report = Report(KafkaError._AUTHENTICATION, words)
    refusal = refusal_of([report], _properties(provider.token_url))
    assert refusal is not None
    assert refusal.what == "the broker does not accept our token"
    assert "issuer and audience" in refusal.advice


@pytest.mark.parametrize(
    ("words", "is_so"),
    [
        ("Failed to acquire SASL OAUTHBEARER token: Could not resolve host", True),
        ("b:1/1: SASL authentication error: Authentication failed", False),
    ],
)
def test_want_of_a_token_is_known_by_its_words(words: str, is_so: bool) -> None:
    """It passes, other than a password that is wrong."""
    assert is_for_want_of_a_token(KafkaError(KafkaError._AUTHENTICATION, words)) is is_so
