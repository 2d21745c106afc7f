"""Commands in docs/ are run: the tutorial's as a reader would, the other pages' against the same stand-ins.

What is run elsewhere, or not at all, is listed with its reason: a command that is neither is a failure.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from streamer.cli import main
from streamer.config import Settings
from streamer.standins.broker import CLIENT_PROPERTIES
from tests import readme
from tests.monitoring import runbooks
from tests.test_cli import container

pytestmark = pytest.mark.long

ROOT: Final = Path(__file__).resolve().parent.parent
TUTORIAL: Final = ROOT / "docs" / "tutorial.md"
NOT_RUN: Final = {
    "make setup": "it downloads; that it makes .venv/bin/streamer is held by tests/test_docs.py"
}
DEMO: Final = "streamer demo --events 500 --keep"
ASKED_AGAIN: Final = ("streamer check", "streamer explain", "streamer dead-letters list")
"""What a reader who came too early asks again."""
PATIENCE_SECONDS: Final = 60.0
LETTER: Final = re.compile(r"^(\d+:\d+) ", re.MULTILINE)

ELSEWHERE: Final = {
    "docs/tutorial.md": "tests/test_docs_commands.py",
    "docs/mapping.md": "tests/test_mapping_docs.py",
    "docs/runbooks/": "tests/monitoring/test_faults.py",
}
"""Pages whose commands another test runs, or the one above."""
NOT_RUN_HERE: Final = {
    r"kubectl ": "wants a cluster; tests/deploy/ judges what is applied",
    r"docker compose ": "wants a container engine; tests/deploy/test_compose_runs.py runs what it starts",
    r"docker build ": "as docker compose; tests/deploy/test_image.py judges the Dockerfile",
    r"make up$": "as docker compose",
    r"kafka-acls\.sh ": "generated; tests/real_kafka/test_secured.py holds what it grants",
    r"kafka-topics\.sh ": "tests/monitoring/test_kafka_commands.py runs it by Kafka's own tools",
    r"\.venv/bin/python tools/alerts\.py ": "tests/monitoring/test_rules.py runs it",
    r"kafka-consumer-groups\.sh ": "tests/monitoring/test_kafka_commands.py runs its like",
    r"export ": "names brokers and files of the reader's",
    r"streamer schemas register$": "wants a registry; tests/test_cli_schemas.py has one",
    r"streamer dead-letters replay (?!.*--dry-run)": "the tutorial replays",
}
FENCED: Final = re.compile(r"^ *```(?:sh|console)\b.*?\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
INDENTED: Final = re.compile(r"(?<=\n\n)(?:    .*\n)+")
BEGINS: Final = re.compile(
    r"(?:\$ )?((?:streamer|make|kubectl|docker|curl|export|kafka-\S+\.sh|\.venv/bin/\S+) .*)"
)


class Reader:
    """Somebody at the second terminal: what was exported stays, and addresses are those of the first one."""

    def __init__(self, folder: Path, first_terminal: str) -> None:
        addresses = re.match(r"Embedded broker (\S+), Planhat sandbox (\S+)", first_terminal)
        assert addresses is not None
        self._broker, self.sandbox = addresses.groups()
        self._folder = folder
        self._exported: list[str] = []
        self._letter = ""

    def type(self, shown: readme.Example) -> None:
        """Run what is shown; what it prints must be what is shown under it, with other numbers."""
        command = re.sub(
            r"BROKER=\S+ SANDBOX=\S+", f"BROKER={self._broker} SANDBOX={self.sandbox}", shown.command
        )
        command = re.sub(r"(?<=show )\d+:\d+", self._letter, command)
        if command.startswith("export "):
            self._exported.append(command)
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            ended = self._run(command)
            is_shown = shown.pattern.fullmatch(ended.stdout) is not None and ended.returncode == 0
            if is_shown or not command.startswith(ASKED_AGAIN) or time.monotonic() > deadline:
                break
        assert is_shown, f"{command}\n{ended.stdout}\n{ended.stderr}"
        if "dead-letters list" in command:
            self._letter = LETTER.findall(ended.stdout)[0]

    def environ(self) -> dict[str, str]:
        """What `streamer` reads at the second terminal."""
        printed = self._run("env").stdout.splitlines()
        pairs = (line.partition("=") for line in printed if line.startswith("STREAMER_"))
        return {name: value for name, _, value in pairs}

    def _run(self, command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["/bin/sh", "-c", "\n".join([*self._exported, command])],
            cwd=self._folder, env=_environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


def _environment() -> dict[str, str]:
    """`streamer` is the one beside this Python, of this tree; the embedded broker does not let wait."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "STREAMER_KAFKA_PROPERTIES": "\n".join(
            f"{name}={value}" for name, value in CLIENT_PROPERTIES.items()
        ),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a checkout has of what the tutorial names."""
    path = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "docs" / "tutorial", path / "docs" / "tutorial")
    return path


@pytest.fixture(scope="module")
def first_terminal(folder: Path) -> Iterator[str]:
    """What the demo said, which runs on meanwhile and is ended as by Ctrl+C."""
    (shown,) = (each for each in readme.examples(TUTORIAL) if each.command == DEMO)
    said = ""
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {DEMO}"], cwd=folder, env=_environment(), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as running:  # fmt: skip
        try:
            assert running.stdout is not None
            for line in running.stdout:
                said += line
                if "Ctrl+C ends it" in line:
                    break
            assert shown.pattern.fullmatch(said), said
            yield said
        finally:
            os.killpg(running.pid, signal.SIGINT)
            running.communicate(timeout=120)
    assert running.returncode == 0


@pytest.fixture(scope="module")
def reader(folder: Path, first_terminal: str) -> Reader:
    """The reader of the tutorial."""
    return Reader(folder, first_terminal)


def test_the_tutorial_does_what_it_says(reader: Reader) -> None:
    """Every command but those that are named as not run, in the page's order, prints what the page shows."""
    for shown in readme.examples(TUTORIAL):
        if shown.command not in NOT_RUN and shown.command != DEMO:
            reader.type(shown)


def test_a_runbook_finds_the_reasons_of_a_hold(reader: Reader) -> None:
    """What it types where records are too bad finds the demo's own, with grep's word that it found some."""
    (line,) = (each for each in runbooks.commands("StreamerOnHold", "look") if "--topic" in each)
    command = runbooks.filled(line, {"PARTITION": "3", "OFFSET": "0"})
    shown = "# event 16: at 3@16 invalid (not_avro): starts neither like JSON nor like a framing of Avro"
    reader.type(readme.Example(command, f"...\n{shown}\n...\n"))


def test_the_tutorial_counts_the_settings_there_are() -> None:
    """Of settings, those that it exports are set, and all others defaulted."""
    shown = [each for each in readme.examples(TUTORIAL) if each.command == "streamer check"]
    exported = re.findall(r"\bSTREAMER_\w+=", "".join(each.command for each in readme.examples(TUTORIAL)))
    assert [re.findall(r"(\d+) set, (\d+) defaulted", each.output) for each in shown] == [
        [(str(len(exported)), str(len(Settings.model_fields) - len(exported)))]
    ]


def test_what_is_not_run_is_named() -> None:
    """The first command alone is not run, as the page says."""
    commands = [shown.command for shown in readme.examples(TUTORIAL)]

    assert list(NOT_RUN) == commands[:1]
    assert "all but the first" in TUTORIAL.read_text(encoding="utf-8")


# --- the other pages ------------------------------------------------------------------------------


def _commands(page: Path) -> list[str]:
    """The commands in a page's blocks of code, in its order, without their comments."""
    text = page.read_text(encoding="utf-8")
    blocks = [*FENCED.findall(text), *INDENTED.findall(text)]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [found[1].strip() for line in lines if (found := BEGINS.fullmatch(line.strip())) is not None]


def _pages() -> Iterator[tuple[Path, list[str]]]:
    """Pages for users, but for those that are run elsewhere and the printed help, with their commands."""
    for page in sorted((ROOT / "docs").glob("**/*.md")):
        name = page.relative_to(ROOT).as_posix()
        if page.name != "commands.md" and not name.startswith(("docs/decisions/", *ELSEWHERE)):
            yield page, _commands(page)


def _reason(command: str) -> str | None:
    """Why a command is not run here; None where it is."""
    return next((why for begins, why in NOT_RUN_HERE.items() if re.match(begins, command)), None)


def _ours(page: Path) -> list[list[str]]:
    """The words of the page's commands that are run here, without what they are piped to."""
    commands = [command for command in _commands(page) if _reason(command) is None]
    return [shlex.split(command.partition(" | ")[0], comments=True) for command in commands]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pages call the reader's own files, and such files."""
    folder = tmp_path_factory.mktemp("files")
    mapping = ROOT / "docs" / "mapping"
    invoice = json.loads((mapping / "pairs" / "order.event.json").read_text(encoding="utf-8"))
    (folder / "old.toml").write_text("", encoding="utf-8")
    return {
        "events.jsonl": str(mapping / "events.jsonl"),
        "EVENTS": str(mapping / "events.jsonl"),
        "PAIRS": str(mapping / "pairs"),
        "new.toml": str(mapping / "mapping.toml"),
        "old.toml": str(folder / "old.toml"),
        "OLD": str(folder / "old.toml"),
        "segment-2026-11.avro": str(container(folder / "segment.avro", invoice)),
        "k8s/components/mapping/mapping.toml": str(mapping / "mapping.toml"),
        "1042": "0",
        '"sandbox-token"': '"sandbox-api-token"',  # compose's sandbox is given another one than the demo's
    }


WITH_COMMANDS: Final = [page for page, _ in _pages() if _ours(page)]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
@pytest.mark.usefixtures("logging_restored")
def test_commands_of_other_pages_end_well(
    page: Path,
    reader: Reader,
    files: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every command that needs no more than Kafka and Planhat ends with 0, with files of that kind."""
    environ = reader.environ()
    for program, *shown in _ours(page):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        words = [files.get(word, word).replace("http://localhost:8080", reader.sandbox) for word in shown]
        if program == "curl":
            subprocess.run(["curl", "--silent", "--fail", *words], capture_output=True, check=True)
            continue
        if words[:2] == ["dead-letters", "show"]:
            assert main(["dead-letters", "list", "--all"]) == 0
            words[2] = LETTER.findall(capsys.readouterr().out)[0]
        code = main(words)
        said = capsys.readouterr()
        assert code == 0, f"{words}\n{said.out}\n{said.err}"


def test_pages_say_which_commands_no_test_runs() -> None:
    """Whoever types `kubectl` or `docker` of a page reads there that no test did so before them."""
    elsewhere = re.compile(r"kubectl |docker |make up$")
    pages = [page for page, found in _pages() if any(elsewhere.match(command) for command in found)]
    pages.append(ROOT / "docs" / "alerts.md")  # for the runbooks
    assert len(pages) > 2
    assert [
        page.name
        for page in pages
        if "CONTRIBUTING.md#what-runs-only-elsewhere" not in page.read_text("utf-8")
    ] == []


def test_every_command_is_run_or_has_its_reason() -> None:
    """What is neither run here nor elsewhere is listed, and what is listed is in a page."""
    commands = [command for _, found in _pages() for command in found]
    runnable = [command for command in commands if _reason(command) is None]

    assert [command for command in runnable if not command.startswith(("streamer ", "curl "))] == []
    assert [begins for begins in NOT_RUN_HERE if not any(re.match(begins, each) for each in commands)] == []
    assert all((ROOT / test).exists() for test in ELSEWHERE.values())
    assert len(runnable) > 20
