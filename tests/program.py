"""The program as a test starts it: this checkout's, or an installed one that STREAMER_TEST_PROGRAM names."""

import os
import subprocess
import sys
from pathlib import Path

import streamer

VARIABLE = "STREAMER_TEST_PROGRAM"
"""The script `streamer` of an installation that is to be judged: the compiled wheel's, an image's."""


def command(*words: str) -> list[str]:
    """The command line that runs it with these words."""
    installed = os.environ.get(VARIABLE)
    return [installed, *words] if installed else [sys.executable, "-m", "streamer", *words]


def is_compiled() -> bool:
    """Whether it says that its engine is machine code. Raises CalledProcessError where it does not run."""
    told = subprocess.run(command("--version"), env=variables(), capture_output=True, text=True, check=True)
    return told.stdout.rstrip().endswith("(compiled)")


def variables() -> dict[str, str]:
    """All of an environment that it needs, beside its settings; an installed one finds itself."""
    found = {"PATH": os.defpath, "PYTHONUTF8": "1"}
    if VARIABLE not in os.environ:
        found["PYTHONPATH"] = str(Path(streamer.__file__).parent.parent)
    return found
