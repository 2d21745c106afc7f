"""What the Makefile relies on: making the environment, and keeping the pins in step."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import docs, requirements

ROOT = Path(__file__).resolve().parent.parent
BOOTSTRAP = ROOT / "tools" / "bootstrap.sh"


def _program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def _bootstrap(folder: Path, python: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the bootstrap with nothing on the PATH but what is in `folder`."""
    for needed in ("dirname", "cat"):
        found = shutil.which(needed)
        assert found
        (folder / needed).symlink_to(found)
    return subprocess.run(
        ["/bin/sh", BOOTSTRAP, folder / "venv"],
        env={"PATH": str(folder), "PYTHON": python},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- making the environment ----------------------------------------------------------------------


def test_bootstrap_without_python_says_what_to_install(tmp_path: Path) -> None:
    """Where there is no Python, the bootstrap fails, names the range and the packages to install."""
    ended = _bootstrap(tmp_path)

    assert ended.returncode == 1
    assert "no usable Python 3.11 to 3.14" in ended.stderr
    assert "apt-get install python3 python3-venv" in ended.stderr
    assert not (tmp_path / "venv").exists()


def test_bootstrap_passes_over_a_python_that_does_not_run(tmp_path: Path) -> None:
    """A name on the PATH that fails when run, as version switchers leave behind, is passed over."""
    _program(tmp_path, "python3.14", "exit 127")
    ended = _bootstrap(tmp_path)

    assert ended.returncode == 1
    assert "python3.14: it does not run" in ended.stderr


def test_bootstrap_names_python3_venv_where_it_is_missing(tmp_path: Path) -> None:
    """A Python without ensurepip, as Debian ships it, is refused by naming python3-venv."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "ensurepip.py").write_text("raise ImportError\n", encoding="utf-8")
    _program(tmp_path, "python3", f'PYTHONPATH="{hidden}" exec "{sys.executable}" "$@"')
    ended = _bootstrap(tmp_path)

    assert ended.returncode == 1
    assert "python3: it cannot make virtual environments: install python3-venv" in ended.stderr


def test_bootstrap_refuses_an_old_python(tmp_path: Path) -> None:
    """A Python outside the range is refused by its version, also when it was asked for by name."""
    _program(tmp_path, "old", 'while read -r line; do :; done; echo "it is Python 3.9"')
    ended = _bootstrap(tmp_path, python="old")

    assert ended.returncode == 1
    assert "old: it is Python 3.9" in ended.stderr


def test_probe_takes_this_python(tmp_path: Path) -> None:
    """The Python that runs these tests is taken: what fails after it is the making of the environment."""
    _program(
        tmp_path,
        "python3",
        f'case "$1" in -m) echo "making" >&2; exit 1;; *) exec "{sys.executable}" "$@";; esac',
    )
    ended = _bootstrap(tmp_path)

    assert ended.returncode == 1
    assert "making" in ended.stderr
    assert "python3: it failed to make" in ended.stderr


def test_make_lists_its_commands() -> None:
    """`make` alone lists every target with a sentence, and does nothing else."""
    environ = {name: text for name, text in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    listed = subprocess.run(["make"], cwd=ROOT, env=environ, capture_output=True, text=True, check=True)

    for target in ("demo", "test", "check", "docs", "requirements"):
        assert f"make {target} " in listed.stdout


# --- pins ----------------------------------------------------------------------------------------


def _pyproject(**project: Any) -> dict[str, Any]:
    return {"project": {"requires-python": ">=3.11", "dependencies": ["sample>=2"], **project}}


def _pinned(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> requirements.RequirementsFile:
    """A requirements file of our own, with the fingerprint of `_pyproject()`."""
    monkeypatch.setattr(requirements, "ROOT", folder)
    file = requirements.RequirementsFile("requirements-dev.txt", "a test")
    mark = requirements.fingerprint(["sample>=2"], ">=3.11")
    file.path.write_text(f"{requirements.FINGERPRINT}{mark}\n{text}", encoding="utf-8")
    return file


GOOD = "sample==2.1 \\\n    --hash=sha256:00\n"


def test_pins_in_step_have_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that pins what pyproject.toml asks for, with hashes, is in step."""
    assert requirements.problems_of(_pinned(tmp_path, monkeypatch, GOOD), _pyproject()) == []


@pytest.mark.parametrize(
    ("text", "project", "problem"),
    [
        (GOOD, {"dependencies": ["sample>=2", "other"]}, "pyproject.toml has changed"),
        (GOOD, {"requires-python": ">=3.12"}, "pyproject.toml has changed"),
        (GOOD, {"dependencies": ["sample>=3"]}, "sample>=3 is not met by the pin 2.1"),
        ("sample==2.1\n", {}, "no hash for sample==2.1"),
        (f"--index-url somewhere\n{GOOD}", {}, "names a package index"),
        (f"# https://somewhere\n{GOOD}", {}, "names a package index"),
    ],
)
def test_pins_out_of_step_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, project: dict[str, Any], problem: str
) -> None:
    """Each way in which a file can be out of step is found, and said."""
    found = requirements.problems_of(_pinned(tmp_path, monkeypatch, text), _pyproject(**project))

    assert any(problem in line for line in found), found


# --- generated documentation ---------------------------------------------------------------------


def test_the_tables_of_outcomes_take_the_sentence_under_each_member() -> None:
    """A member's row is its value, and the sentence that stands under it."""
    table = docs.outcomes("SkipReason").splitlines()

    assert table[:2] == ["| value | meaning |", "|---|---|"]
    assert "| `tombstone` | The record has no value. |" in table


def test_outcome_without_a_sentence_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that has no sentence, be it the last one, gets its own words, and never its neighbour's."""
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    (tmp_path / "sample.py").write_text(
        'class Sample(StrEnum):\n    """What there is."""\n\n'
        '    NOT_TOLD = "not_told"\n'
        '    TOLD = "told"\n    """One word | another."""\n'
        '    LAST_ONE = "last_one"\n',
        encoding="utf-8",
    )

    assert docs.outcomes("Sample", "sample.py").splitlines()[2:] == [
        "| `not_told` | Not told. |",
        "| `told` | One word \\| another. |",
        "| `last_one` | Last one. |",
    ]
