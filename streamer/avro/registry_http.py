"""HTTP to a Confluent schema registry: JSON, or one of a closed set of reasons why there is none."""

import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import httpx

from streamer.avro import json_text
from streamer.errors import MASK, SHORTEST_SECRET, InvalidEvent, SourceError

REQUEST_SECONDS = 10.0
"""For one request, its body included."""
MAX_REPLY_BYTES = 4 * 1024 * 1024
MAX_REASON_CHARACTERS: Final = 500
"""Of what a registry says for itself."""
_NOT_FOUND_CODES = frozenset({40401, 40402, 40403, 40408})
"""Subject, version, schema or a level of its own not found: said by a registry itself, not by a proxy."""
_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"
_SENT_AS = "application/vnd.schemaregistry.v1+json"


@dataclass(frozen=True, slots=True)
class Absent:
    """The registry itself says that it knows no such thing."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The registry understood what it was sent, and does not take it."""

    status: int
    reason: str
    """Its own words; may be empty."""


class Trouble(StrEnum):
    """Why the registry gave no answer; says nothing about the schema."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CREDENTIALS = "credentials"
    NOT_A_REGISTRY = "not_a_registry"
    """It answered with something no registry says: a proxy's page, a wrong path."""
    SERVER_ERROR = "server_error"
    INTERNAL = "internal"
    """Our code failed on its answer: a bug worth a report."""


ABSENT = "absent"
"""The word for an `Absent`, beside those of `Trouble`."""

ADVICE: Mapping[str, str] = {
    ABSENT: "register it, or see that STREAMER_SCHEMA_REGISTRY_URL is the registry the producer uses; a "
    "registry that keeps saying so for minutes makes dead letters (unknown_schema)",
    Trouble.UNREACHABLE: "check STREAMER_SCHEMA_REGISTRY_URL, the network and STREAMER_SCHEMA_REGISTRY_CA",
    Trouble.TIMEOUT: "check that the registry is healthy and reachable from here",
    Trouble.CREDENTIALS: "check STREAMER_SCHEMA_REGISTRY_USER and STREAMER_SCHEMA_REGISTRY_PASSWORD",
    Trouble.NOT_A_REGISTRY: "check the path in STREAMER_SCHEMA_REGISTRY_URL",
    Trouble.SERVER_ERROR: "check the registry's own log",
    Trouble.INTERNAL: "please report this as a bug",
}
"""What to do about each reason for having no schema."""


class NoAnswer(Exception):
    """No answer about a schema, or that there is none; for this room alone."""

    def __init__(self, instead: Absent | Refused | Trouble) -> None:
        self.instead = instead


def in_words(trouble: Absent | Refused | Trouble) -> SourceError:
    """The error for whoever waits for the answer, where a registry that works would have given one."""
    named = trouble if isinstance(trouble, Trouble) else Trouble.NOT_A_REGISTRY
    return SourceError(f"the schema registry gives no answer ({named}); {ADVICE[named]}")


def _spellings(user: str | None, password: str | None) -> tuple[str, ...]:
    """The password as a reply may repeat it: as it is, or in the header that it was sent in."""
    if password is None or len(password) < SHORTEST_SECRET:
        return ()
    return password, b64encode(f"{user or ''}:{password}".encode()).decode()


class RegistryHttp:
    """One registry. Its calls wait for the network: not for the owner thread.

    `ca_file` holds the PEM certificates to trust instead of the system's. Proxy variables of the
    environment are honoured.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        ca_file: Path | None = None,
        request_seconds: float = REQUEST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._secrets = _spellings(user, password)
        self._request_seconds = request_seconds
        self._monotonic = monotonic
        try:
            verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_file) if ca_file else True
        except OSError as error:  # an SSLError is one
            raise SourceError(
                f"cannot read certificates from STREAMER_SCHEMA_REGISTRY_CA ({error.strerror or 'not PEM'}); "
                "name a readable PEM file"
            ) from None
        self._http = httpx.Client(
            auth=(user, password or "") if user else None,
            verify=verify,
            timeout=request_seconds,
            headers={"Accept": _ACCEPT},
        )

    def get(self, path: str) -> Any:  # noqa: ANN401 any JSON
        """The JSON of a 200. Raises NoAnswer."""
        return self._answer("GET", path, None)

    def post(self, path: str, sent: Mapping[str, Any]) -> Any:  # noqa: ANN401 any JSON
        """The JSON of a 200 to what is sent. Raises NoAnswer; the registry may have done it all the same."""
        return self._answer("POST", path, sent)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def masked(self, text: object) -> str:
        """What a registry says for itself, cut to a length, without the login it was given."""
        said = text if isinstance(text, str) else ""
        for secret in self._secrets:
            said = said.replace(secret, MASK)
        return said[:MAX_REASON_CHARACTERS]

    def _answer(self, method: str, path: str, sent: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 any JSON
        try:
            status, body = self._ask(method, path, sent)
        except httpx.TimeoutException:
            raise NoAnswer(Trouble.TIMEOUT) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise NoAnswer(Trouble.UNREACHABLE) from None
        reply = _json_or_none(body)
        if status == httpx.codes.OK and reply is not None:
            return reply
        raise NoAnswer(self._instead(status, reply))

    def _instead(self, status: int, reply: Any) -> Absent | Refused | Trouble:  # noqa: ANN401 any JSON
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return Trouble.CREDENTIALS
        if isinstance(reply, dict) and "error_code" in reply:
            if status == httpx.codes.NOT_FOUND and reply["error_code"] in _NOT_FOUND_CODES:
                return Absent()
            if status in {httpx.codes.CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY}:
                return Refused(status, self.masked(reply.get("message")))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
            return Trouble.SERVER_ERROR
        return Trouble.NOT_A_REGISTRY

    def _ask(self, method: str, path: str, sent: Mapping[str, Any] | None) -> tuple[int, bytes]:
        deadline = self._monotonic() + self._request_seconds
        content = None if sent is None else json_text.dump(dict(sent)).encode()
        headers = None if sent is None else {"Content-Type": _SENT_AS}
        body = bytearray()
        with self._http.stream(method, self._url + path, content=content, headers=headers) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_REPLY_BYTES:
                    raise NoAnswer(Trouble.NOT_A_REGISTRY)
                if self._monotonic() > deadline:
                    raise NoAnswer(Trouble.TIMEOUT)
            return response.status_code, bytes(body)


def _json_or_none(body: bytes) -> Any:  # noqa: ANN401 any JSON
    try:
        return json_text.parse(body)
    except InvalidEvent:
        return None
