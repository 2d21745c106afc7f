"""docs/tutorial.md is true: its commands are run as a reader would, in order, in a copy of its directory."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests import readme

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


class Reader:
    """Somebody at the second terminal: what was exported stays, and addresses are those of the first one."""

    def __init__(self, folder: Path, first_terminal: str) -> None:
        addresses = re.match(r"Embedded broker (\S+), Planhat sandbox (\S+)", first_terminal)
        assert addresses is not None
        self._broker, self._sandbox = addresses.groups()
        self._folder = folder
        self._exported: list[str] = []
        self._letter = ""

    def type(self, shown: readme.Example) -> None:
        """Run what is shown; what it prints must be what is shown under it, with other numbers."""
        command = re.sub(
            r"BROKER=\S+ SANDBOX=\S+", f"BROKER={self._broker} SANDBOX={self._sandbox}", shown.command
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

    def _run(self, command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["/bin/sh", "-c", "\n".join([*self._exported, command])],
            cwd=self._folder, env=_environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


def _environment() -> dict[str, str]:
    """`streamer` is the one installed beside this Python, of this tree."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a checkout has of what the tutorial names."""
    shutil.copytree(ROOT / "docs" / "tutorial", tmp_path / "docs" / "tutorial")
    return tmp_path


@pytest.fixture
def first_terminal(folder: Path) -> Iterator[str]:
    """What the demo said, which runs on meanwhile and is ended as by Ctrl+C."""
    (shown,) = (each for each in readme.examples(TUTORIAL) if each.command == DEMO)
    said = ""
    # Started in the background of a script, tests ignore SIGINT, and so would the demo.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
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
            signal.signal(signal.SIGINT, before)
    assert running.returncode == 0


def test_the_tutorial_does_what_it_says(folder: Path, first_terminal: str) -> None:
    """Every command but those that are named as not run, in the page's order, prints what the page shows."""
    reader = Reader(folder, first_terminal)
    for shown in readme.examples(TUTORIAL):
        if shown.command not in NOT_RUN and shown.command != DEMO:
            reader.type(shown)


def test_what_is_not_run_is_named() -> None:
    """The first command alone is not run, as the page says."""
    commands = [shown.command for shown in readme.examples(TUTORIAL)]

    assert list(NOT_RUN) == commands[:1]
    assert "all but the first" in TUTORIAL.read_text(encoding="utf-8")
