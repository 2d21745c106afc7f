"""The compose file's registry, the very program: our judge and our commands beside it.

It judges by Apache Avro's own library for Java.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.avro.compatibility import obstacles
from streamer.avro.datum import DatumReader
from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.registry import Registry
from streamer.avro.registry_client import RegistryClient
from streamer.avro.registry_subjects import SubjectsClient
from streamer.avro.schemas import IN_CHECKOUT, load_schemas
from streamer.cli import main
from streamer.engine.ports import AwaitingSchema, Decoded
from tests.avro.evolutions import CHANGES, within
from tests.deploy.apicurio import apicurio
from tests.deploy.shipped import compose
from tests.real_kafka.member import wait_until

Capture = pytest.CaptureFixture[str]


class Levels(SubjectsClient):
    """A client that sets levels too, which no command of ours does."""

    def set_level(self, subject: str, level: str) -> None:
        """Change a subject's level."""
        asked = self._http.put(f"{self._url}/config/{subject}", json={"compatibility": level})
        assert asked.status_code == 200, asked.text


@pytest.fixture(scope="module", name="url")
def _url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry of the version that the compose file names."""
    version = compose()["services"]["registry"]["image"].rpartition(":")[2]
    with apicurio(version, tmp_path_factory.mktemp("registry") / "log") as port:
        yield f"http://127.0.0.1:{port}/apis/ccompat/v7"


@pytest.fixture(name="client")
def _client(url: str) -> Iterator[Levels]:
    client = Levels(url)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _settings(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry, and nothing of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_URL", url)


def test_it_judges_changes_as_we_do(client: Levels) -> None:
    """Each change of the table, by each level: what it allows is what our judge finds nothing against."""
    differ = []
    for number, (name, change) in enumerate(CHANGES.items()):
        subject = f"change-{number}"
        old, new = within(change.old), within(change.new)
        client.register(subject, old)
        backward = not obstacles(DatumReader(new), DatumReader(old))
        forward = not obstacles(DatumReader(old), DatumReader(new))
        for level, ours in (
            ("BACKWARD", backward),
            ("FORWARD", forward),
            ("FULL_TRANSITIVE", backward and forward),
        ):
            client.set_level(subject, level)
            assert client.level(subject) == level
            if client.verdict(subject, new).is_compatible != ours:
                differ.append((name, level, ours))
    assert differ == []


def test_schemas_are_registered_once_and_their_records_read(
    client: Levels, url: str, capsys: Capture
) -> None:
    """Absent, then registered, then equal; the ids that are told stand in front of records that are read."""
    assert client.level("segment.Track") == "NONE", "its default, as the page says"
    assert main(["schemas", "check"]) == 0
    assert main(["schemas", "register", "--dry-run"]) == 0
    assert client.versions("segment.Track") == ()
    assert main(["schemas", "register"]) == 0
    assert (
        len(re.findall(r"registered as segment\.\w+, version 1, id \d+$", capsys.readouterr().out, re.M)) == 7
    )
    assert main(["schemas", "register"]) == 0
    assert capsys.readouterr().out.count("is there as") == 7
    assert main(["schemas", "list", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["state"] for line in listed} == {"equal"}

    decoder = Decoder(load_schemas(), registry=Registry(RegistryClient(url), time.monotonic))
    for line in listed:
        event = {"type": line["schema"], "userId": "u-123", "foreign": [1]}
        value = Encoder(load_schemas()).encode(event, f"confluent:{line['id']}")
        wait_until(lambda value=value: not _is_awaited(decoder, value), 20, "the schema is there")  # type: ignore[misc]
        read = decoder.decode(value)
        assert isinstance(read, Decoded)
        assert {name: each for name, each in read.value.items() if each is not None} == event
    decoder.close()


def _is_awaited(decoder: Decoder, value: bytes) -> bool:
    return isinstance(decoder.decode(value), AwaitingSchema)


def test_what_it_refuses_is_not_registered_and_told_by_us(client: Levels, capsys: Capture) -> None:
    """It says no and names no reason: ours stand there. Its level is kept to, subject by subject."""
    foreign: Any = json.loads(Path(IN_CHECKOUT / "track.avsc").read_text(encoding="utf-8"))
    foreign["fields"][1] |= {"type": "double", "default": 0.5}
    subject = "rehearsal-segment.Track"
    client.register(subject, foreign)
    words = ["--subjects", "topic-record", "--topic", "rehearsal"]

    for level, said in (
        ("NONE", "by our own rules"),
        ("BACKWARD", "cannot read what the newest version wrote: messageId: written as double"),
        ("FULL", "the newest version cannot read what it writes: messageId"),
    ):
        client.set_level(subject, level)
        assert main(["schemas", "register", *words]) == 3
        error = capsys.readouterr().err
        assert f"{subject} (level {level}" in error
        assert said in error
        assert "nothing was registered" in error
    assert client.versions(subject) == (1,)
    assert client.versions("rehearsal-segment.Page") == ()


def test_a_version_after_the_bundled_one_is_told_and_left_alone(client: Levels, capsys: Capture) -> None:
    """Who went on with a schema keeps what is there; ours has its id still."""
    words = ["--subjects", "topic-record", "--topic", "ahead"]
    assert main(["schemas", "register", *words]) == 0
    later: Any = json.loads(Path(IN_CHECKOUT / "page.avsc").read_text(encoding="utf-8"))
    later["fields"].append({"name": "later", "type": ["null", "long"], "default": None})
    client.register("ahead-segment.Page", later)
    capsys.readouterr()

    assert main(["schemas", "register", "--json", *words]) == 0
    told = {line["schema"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (told["page"]["version"], told["page"]["new"]) == (1, False)
    assert client.versions("ahead-segment.Page") == (1, 2)
