"""The package as others get it: the wheel, installed away from the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import streamer

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `make wheel` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a command of a fresh environment that has the wheel, in an empty folder.

    The libraries come from the environment of the tests, through a .pth file: the editable install
    there is not found this way, since .pth files are not followed from a folder that one names.
    """
    home = tmp_path_factory.mktemp("installed")
    environment = home / "venv"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            wheel,
        ],
        check=True,
    )
    (site,) = (environment / "lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    empty = home / "empty"
    empty.mkdir()
    variables = {
        name: text for name, text in os.environ.items() if not name.startswith(("STREAMER_", "PYTHON"))
    }

    def run(program: str, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [environment / "bin" / program, *arguments],
            cwd=empty,
            env=variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_wheel_holds_the_package_and_its_schemas_alone(wheel: Path) -> None:
    """The wheel has every module, every schema, the type marker and the licence, and nothing else."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "streamer").rglob("*.py")}
    schemas = {
        f"streamer/_schemas/{path.relative_to(ROOT / 'schemas')}"
        for path in (ROOT / "schemas").glob("**/*.*")
    }

    assert schemas
    assert names == modules | schemas | {"streamer/py.typed"}
    assert any(name.endswith("licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())


def test_installed_script_tells_the_version(installed: Run) -> None:
    """`streamer --version` of the installed wheel names the version, and runs the wheel's code."""
    answer = installed("streamer", "--version")
    place = installed("python", "-c", "import streamer; print(streamer.__file__)")

    assert (answer.returncode, answer.stdout.split()) == (0, ["streamer", streamer.__version__])
    assert "site-packages" in place.stdout


def test_installed_wheel_finds_its_schemas(installed: Run) -> None:
    """Outside the checkout the schemas come from the wheel, the same number as in the checkout."""
    code = "from streamer.avro.schemas import load_schemas; print(len(load_schemas()))"
    inside = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    outside = installed("python", "-c", code)

    assert outside.returncode == 0, outside.stderr
    assert outside.stdout == inside.stdout
    assert int(outside.stdout) > 0


def test_installed_wheel_transforms_an_event(installed: Run) -> None:
    """`streamer transform` of the installed wheel turns an event on its standard input into requests."""
    event = {"type": "track", "event": "Invoice Paid", "userId": "u-123", "messageId": "m-1"}
    answer = installed("streamer", "transform", "--json", "-", stdin=json.dumps(event) + "\n")

    assert answer.returncode == 0, answer.stderr
    line = json.loads(answer.stdout)
    assert line["outcome"] == "operations"
    assert line["requests"][0]["body"][0]["action"] == "Invoice Paid"
