"""docs/mapping.md is true: its commands print, byte for byte, what is shown under them."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLOCK = re.compile(r"^```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)^```$", re.DOTALL | re.MULTILINE)
CODES = {"streamer mapping check mistakes.toml": 2, "streamer mapping test pairs": 1}
"""Exit codes that the page names."""


class Example(NamedTuple):
    """One command of the page, and what stands under it."""

    command: str
    output: str


def examples() -> list[Example]:
    """The page's examples, in its order."""
    page = (DOCS / "mapping.md").read_text(encoding="utf-8")
    return [Example(found["command"], found["output"]) for found in BLOCK.finditer(page)]


def run(command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the page, its output and errors together, in the folder of its files."""
    words = shlex.split(command)
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(DOCS.parent)}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environ[name] = value
    assert words[0] == "streamer"
    return subprocess.run(
        [sys.executable, "-m", "streamer", *words[1:]],
        cwd=DOCS / "mapping", env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.command)
def test_examples_print_what_is_shown(example: Example) -> None:
    """Each command prints what stands under it, and ends as the page says."""
    ended = run(example.command)
    shown = "\n".join(line.rstrip() for line in ended.stdout.splitlines()) + "\n"

    assert shown == example.output
    assert ended.returncode == CODES.get(example.command, 0)


def test_every_command_of_the_mapping_has_an_example() -> None:
    """The page shows check, test and fields, and a mapping at work."""
    shown = {" ".join(shlex.split(example.command)[:3]) for example in examples()}

    assert shown >= {"streamer mapping check", "streamer mapping test", "streamer mapping fields"}
    assert any("STREAMER_MAPPING_FILE=" in example.command for example in examples())


def test_rules_of_the_page_are_rules() -> None:
    """Each rule that the page's table shows is TOML."""
    page = (DOCS / "mapping.md").read_text(encoding="utf-8")
    table = page.partition("| a rule | says |")[2].partition("\n\n")[0]
    rules = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)

    assert len(rules) >= 9
    for rule in rules:
        assert len(tomllib.loads(rule)) == 1
