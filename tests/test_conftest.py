"""What conftest.py promises of every run: the last line, and how properties are tried."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import hypothesis
import pytest

from tests.real_kafka.cluster import unavailable_reason

ROOT = Path(__file__).resolve().parent.parent
RAN = "real Kafka: 1 ran"
NOT_RUN = "real Kafka: NOT RUN ({why}): see CONTRIBUTING"
NONE_SELECTED = "none of its tests was selected"

PASSES = "import pytest\n@pytest.mark.real_kafka\ndef test_it() -> None:\n    pass\n"
FAILS = PASSES.replace("    pass", "    assert False")
SKIPS = PASSES.replace("    pass", "    pytest.skip('no broker here')")
ANOTHER = "def test_it() -> None:\n    pass\n"
SETTINGS = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\nmarkers = ["real_kafka: one", "long: one"]\n'


def _pytest(folder: Path, test: str, *arguments: str, ci: str = "") -> "subprocess.CompletedProcess[str]":
    """Run one test, in a project of its own, with the conftest of this one."""
    return _pytest_of(folder, {"one": test}, *arguments, ci=ci)


def _pytest_of(
    folder: Path, tests: Mapping[str, str], *arguments: str, ci: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run some files of tests, by name."""
    (folder / "tests").mkdir()
    for name, test in tests.items():
        (folder / "tests" / f"test_{name}.py").write_text(test, encoding="utf-8")
    (folder / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST_", "CI"))}
    # Only the plugins it is about: the others cost more time than the test does.
    environ |= {"PYTHONPATH": str(ROOT), "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ("-p", "xdist", "-p", "tests.conftest", "-p", "no:cacheprovider")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("test", "arguments", "code", "said"),
    [
        (PASSES, ("-q",), 0, RAN),
        (FAILS, (), 1, RAN),
        (SKIPS, ("-v", "-ra", "--durations=2"), 0, NOT_RUN),
        (ANOTHER, (), 0, NOT_RUN),
    ],
)
def test_the_last_line_says_whether_a_real_kafka_ran(
    tmp_path: Path, test: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """However much pytest is told to say, nothing comes after the word about the real Kafka."""
    ended = _pytest(tmp_path, test, *arguments)

    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == said.format(why=unavailable_reason() or NONE_SELECTED)
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("test", "arguments", "code"),
    [(PASSES, (), 0), (ANOTHER, (), 1), (SKIPS, (), 1), (ANOTHER, ("tests/test_one.py",), 0)],
)
def test_ci_without_a_real_kafka_fails(
    tmp_path: Path, test: str, arguments: tuple[str, ...], code: int
) -> None:
    """With CI=true a whole run in which no test met a real Kafka is a failure; a part of one is not."""
    assert _pytest(tmp_path, test, *arguments, ci="true").returncode == code


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_table_is_shown_at_the_end(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What a test shows is printed once, below the results, however many workers there are."""
    shows = "import pytest\n@pytest.mark.real_kafka\ndef test_it(show) -> None:\n    show('figure 42')\n"
    ended = _pytest(tmp_path, shows, *arguments)

    assert ended.stdout.count("figure 42") == 1, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == RAN


def test_what_lasts_long_is_begun_first(tmp_path: Path) -> None:
    """Of the files that workers share, those against a real Kafka are first, then other long ones."""
    more = ANOTHER.replace("test_it", "test_more")
    tests = {"a": ANOTHER + more, "b": PASSES.replace("real_kafka", "long"), "c": more + PASSES, "d": ANOTHER}
    ended = _pytest_of(tmp_path, tests, "-v", "-n1", "--dist=loadfile", "--no-loadscope-reorder")

    assert re.findall(r"PASSED tests/test_(\w)", ended.stdout) == list("ccbaad"), ended.stdout


def test_properties_are_tried_without_a_deadline() -> None:
    """A slow machine makes no property fail."""
    assert hypothesis.settings().deadline is None
