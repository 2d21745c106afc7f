"""What `make wheel-compiled` compiles, on a package of a few lines; the real one: `make test-compiled`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.compiling import EVENTS, INTERPRETED, compile_in, modules

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None and "CI" not in os.environ, reason="there is no C compiler"
)


def package(root: Path, body: str) -> Path:
    """A project whose `streamer` has one module of the engine, and what is named of events."""
    for room, names in (("engine", ("told",)), ("events", EVENTS)):
        (root / "streamer" / room).mkdir(parents=True)
        for name in ("__init__", *names):
            (root / "streamer" / room / f"{name}.py").write_text("", encoding="utf-8")
    (root / "streamer" / "__init__.py").write_text("", encoding="utf-8")
    (root / "streamer" / "engine" / "told.py").write_text(body, encoding="utf-8")
    return root


def test_what_is_named_is_there() -> None:
    """Every module left out is one of the engine's, and every one compiled a file."""
    engine = {path.stem for path in (ROOT / "streamer" / "engine").glob("*.py")}
    compiled = modules(ROOT)

    assert engine >= INTERPRETED
    assert all((ROOT / path).is_file() for path in compiled)
    assert {Path(path).stem for path in compiled if "/engine/" in path} == engine - INTERPRETED


def test_what_is_compiled_lies_in_the_copy_and_runs(tmp_path: Path) -> None:
    """The modules are machine code in the copy; the project itself is as it was."""
    root = package(tmp_path / "project", "def double(number: int) -> int:\n    return 2 * number\n")
    before = sorted(root.rglob("*"))
    made = compile_in(tmp_path / "copy", root)
    code = "from streamer.engine import told; print(told.__file__, told.double(21))"
    place, answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "copy", capture_output=True, text=True, check=True
    ).stdout.split()

    assert answer == "42"
    assert Path(place) in {tmp_path / "copy" / path for path in made}
    assert sorted(root.rglob("*")) == before


def test_a_type_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    """Compiled code relies on what the annotations say, so it is not made where they are wrong."""
    root = package(tmp_path / "project", 'def double(number: int) -> int:\n    return "twice"\n')
    with pytest.raises(RuntimeError, match=r"(?s)could not be compiled.*told\.py:2"):
        compile_in(tmp_path / "copy", root)
