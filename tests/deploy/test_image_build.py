"""The stage of the Dockerfile that builds the wheel: compiled, unless one asks for Python alone.

Its RUN lines are run as they stand, by a shell that finds doubles of the programs; places are the test's own.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.shipped import ROOT, dockerfile_lines
from tests.deploy.test_image import EXTRAS, instructions, stages
from tools.compiling import modules
from tools.requirements import pins

OF_THE_BUILD = re.compile(r"\bgcc\b|\bapt-get\b|libc6-dev|requirements-(build|compile)|/opt/build")
COMPILER, PINS, WHEEL = (line for line in stages()["build"].lines if line.startswith("RUN "))


class Ended(NamedTuple):
    """What became of a RUN."""

    code: int
    said: str
    called: list[str]
    """Doubles, with their words."""


class Place:
    """A folder with doubles, in which a RUN is run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.doubles = folder / "doubles"
        self.doubles.mkdir()
        (folder / "opt" / "build" / "bin").mkdir(parents=True)
        (folder / "wheels").mkdir()
        self.double("rm")
        self.double("python")
        self.double("pip", "opt/build/bin")

    def double(self, name: str, folder: str = "doubles", does: str = "exit 0") -> None:
        """A program that notes its words, and then does this."""
        path = self.folder / folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.folder}/called"\n{does}\n', encoding="utf-8")
        path.chmod(0o755)

    def run(self, line: str, compiled: str, *, cwd: Path | None = None) -> Ended:
        """Run it; nothing of the machine is found but the shell, and no path of its own is touched."""
        text = line.removeprefix("RUN ")
        for path in ("/opt/build", "/wheels"):
            text = text.replace(path, f"{self.folder}{path}")
        ended = subprocess.run(
            ["/bin/sh", "-c", text], cwd=cwd or self.folder, capture_output=True, text=True, check=False,
            env={"PATH": str(self.doubles), "COMPILED": compiled, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        called = self.folder / "called"
        return Ended(
            ended.returncode,
            ended.stdout + ended.stderr,
            called.read_text(encoding="utf-8").splitlines() if called.exists() else [],
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """One for each test."""
    return Place(tmp_path)


def test_compiled_is_the_default() -> None:
    """Whoever says nothing gets machine code: the one default is `true`, and the stage takes it."""
    defaults = [line for line in dockerfile_lines() if re.match("ARG COMPILED=", line)]

    assert defaults == ["ARG COMPILED=true"]
    assert dockerfile_lines().index(defaults[0]) < dockerfile_lines().index("FROM pip AS build")
    assert stages()["build"].lines[0] == "ARG COMPILED"


@pytest.mark.parametrize("target", EXTRAS)
def test_what_builds_is_in_the_build_stage_alone(target: str) -> None:
    """No layer of an image, or of what is copied into it, has what builds; only the wheel comes over."""
    assert any(OF_THE_BUILD.search(line) for line in stages()["build"].lines)
    for stage in (target, f"install-{target}"):
        assert not [line for line in instructions(stage) if OF_THE_BUILD.search(line)]
    over = [line for line in instructions(f"install-{target}") if "--from=" in line]
    assert over == ["COPY --from=build /wheels /wheels"]


def test_requirements_come_before_sources() -> None:
    """A change of the sources installs nothing anew: what changes seldom is in earlier layers."""
    lines = stages()["build"].lines

    assert lines.index(PINS) < min(lines.index(line) for line in lines if "./streamer" in line)


def test_the_compiler_is_installed_where_there_is_none(place: Place) -> None:
    """From the distribution, without what it only recommends, and its lists are removed."""
    place.double("apt-get")
    ended = place.run(COMPILER, "true")

    assert ended.code == 0, ended.said
    assert ended.called == [
        "apt-get update",
        "apt-get install -y --no-install-recommends gcc libc6-dev",
        *[each for each in ended.called if each.startswith("rm -rf /var/lib/apt/lists/")],
    ]
    assert len(ended.called) == 3


def test_a_compiler_of_the_base_is_taken(place: Place) -> None:
    """Then no package repository is asked."""
    place.double("gcc")
    ended = place.run(COMPILER, "true")

    assert ended.code == 0, ended.said
    assert not [each for each in ended.called if "apt-get" in each]


@pytest.mark.parametrize("has_packages", [True, False])
def test_without_a_compiler_the_build_fails_in_words(place: Place, has_packages: bool) -> None:
    """There is no silent way back to Python: whoever builds is told of both ways out."""
    if has_packages:
        place.double("apt-get", does='[ "$1" = update ]')
    ended = place.run(COMPILER, "true")

    assert ended.code != 0
    assert (
        "No C compiler could be installed: name a PYTHON_IMAGE that has gcc, or COMPILED=false." in ended.said
    )


def test_python_alone_needs_no_compiler(place: Place) -> None:
    """COMPILED=false asks no package repository, and installs what it needs and no more."""
    compiler, installed = place.run(COMPILER, "false"), place.run(PINS, "false")

    assert (compiler.code, installed.code) == (0, 0), compiler.said + installed.said
    assert installed.called[-1] == "pip install --require-hashes -r requirements-build.txt"
    assert not [each for each in installed.called if "apt-get" in each]


def test_compiling_has_pins_of_its_own(place: Place) -> None:
    """mypyc, its setuptools, hatchling and every library that compiled modules use, for its types."""
    ended = place.run(PINS, "true")
    compiling, building = (
        pins((ROOT / name).read_text(encoding="utf-8"))
        for name in ("requirements-compile.txt", "requirements-build.txt")
    )
    imported = {
        name.partition(".")[0]
        for module in modules(ROOT)
        for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8")))
        for name in names_of(node)
    }
    libraries = imported - sys.stdlib_module_names - {"streamer"}

    assert ended.code == 0, ended.said
    assert ended.called[-1] == "pip install --require-hashes -r requirements-compile.txt"
    assert "msgspec" in libraries
    assert {"mypy", "setuptools", "hatchling", *libraries} <= compiling.keys()
    assert building.items() < compiling.items()
    assert not {"mypy", "setuptools"} & building.keys()


def names_of(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    match node:
        case ast.Import(names=names):
            return [each.name for each in names]
        case ast.ImportFrom(module=str(module)):
            return [module]
        case _:
            return []


@pytest.mark.parametrize("word", ["", "yes", "True", "1"])
def test_another_word_is_refused(place: Place, word: str) -> None:
    """A slip of the pen builds nothing."""
    ended = place.run(COMPILER, word)

    assert ended.code != 0
    assert f"COMPILED is true or false, not '{word}'." in ended.said


@pytest.mark.parametrize(
    ("compiled", "wheel"), [("true", "a-1-py3-none-any.whl"), ("false", "a-1-cp313-cp313-linux_x86_64.whl")]
)
def test_a_wheel_of_the_other_kind_is_refused(place: Place, compiled: str, wheel: str) -> None:
    """Should hatchling not do what it is told, the build fails."""
    place.double("python", "opt/build/bin", does=f'echo made >"{place.folder}/wheels/{wheel}"')
    ended = place.run(WHEEL, compiled)

    assert ended.code != 0
    assert f"The wheel is not what COMPILED={compiled} asks for." in ended.said


@pytest.mark.skipif(shutil.which("cc") is None and "CI" not in os.environ, reason="there is no C compiler")
@pytest.mark.parametrize(("compiled", "kind"), [("true", ".so"), ("false", ".py")])
def test_hatchling_builds_what_is_asked_for(place: Place, compiled: str, kind: str) -> None:
    """Of the files that the stage copies, and a package of a few lines: it runs; the project is as it was."""
    project = copied(place, "def double(number: int) -> int:\n    return 2 * number\n")
    before = sorted(project.rglob("*"))
    ended = place.run(WHEEL, compiled, cwd=project)
    assert ended.code == 0, ended.said
    (wheel,) = (place.folder / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place.folder / "unpacked")
    code = "from streamer.engine import told; print(told.__file__, told.double(21))"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place.folder / "unpacked", capture_output=True, text=True, check=True,
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    module, answer = told.stdout.split()

    assert (answer, Path(module).suffix) == ("42", kind)
    assert Path(module).is_relative_to(place.folder / "unpacked")
    assert sorted(project.rglob("*")) == before


@pytest.mark.skipif(shutil.which("cc") is None and "CI" not in os.environ, reason="there is no C compiler")
def test_what_does_not_compile_fails_the_build(place: Place) -> None:
    """Where an annotation is wrong, on which compiled code relies: no wheel, but the place and a way out."""
    project = copied(place, 'def double(number: int) -> int:\n    return "twice"\n')
    ended = place.run(WHEEL, "true", cwd=project)

    assert ended.code != 0
    assert "COMPILED=false" in ended.said
    assert "told.py:2" in ended.said
    assert not list((place.folder / "wheels").iterdir())


def copied(place: Place, body: str) -> Path:
    """What the stage copies, but with a package of a few lines, and a Python that has hatchling."""
    project = package(place.folder / "project", body)
    for line in stages()["build"].lines:
        *names, target = line.split()[1:]
        if line.startswith("COPY ") and names[0] != "streamer":
            for name in names:
                copy_into(ROOT / name, project / target)
    path = os.environ["PATH"]
    place.double("python", "opt/build/bin", does=f'PATH="{path}" exec "{sys.executable}" "$@"')
    return project


def copy_into(source: Path, folder: Path) -> None:
    """What COPY does: of a folder its content."""
    if source.is_dir():
        shutil.copytree(source, folder, dirs_exist_ok=True)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder)


def package(root: Path, body: str) -> Path:
    """A project whose `streamer` has one module of the engine, and what is compiled beside it, all empty."""
    engine = "streamer/engine/told.py"
    for module in (engine, *(each for each in modules(ROOT) if not each.startswith("streamer/engine/"))):
        (root / module).parent.mkdir(parents=True, exist_ok=True)
        (root / module).write_text("", encoding="utf-8")
        (root / module).with_name("__init__.py").write_text("", encoding="utf-8")
    (root / "streamer" / "__init__.py").write_text('__version__ = "1.0"\n', encoding="utf-8")
    (root / engine).write_text(body, encoding="utf-8")
    return root
