"""Pinned requirements: made with `compile`, checked offline with `check`.

Each file pins every package, with hashes, for all Python versions and platforms at once, and names
no package index: where packages come from is the business of whoever installs them.

To widen the range of Pythons: change `newest` in tools/bootstrap.sh and the classifiers in
pyproject.toml, then run `make requirements`: it says which pins have no wheel for one of them.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)")
CLASSIFIER = re.compile(r"Programming Language :: Python :: (?P<python>3\.\d+)")
FINGERPRINT = "# made from: "
ADDRESS = re.compile(r"://|^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)\b", re.MULTILINE)


@dataclass(frozen=True)
class RequirementsFile:
    """One file of pins, and the parts of pyproject.toml that it covers."""

    name: str
    purpose: str
    project: bool = True
    extras: tuple[str, ...] = ()
    group: str | None = None
    alone: bool = False
    """Installed into an environment of its own, so held to no other file's versions."""

    @property
    def path(self) -> Path:
        """Where it is."""
        return ROOT / self.name

    def direct(self, pyproject: dict[str, Any]) -> list[str]:
        """The requirements of pyproject.toml that it covers."""
        project = pyproject["project"]
        wanted = list(project["dependencies"]) if self.project else []
        for extra in self.extras:
            wanted += project["optional-dependencies"][extra]
        if self.group:
            wanted += group_requirements(pyproject["dependency-groups"], self.group)
        return sorted(wanted)

    def options(self) -> list[str]:
        """What tells uv the same."""
        options = ["pyproject.toml"] if self.project else []
        for extra in self.extras:
            options += ["--extra", extra]
        if self.group:
            options += ["--group", self.group]
        return options


DEVELOPMENT = RequirementsFile(
    "requirements-dev.txt", "all that `make` uses", extras=("demo", "tracing"), group="dev"
)
FILES = (
    DEVELOPMENT,
    RequirementsFile("requirements.txt", "what `streamer run` needs"),
    RequirementsFile("requirements-demo.txt", "`streamer demo` and `streamer sandbox`", extras=("demo",)),
    RequirementsFile("requirements-tracing.txt", "`streamer run` with STREAMER_TRACING", extras=("tracing",)),
    RequirementsFile("requirements-build.txt", "what builds the wheel", project=False, group="build"),
    RequirementsFile("requirements-compile.txt", "what builds it compiled", project=False, group="compile"),
    RequirementsFile(
        "requirements-policy.txt", "what judges the manifests", project=False, group="policy", alone=True
    ),
    RequirementsFile(
        "requirements-audit.txt", "what looks for vulnerabilities", project=False, group="audit", alone=True
    ),
)


def group_requirements(groups: dict[str, list[Any]], name: str) -> list[str]:
    """A dependency group with the groups it includes."""
    wanted: list[str] = []
    for entry in groups[name]:
        wanted += [entry] if isinstance(entry, str) else group_requirements(groups, entry["include-group"])
    return wanted


def fingerprint(direct: list[str], python: str) -> str:
    """Changes when pyproject.toml asks for something else."""
    return hashlib.sha256("\n".join([python, *direct]).encode()).hexdigest()[:16]


def pins(text: str) -> dict[str, str]:
    """Package names and versions of a requirements file."""
    found = (PIN.match(line) for line in text.splitlines())
    return {canonicalize_name(pin["name"]): pin["version"] for pin in found if pin}


def problems_of(file: RequirementsFile, pyproject: dict[str, Any]) -> list[str]:
    """What is wrong with one file, a line each."""
    if not file.path.exists():
        return [f"{file.name}: missing"]
    text = file.path.read_text(encoding="utf-8")
    direct = file.direct(pyproject)
    problems = []
    if f"{FINGERPRINT}{fingerprint(direct, pyproject['project']['requires-python'])}" not in text:
        problems.append(f"{file.name}: pyproject.toml has changed since it was made")
    if ADDRESS.search(text):
        problems.append(f"{file.name}: names a package index or an address")
    pinned = pins(text)
    for wanted in map(Requirement, direct):
        version = pinned.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            problems.append(f"{file.name}: {wanted} is not met by the pin {version}")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    problems += [
        f"{file.name}: no hash for {block.split()[0]}" for block in blocks if "--hash=sha256:" not in block
    ]
    if file is not DEVELOPMENT and not file.alone and DEVELOPMENT.path.exists():
        tested = pins(DEVELOPMENT.path.read_text(encoding="utf-8"))
        problems += [
            f"{file.name}: {name}=={version} is not the version the tests run with ({tested.get(name)})"
            for name, version in pinned.items()
            if tested.get(name) != version
        ]
    return problems


def check() -> int:
    """Say what is out of step; needs no network."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    problems = [problem for file in FILES for problem in problems_of(file, pyproject)]
    for problem in problems:
        print(problem)
    if problems:
        print("Mend it with `make requirements`.")
        return 1
    print(f"requirements: {len(FILES)} files in step with pyproject.toml")
    return 0


def named_pythons(pyproject: dict[str, Any]) -> list[str]:
    """The versions of Python that the classifiers name: `3.11`, ..."""
    found = (CLASSIFIER.fullmatch(text) for text in pyproject["project"]["classifiers"])
    return [classifier["python"] for classifier in found if classifier]


def without_wheels(uv: str, python: str) -> str:
    """What keeps the pins from being installed on this version of Python without a compiler; or nothing."""
    with tempfile.TemporaryDirectory() as nowhere:
        command = [uv, "pip", "install", "--quiet", "--dry-run", "--only-binary", ":all:"]
        command += ["--python-version", python, "--target", nowhere, "--require-hashes"]
        command += ["--requirements", DEVELOPMENT.name]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr


def compile_all(*, upgrade: bool) -> int:
    """Write every file anew: pins are kept unless pyproject.toml or `upgrade` says otherwise."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))  # the pinned one, no other
    if uv is None:
        print("uv is not installed beside this Python: run this by `make requirements`")
        return 1
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    python = pyproject["project"]["requires-python"]
    for file in FILES:
        command = [
            uv,
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--python-version",
            python.removeprefix(">="),
        ]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
        command += ["--no-emit-find-links", "--output-file", file.name, *file.options()]
        if file is not DEVELOPMENT and not file.alone:
            command += ["--constraints", DEVELOPMENT.name]
        if upgrade:
            command.append("--upgrade")
        subprocess.run(command, cwd=ROOT, check=True)
        header = f"# Pins for {file.purpose}. Made by `make requirements` from pyproject.toml.\n"
        header += f"{FINGERPRINT}{fingerprint(file.direct(pyproject), python)}\n"
        body = [
            line for line in file.path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
        ]
        file.path.write_text(header + "\n".join(body) + "\n", encoding="utf-8")
    refused = {named: without_wheels(uv, named) for named in named_pythons(pyproject)}
    for named, why in refused.items():
        print(f"Python {named}: {why or 'every pin has a wheel'}")
    return check() or int(any(refused.values()))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments == ["check"]:
        raise SystemExit(check())
    if arguments in (["compile"], ["compile", "--upgrade"]):
        raise SystemExit(compile_all(upgrade="--upgrade" in arguments))
    raise SystemExit("usage: requirements.py check | compile [--upgrade]")
