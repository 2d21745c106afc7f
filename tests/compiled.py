"""The compiled wheel holds what the pure one does: its engine under the same tests, and the simulator.

    python -m tests.compiled --seeds 300

What can be compiled is no promise that it does the same: mypyc has compiled code that fails when it runs (see
decision 0038). The wheel is built as `make wheel-compiled` builds it, and unpacked beside a copy of the
tests, so that both are found there and not in the checkout. Exit code 0: everything held.
"""

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tools.compiling import modules

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".cache" / "compiled"
TESTS = ("tests/engine", "tests/events")


def build(home: Path) -> Path:
    """Build the wheel and unpack it into `home`, with the tests beside it; the wheel's path."""
    shutil.rmtree(home, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(home / "wheel")]
    variables = {**os.environ, "HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true"}
    subprocess.run(command, cwd=ROOT, env=variables, check=True)
    (wheel,) = (home / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(home)
    for name in ("schemas", "tests", "tools"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", home)
    return wheel


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python where the compiled package is, and nothing else of the checkout."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=HOME,
        env={**os.environ, "PYTHONPATH": str(HOME)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )


def faults(seeds: int, first: int) -> list[str]:
    """What does not hold of the wheel in `HOME`; empty when all is well."""
    found = []
    told = run("-m", "streamer", "--version").stdout.strip()
    if not told.endswith("(compiled)"):
        found.append(f"--version says {told!r}")
    for module in modules(ROOT):
        name = module.removesuffix(".py").replace("/", ".")
        place = run("-c", f"import {name}; print({name}.__file__)").stdout.strip()
        if not (place.startswith(str(HOME)) and place.endswith(".so")):
            found.append(f"{name} is {place or 'not to be imported alone'}")
    for what, arguments in (
        ("the tests", ("-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)),
        ("the simulator", ("-m", "tests.simulation", "--seeds", str(seeds), "--first", str(first))),
    ):
        ended = run(*arguments)
        sys.stdout.write(ended.stdout)
        if ended.returncode:
            found.append(f"{what} ended with {ended.returncode}")
    return found


def main() -> int:
    """Parse, build, judge; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    sys.stdout.write(f"built {build(HOME).name}\n")
    found = faults(arguments.seeds, arguments.first)
    for fault in found:
        sys.stdout.write(f"FAILED: {fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
