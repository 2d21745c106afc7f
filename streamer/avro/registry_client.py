"""Asks a Confluent schema registry over HTTP; every answer is one of a closed set."""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from streamer.avro import json_text
from streamer.avro.datum import DatumReader
from streamer.errors import InvalidEvent, SchemaError, SourceError

REQUEST_SECONDS = 10.0
"""For one request, its body included."""
MAX_REPLY_BYTES = 4 * 1024 * 1024
MAX_REFERENCES = 200
"""Schemas one schema may draw in."""
MAX_SCHEMA_DEPTH = 512
_NOT_FOUND_CODES = frozenset({40401, 40402, 40403})
"""Subject, version or schema not found: said by a registry itself, not by a proxy before it."""
_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


# --- what an id stands for ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """An Avro schema, ready to read with."""

    reader: DatumReader


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """A JSON schema: what follows the header is JSON text."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """There is such a schema, and it can never be read with; ids never change what they stand for."""

    why: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The registry itself says that it knows no such schema."""


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

Answer = AvroSchema | JsonSchema | Unreadable | Absent | Trouble

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


class _NoAnswer(Exception):
    """No answer about a schema, or that there is none."""

    def __init__(self, instead: Absent | Trouble) -> None:
        self.instead = instead


class RegistryClient:
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

    def fetch(self, schema_id: int) -> Answer:
        """What this id stands for; never raises for what a registry may do."""
        try:
            reply = self._get(f"/schemas/ids/{schema_id}")
            if not isinstance(reply, dict):
                return Trouble.NOT_A_REGISTRY
            schema_type = reply.get("schemaType", "AVRO")
            if schema_type == "JSON":
                return JsonSchema()
            if schema_type != "AVRO":
                return Unreadable("its schema is neither Avro nor JSON")
            named: dict[str, Any] = {}
            self._draw_in(reply, named, set())
            return AvroSchema(DatumReader(_schema_of(reply), named))
        except _NoAnswer as no_answer:
            return no_answer.instead
        except SchemaError as error:
            return Unreadable(str(error))

    def check(self) -> None:
        """Ask something every registry answers.

        Raises:
            SourceError: it does not; says why and what to look at.
        """
        try:
            reply = self._get("/schemas/types")
        except _NoAnswer as no_answer:
            trouble = no_answer.instead
        else:
            if isinstance(reply, list) and "AVRO" in reply:
                return
            trouble = Trouble.NOT_A_REGISTRY
        if isinstance(trouble, Absent):
            trouble = Trouble.NOT_A_REGISTRY
        raise SourceError(f"the schema registry gives no answer ({trouble}); {ADVICE[trouble]}")

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _draw_in(self, reply: dict[str, Any], named: dict[str, Any], seen: set[tuple[str, str]]) -> None:
        """Parse what a schema refers to, innermost first, into `named`."""
        references = reply.get("references") or []
        if not isinstance(references, list):
            raise _NoAnswer(Trouble.NOT_A_REGISTRY)
        for reference in references:
            try:
                where = (str(reference["subject"]), str(int(reference["version"])))
            except (LookupError, TypeError, ValueError):
                raise _NoAnswer(Trouble.NOT_A_REGISTRY) from None
            if where in seen:
                continue
            seen.add(where)
            if len(seen) > MAX_REFERENCES:
                raise SchemaError(f"draws in more than {MAX_REFERENCES} schemas")
            # One that was deleted softly is still what the schema was written with.
            subject, version = where
            inner = self._get(f"/subjects/{quote(subject, safe='')}/versions/{version}?deleted=true")
            if not isinstance(inner, dict):
                raise _NoAnswer(Trouble.NOT_A_REGISTRY)
            self._draw_in(inner, named, seen)
            named.update(DatumReader(_schema_of(inner), named).named)

    def _get(self, path: str) -> Any:  # noqa: ANN401 any JSON
        """The JSON of a 200."""
        try:
            status, body = self._ask(path)
        except httpx.TimeoutException:
            raise _NoAnswer(Trouble.TIMEOUT) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise _NoAnswer(Trouble.UNREACHABLE) from None
        reply = _json_or_none(body)
        if status == httpx.codes.OK and reply is not None:
            return reply
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise _NoAnswer(Trouble.CREDENTIALS)
        if (
            status == httpx.codes.NOT_FOUND
            and isinstance(reply, dict)
            and reply.get("error_code") in _NOT_FOUND_CODES
        ):
            raise _NoAnswer(Absent())
        server_side = status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS
        raise _NoAnswer(Trouble.SERVER_ERROR if server_side else Trouble.NOT_A_REGISTRY)

    def _ask(self, path: str) -> tuple[int, bytes]:
        deadline = self._monotonic() + self._request_seconds
        body = bytearray()
        with self._http.stream("GET", self._url + path) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_REPLY_BYTES:
                    raise _NoAnswer(Trouble.NOT_A_REGISTRY)
                if self._monotonic() > deadline:
                    raise _NoAnswer(Trouble.TIMEOUT)
            return response.status_code, bytes(body)


def _schema_of(reply: dict[str, Any]) -> Any:  # noqa: ANN401 a schema: a name, a dict or a list
    """A reply's schema: JSON inside JSON."""
    text = reply.get("schema")
    if not isinstance(text, str):
        raise _NoAnswer(Trouble.NOT_A_REGISTRY)
    try:
        return json_text.parse(text, max_depth=MAX_SCHEMA_DEPTH)
    except InvalidEvent:
        # A registry may keep a primitive's name without quotes.
        return text


def _json_or_none(body: bytes) -> Any:  # noqa: ANN401 any JSON
    try:
        return json_text.parse(body)
    except InvalidEvent:
        return None
