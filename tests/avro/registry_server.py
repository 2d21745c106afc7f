"""A small schema registry that speaks Confluent's API on loopback, with faults on request.

Its own test holds it against the client library of confluent_kafka. What it takes it judges with fastavro:
by a datum of each kind that one schema writes, read by the other.
"""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import fastavro.schema

from tests.avro.resolution import is_readable

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
SUBJECT_NOT_FOUND = 40401
VERSION_NOT_FOUND = 40402
SCHEMA_NOT_FOUND = 40403
NO_LEVEL_OF_ITS_OWN = 40408
INVALID_SCHEMA = 42201


class Reply(NamedTuple):
    """A status and what is sent with it."""

    status: int
    body: bytes
    content_type: str = CONTENT_TYPE


class Version(NamedTuple):
    """One version of a subject."""

    schema_id: int
    is_deleted: bool = False


@dataclass
class Shelf:
    """What a registry holds. Ids and versions count from 1."""

    schemas: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By id: `schema`, and `schemaType` and `references` where they are not the default."""
    subjects: dict[str, dict[int, Version]] = field(default_factory=dict)
    level: str = "BACKWARD"
    """Of subjects that have none of their own."""
    levels: dict[str, str] = field(default_factory=dict)

    def id_of(self, schema: dict[str, Any]) -> int | None:
        """The id under which the same schema is kept, whatever the subject."""
        return next((number for number, kept in self.schemas.items() if kept == schema), None)

    def keep(self, schema: dict[str, Any]) -> int:
        """The id of a schema, a new one if need be."""
        number = self.id_of(schema)
        if number is None:
            number = len(self.schemas) + 1
            self.schemas[number] = schema
        return number

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """The id of a schema that is now a version of this subject."""
        number = self.keep(schema)
        versions = self.subjects.setdefault(subject, {})
        if Version(number) not in versions.values():
            versions[max(versions, default=0) + 1] = Version(number)
        return number


class RegistryServer(ThreadingHTTPServer):
    """The server; `shelf` is what it holds, the other fields are switches for faults."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.shelf = Shelf()
        self.scheme = "http"
        self.credentials: tuple[str, str] | None = None
        self.instead: Reply | None = None
        """Sent for every request while it is set."""
        self.delay_seconds = 0.0
        self.drip_seconds = 0.0
        """Between the bytes of a body, if not 0."""
        self.is_resetting = False
        """Close the connection without a reply."""
        self.tells_reasons = True
        """Confluent's does when asked to be verbose; Apicurio's never does."""
        self.reason: str | None = None
        """Told in the place of its own."""
        self.compares_with_all = True
        """Otherwise with one version, named in the path, as Redpanda's."""
        self.asked: list[str] = []
        """Method, path and query of each request so far."""

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def register(self, subject: str, schema: object, **more: Any) -> int:
        """Put a schema on the shelf, as a client would over HTTP."""
        return self.shelf.register(subject, {"schema": json.dumps(schema), **more})

    def use_certificate(self, certificate: Path, key: Path) -> None:
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: tests break connections on purpose."""


@contextmanager
def running_registry(certificate: Path | None = None) -> Iterator[RegistryServer]:
    """A registry for as long as the block lasts; with a certificate (`key.pem` beside it), over TLS."""
    with RegistryServer() as server:
        if certificate is not None:
            server.use_certificate(certificate, certificate.parent / "key.pem")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Refused(Exception):
    """A request the registry answers with an error."""

    def __init__(self, status: int, code: int, text: str) -> None:
        self.status = status
        self.code = code
        self.text = text


def _shown(subject: str, version: int, schema_id: int, schema: dict[str, Any]) -> dict[str, Any]:
    return {"subject": subject, "version": version, "id": schema_id, **schema}


class _Requests(BaseHTTPRequestHandler):
    server: RegistryServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Say nothing."""

    def _serve(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.asked.append(f"{self.command} {self.path}")
        time.sleep(server.delay_seconds)
        if server.is_resetting:
            self.close_connection = True
            return
        reply = server.instead or self._reply(body)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if server.drip_seconds:
            for position in range(len(reply.body)):
                self.wfile.write(reply.body[position : position + 1])
                self.wfile.flush()
                time.sleep(server.drip_seconds)
        else:
            self.wfile.write(reply.body)

    def _reply(self, body: bytes) -> Reply:
        if not self._is_authorised():
            return Reply(401, json.dumps({"error_code": 401, "message": "Unauthorized"}).encode())
        try:
            return Reply(200, json.dumps(self._answer(json.loads(body) if body else {})).encode())
        except _Refused as refused:
            error = {"error_code": refused.code, "message": refused.text}
            return Reply(refused.status, json.dumps(error).encode())

    def _is_authorised(self) -> bool:
        if self.server.credentials is None:
            return True
        token = base64.b64encode(":".join(self.server.credentials).encode()).decode()
        return self.headers.get("Authorization") == f"Basic {token}"

    def _answer(self, body: dict[str, Any]) -> Any:
        target = urlsplit(self.path)
        query = parse_qs(target.query)
        with_deleted = query.get("deleted", ["false"])[0].lower() == "true"
        answer: Any
        match [self.command, *(unquote(part) for part in target.path.strip("/").split("/"))]:
            case ["GET", "schemas", "types"]:
                answer = ["JSON", "PROTOBUF", "AVRO"]
            case ["GET", "schemas", "ids", number]:
                answer = self._schema(int(number))
            case ["GET", "subjects"]:
                answer = [name for name in self.server.shelf.subjects if self._versions(name, with_deleted)]
            case ["GET", "subjects", subject, "versions", *version]:
                listed = sorted(self._existing(subject, with_deleted))
                answer = self._version(subject, version[0], with_deleted) if version else listed
            case ["GET", "config", *subject]:
                answer = self._level(*subject)
            case ["POST", "compatibility", "subjects", subject, "versions", *version] if version == [
                "latest"
            ] or (not version and self.server.compares_with_all):
                answer = self._comparison(subject, self._checked(body), "verbose" in query)
            case ["POST", "subjects", subject, "versions"]:
                answer = self._register(subject, self._checked(body))
            case ["POST", "subjects", subject]:
                answer = self._registered(subject, self._checked(body))
            case ["DELETE", "subjects", subject]:
                answer = self._delete(subject)
            case _:
                raise _Refused(404, 404, "HTTP 404 Not Found")
        return answer

    def _level(self, subject: str | None = None) -> dict[str, Any]:
        shelf = self.server.shelf
        try:
            return {"compatibilityLevel": shelf.level if subject is None else shelf.levels[subject]}
        except KeyError:
            text = f"Subject '{subject}' does not have subject-level compatibility configured"
            raise _Refused(404, NO_LEVEL_OF_ITS_OWN, text) from None

    def _comparison(self, subject: str, schema: dict[str, Any], is_verbose: bool) -> dict[str, Any]:
        reasons = self._reasons(subject, schema)
        listed = reasons if self.server.reason is None else [self.server.reason]
        told = {"messages": listed} if is_verbose and self.server.tells_reasons else {}
        return {"is_compatible": not reasons, **told}

    def _register(self, subject: str, schema: dict[str, Any]) -> dict[str, Any]:
        shelf = self.server.shelf
        kept = shelf.id_of(schema)
        is_there = any(each.schema_id == kept for each in self._versions(subject, False).values())
        reasons = [] if is_there else self._reasons(subject, schema)
        if reasons:
            text = f"Schema being registered is incompatible with an earlier schema: {reasons}"
            raise _Refused(409, 409, text)
        return {"id": shelf.register(subject, schema)}

    def _reasons(self, subject: str, schema: dict[str, Any]) -> list[str]:
        """Why a schema may not be the next version; a level that is transitive asks about all versions."""
        shelf = self.server.shelf
        level = shelf.levels.get(subject, shelf.level)
        numbers = sorted(self._versions(subject, False))
        versions = [shelf.subjects[subject][number] for number in numbers]
        found = []
        for kept in versions if level.endswith("_TRANSITIVE") else versions[-1:]:
            new, old = (json.loads(each["schema"]) for each in (schema, shelf.schemas[kept.schema_id]))
            if level.startswith(("BACKWARD", "FULL")) and not is_readable(new, old):
                found.append(f"the new schema does not read version {numbers[versions.index(kept)]}")
            if level.startswith(("FORWARD", "FULL")) and not is_readable(old, new):
                found.append(f"version {numbers[versions.index(kept)]} does not read the new schema")
        return found

    def _schema(self, number: int) -> dict[str, Any]:
        try:
            return self.server.shelf.schemas[number]
        except KeyError:
            raise _Refused(404, SCHEMA_NOT_FOUND, f"Schema {number} not found") from None

    def _versions(self, subject: str, with_deleted: bool) -> dict[int, Version]:
        versions = self.server.shelf.subjects.get(subject, {})
        return {number: kept for number, kept in versions.items() if with_deleted or not kept.is_deleted}

    def _existing(self, subject: str, with_deleted: bool) -> dict[int, Version]:
        versions = self._versions(subject, with_deleted)
        if not versions:
            raise _Refused(404, SUBJECT_NOT_FOUND, f"Subject '{subject}' not found.")
        return versions

    def _version(self, subject: str, version: str, with_deleted: bool) -> dict[str, Any]:
        versions = self._existing(subject, with_deleted)
        number = max(versions) if version == "latest" else int(version)
        if number not in versions:
            raise _Refused(404, VERSION_NOT_FOUND, f"Version {number} not found.")
        schema_id = versions[number].schema_id
        return _shown(subject, number, schema_id, self.server.shelf.schemas[schema_id])

    def _registered(self, subject: str, schema: dict[str, Any]) -> dict[str, Any]:
        schema_id = self.server.shelf.id_of(schema)
        for number, kept in self._existing(subject, with_deleted=False).items():
            if kept.schema_id == schema_id:
                return _shown(subject, number, schema_id, schema)
        raise _Refused(404, SCHEMA_NOT_FOUND, "Schema not found")

    def _checked(self, body: dict[str, Any]) -> dict[str, Any]:
        """A schema as it is kept; Avro ones are parsed, with what they refer to."""
        schema = {"schema": body["schema"]}
        if body.get("schemaType", "AVRO") != "AVRO":
            schema["schemaType"] = body["schemaType"]
        if body.get("references"):
            schema["references"] = body["references"]
        if "schemaType" not in schema:
            named: dict[str, Any] = {}
            try:
                for reference in body.get("references") or []:
                    inner = self._version(reference["subject"], str(reference["version"]), with_deleted=False)
                    fastavro.schema.parse_schema(json.loads(inner["schema"]), named)
                fastavro.schema.parse_schema(json.loads(schema["schema"]), named)
            except (ValueError, fastavro.schema.SchemaParseException) as error:
                raise _Refused(422, INVALID_SCHEMA, f"Invalid schema: {error}") from None
        return schema

    def _delete(self, subject: str) -> list[int]:
        versions = self._existing(subject, with_deleted=False)
        for number, kept in versions.items():
            self.server.shelf.subjects[subject][number] = kept._replace(is_deleted=True)
        return sorted(versions)
