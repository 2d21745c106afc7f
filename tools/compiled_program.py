"""The compiled wheel, installed beside the libraries of this environment: for benchmarks and tests.

    python -m tools.compiled_program      # builds it where it must, and prints the path of its `streamer`

It is built once for each state of the sources and each Python, into `.cache/compiled-program/`.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "compiled-program"
MADE_FROM = ("pyproject.toml", "requirements-compile.txt", "tools/compiling.py", "schemas", "streamer")


def state() -> str:
    """Changes with the sources, this Python and its libraries' place."""
    seen = hashlib.sha256(f"{platform.python_version()} {sysconfig.get_path('purelib')}".encode())
    for name in MADE_FROM:
        for path in sorted([ROOT / name, *(ROOT / name).rglob("*")]):
            if path.is_file() and path.suffix != ".pyc":
                seen.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return seen.hexdigest()[:16]


def build(folder: Path) -> Path:
    """Build the wheel as `make wheel-compiled` does, into `folder`. Raises CalledProcessError."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    variables = {**os.environ, "HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true"}
    subprocess.run(command, cwd=ROOT, env=variables, check=True, stdout=sys.stderr)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, environment: Path) -> Path:
    """Make an environment that holds the wheel, and finds this one's libraries; the path of its script.

    They are found through a .pth file: the editable install among them is not, since .pth files are not
    followed from a folder that one names.

    Raises:
        RuntimeError: what was installed is not compiled.
    """
    venv.create(environment, clear=True)
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install"]
    command += ["--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True)
    (site,) = (environment / "lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    program = environment / "bin" / "streamer"
    alone = {"PATH": os.defpath}  # without a PYTHONPATH, which would lead to the checkout
    told = subprocess.run([program, "--version"], env=alone, capture_output=True, text=True, check=True)
    if not told.stdout.rstrip().endswith("(compiled)"):
        raise RuntimeError(f"what was to be compiled says {told.stdout.strip()!r}")
    return program


@cache
def installed() -> Path:
    """The script `streamer` of the compiled wheel; those of earlier states of the sources are deleted.

    Raises:
        CalledProcessError: it cannot be compiled, as where there is no C compiler.
        RuntimeError: what was built is not compiled.
    """
    program = CACHE / state() / "bin" / "streamer"
    whole = program.parent.parent / "whole"
    if not whole.exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            install(build(Path(folder)), program.parent.parent)
        whole.touch()
    return program


if __name__ == "__main__":
    print(installed())
