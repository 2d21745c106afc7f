"""Ways that fail at the edges: settings, files, tokens, connections, registries, threads, tracebacks."""

import json
import logging
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import SecretStr

from streamer.app.building import _CredentialReader
from streamer.app.watchdog import stacks
from streamer.avro.decoder import Decoder
from streamer.avro.registry import Registry
from streamer.avro.registry_client import RegistryClient
from streamer.avro.registry_http import NoAnswer, Trouble
from streamer.avro.schemas import load_schemas
from streamer.cli import commands, main
from streamer.config import Settings, load_settings, settings_table, settings_warnings
from streamer.config.fields import variable_name
from streamer.engine.ports import AwaitingSchema, DeadLetter
from streamer.errors import InvalidEvent, SchemaError, StreamerError, UsageError
from streamer.kafka.configuration import property_problems
from streamer.kafka.dead_letters import letter_headers
from streamer.logs import unseen_errors_told
from streamer.outcomes import Endpoint
from streamer.planhat.client import Client, Failure, trusted_authorities
from streamer.planhat.requests import Addresses, request_for
from streamer.records import Record
from tests.avro.registry_server import Reply, running_registry
from tests.planhat.scripted import drip, raw, reply, serving, silence
from tests.security.marks import EMAIL, MARKS, NUMBER, SECRETS, TENANT, TRAIT, USER, event
from tests.security.scene import Scene, Stage

PROPERTIES: Final = {
    "sasl.password": SECRETS["SASL password"],
    "ssl.key.password": SECRETS["key password"],
    "sasl.oauthbearer.client.secret": SECRETS["OAuth secret"],
}
SOUND: Final = {
    "STREAMER_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "STREAMER_KAFKA_PROPERTIES": "\n".join(f"{name}={text}" for name, text in PROPERTIES.items()),
    "STREAMER_SCHEMA_REGISTRY_URL": "https://registry.example",
    "STREAMER_SCHEMA_REGISTRY_USER": "streamer",
    "STREAMER_SCHEMA_REGISTRY_PASSWORD": SECRETS["registry password"],
    "STREAMER_PLANHAT_TENANT_TOKEN": TENANT,
    "STREAMER_PLANHAT_API_TOKEN": SECRETS["API token"],
}
_ALL: Final = " ".join(MARKS.values())


def _is_secret(field: str) -> bool:
    hint = Settings.model_fields[field].annotation
    return hint is SecretStr or SecretStr in get_args(hint)


SECRET_SETTINGS: Final = tuple(field for field in Settings.model_fields if _is_secret(field))


@contextmanager
def _files(**contents: str) -> Iterator[dict[str, str]]:
    """Files with these contents, by name."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in contents}
        for name, path in paths.items():
            path.write_text(contents[name])
        yield {name: str(path) for name, path in paths.items()}


def _loaded(stage: Stage, **changes: str) -> None:
    try:
        settings = load_settings(SOUND | changes, property_problems=property_problems)
    except StreamerError as error:
        stage.fell(error)
    else:
        stage.tell(settings, settings_table(settings), settings_warnings(settings))


def settings_shown(stage: Stage) -> None:
    """Sound settings with each secret there is, as tables and as text."""
    assert {variable_name(field) for field in SECRET_SETTINGS} <= set(SOUND)
    _loaded(stage)
    _loaded(stage, STREAMER_SCHEMA_REGISTRY_URL="http://registry.example")


def settings_refused(stage: Stage) -> None:
    """Each secret in a form that is refused, beside itself in a file, and beside every other mistake."""
    for field in SECRET_SETTINGS:
        name = variable_name(field)
        for text in (f"{SOUND[name]} {SOUND[name]}", f"{SOUND[name]}\n{TRAIT}", f"ü{SOUND[name]}"):
            _loaded(stage, **{name: text})
        _loaded(stage, **{name: "", f"{name}_FILE": f"{SOUND[name]}=="})
        with _files(token=f"{SOUND[name]} {TRAIT}\n\n{SOUND[name]}") as files:
            _loaded(stage, **{name: "", f"{name}_FILE": files["token"]})
            _loaded(stage, **{f"{name}_FILE": files["token"]})
    for url in ("PLANHAT_API_URL", "PLANHAT_ANALYTICS_URL", "PLANHAT_SEGMENT_URL", "SCHEMA_REGISTRY_URL"):
        for place in ("host", "host:x", "", "host/?x#y"):
            _loaded(stage, **{f"STREAMER_{url}": f"https://{USER}:{SECRETS['proxy password']}@{place}"})
    servers = f"sasl_ssl://{USER}:{SECRETS['SASL password']}@kafka-1:9093,kafka-2"
    _loaded(stage, STREAMER_KAFKA_BOOTSTRAP_SERVERS=servers)
    # Contradictions, with all secrets sound.
    _loaded(stage, STREAMER_DRAIN_SECONDS="20", STREAMER_GRACE_SECONDS="10", STREAMER_BULK_BYTES="8MiB")


def properties_refused(stage: Stage) -> None:
    """Secrets of librdkafka in properties that it refuses, alone or together."""
    wrong = ("security.protocol=nonsense", "ssl.key.pem=" + SECRETS["key password"], "no.such=1", "nothing")
    for more in (*wrong, "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nssl.ca.location=/no/such"):
        _loaded(stage, STREAMER_KAFKA_PROPERTIES=f"{SOUND['STREAMER_KAFKA_PROPERTIES']}\n{more}")
    for name in ("ssl.keystore.password", "sasl.oauthbearer.config", "sasl.kerberos.kinit.cmd"):
        _loaded(stage, STREAMER_KAFKA_PROPERTIES=f"{name}=secret={SECRETS['OAuth secret']}")


def files_refused(stage: Stage) -> None:
    """A mapping and a suppression list that are files of secrets or people, by mistake."""
    token, password = SECRETS["API token"], SECRETS["SASL password"]
    texts = {
        "token": token,
        "quoted": f'"{token}"',
        "properties": f"sasl.password={password}",
        "toml": f'sasl.password = "{password}"\nversion = "{password}"\n',
        "json": f'{{"token": "{token}"}}',
        "list": f"{EMAIL}; {USER}\n'{EMAIL}'\n{EMAIL},{USER}\n\x00{EMAIL}\n" + f"{EMAIL}-" * 200,
    }
    with _files(**texts) as files:
        for path in files.values():
            _loaded(stage, STREAMER_MAPPING_FILE=path)
            _loaded(stage, STREAMER_SUPPRESSION_FILE=path)
            _loaded(stage, STREAMER_SCHEMA_REGISTRY_CA=path)


def tokens_read_again(stage: Stage) -> None:
    """Tokens that were replaced by others, by nonsense, and by nothing, while the program runs."""
    name = "STREAMER_PLANHAT_API_TOKEN"
    with _files(token=SECRETS["API token"]) as files, pytest.MonkeyPatch.context() as patch:
        environ = {**SOUND, name: "", f"{name}_FILE": files["token"]}
        for variable, text in environ.items():
            patch.setenv(variable, text)
        read = _CredentialReader(load_settings(environ))
        stage.tell(read())
        for content in (SECRETS["renewed token"], f"{SECRETS['renewed token']} {TRAIT}", ""):
            Path(files["token"]).write_text(content)
            stage.tell(read())
        Path(files["token"]).unlink()
        stage.tell(read())


def connections(stage: Stage) -> None:
    """Requests that come to nothing, with every library's log open to the last line."""
    body = b'{"echo":"' + _ALL.encode() + b'"}'
    acts = [raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + body, reset=True), silence]
    acts.append(reply(200, body * 200))
    for act in (reply(500, body, headers=f"X-Echo: {_ALL}\r\n"), drip(body, b" ", 0.01), *acts):
        with serving(act) as server:
            _send(stage, server.url)
    for url in ("http://127.0.0.1:1", "https://no.such.host.invalid", "ftp://x", "http://[::1"):
        _send(stage, url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTTP_PROXY", f"http://{USER}:{SECRETS['proxy password']}@127.0.0.1:1")
        _send(stage, "http://planhat.example")
        patch.setenv("HTTP_PROXY", f"gopher://{USER}:{SECRETS['proxy password']}@x")
        _send(stage, "http://planhat.example")


def _send(stage: Stage, url: str) -> None:
    # After `configure_logs`: no setting does so, but a library that is told to could.
    root, level = logging.getLogger(), logging.getLogger().level
    request = request_for(Endpoint.ACTIVITIES, (_ALL.encode(),), Addresses(url, url, TENANT, url))
    try:
        client = Client(trusted_authorities(), deadline_seconds=0.2, longest_reply_bytes=4000)
        root.setLevel(logging.DEBUG)
        answered = client.send(request, bearer=SECRETS["API token"])
        client.close()
    except StreamerError as error:
        stage.fell(error)
    else:
        stage.tell(answered, request)
        if isinstance(answered, Failure):
            stage.reached.add(("connection", answered.cause))
    finally:
        root.setLevel(level)


def registries(stage: Stage) -> None:
    """A registry that answers with what it was asked with, and with schemas that hold marks."""
    echo = f'{{"error_code": 40101, "message": "{SECRETS["registry password"]} {TRAIT}"}}'.encode()
    schemas: list[dict[str, Any]] = [
        {"schema": SECRETS["registry password"]},
        {"schema": json.dumps({"type": USER})},
        {"schema": "x", "references": [{"subject": TRAIT, "version": 1}]},
    ]
    login = b64encode(f"streamer:{SECRETS['registry password']}".encode()).decode()
    said = json.dumps({"error_code": 42201, "message": f"{login} {SECRETS['registry password']}"}).encode()
    bodies = [
        Reply(409, said),
        Reply(422, said),
        *(Reply(status, echo) for status in (200, 401, 404, 418, 429, 500)),
        Reply(200, TRAIT.encode()),
    ]
    for answer in (*bodies, *(Reply(200, json.dumps(each).encode()) for each in schemas)):
        with running_registry() as server:
            server.instead = answer
            client = RegistryClient(
                server.url, user="streamer", password=SECRETS["registry password"], request_seconds=2.0
            )
            _fetch(stage, client)
            try:
                client.check()
            except StreamerError as error:
                stage.fell(error)
            _await_schema(stage, client)
            client.close()
    with running_registry() as server:
        server.delay_seconds = 1.0
        for url in (server.url, "http://127.0.0.1:1"):
            _fetch(
                stage,
                RegistryClient(url, user=USER, password=SECRETS["registry password"], request_seconds=0.1),
            )


def _fetch(stage: Stage, client: RegistryClient) -> None:
    found = client.fetch(7)
    stage.tell(found, client)
    if isinstance(found, Trouble):
        stage.reached.add(("registry", found))
    try:
        client.post("/subjects/x", {"schema": "x"})
    except NoAnswer as none:
        # What a registry says of a schema is shown; with it what it was asked with may come back.
        stage.tell(none.instead)


def _await_schema(stage: Stage, client: RegistryClient) -> None:
    """A record of that schema, until it is known what becomes of it, or that it has to wait."""
    record = Record("events", 0, 0, 0, None, b"\0\0\0\0\7" + TRAIT.encode())
    decoder = Decoder(load_schemas(), registry=Registry(client, time.monotonic))
    deadline = time.monotonic() + 5
    try:
        while isinstance(decoder.decode(record.value or b""), AwaitingSchema):
            assert time.monotonic() < deadline
            if problems := decoder.problems():
                stage.tell(*problems)
                break
            time.sleep(0.002)
    except InvalidEvent as invalid:
        stage.fell(invalid)
        stage.tell(letter_headers(DeadLetter(record, invalid.reason, invalid.detail), "group"))
    finally:
        decoder.close()


def threads_that_end(stage: Stage) -> None:
    """An error that nobody catches, in a thread and in a finaliser; and where threads stand with marks."""

    def fails(text: str) -> None:
        raise KeyError(text, SECRETS["API token"])

    class Falling:
        """Fails as it goes."""

        def __del__(self) -> None:
            raise ValueError(TRAIT)

    over = threading.Event()
    waiting = threading.Thread(target=lambda _marks: over.wait(), args=(MARKS,))
    with unseen_errors_told():
        failing = threading.Thread(target=fails, args=(USER,))
        failing.start()
        failing.join()
        Falling()
        waiting.start()
        stage.tell(stacks())
        over.set()
        waiting.join()
    assert stage.stream.getvalue().count("error_arose") == 2


def commands_that_fail(stage: Stage) -> None:
    """A command that meets what nobody foresaw, and that shows its traceback; for each class of error."""
    failures: list[BaseException] = [
        KeyError(_ALL),
        *(kind(_ALL) for kind in (ValueError, OSError, Exception)),
    ]
    for failure in failures:
        for wrapped in (None, UsageError("a sentence of ours"), SchemaError("another")):

            def fails(*_: Any, failure: BaseException = failure, wrapped: Any = wrapped, **__: Any) -> None:
                local = _ALL  # noqa: F841 - what a traceback with variables would show
                try:
                    raise failure  # noqa: TRY301 - it is raised to be caught
                except BaseException:
                    if wrapped is None:
                        raise
                    raise wrapped  # noqa: B904 - chained by itself, as happens by mistake

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(commands, "load_settings", fails)
                patch.setattr(sys, "stderr", stage.stream)
                for words in (["settings"], ["-v", "settings"], ["-v", "run"], ["check"]):
                    main(words)
    said = stage.stream.getvalue()
    assert "Traceback" in said
    assert "a sentence of ours" in said
    stage.reached |= {UsageError, SchemaError}  # as they were raised


def a_schema_that_is_awaited(stage: Stage) -> None:
    """Records that wait for a schema, told in the log."""
    with running_registry() as server:
        server.instead = Reply(500, _ALL.encode())
        client = RegistryClient(server.url, user="u", password=SECRETS["registry password"])
        decoder = Decoder(load_schemas(), registry=Registry(client, time.monotonic))
        Scene(stage, decoder=decoder).play([b"\0\0\0\0\7" + TRAIT.encode(), event("track", x=NUMBER)])
        decoder.close()
        client.close()


EDGES: Final = {
    "settings that are shown": settings_shown,
    "settings that are refused": settings_refused,
    "properties that librdkafka refuses": properties_refused,
    "files that are not what they should be": files_refused,
    "tokens that are read again": tokens_read_again,
    "connections that fail": connections,
    "registries that repeat everything": registries,
    "a schema that is awaited": a_schema_that_is_awaited,
    "threads that end by an error": threads_that_end,
    "commands that fail, with tracebacks": commands_that_fail,
}
"""Ways to fail by what they are."""
