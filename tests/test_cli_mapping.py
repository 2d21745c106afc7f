"""Laws of `streamer mapping`: what is said of a file, of pairs and of a sample, and the exit code."""

import http.client
import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from streamer.cli import main
from streamer.standins.planhat.child import SandboxProcess

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
EVENTS: list[dict[str, Any]] = [
    {
        "type": "identify",
        "userId": "u-1",
        "traits": {"plan": "pro", "seats": 3, "secret": "hush", "phone": "1"},
    },
    {"type": "identify", "userId": "u-2", "traits": {"plan": None, "seats": "4"}},
    {"type": "group", "userId": "u-1", "groupId": "acme", "traits": {"plan": "gold", "roles": ["a"]}},
    {"type": "track", "userId": "u-1", "event": "Logged In", "properties": {"plan": "x"}},
    {"type": "track", "userId": "u-1"},
]

Capture = pytest.CaptureFixture[str]
Write = Callable[[str, str], str]

pytestmark = pytest.mark.usefixtures("logging_restored")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests do not count."""
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Write:
    """Writes a file; gives its name."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture(name="sample")
def _sample(write: Write) -> str:
    return write("events.jsonl", "".join(json.dumps(event) + "\n" for event in EVENTS))


# --- check -----------------------------------------------------------------------------------------


def test_a_sound_file_is_said_to_be_so(capsys: Capture) -> None:
    """The example has no mistake, and nothing in it is doubtful."""
    path = str(ROOT / "docs" / "mapping.example.toml")

    assert main(["mapping", "check", path]) == 0
    assert capsys.readouterr().out == f"{path}: no mistake\n"


def test_every_mistake_is_said_with_its_line(write: Write, capsys: Capture) -> None:
    """Each mistake is a line of standard error, and the exit code that of bad settings."""
    path = write("m.toml", 'version = 2\n[identify.traits]\nx = "fone"\n')

    assert main(["mapping", "check", path]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"streamer: {path}: line 1: version: must be 1"
    assert told[1].startswith(f"streamer: {path}: line 3: identify.traits.x: Planhat has no field 'fone'")


def test_mistakes_and_warnings_as_json(write: Write, capsys: Capture) -> None:
    """A machine reads lines and texts, and the same exit code."""
    assert main(["mapping", "check", "--json", write("m.toml", "\nversion = 2")]) == 2
    assert json.loads(capsys.readouterr().out) == {
        "mistakes": [{"line": 2, "text": "version: must be 1"}],
        "warnings": [],
    }
    doubtful = write("w.toml", "[events]\nallow = []")
    assert main(["mapping", "check", "--json", doubtful]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["mistakes"], [each["line"] for each in told["warnings"]]) == ([], [2])
    assert main(["mapping", "check", doubtful]) == 0
    assert capsys.readouterr().out.endswith(f"{doubtful}: no mistake, 1 doubtful\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[track]\nweight = " + b"9" * 5_000, "line 2: a number has more than 4300 digits"),
        (b"x = " + b"[" * 5_000, "line 1: is nested too deep"),
        ("version = 1".encode("utf-16"), "line 1: this is not UTF-8 text: save the file as UTF-8"),
        (b"\n[identify.traits]\nstra\xdfe = 'drop'", "line 3: this is not UTF-8 text"),
        (b"#" * (2**20 + 1), "the file is larger than 1 MiB"),
    ],
    ids=["digits", "deep", "utf-16", "latin-1", "huge"],
)
def test_no_file_is_an_unexpected_error(
    tmp_path: Path, content: bytes, said: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the bytes: what is wrong, where, and exit status 2, from the command and from the setting."""
    path = tmp_path / "mapping.toml"
    path.write_bytes(content)

    assert main(["mapping", "check", str(path)]) == 2
    assert f"{path}: {said}" in capsys.readouterr().err
    monkeypatch.setenv("STREAMER_MAPPING_FILE", str(path))
    assert main(["settings"]) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys: Capture) -> None:
    """What cannot be read is named, with what to do."""
    assert main(["mapping", "check", "no/such.toml"]) == 2
    assert "no/such.toml: the file cannot be read (No such file or directory)" in capsys.readouterr().err


def test_a_bad_file_is_refused_by_every_command(
    write: Write, sample: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STREAMER_MAPPING_FILE with mistakes is a bad setting: each is named, and nothing is done."""
    path = write("m.toml", "[track]\nweight = true\n[odd]\n")
    monkeypatch.setenv("STREAMER_MAPPING_FILE", path)

    assert main(["transform", sample]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.rpartition("': ")[2][:7] for line in told.err.splitlines()] == ["line 2:", "line 3:"]


def test_the_setting_decides_what_is_told(
    write: Write, sample: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command that transforms does so by the file that the setting names, beside other settings."""
    monkeypatch.setenv("STREAMER_MAPPING_FILE", write("m.toml", '[identify]\nunlisted = "drop"'))
    monkeypatch.setenv("STREAMER_LINK", "never")

    assert main(["transform", "--json", sample]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0]["requests"][0]["body"] == [{"externalId": "u-1", "phone": "1", "source": "Segment"}]
    assert len(told[2]["requests"]) == 1


# --- test ------------------------------------------------------------------------------------------


@pytest.fixture(name="pairs")
def _pairs(tmp_path: Path) -> Path:
    folder = tmp_path / "pairs"
    shutil.copytree(FIXTURES / "delete", folder / "delete")
    shutil.copytree(FIXTURES / "screen", folder / "screen")
    # As a user has them: without the tenant's token, which is masked wherever it is shown.
    for path in folder.rglob("*.planhat.json"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("00000000-0000-4000-8000-000000000000", "***"), encoding="utf-8")
    return folder


def test_pairs_that_hold(pairs: Path, capsys: Capture) -> None:
    """Each event becomes what stands beside it, under its own mapping where it has one."""
    assert main(["mapping", "test", str(pairs)]) == 0
    assert capsys.readouterr().out == "12 of 12 cases hold\n"


def test_a_pair_that_does_not_hold_is_shown(pairs: Path, capsys: Capture) -> None:
    """What is expected and not so, and what is so and not expected; the exit code is 1."""
    path = pairs / "screen" / "name.planhat.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"weight": 1', '"weight": 2'), encoding="utf-8")

    assert main(["mapping", "test", str(pairs)]) == 1
    told = capsys.readouterr().out
    assert told.startswith("screen/name: differs\n")
    assert '-        "weight": 2\n+        "weight": 1\n' in told
    assert told.endswith("\n11 of 12 cases hold\n")


def test_true_is_not_one(pairs: Path, capsys: Capture) -> None:
    """Bodies are compared as JSON, in which true, 1 and 1.0 differ."""
    path = pairs / "screen" / "name.planhat.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"build": 7', '"build": 7.0'), encoding="utf-8")

    assert main(["mapping", "test", "--json", str(pairs)]) == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["case"] for each in told if not each["holds"]] == ["screen/name"]


def test_pairs_under_a_mapping(pairs: Path, write: Write, capsys: Capture) -> None:
    """`--mapping` is what cases have that bring none along."""
    mapping = write("m.toml", '[calls]\nscreen = "activity"\ndelete = "archive"')

    assert main(["mapping", "test", str(pairs), "--mapping", mapping]) == 1
    assert [line for line in capsys.readouterr().out.splitlines() if line.endswith(": differs")] == [
        "delete/skipped_by_default: differs",
        "screen/not_taken_by_default: differs",
    ]


def test_pairs_hold_whatever_the_region(
    pairs: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts are for settings to say: pairs hold at a region's and at a sandbox's; another path does not."""
    monkeypatch.setenv("STREAMER_PLANHAT_SUBDOMAIN", "api-eu")
    monkeypatch.setenv("STREAMER_PLANHAT_ANALYTICS_URL", "http://127.0.0.1:8080")
    monkeypatch.setenv("STREAMER_PLANHAT_API_TOKEN", "t-1")
    assert main(["mapping", "test", str(pairs)]) == 0

    path = pairs / "screen" / "name.planhat.json"
    path.write_text(path.read_text(encoding="utf-8").replace("/analytics/bulk", "/bulk"), encoding="utf-8")
    capsys.readouterr()
    assert main(["mapping", "test", str(pairs)]) == 1
    assert capsys.readouterr().out.startswith("screen/name: differs\n")


@pytest.mark.parametrize("missing", ["name.event.json", "name.planhat.json"])
def test_a_half_of_a_pair_is_a_mistake(pairs: Path, missing: str, capsys: Capture) -> None:
    """A pair that lost a half would hold forever: it is named instead."""
    (pairs / "screen" / missing).unlink()

    assert main(["mapping", "test", str(pairs)]) == 2
    assert f"{missing}: is not there, and its other half is" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, "9" * 5_000], ids=["half", "empty", "deep", "long"])
def test_what_is_expected_must_be_json(pairs: Path, text: str, capsys: Capture) -> None:
    """Whatever stands there: the file is named, and it is nobody's fault but its own."""
    (pairs / "screen" / "name.planhat.json").write_text(text)

    assert main(["mapping", "test", str(pairs)]) == 2
    assert "name.planhat.json: is no JSON; write the requests" in capsys.readouterr().err


def test_a_folder_without_pairs_is_a_mistake(tmp_path: Path, capsys: Capture) -> None:
    """Nothing tested is not everything in order."""
    assert main(["mapping", "test", str(tmp_path)]) == 2
    assert "holds no <case>.event.json" in capsys.readouterr().err
    assert main(["mapping", "test", str(tmp_path / "none")]) == 2
    assert "is no folder" in capsys.readouterr().err


# --- fields ----------------------------------------------------------------------------------------


def test_custom_fields_of_a_sample(sample: str, capsys: Capture) -> None:
    """Each custom field with how often and as what it is written; no value; and that nobody was asked."""
    assert main(["mapping", "fields", sample]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[:2] == [
        "5 events, 1 of them invalid: 5 custom fields",
        "Planhat was not asked which fields it has: STREAMER_PLANHAT_API_TOKEN is not set",
    ]
    assert [line.split()[:3] for line in told.splitlines()[3:]] == [
        ["company", "plan", "1"],
        ["company", "roles", "1"],
        ["enduser", "plan", "2"],
        ["enduser", "seats", "2"],
        ["enduser", "secret", "1"],
    ]
    assert "hush" not in told


def test_custom_fields_under_a_mapping_as_json(sample: str, write: Write, capsys: Capture) -> None:
    """What a change would write is seen before it is made; what is unknown is null."""
    mapping = write("m.toml", '[identify]\nunlisted = "drop"\ntraits = { seats = "custom:Seats" }')

    assert main(["mapping", "fields", "--json", sample, "--mapping", mapping]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each for each in told if each["of"] == "enduser"] == [
        {
            "of": "enduser", "name": "Seats", "count": 2, "types": {"number": 1, "text": 1},
            "atPlanhat": None, "planhatType": None,
        }
    ]  # fmt: skip


def test_custom_fields_beside_those_that_planhat_has(
    sample: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an API token Planhat is asked, page after page; it is told of nothing."""
    made = [{"name": f"field {number}", "type": "text", "parent": "EndUser"} for number in range(1_001)]
    made.append({"name": "seats", "type": "number", "parent": "EndUser"})
    made.append({"name": "plan", "type": "text", "parent": "Company"})
    with SandboxProcess({"calls_per_minute": 0, "calls_per_second": 0}) as sandbox:
        make_fields(sandbox, made)
        monkeypatch.setenv("STREAMER_PLANHAT_API_TOKEN", sandbox.api_token)
        monkeypatch.setenv("STREAMER_PLANHAT_API_URL", sandbox.url)
        assert main(["mapping", "fields", "--json", sample]) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {(each["of"], each["name"]): each["planhatType"] for each in told if each["atPlanhat"]} == {
            ("company", "plan"): "text",
            ("enduser", "seats"): "number",
        }
        assert {each["atPlanhat"] for each in told} == {True, False}
        assert main(["mapping", "fields", sample]) == 0
        assert "Planhat has 1003 custom fields of all models" in capsys.readouterr().out
        methods = [each.method for each in sandbox.requests() if each.endpoint == "customfields"]
        assert methods[1_003:] == ["GET", "GET"] * 2
        assert [sandbox.view()[name]["stored"] for name in ("endusers", "companies")] == [0, 0]


def test_a_planhat_that_does_not_answer_is_said(
    sample: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample is listed all the same, with why Planhat's side is missing."""
    with SandboxProcess() as sandbox:
        monkeypatch.setenv("STREAMER_PLANHAT_API_TOKEN", "another")
        monkeypatch.setenv("STREAMER_PLANHAT_API_URL", sandbox.url)
        assert main(["mapping", "fields", sample]) == 0
    told = capsys.readouterr().out
    assert "Planhat did not say which fields it has: HTTP 401" in told
    assert "seats" in told


def make_fields(sandbox: SandboxProcess, fields: list[dict[str, str]]) -> None:
    """Make custom fields, as somebody does at Planhat."""
    headers = {"Authorization": f"Bearer {sandbox.api_token}"}
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc)
    with closing(connection):
        for field in fields:
            connection.request("POST", "/customfields", json.dumps(field), headers)
            reply = connection.getresponse()
            assert reply.status == 200, reply.read()
            reply.read()
