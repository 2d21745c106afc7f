"""The tests of the promises can fail: each mistake in mutants.toml is made in a copy, and caught there."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MUTANTS: list[Mapping[str, str]] = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text())["mutant"]
CAUGHT = 1
"""pytest's exit code for "a test failed", and for nothing else (2 to 5: it could not run one)."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources and the engine's tests, to be spoilt."""
    place = tmp_path_factory.mktemp("mutants")
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("streamer", "schemas", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


def run(place: Path, test: str) -> int:
    """Run one test in the copy; pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "60", test]
    environment = {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(command, cwd=place, env=environment, capture_output=True, check=False)
    return ended.returncode


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant["name"].replace(" ", "-") for mutant in MUTANTS])
def test_the_mistake_is_caught(copy: Path, mutant: Mapping[str, str]) -> None:
    """The named test passes on the sources as they are, and fails once the mistake is made."""
    file = copy / mutant["file"]
    sound = file.read_text()
    old = mutant["old"].removeprefix("\n")
    new = mutant["new"].removeprefix("\n")
    assert sound.count(old) == 1, f"{mutant['file']} does not hold the text to spoil exactly once"
    assert run(copy, mutant["test"]) == 0, "the test fails without the mistake"
    try:
        file.write_text(sound.replace(old, new))
        assert run(copy, mutant["test"]) == CAUGHT
    finally:
        file.write_text(sound)
