"""Segment's own reading of an event, by its library for node: an oracle for what is enabled."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.deploy.cached import kept, not_to_be_had

FACADE: Final = "@segment/facade@3.4.10"
_ASK: Final = """
const { Facade } = require("@segment/facade");
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => console.log(new Facade(JSON.parse(line)).enabled("Planhat")));
"""


class Oracle:
    """One process of node, asked a line at a time."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def enables(self, event: dict[str, Any]) -> bool:
        """Whether Segment's library says that Planhat gets this event."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer in {"true", "false"}, f"no answer: {answer!r}"
        return answer == "true"


@contextmanager
def oracle() -> Iterator[Oracle]:
    """Segment's library, fetched once; the calling test is skipped where node is not (fails with CI=true)."""
    node = shutil.which("node")
    if node is None:
        not_to_be_had("there is no node to run Segment's own library")
    folder = kept(FACADE.replace("/", "-").lstrip("@"), _fetch)
    with subprocess.Popen(
        [node, "-e", _ASK], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Oracle(process)
        assert process.stdin is not None
        process.stdin.close()


def _fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        not_to_be_had("Segment's library is not cached and there is no npm to fetch it")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), FACADE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        not_to_be_had(f"npm cannot fetch {FACADE}")
