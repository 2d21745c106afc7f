"""The tests of the promises can fail: each mistake that is listed is made in a copy, and caught there."""

import compileall
import py_compile
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parent.parent
LISTS = ("tests/mutants.toml", "tests/mapping/mutants.toml")
MUTANTS: list[Mapping[str, str]] = [
    mutant for name in LISTS for mutant in tomllib.loads((ROOT / name).read_text())["mutant"]
]
CAUGHT = 1
"""pytest's exit code for "a test failed", and for nothing else (2 to 5: it could not run one)."""


class Copy:
    """The sources and the tests, to be spoilt, and who runs a test of them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._told = place / "told.txt"
        self._passed: set[str] = set()
        skipped = shutil.ignore_patterns("__pycache__")
        for name in ("streamer", "schemas", "tests", "tools"):
            shutil.copytree(ROOT / name, place / name, ignore=skipped)
        shutil.copy(ROOT / "pyproject.toml", place)
        # Most of a run would be compiling. By the source's hash: by its time and size, as elsewhere,
        # a mistake of the same size made within the same second would be hidden.
        by_hash = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(place / "streamer", quiet=1, invalidation_mode=by_hash)
        # Without -P the folder of tests would be one to import from. Without a PATH conftest.py asks no java
        # for its version, which takes a quarter of a run.
        environment = {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1", "PATH": ""}
        self._forks = subprocess.Popen(
            [sys.executable, "-P", place / "tests" / "forks.py", self._told],
            cwd=place, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, test: str) -> int:
        """Run one test in the copy, in a process of its own; pytest's exit code."""
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        self._forks.stdin.write(f"{test}\n")
        self._forks.stdin.flush()
        return int(self._forks.stdout.readline())

    def passes(self, test: str) -> bool:
        """Whether the test passes while the copy is as it was; many mutants may have the same."""
        if test not in self._passed and self.run(test) == 0:
            self._passed.add(test)
        return test in self._passed

    def told(self) -> str:
        """What pytest said of that test."""
        return self._told.read_text(encoding="utf-8")

    def close(self) -> None:
        """End who runs the tests."""
        self._forks.communicate()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """One copy for all of them: each leaves it as it was."""
    with closing(Copy(tmp_path_factory.mktemp("mutants"))) as made:
        yield made


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant["name"].replace(" ", "-") for mutant in MUTANTS])
def test_the_mistake_is_caught(copy: Copy, mutant: Mapping[str, str]) -> None:
    """The named test passes on the sources as they are, and fails once the mistake is made."""
    file = copy.place / mutant["file"]
    sound = file.read_text()
    old = mutant["old"].removeprefix("\n")
    new = mutant["new"].removeprefix("\n")
    assert sound.count(old) == 1, f"{mutant['file']} does not hold the text to spoil exactly once"
    assert copy.passes(mutant["test"]), f"the test fails without the mistake\n{copy.told()}"
    try:
        file.write_text(sound.replace(old, new))
        assert copy.run(mutant["test"]) == CAUGHT, copy.told()
    finally:
        file.write_text(sound)
