"""Commands of the program as an operator gives them, and the properties that docs/secured-kafka.md shows."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests import program
from tests.real_kafka.member import plain

END_SECONDS: Final = 60.0
_ROOT: Final = Path(__file__).parents[2]


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
        program.command(*command.split()),
        env={**program.variables(), **settings},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def end(child: subprocess.Popen[str]) -> Ended:
    """Wait for its end."""
    said, _ = child.communicate(timeout=END_SECONDS)
    return Ended(child.returncode, plain(said))
