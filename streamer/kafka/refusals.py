"""Why no broker lets us in: from what librdkafka reports, to the property that has to change.

librdkafka tries for ever and reports each failure as text; its texts stand here and nowhere else, as seen
with librdkafka 2.16 against Apache Kafka 4.3 (tests/real_kafka/test_secured.py).
"""

import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaError


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

_WRONG_HOST: Final = frozenset({62, 64})
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_EXPIRED: Final = 10


def refusal_of(reports: Sequence[Report], properties: Mapping[str, str]) -> Refusal | None:
    """What waiting does not mend, if that is what these reports tell of; else None.

    Looks at the broker's certificate where that was refused, since librdkafka does not say why.
    """
    for report in reversed(reports):
        if report.code == KafkaError._AUTHENTICATION:  # noqa: SLF001 - librdkafka's own name for it
            return _unauthenticated(report.text)
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


def _unauthenticated(text: str) -> Refusal:
    if "mechanism" in text and "supported" in text:
        supported = text.rpartition("supported mechanisms: ")[2].partition(" (")[0]
        return Refusal(
            "the broker does not know our SASL mechanism", f"set sasl.mechanism={supported} {_PLACES}"
        )
    return Refusal(
        "the broker does not accept our user and password",
        f"correct sasl.username and sasl.password {_PLACES}",
    )


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
