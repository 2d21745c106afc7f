"""A real Kafka with locks: TLS, SCRAM users, client certificates and ACLs, all made by the test.

    with SecuredKafka(directory) as kafka:
        kafka.add_user("streamer", "secret")
        kafka.allow(Grant("streamer", "Read", "topic", topic))
        ... kafka.scram_bootstrap, kafka.tls_bootstrap, kafka.certificates.authority ...

Three listeners: one with SASL_SSL (SCRAM-SHA-512), one with SSL that asks for a client certificate, and
the plain one, by which the test itself is the super user. With an identity provider there is one more, for
those who show its tokens. A client is `User:NAME`, by its SCRAM name, by the common name of its certificate
or by the subject of its token.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import trustme
from confluent_kafka.admin import (  # type: ignore[attr-defined] # not all are in its __all__
    AclBinding,
    AclBindingFilter,
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate

from tests.identity_provider import AUDIENCE, IdentityProvider
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.member import wait_until

SCRAM_LISTENER: Final = "SCRAM"
TLS_LISTENER: Final = "TLS"
TOKEN_LISTENER: Final = "TOKEN"
_ANSWER_SECONDS: Final = 20.0


class Grant(NamedTuple):
    """One ACL: what a user may do to which resource."""

    user: str
    operation: str
    """As Kafka's tools spell it: Read, Write, Describe, DescribeConfigs."""
    kind: str
    """topic or group."""
    name: str


class ClientFiles(NamedTuple):
    """A client's certificate and key, as PEM files and as one PKCS12 store, keys under a password."""

    certificate: Path
    key: Path
    store: Path


class Certificates:
    """An authority of the test's own, and what it issues, as files in `directory`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._authority = trustme.CA()
        self.authority = directory / "authority.pem"
        self._authority.cert_pem.write_to_path(self.authority)

    def server(self, host: str) -> Path:
        """A PEM file with key and certificate chain for a broker that is known as `host`."""
        issued = self._authority.issue_cert(host)
        path = self._directory / f"{host}.pem"
        chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
        path.write_bytes(_key(issued, NoEncryption()) + chain)
        return path

    def client(self, name: str, password: str) -> ClientFiles:
        """What a client called `name` shows."""
        # Without a name of its own the certificate would be malformed: an empty list of names is none.
        issued = self._authority.issue_cert(f"{name}.clients", common_name=name)
        files = ClientFiles(*(self._directory / f"{name}.{end}" for end in ("crt", "key", "p12")))
        files.certificate.write_bytes(issued.cert_chain_pems[0].bytes())
        locked = BestAvailableEncryption(password.encode())
        files.key.write_bytes(_key(issued, locked))
        files.store.write_bytes(
            pkcs12.serialize_key_and_certificates(
                name.encode(),
                load_pem_private_key(issued.private_key_pem.bytes(), None),  # type: ignore[arg-type] # RSA or EC
                load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()),
                None,
                locked,
            )
        )
        return files


def _key(issued: trustme.LeafCert, locked: KeySerializationEncryption) -> bytes:
    # Kafka reads keys in PKCS8 only.
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


class SecuredKafka(RealKafka):
    """One broker that asks who is there and what they may do."""

    def __init__(self, directory: Path, provider: IdentityProvider | None = None) -> None:
        """Prepare a broker with certificates of its own, that believes what `provider` signed."""
        listeners = {SCRAM_LISTENER: "SASL_SSL", TLS_LISTENER: "SSL"}
        believing: dict[str, str] = {}
        options: tuple[str, ...] = ()
        if provider is not None:
            listeners[TOKEN_LISTENER] = "SASL_SSL"
            believing, options = _believing(provider)
        self.certificates = Certificates(directory / "certificates")
        super().__init__(
            directory,
            {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self.certificates.server("localhost")),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(self.certificates.authority),
                f"listener.name.{TLS_LISTENER.lower()}.ssl.client.auth": "required",
                "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/",
                "sasl.enabled.mechanisms": "SCRAM-SHA-512",
                f"listener.name.{SCRAM_LISTENER.lower()}.scram-sha-512.sasl.jaas.config":
                    "org.apache.kafka.common.security.scram.ScramLoginModule required;",
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                # Who comes by the plain listener has no name; those are the test and the broker itself.
                "super.users": "User:ANONYMOUS",
                **believing,
            },
            listeners,
            java_options=options,
        )  # fmt: skip
        self._asking: AdminClient | None = None

    @property
    def scram_bootstrap(self) -> str:
        """Where clients with a name and a password are let in."""
        return f"localhost:{self.port(SCRAM_LISTENER)}"

    @property
    def tls_bootstrap(self) -> str:
        """Where clients with a certificate are let in."""
        return f"localhost:{self.port(TLS_LISTENER)}"

    @property
    def token_bootstrap(self) -> str:
        """Where clients with a token are let in."""
        return f"localhost:{self.port(TOKEN_LISTENER)}"

    def add_user(self, name: str, password: str) -> None:
        """Create a SCRAM user, or give it another password."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        wanted = UserScramCredentialUpsertion(name, info, password.encode())
        for answer in self._admin.alter_user_scram_credentials([wanted]).values():
            answer.result(_ANSWER_SECONDS)

    def allow(self, grants: Iterable[Grant]) -> None:
        """Create ACLs; they are in force on return."""
        wanted = list(grants)
        for answer in self._admin.create_acls([AclBinding(*_words(each)) for each in wanted]).values():
            answer.result(_ANSWER_SECONDS)
        wait_until(lambda: all(map(self._is_allowed, wanted)), _ANSWER_SECONDS, "ACLs are there")

    def forbid(self, grants: Iterable[Grant]) -> None:
        """Delete ACLs; they are gone on return."""
        wanted = list(grants)
        for answer in self._admin.delete_acls([AclBindingFilter(*_words(each)) for each in wanted]).values():
            answer.result(_ANSWER_SECONDS)
        wait_until(lambda: not any(map(self._is_allowed, wanted)), _ANSWER_SECONDS, "ACLs are gone")

    def _is_allowed(self, grant: Grant) -> bool:
        return bool(self._admin.describe_acls(AclBindingFilter(*_words(grant))).result(_ANSWER_SECONDS))

    @contextmanager
    def allowing(self, grants: Iterable[Grant]) -> Iterator[None]:
        """These ACLs, for a while."""
        wanted = list(grants)
        self.allow(wanted)
        try:
            yield
        finally:
            self.forbid(wanted)

    @property
    def _admin(self) -> AdminClient:
        # Kept: an admin client that nobody holds is gone before its answers come.
        if self._asking is None:
            self._asking = self.admin()
        return self._asking


def _believing(provider: IdentityProvider) -> tuple[dict[str, str], tuple[str, ...]]:
    """The broker's settings, and Java's options, for a listener that wants tokens of this provider.

    A client must show a new one before its old one has run out.
    """
    listener = f"listener.name.{TOKEN_LISTENER.lower()}"
    mechanism = f"{listener}.oauthbearer"
    place = "org.apache.kafka.common.security.oauthbearer"
    settings = {
        f"{listener}.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{mechanism}.sasl.jaas.config": f"{place}.OAuthBearerLoginModule required;",
        f"{mechanism}.sasl.server.callback.handler.class": f"{place}.OAuthBearerValidatorCallbackHandler",
        f"{mechanism}.sasl.oauthbearer.jwks.endpoint.url": provider.keys_url,
        f"{mechanism}.sasl.oauthbearer.expected.audience": AUDIENCE,
        f"{mechanism}.connections.max.reauth.ms": "3600000",
    }
    return settings, (f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={provider.keys_url}",)


def _words(grant: Grant) -> tuple[str, str, str, str, str, str, str]:
    operation = re.sub(r"(?<!^)(?=[A-Z])", "_", grant.operation)
    return (grant.kind, grant.name, "literal", f"User:{grant.user}", "*", operation, "allow")
