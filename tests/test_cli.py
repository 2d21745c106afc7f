"""Laws of the command line: what is printed, where it goes, and the exit code that ends it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Consumer

from streamer import __version__
from streamer.app import interpreting
from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import Schema, load_schemas
from streamer.cli import commands, main
from streamer.cli.meanings import meanings
from streamer.cli.words import COMMANDS
from streamer.engine.interpret import Interpreted, interpret
from streamer.engine.ports import Decoded
from streamer.kafka import start
from streamer.outcomes import InvalidReason
from streamer.records import Record
from streamer.standins.broker import CLIENT_PROPERTIES, EmbeddedBroker
from streamer.transform import Rules

TENANT = "0b7e1c9a-4f2d-4c61-9a55-3d1f0e8b7a21"
TRACK = {"type": "track", "messageId": "m-1", "userId": "u-1", "event": "Invoice Paid"}
IDENTIFY = {
    "type": "identify",
    "messageId": "m-2",
    "userId": "u-1",
    "traits": {"email": "u-9@x.example", "age": 2**60},
}
GROUP = {"type": "group", "messageId": "m-3", "userId": "u-1", "groupId": "acme", "traits": {"name": "Acme"}}
ALIAS = {"type": "alias", "messageId": "m-4", "userId": "u-1", "previousId": "a-1"}
NAMELESS = {"type": "track", "messageId": "m-5", "userId": "u-1"}

Capture = pytest.CaptureFixture[str]
Lines = Callable[..., str]

pytestmark = pytest.mark.usefixtures("logging_restored")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests do not count."""
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)


@pytest.fixture(name="lines")
def _lines(tmp_path: Path) -> Lines:
    """Writes a file of one event, or one text, a line; gives its name."""

    def write(*events: object) -> str:
        texts = (event if isinstance(event, str) else json.dumps(event) for event in events)
        file = tmp_path / "events.jsonl"
        file.write_text("".join(f"{text}\n" for text in texts))
        return str(file)

    return write


def told(capture: Capture) -> list[dict[str, Any]]:
    """The JSON lines printed."""
    return [json.loads(line) for line in capture.readouterr().out.splitlines()]


def streamer(*words: str, **options: Any) -> "subprocess.Popen[str]":
    """The program as a process of its own."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("STREAMER_")}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "streamer", *words], env=environ, **(pipes | options))


# --- transform ------------------------------------------------------------------------------------


def test_transform_tells_what_becomes_of_each_event(lines: Lines, capsys: Capture) -> None:
    """--json prints one line an event with the keys of the contract; whatever they are, the exit is 0."""
    file = lines(TRACK, ALIAS, NAMELESS, "{broken", "[1]", {"type": 7}, {})
    assert main(["transform", "--json", file]) == 0

    printed = told(capsys)
    assert [line["index"] for line in printed] == list(range(7))
    for line in printed:
        assert list(line) == ["index", "type", "messageId", "outcome", "reason", "requests"]
    assert [(line["type"], line["messageId"], line["outcome"], line["reason"]) for line in printed] == [
        ("track", "m-1", "operations", None),
        ("alias", "m-4", "skipped", "unsupported_type"),
        ("track", "m-5", "invalid", "event_not_defined"),
        (None, None, "invalid", "bad_json"),
        (None, None, "invalid", "not_avro"),
        (None, None, "invalid", "not_an_event"),
        (None, None, "invalid", "not_an_event"),
    ]
    assert [len(line["requests"]) for line in printed] == [1, 0, 0, 0, 0, 0, 0]


def test_transform_prints_the_requests_exactly(lines: Lines, capsys: Capture) -> None:
    """Method, URL and body are those of delivery, in the order of delivery, with numbers unchanged."""
    assert main(["transform", "--json", lines(IDENTIFY, GROUP)]) == 0

    identify, group = told(capsys)
    (request,) = identify["requests"]
    assert (request["method"], request["url"]) == ("PUT", "https://api.planhat.com/endusers")
    (enduser,) = request["body"]
    assert (enduser["externalId"], enduser["email"], enduser["custom"]) == (
        "u-1",
        "u-9@x.example",
        {"age": 2**60},
    )
    assert [one["url"].rpartition("/")[2] for one in group["requests"]] == ["companies", "endusers"]


def test_transform_agrees_with_the_fixtures(capsys: Capture) -> None:
    """A fixture's requests are what is printed for its event, but for the masked tenant token."""
    fixture = Path(__file__).parent / "fixtures" / "track" / "invoice_paid.event.json"
    assert main(["transform", "--json", str(fixture)]) == 0

    (line,) = told(capsys)
    (expected,) = json.loads(Path(str(fixture).replace(".event.", ".planhat.")).read_text())
    (request,) = line["requests"]
    assert (request["method"], request["body"]) == (expected["method"], expected["body"])
    assert request["url"] == "https://analytics.planhat.com/analytics/bulk/***"


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TRACK).encode(),
        BOM + json.dumps(TRACK).encode(),
        b" \t" + json.dumps(TRACK).encode() + b"  ",
        json.dumps({**TRACK, "properties": {"much": "x" * 1500}}).encode(),
        json.dumps(TRACK).encode().ljust(1024),
        json.dumps(TRACK).encode().ljust(1025),
        b'{"type": "track"',
        b'["type", "track"]',
        b"null",
        b"\x0b" + json.dumps(TRACK).encode(),
        b'{"type": "track", "event": "\xff"}',
        Encoder(load_schemas()).encode(TRACK),
        b"\x00\x00\x00\x00\x07rest",
        b'{"a":' * 200 + b"1" + b"}" * 200,
    ],
)
def test_transform_agrees_with_run(
    text: bytes, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes have the same outcome, in a file as in a record: framing, limits and all."""
    monkeypatch.setenv("STREAMER_MAX_EVENT_BYTES", "1024")
    file = tmp_path / "events"
    file.write_bytes(json.dumps(IDENTIFY).encode() + b"\n" + text + b"\r\n")
    assert main(["transform", "--json", str(file)]) == 0
    _, line = told(capsys)

    record = Record("segment.events", 0, 0, 0, None, text)
    result = interpret(record, Decoder(load_schemas(), max_bytes=1024), Rules())
    assert isinstance(result, Interpreted)
    assert line["reason"] == result.invalid
    assert len(line["requests"]) == len(result.operations)


def test_a_byte_order_mark_is_no_part_of_an_event(tmp_path: Path, capsys: Capture) -> None:
    """A file begun by a byte-order mark, as editors leave it, is read like one without."""
    file = tmp_path / "events"
    file.write_bytes(BOM + json.dumps(TRACK).encode() + b"\n" + json.dumps(IDENTIFY).encode() + b"\n")
    assert main(["transform", "--json", str(file)]) == 0
    assert [line["messageId"] for line in told(capsys)] == ["m-1", "m-2"]

    file.write_bytes(BOM + json.dumps(TRACK, indent=2).encode())
    assert main(["transform", "--json", str(file)]) == 0
    assert [line["messageId"] for line in told(capsys)] == ["m-1"]


def test_transform_obeys_the_settings(lines: Lines, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses and rules come from the environment; the tenant token is not printed."""
    monkeypatch.setenv("STREAMER_PLANHAT_SUBDOMAIN", "api-us2")
    monkeypatch.setenv("STREAMER_PLANHAT_TENANT_TOKEN", TENANT)
    monkeypatch.setenv("STREAMER_PLANHAT_MODE", "api")
    monkeypatch.setenv("STREAMER_LINK", "never")
    monkeypatch.setenv("STREAMER_CONSENT_CATEGORIES", "crm")
    refused = {**TRACK, "context": {"consent": {"categoryPreferences": {"crm": False}}}}
    granted = {**GROUP, "context": {"consent": {"categoryPreferences": {"crm": True}}}}
    assert main(["transform", "--json", lines(granted, refused)]) == 0

    output = capsys.readouterr().out
    assert TENANT not in output
    first, second = map(json.loads, output.splitlines())
    assert [request["url"] for request in first["requests"]] == ["https://api-us2.planhat.com/companies"]
    assert second["reason"] == "consent"


def test_transform_shows_what_is_forwarded(
    lines: Lines, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the tenant token alone each call is its own request, as it came and with `user_id`."""
    monkeypatch.setenv("STREAMER_PLANHAT_TENANT_TOKEN", TENANT)
    assert main(["transform", "--json", lines(TRACK, ALIAS)]) == 0

    output = capsys.readouterr().out
    assert TENANT not in output
    first, second = map(json.loads, output.splitlines())
    body = {**TRACK, "user_id": TRACK["userId"], "source": "Segment"}
    url = "https://analytics.planhat.com/dock/segment"
    assert first["requests"] == [{"method": "POST", "url": url, "body": body}]
    assert second["reason"] == "unsupported_type"


def test_transform_is_readable_without_json(lines: Lines, capsys: Capture) -> None:
    """For a person: a heading for each event, then its requests in full; reasons with the field at fault."""
    assert main(["transform", lines(TRACK, ALIAS, NAMELESS)]) == 0

    text = capsys.readouterr().out
    assert "# event 0: track m-1\nPOST https://analytics.planhat.com/analytics/bulk/***\n[\n  {\n" in text
    assert '    "action": "Invoice Paid",\n' in text
    assert (
        "# event 1: alias m-4 skipped (unsupported_type)\n# event 2: track m-5 invalid (event_not_defined)"
        in text
    )


def test_one_event_may_fill_a_file(lines: Lines, capsys: Capture) -> None:
    """A pretty-printed event is one event; blank lines are none; an empty file has none."""
    assert main(["transform", "--json", lines("", json.dumps(TRACK, indent=2), "")]) == 0
    assert [line["messageId"] for line in told(capsys)] == ["m-1"]

    assert main(["transform", "--json", lines("", TRACK, "", "  ", IDENTIFY)]) == 0
    assert [line["messageId"] for line in told(capsys)] == ["m-1", "m-2"]

    assert main(["transform", "--json", lines("{broken", TRACK)]) == 0
    assert [line["outcome"] for line in told(capsys)] == ["invalid", "operations"]

    assert main(["transform", "--json", lines("", "")]) == 0
    assert told(capsys) == []


def test_transform_answers_an_endless_input_as_it_comes() -> None:
    """Each line of standard input is answered before the next is there, and Ctrl+C ends it quietly."""
    with streamer("transform", "--json", "-", stdin=subprocess.PIPE, bufsize=1) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdin.write(json.dumps(TRACK) + "\n")
        assert json.loads(running.stdout.readline())["messageId"] == "m-1"
        running.stdin.write(json.dumps(ALIAS) + "\n")
        assert json.loads(running.stdout.readline())["messageId"] == "m-4"
        # A signal between Python's last look for one and the start of its read is seen only after the read,
        # and nothing comes that would end it. Whoever sits there presses again.
        for _ in range(4):
            running.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                assert running.wait(timeout=5) == 130
                break
        assert running.returncode == 130
        assert running.stderr.read() == ""


def test_output_is_utf_8_whatever_the_locale(lines: Lines) -> None:
    """JSON is UTF-8; a locale that cannot spell an event does not stop it."""
    file = lines({**TRACK, "event": "Größe 木"})
    words = [sys.executable, "-m", "streamer", "transform", "--json", file]
    ended = subprocess.run(
        words, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True
    )

    assert json.loads(ended.stdout)["requests"][0]["body"][0]["action"] == "Größe 木"


def test_a_reader_that_leaves_is_no_error(lines: Lines) -> None:
    """`streamer transform … | head` ends like any other program whose pipe was closed."""
    file = lines(*[IDENTIFY] * 5000)
    with streamer("transform", file) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.wait(timeout=60) == 128 + signal.SIGPIPE
        assert running.stderr.read() == ""


@pytest.mark.parametrize("command", ["transform", "publish"])
def test_a_file_that_cannot_be_read_is_named(
    command: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing file, or a directory, ends with 2 and what to give instead."""
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    for file in (tmp_path / "missing", tmp_path):
        assert main([command, str(file)]) == 2
        assert f"streamer: {file}: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give a file of events, - for standard input, or --topic"),
        (["-", "--topic"], "one of them"),
        (["-", "--partition", "1", "--from", "1h"], "--partition is of a live topic"),
        (["-", "--count", "0"], "--count cannot be 0"),
        (["-", "--against", "old.toml"], "--against goes with --mapping NEW"),
        (["-", "--show-values"], "--show-values is of --against"),
        (["--topic", "--offset", "7"], "--offset needs --partition"),
        (["--topic", "--offset", "-7", "--from", "1h"], "both say where to begin"),
        (["--topic", "--from", "noon"], "--from noon is no time; TIME: ISO 8601"),
    ],
)
def test_transform_refuses_what_makes_no_sense(words: list[str], said: str, capsys: Capture) -> None:
    """Where to read from is said once and whole, before anything is read or connected to."""
    assert main(["transform", *words]) == 2
    assert said in capsys.readouterr().err


def container(file: Path, *events: dict[str, Any], label: str = "track") -> Path:
    """An Avro container file of these events, written with a bundled schema."""
    schemas = load_schemas()
    schema = schemas.by_name(label)
    assert schema is not None
    encoder = Encoder(schemas)
    with file.open("wb") as stream:
        datums = [datum_of(encoder, schema, event) for event in events]
        fastavro.writer(stream, schema.reader.parsed, datums, codec="deflate")
    return file


def datum_of(encoder: Encoder, schema: Schema, event: dict[str, Any]) -> Any:
    """An event as its schema's datum: open parts are JSON text there."""
    framed = encoder.encode(event)
    return fastavro.schemaless_reader(BytesIO(framed[10:]), schema.reader.parsed, None)


def test_transform_reads_avro_container_files(tmp_path: Path, capsys: Capture) -> None:
    """The events of a container file are told as those of JSON lines are; also from standard input."""
    events = [
        {**TRACK, "properties": {"much": {"deep": [1, None, 2**60]}, "Größe": 1.5}},
        {**TRACK, "messageId": "m-9", "context": {"groupId": "acme"}},
    ]
    file = container(tmp_path / "events.avro", *events)
    lines = tmp_path / "events.jsonl"
    lines.write_text("".join(json.dumps(event) + "\n" for event in events))

    assert main(["transform", "--json", str(lines)]) == 0
    expected = told(capsys)
    assert main(["transform", "--json", str(file)]) == 0
    assert told(capsys) == expected
    with file.open("rb") as stream, streamer("transform", "--json", "-", stdin=stream) as running:
        assert running.stdout is not None
        assert [json.loads(line) for line in running.stdout] == expected


def test_a_container_file_of_a_foreign_schema_is_read(tmp_path: Path, capsys: Capture) -> None:
    """Fields that bear Segment's names are found; one whose JSON text is none is an invalid event."""
    schema = {
        "type": "record",
        "name": "Event",
        "fields": [
            {"name": name, "type": "string"}
            for name in ("type", "userId", "event", "properties", "messageId")
        ],
    }
    rows = [{**TRACK, "properties": text} for text in ('{"a": 1}', "{broken", "{}")]
    file = tmp_path / "events.avro"
    with file.open("wb") as stream:
        fastavro.writer(stream, fastavro.parse_schema(schema), rows)
    assert main(["transform", "--json", str(file)]) == 0
    printed = told(capsys)
    assert [(line["outcome"], line["reason"]) for line in printed] == [
        ("operations", None),
        ("invalid", "bad_json"),
        ("operations", None),
    ]
    assert printed[0]["requests"][0]["body"][0]["info"]["a"] == 1


def test_a_damaged_container_file_is_told(tmp_path: Path, capsys: Capture) -> None:
    """What stands before the damage is told; then the file is named, and the exit is 2."""
    whole = container(tmp_path / "whole.avro", *[TRACK] * 3).read_bytes()
    cut = tmp_path / "cut.avro"
    cut.write_bytes(whole[:-30])
    assert main(["transform", "--json", str(cut)]) == 2
    assert f"streamer: {cut}: damaged after event 0" in capsys.readouterr().err

    cut.write_bytes(whole[:20])
    assert main(["transform", str(cut)]) == 2
    assert "no Avro container file that can be read" in capsys.readouterr().err


def test_transform_tells_why(lines: Lines, capsys: Capture) -> None:
    """--why names the rule behind each field and each skip, for a person and in JSON."""
    file = lines(TRACK, {**IDENTIFY, "integrations": {"Planhat": False}}, NAMELESS)
    assert main(["transform", "--json", "--why", file]) == 0
    track, identify, invalid = told(capsys)
    fields = {each["field"]: each for each in track["why"]["fields"]}
    assert fields["action"] == {
        "operation": 0, "field": "action", "from": ["event"], "rule": "track.action",
    }  # fmt: skip
    assert identify["why"] == {"rule": "integrations", "from": ["integrations.Planhat"]}
    assert invalid["why"] == {"detail": "event"}

    assert main(["transform", "--why", file]) == 0
    text = capsys.readouterr().out
    assert "  action ← event   [track.action]\n" in text
    assert "  skipped by integrations ← integrations.Planhat\n" in text


@pytest.fixture(name="mappings")
def _mappings(tmp_path: Path) -> tuple[str, str]:
    """An old and a new mapping file."""
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text('version = 1\n[events]\ndeny = ["Noise"]\n')
    new.write_text('version = 1\n[identify.traits]\nage = "custom:Years"\n[events]\ndeny = ["Invoice *"]\n')
    return str(old), str(new)


def test_transform_takes_another_mapping(lines: Lines, capsys: Capture, mappings: tuple[str, str]) -> None:
    """--mapping puts that file's rules in the place of those in force, for --why as well."""
    old, new = mappings
    assert main(["transform", "--json", "--why", "--mapping", new, lines(IDENTIFY, TRACK)]) == 0
    identify, track = told(capsys)
    assert identify["requests"][0]["body"][0]["custom"] == {"Years": 2**60}
    assert [each["rule"] for each in identify["why"]["fields"] if each["field"] == "custom.Years"] == [
        "identify.traits.age"
    ]
    assert (track["reason"], track["why"]["rule"]) == ("denied", "events.deny")

    assert main(["transform", "--mapping", f"{old}.gone", lines(TRACK)]) == 2
    assert "old.toml.gone: the file cannot be read" in capsys.readouterr().err


def test_transform_shows_what_a_mapping_would_change(
    lines: Lines, capsys: Capture, mappings: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two files, and between a file and the rules in force: counts, fields, reasons, examples."""
    old, new = mappings
    file = lines(IDENTIFY, TRACK, {**TRACK, "event": "Noise"}, GROUP)
    assert main(["transform", "--json", "--mapping", new, "--against", old, file]) == 0
    (changed,) = told(capsys)
    kinds = {kind: count for kind, count in changed["kinds"].items() if count}
    assert kinds == {"unchanged": 1, "different": 1, "now_sent": 1, "now_skipped": 1}
    assert changed["fields"] == [
        {"field": "endusers.custom.age", "how": "removed", "events": 1},
        {"field": "endusers.custom.Years", "how": "added", "events": 1},
    ]

    monkeypatch.setenv("STREAMER_MAPPING_FILE", old)
    assert main(["transform", file, "--mapping", new, "--against"]) == 0
    text = capsys.readouterr().out
    assert "        1  sent → denied\n" in text
    assert "    + endusers.custom.Years = " in text
    assert str(2**60) not in text


@pytest.mark.parametrize("words", [[], ["--against"]])
def test_a_mapping_that_passthrough_ignores_is_no_answer(
    words: list[str],
    lines: Lines,
    capsys: Capture,
    mappings: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where calls are forwarded as they are, that a mapping changes nothing is told with its reason."""
    _, new = mappings
    monkeypatch.setenv("STREAMER_PLANHAT_MODE", "passthrough")
    assert main(["transform", lines(IDENTIFY), "--json", "--mapping", new, *words]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)
    assert "in passthrough mode Planhat maps: of a mapping file only [events] has an effect" in said.err

    monkeypatch.setenv("STREAMER_PLANHAT_MODE", "api")
    assert main(["transform", lines(IDENTIFY), "--json", "--mapping", new, *words]) == 0
    assert capsys.readouterr().err == ""


def test_transform_ends_after_a_count(lines: Lines, capsys: Capture) -> None:
    """--count takes the first events of a file, too."""
    assert main(["transform", "--json", "--count", "2", lines(TRACK, ALIAS, NAMELESS)]) == 0
    assert [line["messageId"] for line in told(capsys)] == ["m-1", "m-4"]


# --- settings and errors --------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["run"], ["check"], ["settings"], ["transform", "-"], ["publish", "-"]])
def test_wrong_settings_end_every_command(
    command: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All problems are printed, one a line, before anything is connected or read; the exit is 2."""
    monkeypatch.setenv("STREAMER_HTTP_PORT", "high")
    monkeypatch.setenv("STREAMER_KAFKA_TOPICK", "x")
    assert main(command) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "streamer: STREAMER_HTTP_PORT='high': allowed: a whole number from 0 to 65535\n" in printed.err
    assert (
        "streamer: STREAMER_KAFKA_TOPICK is not a setting; did you mean STREAMER_KAFKA_TOPIC?\n"
        in printed.err
    )
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("command", ["run", "check"])
def test_run_and_check_judge_librdkafka_properties(
    command: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Properties that would break the delivery promise are reported with the missing settings."""
    monkeypatch.setenv("STREAMER_KAFKA_PROPERTIES", "enable.auto.commit=true")
    assert main([command]) == 2

    problems = capsys.readouterr().err
    assert "streamer: STREAMER_KAFKA_PROPERTIES: enable.auto.commit cannot be set" in problems
    assert "streamer: STREAMER_PLANHAT_TENANT_TOKEN is required and not set" in problems


def test_settings_are_listed_with_their_origin(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table shows values and where they came from, and no secret."""
    monkeypatch.setenv("STREAMER_PLANHAT_API_TOKEN", "hunter2-hunter2")
    monkeypatch.setenv("STREAMER_HTTP_PORT", "9000")
    assert main(["settings"]) == 0

    rows = {
        line.split()[0]: line.split()[1:3] for line in capsys.readouterr().out.splitlines() if line.strip()
    }
    assert rows["STREAMER_HTTP_PORT"] == ["9000", "environment"]
    assert rows["STREAMER_PLANHAT_API_TOKEN"] == ["****", "environment"]
    assert rows["STREAMER_KAFKA_TOPIC"] == ["segment.events", "default"]
    assert rows["STREAMER_PLANHAT_TENANT_TOKEN"][0] == "(required)"


def test_an_unexpected_error_is_said_in_words(
    lines: Lines, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug ends with 1 and its place; its text, which may quote an event, stays out."""

    def fails(**_options: object) -> None:
        raise RuntimeError("u-9@x.example")

    monkeypatch.setattr(commands, "load_settings", fails)
    assert main(["transform", lines(TRACK)]) == 1

    said = capsys.readouterr().err
    assert said.startswith("streamer: unexpected error: RuntimeError at test_cli.py:")
    assert "u-9@x.example" not in said
    assert "Traceback" not in said
    for words in (["-v", "settings"], ["settings", "-v"]):
        assert main(words) == 1
        assert "Traceback" in capsys.readouterr().err


# --- the command line -----------------------------------------------------------------------------


def test_the_version_is_told(capsys: Capture) -> None:
    """-V prints name and version."""
    assert main(["-V"]) == 0
    assert capsys.readouterr().out == f"streamer {__version__}\n"


@pytest.mark.parametrize("words", [[], ["dance"], ["publish"], ["run", "--fast"], ["transform", "--js", "-"]])
def test_a_wrong_command_line_ends_with_2(words: list[str], capsys: Capture) -> None:
    """Missing, unknown and abbreviated words are refused with the usage."""
    assert main(words) == 2
    assert "usage: streamer" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: Capture) -> None:
    """Each command's help says what it does and shows an example, with its own arguments."""
    assert main([command, "--help"]) == 0

    text = capsys.readouterr().out
    assert COMMANDS[command].more.splitlines()[0] in text
    assert f"$ streamer {command}" in text.partition("examples:")[2]


def test_help_tells_commands_and_exit_codes(capsys: Capture) -> None:
    """The program's help lists every command, and the exit codes in use."""
    assert main(["--help"]) == 0

    text = capsys.readouterr().out
    for name, words in COMMANDS.items():
        assert re.search(rf"^    {name}\s+{re.escape(words.about)}$", text, re.MULTILINE), name
    assert [line.split()[0] for line in text.partition("exit status:")[2].splitlines() if line] == list(
        "012345"
    )


def test_help_needs_no_slow_library() -> None:
    """Help, version and transform load neither librdkafka nor an HTTP client of the stand-ins."""
    check = "import sys; from streamer.cli import main; main(['--help']); main(['transform', '/dev/null']);"
    check += "sys.exit(bool({'confluent_kafka', 'aiohttp', 'prometheus_client'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", check], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_stand_ins_that_are_missing_name_their_install(
    command: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the demo's dependencies the command ends with 2 and the line that installs them."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main([command]) == 2
    assert 'pip install "segment-planhat-streamer[demo]"' in capsys.readouterr().err


# --- run and check ----------------------------------------------------------------------------------


def test_a_service_that_cannot_start_says_so_in_its_log(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The log of `run` ends with one line that says why, with the exit code; `check` says it in words."""
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("STREAMER_PLANHAT_TENANT_TOKEN", TENANT)
    monkeypatch.setenv("STREAMER_PLANHAT_API_TOKEN", "hunter2-hunter2")
    monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_URL", "https://127.0.0.1:1")
    authorities = tmp_path / "ca.pem"
    authorities.write_text("no certificate")
    monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_CA", str(authorities))
    assert main(["run"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "hunter2" not in printed.err
    assert TENANT not in printed.err
    first, *_, last = map(json.loads, printed.err.splitlines())
    assert (first["event"], first["STREAMER_PLANHAT_API_TOKEN"]) == ("settings_effective", "****")
    assert (last["event"], last["level"], last["exit_code"]) == ("failed", "error", 3)
    assert "STREAMER_SCHEMA_REGISTRY_CA" in last["problem"]

    assert main(["check"]) == 3
    assert "streamer: cannot read certificates from STREAMER_SCHEMA_REGISTRY_CA" in capsys.readouterr().err


def test_an_unexpected_end_is_a_line_of_the_log(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in `run` ends its log with the error's class and place, never with its text; the exit is 1."""

    def fails(_settings: object) -> None:
        raise KeyError("u-9@x.example")

    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("STREAMER_PLANHAT_TENANT_TOKEN", TENANT)
    monkeypatch.setenv("STREAMER_PLANHAT_API_TOKEN", "hunter2-hunter2")
    monkeypatch.setattr("streamer.app.run", fails)
    assert main(["run"]) == 1

    printed = capsys.readouterr()
    assert "u-9@x.example" not in printed.out + printed.err
    (line,) = map(json.loads, printed.err.splitlines())
    assert (line["event"], line["level"], line["exit_code"]) == ("failed", "error", 1)
    assert "KeyError" in line["problem"]
    assert line["where"].startswith("test_cli.py:")


# --- publish --------------------------------------------------------------------------------------


@pytest.fixture(name="broker", scope="module")
def _broker() -> Iterator[EmbeddedBroker]:
    """The stand-in broker."""
    with EmbeddedBroker() as broker:
        yield broker


def consumed(broker: EmbeddedBroker, topic: str, count: int) -> list[tuple[bytes | None, bytes | None]]:
    """Keys and values of the first records of a topic."""
    consumer = Consumer(
        {
            **CLIENT_PROPERTIES,
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": f"test-{topic}",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    records: list[tuple[bytes | None, bytes | None]] = []
    for _ in range(200):
        records += [(one.key(), one.value()) for one in consumer.consume(100, 0.1) if one.error() is None]
        if len(records) >= count:
            break
    consumer.close()
    return records


def test_publish_writes_avro_keyed_by_user(
    broker: EmbeddedBroker, lines: Lines, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events arrive as Avro, unchanged and keyed by user; what no schema takes is named."""
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    anonymous = {"type": "page", "messageId": "m-6", "anonymousId": "a-1", "name": "Home"}
    topic = "publish-test"
    broker.create_topic(topic)
    marked = BOM.decode() + json.dumps(IDENTIFY)
    file = lines(TRACK, "{broken", {"type": "wink"}, "[1]", marked, anonymous)
    assert main(["publish", "--topic", topic, file]) == 2

    printed = capsys.readouterr()
    assert printed.out == f"3 events published to {topic}\n"
    assert [line.partition(": ")[2].partition(" was")[0] for line in printed.err.splitlines()] == [
        "event 1",
        "event 2",
        "event 3",
    ]
    decoder = Decoder(load_schemas())
    found: dict[str, tuple[bytes | None, Any]] = {}
    for key, value in consumed(broker, topic, 3):
        assert value is not None
        decoded = decoder.decode(value)
        assert isinstance(decoded, Decoded)
        found[decoded.value["messageId"]] = (key, decoded.value)
    assert {message_id: key for message_id, (key, _) in found.items()} == {
        "m-1": b"u-1",
        "m-2": b"u-1",
        "m-6": b"a-1",
    }
    assert found["m-2"][1]["traits"] == IDENTIFY["traits"]


def test_publish_says_when_the_broker_is_not_there(
    lines: Lines, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that is away, or goes away before it acknowledges, ends with 3, the counts and what to do."""
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(commands, "ACKNOWLEDGE_SECONDS", 0.5)
    assert main(["publish", lines(TRACK)]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no Kafka broker answered at 127.0.0.1:1" in printed.err

    monkeypatch.setattr(start, "check_topics", lambda *_: {"segment.events": 1})  # it was there a moment ago
    assert main(["publish", lines(TRACK)]) == 3

    printed = capsys.readouterr()
    assert printed.out == "0 events published to segment.events\n"
    assert "1 not acknowledged within 0.5 s" in printed.err


def test_publish_makes_no_topic(
    broker: EmbeddedBroker, lines: Lines, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped topic is named, also at a broker that would make one of any name that is written to."""
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    for _ in range(2):
        assert main(["publish", "--topic", "segment.evnets", lines(TRACK)]) == 3
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "there is no topic segment.evnets at" in printed.err


def test_publish_needs_a_broker_only(lines: Lines, capsys: Capture) -> None:
    """Without a broker's address the one missing setting is named, and Planhat's tokens are not asked for."""
    assert main(["publish", lines(TRACK)]) == 2

    problems = capsys.readouterr().err.splitlines()
    assert len(problems) == 1
    assert "STREAMER_KAFKA_BOOTSTRAP_SERVERS is required" in problems[0]


# --- explain ---------------------------------------------------------------------------------------


def test_explain_works_beside_the_demo(
    broker: EmbeddedBroker, lines: Lines, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the stand-in broker, which knows neither times nor rights, the whole topic is read and told."""
    broker.create_topic("explained")
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("STREAMER_KAFKA_TOPIC", "explained")
    assert main(["publish", lines(IDENTIFY, TRACK, {**TRACK, "userId": "u-2"})]) == 0
    capsys.readouterr()

    assert main(["explain", "--user", "u-1", "--json"]) == 0
    (told_story,) = told(capsys)
    assert [call["type"] for call in told_story["calls"]] == ["identify", "track"]
    assert (told_story["records"], told_story["planhat"]) == (3, None)


def test_explain_tells_what_calls_do_to_each_other(
    broker: EmbeddedBroker, lines: Lines, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same said again is nothing new, within the time of the settings; 0 switches that off."""
    broker.create_topic("repeated")
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("STREAMER_KAFKA_TOPIC", "repeated")
    monkeypatch.setenv("STREAMER_PLANHAT_MODE", "api")
    assert main(["publish", lines(IDENTIFY, {**IDENTIFY, "messageId": "m-again"})]) == 0
    for seconds, expected in (("3600", [False, True]), ("0", [False, False])):
        monkeypatch.setenv("STREAMER_UNCHANGED_TTL", seconds)
        capsys.readouterr()
        assert main(["explain", "--user", "u-1", "--json"]) == 0
        (story,) = told(capsys)
        assert [call["says_nothing_new"] for call in story["calls"]] == expected


def test_a_registry_that_is_away_is_told(
    broker: EmbeddedBroker, lines: Lines, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only a registry can open ends `transform` with 3, and is a line of the story of its key."""
    broker.create_topic("registered")
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("STREAMER_KAFKA_TOPIC", "registered")
    assert main(["publish", "--framing", "confluent:7", lines(TRACK, TRACK)]) == 0
    capsys.readouterr()
    monkeypatch.setenv("STREAMER_SCHEMA_REGISTRY_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(interpreting, "SCHEMA_SECONDS", 0.1)

    assert main(["transform", "--topic", "--json"]) == 3
    assert "the schema registry does not give schema 7, which wrote registered[" in capsys.readouterr().err
    assert main(["explain", "--user", "u-1", "--json"]) == 0
    (story,) = told(capsys)
    assert [call["outcome"] for call in story["calls"]] == ["unread", "unread"]
    assert "2 calls of it cannot be read" in story["verdict"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "usage: streamer explain"),
        (["--user", "u-1", "--company", "acme"], "not allowed with argument"),
        (["--email", "  "], "--email names nobody"),
        (["--user", "u-1", "--since", "noon"], "--since noon is no time"),
        (["--user", "u-1", "--ask-planhat"], "STREAMER_PLANHAT_API_TOKEN"),
    ],
)
def test_explain_refuses_what_makes_no_sense(
    words: list[str], said: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One object, by a name that is one, and a token where Planhat is to be asked: else the exit is 2."""
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert main(["explain", *words]) == 2
    assert said in capsys.readouterr().err


# --- dead-letters ----------------------------------------------------------------------------------


def test_every_wrong_filter_is_told_at_once(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong reasons, times and letters are all named, before anything is connected to."""
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    code = main([
        "dead-letters", "replay", "--dry-run", "--reason", "bored", "--since", "yesterday", "--until", "2w",
        "--letter", "7",
    ])  # fmt: skip

    said = capsys.readouterr().err
    assert code == 2
    for words in ("--reason bored", "not_avro", "--since yesterday", "--until 2w", "--letter 7"):
        assert words in said


def test_a_limit_of_nothing_is_refused(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--limit 0` is a slip of the pen, and told as one."""
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")

    assert main(["dead-letters", "list", "--limit", "0"]) == 2
    assert "--limit cannot be 0" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--rate", "0"), ("--calls-per-minute", "-1")])
def test_wrong_numbers_of_a_replay_are_refused(
    words: tuple[str, str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate of nothing would never end: it is refused."""
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")

    assert main(["dead-letters", "replay", "--dry-run", *words]) == 2
    assert words[0] in capsys.readouterr().err


def test_every_reason_has_its_meaning() -> None:
    """Each reason that `show` may meet is told in a sentence."""
    assert meanings(InvalidReason).keys() == set(InvalidReason)
