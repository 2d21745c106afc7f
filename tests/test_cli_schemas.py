"""Laws of `streamer schemas`: what is listed, what a registry would take and is given, the exit code."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from streamer.avro import schemas as bundled
from streamer.avro.encoder import Encoder
from streamer.avro.registry_subjects import SubjectsClient
from streamer.avro.schemas import IN_CHECKOUT, RELEASED, load_schemas
from streamer.avro.subjects import State, SubjectNames
from streamer.cli import main
from streamer.errors import SchemaError, SourceError
from tests.avro.evolutions import add_field, change, set_type
from tests.avro.registry_server import RegistryServer, Reply, running_registry
from tools.schemas import freeze

Capture = pytest.CaptureFixture[str]
LABELS = ["alias", "delete", "group", "identify", "page", "screen", "track"]
SECRET = "s3cret-of-acme"
OPTIONAL = (["null", "string"], None)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests do not count."""
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)


@pytest.fixture(name="server")
def _server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryServer]:
    """An empty registry, named by the settings."""
    with running_registry() as server:
        monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_URL", server.url)
        yield server


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bundled schemas of another day, to be changed."""
    folder = tmp_path / "schemas"
    shutil.copytree(IN_CHECKOUT, folder)
    monkeypatch.setattr(bundled, "IN_CHECKOUT", folder)
    return folder


def told(capture: Capture) -> dict[str, dict[str, Any]]:
    """The JSON lines printed, by schema."""
    return {line["schema"]: line for line in map(json.loads, capture.readouterr().out.splitlines())}


def definition_of(file: Path) -> Any:
    """A schema as a file has it."""
    return json.loads(file.read_text(encoding="utf-8"))


def writes(server: RegistryServer) -> list[str]:
    """Requests so far that may change something."""
    return [each for each in server.asked if not each.startswith(("GET ", "POST /compatibility/"))]


def incompatible(server: RegistryServer) -> None:
    """The subject of track holds a schema that ours can follow at no level."""
    foreign = definition_of(IN_CHECKOUT / "track.avsc")
    foreign["fields"][1] |= {"type": "double", "default": 0.5}
    server.register("segment.Track", foreign)


# --- list ------------------------------------------------------------------------------------------


def test_schemas_are_listed_with_the_fingerprint_of_the_framing(capsys: Capture) -> None:
    """Without a registry: each with its fields, and the eight bytes that single-object framing carries."""
    assert main(["schemas", "list", "--json"]) == 0
    listed = told(capsys)

    assert list(listed) == LABELS
    for label, line in listed.items():
        assert line["fingerprint"] == Encoder(load_schemas()).encode({"type": label})[2:10].hex()
        assert line["name"] == f"segment.{label.capitalize()}"
        assert list(line) == ["schema", "name", "fingerprint", "fields"]
    assert main(["schemas", "list"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("track"))
    assert row.split()[1] == listed["track"]["fingerprint"]
    assert row.rstrip().endswith("event, properties, and 13 of every call")


def test_each_subject_is_told_by_how_it_compares(
    server: RegistryServer, folder: Path, capsys: Capture
) -> None:
    """Equal, older, newer, other and absent, each with id and version of what is there."""
    for label in LABELS:
        change(folder, label, add_field("added", *OPTIONAL))
    freeze(folder)
    first = {label: definition_of(folder / RELEASED / f"{label}.v1.avsc") for label in LABELS}
    now = {label: definition_of(folder / f"{label}.avsc") for label in LABELS}
    server.register("segment.Identify", first["identify"])
    for definition in (first["track"], now["track"] | {"doc": "in other words"}):
        server.register("segment.Track", definition)
    later = now["page"] | {"fields": [*now["page"]["fields"], {"name": "l", "type": "int", "default": 1}]}
    for definition in (now["page"], later):
        server.register("segment.Page", definition)
    server.register("segment.Group", {"type": "object"}, schemaType="JSON")
    server.register("segment.Screen", {"type": "record", "name": "Screen", "fields": []})

    assert main(["schemas", "list", "--json"]) == 0
    found = {
        label: (line["state"], line["id"], line["version"], line["newest"])
        for label, line in told(capsys).items()
    }
    assert found == {
        "alias": ("absent", None, None, None),
        "delete": ("absent", None, None, None),
        "group": ("other", 6, 1, 1),
        "identify": ("older", 1, 1, 1),
        "page": ("newer", 4, 1, 2),
        "screen": ("other", 7, 1, 1),
        "track": ("equal", 3, 2, 2),
    }
    assert writes(server) == []
    assert main(["schemas", "list"]) == 0
    assert re.search(r"segment\.Page +4 +1 +newer", capsys.readouterr().out)


def test_a_subject_whose_versions_were_all_deleted_is_absent(server: RegistryServer, capsys: Capture) -> None:
    """What was deleted softly can be registered again."""
    server.register("segment.Track", definition_of(IN_CHECKOUT / "track.avsc"))
    versions = server.shelf.subjects["segment.Track"]
    versions[1] = versions[1]._replace(is_deleted=True)

    assert main(["schemas", "list", "--json"]) == 0
    assert told(capsys)["track"]["state"] == "absent"


def test_the_page_tells_of_every_state_and_name() -> None:
    """Its tables have a row for each, in the words that the commands use."""
    text = (IN_CHECKOUT.parent / "docs" / "schemas.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `?([a-z-]+)`? (?:\(default\) )?\|", text, re.MULTILINE)

    assert {*State, *SubjectNames} <= set(rows)


# --- check -----------------------------------------------------------------------------------------


def test_without_a_registry_the_released_versions_are_compared_with(folder: Path, capsys: Capture) -> None:
    """What fits all of them is well; what does not is told with its reason, and the exit status is 3."""
    assert main(["schemas", "check", "--json"]) == 0
    assert all(line["compatible"] and line["released"] == [1] for line in told(capsys).values())

    change(folder, "track", set_type("event", ["null", "long"]))
    assert main(["schemas", "check"]) == 3
    captured = capsys.readouterr()
    assert re.search(r"^track +v1 +no", captured.out, re.MULTILINE)
    assert "track cannot read what version 1 wrote: event: written as string" in captured.err

    shutil.rmtree(folder / RELEASED)
    assert main(["schemas", "check"]) == 3
    assert "released versions of the schemas are missing" in capsys.readouterr().err


def test_a_registry_that_is_set_can_be_left_alone(server: RegistryServer, capsys: Capture) -> None:
    """With --released nobody is asked."""
    assert main(["schemas", "check", "--released"]) == 0
    assert server.asked == []
    assert "v1" in capsys.readouterr().out


@pytest.mark.parametrize("level", ["BACKWARD", "FORWARD", "FULL", "FULL_TRANSITIVE"])
def test_the_registry_decides_and_its_reasons_are_told(
    server: RegistryServer, level: str, capsys: Capture
) -> None:
    """With the subject's own level; nothing is written, and the exit status is 3."""
    incompatible(server)
    server.shelf.levels["segment.Track"] = level

    assert main(["schemas", "check"]) == 3
    captured = capsys.readouterr()
    assert f"segment.Track (level {level}, by the registry):" in captured.err
    assert re.search(r"new schema does not read version 1|version 1 does not read the new", captured.err)
    assert re.search(rf"^track +segment\.Track +other +{level} +no", captured.out, re.MULTILINE)
    assert re.search(r"^page +segment\.Page +absent +BACKWARD +yes", captured.out, re.MULTILINE)
    assert writes(server) == []


def test_where_the_registry_names_no_reason_we_do(server: RegistryServer, capsys: Capture) -> None:
    """In the direction that the level asks for."""
    incompatible(server)
    server.tells_reasons = False

    ways = {
        "BACKWARD": "cannot read what the newest version wrote: messageId: written as double",
        "FORWARD": "the newest version cannot read what it writes: messageId: written as ",
    }
    for level, said in ways.items():
        server.shelf.level = level
        assert main(["schemas", "check", "--json"]) == 3
        reasons = told(capsys)["track"]["reasons"]
        assert reasons
        assert all(each.startswith(said) for each in reasons)


def test_a_level_that_asks_nothing_does_not_let_everything_in(
    server: RegistryServer, capsys: Capture
) -> None:
    """At NONE a registry takes anything: then ours must read and be read by the newest version."""
    incompatible(server)
    server.register("segment.Page", {"type": "object"}, schemaType="JSON")
    server.shelf.level = "NONE"

    assert main(["schemas", "register"]) == 3
    error = capsys.readouterr().err
    assert "segment.Track (level NONE, by our own rules, since the registry has none)" in error
    assert "the newest version cannot read what it writes: messageId: written as null" in error
    assert "the newest version is no Avro schema that can be read" in error
    assert "nothing was registered" in error
    assert writes(server) == []


def test_registries_that_compare_with_one_version_are_asked_so(
    server: RegistryServer, capsys: Capture
) -> None:
    """Not every registry knows the path for all versions."""
    incompatible(server)
    server.compares_with_all = False

    assert main(["schemas", "check"]) == 3
    assert "the new schema does not read version 1" in capsys.readouterr().err
    assert any("/versions/latest?" in each for each in server.asked)


# --- register --------------------------------------------------------------------------------------


def test_what_is_not_there_is_registered_once(server: RegistryServer, folder: Path, capsys: Capture) -> None:
    """All of them, with id and version; again changes nothing; later what has changed alone."""
    assert main(["schemas", "register", "--json"]) == 0
    first = told(capsys)
    assert [line["registered"] for line in first.values()] == [True] * 7
    assert {line["version"] for line in first.values()} == {1}
    server.asked.clear()

    assert main(["schemas", "register"]) == 0
    assert (
        f"track: is there as segment.Track, version 1, id {first['track']['id']}\n" in capsys.readouterr().out
    )
    assert writes(server) == []

    change(folder, "track", add_field("added", *OPTIONAL))
    assert main(["schemas", "register"]) == 0
    assert "track: registered as segment.Track, version 2, id 8\n" in capsys.readouterr().out
    assert writes(server) == ["POST /subjects/segment.Track/versions"]
    kept = json.loads(server.shelf.schemas[8]["schema"])
    assert kept == definition_of(folder / "track.avsc"), "docs and logical types go with it"


def test_a_dry_run_writes_nothing(server: RegistryServer, capsys: Capture) -> None:
    """It says what would be registered and what is there; what may not be is refused as without it."""
    server.register("segment.Page", definition_of(IN_CHECKOUT / "page.avsc"))

    assert main(["schemas", "register", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "track: would be registered as segment.Track\n" in out
    assert "page: is there as segment.Page, version 1, id 1\n" in out
    assert main(["schemas", "register", "--dry-run", "--json"]) == 0
    lines = told(capsys)
    assert {(line["registered"], line["new"]) for line in lines.values()} == {(False, True), (False, False)}
    assert (lines["track"]["new"], lines["page"]["new"]) == (True, False)
    incompatible(server)
    assert main(["schemas", "register", "--dry-run", "--json"]) == 3
    assert writes(server) == []


def test_one_that_is_refused_keeps_all_others_out(server: RegistryServer, capsys: Capture) -> None:
    """All are checked before the first is registered."""
    incompatible(server)

    assert main(["schemas", "register"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "track may not follow version 1 of subject segment.Track" in captured.err
    assert list(server.shelf.subjects) == ["segment.Track"]


def test_who_fails_half_way_says_what_was_done_and_goes_on_later(
    server: RegistryServer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was registered stands; the next run adds the rest."""
    register = server.shelf.register

    def fail_at_the_third(subject: str, schema: dict[str, Any]) -> int:
        if len(server.shelf.subjects) == 2:
            server.instead = Reply(503, b"")
        return register(subject, schema)

    monkeypatch.setattr(server.shelf, "register", fail_at_the_third)
    assert main(["schemas", "register"]) == 3
    captured = capsys.readouterr()
    assert [line.split(":")[0] for line in captured.out.splitlines()] == ["alias", "delete"]
    assert "gives no answer (server_error)" in captured.err

    server.instead = None
    monkeypatch.setattr(server.shelf, "register", register)
    assert main(["schemas", "register", "--json"]) == 0
    assert [label for label, line in told(capsys).items() if line["registered"]] == LABELS[3:]


def test_somebody_elses_schema_in_between_is_told(server: RegistryServer) -> None:
    """What the registry refuses although it was checked is told with its reason, and is exit 3."""
    incompatible(server)
    client = SubjectsClient(server.url)
    with pytest.raises(SchemaError, match=r"segment\.Track .*incompatible with an earlier"):
        client.register("segment.Track", definition_of(IN_CHECKOUT / "track.avsc"))
    client.close()


def test_subjects_may_be_called_after_topic_and_record(
    server: RegistryServer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """As TopicRecordNameStrategy calls them, for the topic of the settings or one that is named."""
    assert main(["schemas", "register", "--subjects", "topic-record", "--topic", "a/b"]) == 0
    assert "track: registered as a/b-segment.Track, version 1" in capsys.readouterr().out
    monkeypatch.setenv("STREAMER_KAFKA_TOPIC", "acme.events")
    assert main(["schemas", "list", "--subjects", "topic-record", "--json"]) == 0
    assert told(capsys)["track"]["subject"] == "acme.events-segment.Track"
    assert "a/b-segment.Track" in server.shelf.subjects


# --- what can go wrong -----------------------------------------------------------------------------


def instead(status: int, body: bytes) -> Callable[[RegistryServer], None]:
    """Makes a server answer everything with this."""

    def switch(server: RegistryServer) -> None:
        server.instead = Reply(status, body)

    return switch


def reset(server: RegistryServer) -> None:
    """Makes a server close every connection."""
    server.is_resetting = True


@pytest.mark.parametrize(
    ("switch", "said"),
    [
        (reset, "unreachable"),
        (instead(500, b""), "server_error"),
        (instead(403, b'{"error_code": 403}'), "STREAMER_SCHEMA_REGISTRY_PASSWORD"),
        (instead(200, b"<html>sign in</html>"), "path in STREAMER_SCHEMA_REGISTRY_URL"),
        (instead(200, b'{"error": "no list"}'), "not_a_registry"),
        (instead(200, b'["one"]'), "not_a_registry"),
        (instead(404, b"no such page"), "not_a_registry"),
    ],
)
@pytest.mark.parametrize("command", ["list", "check", "register"])
def test_a_registry_in_trouble_is_exit_3_with_what_to_do(
    server: RegistryServer, command: str, switch: Callable[[RegistryServer], None], said: str, capsys: Capture
) -> None:
    """Down, broken, refusing us, or no registry at all: nothing is written, and one line says why."""
    switch(server)

    assert main(["schemas", command]) == 3
    captured = capsys.readouterr()
    assert captured.err.startswith("streamer: the schema registry gives no answer (")
    assert said in captured.err
    assert captured.out == ""
    assert writes(server) == []


@pytest.mark.parametrize(
    ("ask", "replies"),
    [
        (lambda client: client.level("s"), [b"[]", b"{}", b'{"compatibilityLevel": 7}']),
        (lambda client: client.verdict("s", "long"), [b"[]", b"{}", b'{"is_compatible": "yes"}']),
        (lambda client: client.register("s", "long"), [b"[]", b"{}", b'{"id": "7"}']),
        (
            lambda client: client.version("s", 1),
            [b"[]", b"{}", b'{"schema": 7}', b'{"schema": "\\"long\\""}',
             b'{"schema": "\\"long\\"", "id": "1", "version": 1}'],
        ),
    ],
    ids=["level", "verdict", "register", "version"],
)  # fmt: skip
def test_what_no_registry_says_is_never_believed(
    server: RegistryServer, ask: Callable[[SubjectsClient], object], replies: list[bytes]
) -> None:
    """A 200 with something else in it is trouble, whatever was asked."""
    client = SubjectsClient(server.url)
    for reply in replies:
        server.instead = Reply(200, reply)
        with pytest.raises(SourceError, match="not_a_registry"):
            ask(client)
    client.close()


def test_a_slow_registry_ends_by_the_deadline(server: RegistryServer) -> None:
    """What is sent has the deadline of what is asked; what came of it is told by asking again."""
    server.delay_seconds = 0.3
    client = SubjectsClient(server.url, request_seconds=0.05)
    with pytest.raises(SourceError, match="timeout"):
        client.register("s", "long")
    client.close()


def test_credentials_are_used_and_never_shown(
    server: RegistryServer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """With them it is open; without or with wrong ones, exit 3; a registry that repeats them is masked."""
    server.credentials = ("reader", SECRET)
    assert main(["schemas", "list"]) == 3
    monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_USER", "reader")
    monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_PASSWORD", SECRET + "x")
    assert main(["-v", "schemas", "register"]) == 3
    assert SECRET not in str(capsys.readouterr())

    monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_PASSWORD", SECRET)
    assert main(["schemas", "register"]) == 0
    client = SubjectsClient(server.url, user="reader", password=SECRET)
    server.instead = Reply(422, json.dumps({"error_code": 42205, "message": f"no {SECRET} here"}).encode())
    with pytest.raises(SchemaError, match=r"no \*\*\*\* here"):
        client.register("s", "long")
    server.instead = Reply(200, json.dumps({"is_compatible": False, "messages": [SECRET, 7]}).encode())
    assert client.verdict("s", "long").reasons == ("****",)
    client.close()


def test_an_authority_of_ones_own_is_trusted_when_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The settings' PEM file counts here as for `run`."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    (tmp_path / "certificate.pem").write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with running_registry(tmp_path / "certificate.pem") as server:
        monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_URL", server.url)
        assert main(["schemas", "register"]) == 3
        assert "STREAMER_SCHEMA_REGISTRY_CA" in capsys.readouterr().err
        monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_CA", str(tmp_path / "ca.pem"))
        assert main(["schemas", "register"]) == 0


def test_what_a_registry_says_does_not_reach_the_terminal_raw(
    server: RegistryServer, capsys: Capture
) -> None:
    """A reason with control sequences is told without them."""
    incompatible(server)
    server.reason = "\x1b[31mred\nand more"

    assert main(["schemas", "check"]) == 3
    error = capsys.readouterr().err
    assert "\x1b" not in error
    assert "red" in error


@pytest.mark.parametrize(
    ("words", "environ", "said"),
    [
        (["register"], {}, "set STREAMER_SCHEMA_REGISTRY_URL"),
        (["list", "--topic", "t"], {}, "--topic goes with --subjects topic-record"),
        (["list", "--subjects", "topic"], {}, "invalid choice"),
        (["list"], {"STREAMER_SCHEMA_REGISTRY_URL": "nonsense"}, "STREAMER_SCHEMA_REGISTRY_URL"),
        (["check"], {"STREAMER_SCHEMA_REGISTRY_USER": "u"}, "STREAMER_SCHEMA_REGISTRY_PASSWORD"),
    ],
)
def test_wrong_words_and_settings_are_exit_2(
    words: list[str], environ: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Before anybody is asked."""
    for name, text in environ.items():
        monkeypatch.setenv(name, text)

    assert main(["schemas", *words]) == 2
    assert said in capsys.readouterr().err
