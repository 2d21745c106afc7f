"""Commands of the program as an operator gives them, and the properties that docs/secured-kafka.md shows."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import streamer
from tests.real_kafka.member import plain

END_SECONDS: Final = 60.0
_ROOT: Final = Path(streamer.__file__).parent.parent


class Ended(NamedTuple):
    """How a command ended, and all it said."""

    code: int
    said: str


def page_properties(way: str) -> dict[str, str]:
    """The properties that docs/secured-kafka.md shows for a way."""
    page = (_ROOT / "docs" / "secured-kafka.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"^```properties {way}\n(.+?)^```$", page, re.DOTALL | re.MULTILINE)
    return dict(line.split("=", 1) for line in block.splitlines())


def text_of_properties(properties: Mapping[str, str]) -> str:
    """As STREAMER_KAFKA_PROPERTIES takes them."""
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def start(command: str, settings: Mapping[str, str]) -> subprocess.Popen[str]:
    """One command of the program, with nothing but these settings."""
    return subprocess.Popen(
        [sys.executable, "-m", "streamer", *command.split()],
        env={"PATH": os.defpath, "PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1", **settings},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def end(child: subprocess.Popen[str]) -> Ended:
    """Wait for its end."""
    said, _ = child.communicate(timeout=END_SECONDS)
    return Ended(child.returncode, plain(said))
