"""Why no broker lets us in: from what librdkafka reports, to the property that has to change.

librdkafka tries for ever and reports each failure as text; its texts stand here and nowhere else, as seen
with librdkafka 2.16 against Apache Kafka 4.3 (tests/real_kafka/test_secured.py).
"""

import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Final, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from confluent_kafka import KafkaError

from streamer.kafka.configuration import masked
from streamer.kafka.tokens import ENDPOINT, lets_in_by_token


class Report(NamedTuple):
    """One failure as librdkafka told it."""

    code: int
    text: str


class Refusal(NamedTuple):
    """Why we are not let in, and what to do about it."""

    what: str
    advice: str


_CERTIFICATE: Final = "certificate verify failed"
_ADDRESS: Final = re.compile(r"^\w+://(?P<host>.+):(?P<port>\d+)/")
_PLACES: Final = "in STREAMER_KAFKA_PROPERTIES"
_LOOK_SECONDS: Final = 5.0
_TOKENLESS: Final = "Failed to acquire SASL OAUTHBEARER token"
_LONGEST_REASON: Final = 200

_WRONG_HOST: Final = frozenset({62, 64})
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_EXPIRED: Final = 10


def refusal_of(reports: Sequence[Report], properties: Mapping[str, str]) -> Refusal | None:
    """What waiting does not mend, if that is what these reports tell of; else None.

    Looks at the broker's certificate where that was refused, since librdkafka does not say why.
    """
    for report in reversed(reports):
        if report.code == KafkaError._AUTHENTICATION:  # noqa: SLF001 - librdkafka's own name for it
            return _unauthenticated(report.text, properties)
        if _CERTIFICATE in report.text:
            return _untrusted(report.text, properties)
        if "alert" in report.text and "certificate" in report.text:
            return _uncertified(properties)
        if "PLAINTEXT broker listener" in report.text:
            return Refusal(
                "the broker's listener does not speak TLS",
                f"name another port, or set security.protocol=PLAINTEXT or SASL_PLAINTEXT {_PLACES}",
            )
    return None


def hung_up(reports: Sequence[Report], properties: Mapping[str, str]) -> Refusal | None:
    """A broker that takes the connection and drops it without a word: it expects another protocol.

    To be asked only after waiting: a broker that is starting does the same.
    """
    if not reports or any("Connect to" in each.text or "resolve" in each.text for each in reports):
        return None
    protocol = properties.get("security.protocol", "plaintext").upper()
    wanted = "SASL_SSL or SSL" if "SSL" not in protocol else "SASL_SSL, with a mechanism, user and password"
    return Refusal(
        f"a broker is there, but hangs up on {protocol}",
        f"set security.protocol={wanted} {_PLACES}, if that is what this port of the broker wants",
    )


def is_for_want_of_a_token(error: KafkaError) -> bool:
    """Whether no token was to be had: librdkafka asks for one again, and an old one may still serve."""
    return error.str().startswith(_TOKENLESS)


def tokenless(properties: Mapping[str, str]) -> Refusal | None:
    """A token endpoint that says nothing, or that it cannot: librdkafka asks it for long before it reports.

    To be asked only after waiting.
    """
    if not lets_in_by_token(properties) or ENDPOINT not in properties:
        return None
    status = _endpoint_status(properties)
    return _endpoint_fails(status, "") if status is None or status >= 500 else None


def _unauthenticated(text: str, properties: Mapping[str, str]) -> Refusal:
    if "mechanism" in text and "supported" in text:
        supported = text.rpartition("supported mechanisms: ")[2].partition(" (")[0]
        return Refusal(
            "the broker does not know our SASL mechanism", f"set sasl.mechanism={supported} {_PLACES}"
        )
    if text.startswith(_TOKENLESS):
        return _without_token(text, properties)
    if lets_in_by_token(properties):
        return Refusal(
            "the broker does not accept our token",
            f"see that {ENDPOINT} {_PLACES} is of the provider that the broker trusts, and that its tokens "
            "(sasl.oauthbearer.scope may matter) have the issuer and audience that the broker expects; the "
            "broker's log may say what is wrong with them",
        )
    return Refusal(
        "the broker does not accept our user and password",
        f"correct sasl.username and sasl.password {_PLACES}",
    )


def _without_token(text: str, properties: Mapping[str, str]) -> Refusal:
    said = text.removeprefix(_TOKENLESS).removesuffix(" (_AUTHENTICATION)").removeprefix(":")
    reason = masked(" ".join(said.split()), properties, properties)[:_LONGEST_REASON]
    status = _endpoint_status(properties)
    if status is None or status >= 500:
        return _endpoint_fails(status, reason)
    if status == 404:
        return Refusal("there is no token endpoint at that address (404)", f"correct {ENDPOINT} {_PLACES}")
    return Refusal(
        f"the token endpoint gives us no token: {reason}",
        "correct sasl.oauthbearer.client.id, sasl.oauthbearer.client.secret and sasl.oauthbearer.scope "
        f"{_PLACES}",
    )


def _endpoint_fails(status: int | None, reason: str) -> Refusal:
    what = "the token endpoint does not answer" if status is None else f"the token endpoint answers {status}"
    return Refusal(
        f"{what}, and without a token we do not come in" + (f": {reason}" if reason else ""),
        f"see that {ENDPOINT} {_PLACES} is right and can be reached from here (https.ca.location names who "
        "signed its certificate, if that is nobody the system trusts), and start again once it answers",
    )


def _endpoint_status(properties: Mapping[str, str]) -> int | None:
    """What the token endpoint answers whoever does not say who he is; None where it does not answer."""
    url = properties.get(ENDPOINT, "")
    if not url.lower().startswith(("http://", "https://")):
        return None
    asked = Request(url, b"grant_type=client_credentials")  # noqa: S310 - looked at just above
    try:
        with urlopen(asked, timeout=_LOOK_SECONDS, context=_trust(properties)) as reply:  # noqa: S310
            return int(reply.status)
    except HTTPError as error:
        return error.code
    except (OSError, HTTPException, ValueError):
        return None


def _trust(properties: Mapping[str, str]) -> ssl.SSLContext:
    """Whom librdkafka trusts as an endpoint."""
    authority = properties.get("https.ca.location", "probe")
    context = ssl.create_default_context(cafile=None if authority == "probe" else authority)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _uncertified(properties: Mapping[str, str]) -> Refusal:
    has_one = {"ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"} & properties.keys()
    if has_one:
        return Refusal(
            "the broker does not accept our certificate",
            f"see that {min(has_one)} {_PLACES} is signed by an authority the broker trusts, and not expired",
        )
    return Refusal(
        "the broker wants a certificate of ours",
        f"set ssl.certificate.location and ssl.key.location, or ssl.keystore.location, {_PLACES}",
    )


def _untrusted(text: str, properties: Mapping[str, str]) -> Refusal:
    found = _ADDRESS.match(text)
    code = 0 if found is None else _verify_code(found["host"], int(found["port"]), properties)
    if found is not None and code in _WRONG_HOST:
        return Refusal(
            f"the broker's certificate is not for {found['host']}",
            "name the brokers as their certificate does, in STREAMER_KAFKA_BOOTSTRAP_SERVERS and in the "
            "brokers' advertised.listeners",
        )
    if code == _EXPIRED:
        return Refusal("the broker's certificate has expired", "renew it")
    return Refusal(
        "the broker's certificate is signed by an authority that is not trusted here",
        f"set ssl.ca.location {_PLACES} to a PEM file with the authority that signed it",
    )


def _verify_code(host: str, port: int, properties: Mapping[str, str]) -> int:
    """Why OpenSSL refuses the broker's certificate, as its number; 0 where it cannot be found out."""
    context = ssl.create_default_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # librdkafka is not that strict either
    try:
        if "ssl.ca.location" in properties:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(properties["ssl.ca.location"])
        with socket.create_connection((host, port), _LOOK_SECONDS) as connection:
            context.wrap_socket(connection, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_code
    except OSError:
        return 0
    return 0
