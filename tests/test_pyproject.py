"""pyproject.toml, where it has to agree with what stands elsewhere."""

import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

from tools.requirements import named_pythons, pins

ROOT = Path(__file__).resolve().parent.parent


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_pythons_we_name_are_those_the_bootstrap_takes() -> None:
    """Classifiers, the bootstrap, the oldest that is required, README and linters speak of one range."""
    pyproject = _pyproject()
    ends = dict(re.findall(r"^(oldest|newest)=(\d+)$", _text("tools/bootstrap.sh"), re.MULTILINE))
    oldest, newest = int(ends["oldest"]), int(ends["newest"])

    assert named_pythons(pyproject) == [f"3.{minor}" for minor in range(oldest, newest + 1)]
    assert pyproject["project"]["requires-python"] == f">=3.{oldest}"
    assert pyproject["tool"]["ruff"]["target-version"] == f"py3{oldest}"
    assert f"Python 3.{oldest} or newer" in _text("README.md")


def test_nothing_is_installed_unpinned() -> None:
    """The Makefile installs nothing by itself: what it needs, uv too, is pinned with the rest."""
    assert "pip install" not in _text("Makefile")
    assert "uv" in pins(_text("requirements-dev.txt"))


def test_the_source_distribution_is_the_whole_tree(tmp_path: Path) -> None:
    """Whoever unpacks it can run every check: tests with their mutants, benchmarks, manifests, Makefile."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {
        "Makefile", "requirements-dev.txt", "docker-compose.yml", "tests/mutants.toml", "tools/bootstrap.sh",
        "benchmarks/pipeline.py", "compose/sample/events.py", "k8s/base/streamer.env", ".ci/run",
        "streamer/py.typed", "docs/design.md",
    } <= names  # fmt: skip
    assert not [name for name in names if name.startswith((".venv", ".git/", ".hypothesis"))]
