"""The compiled wheel holds what the pure one does: the same tests, the simulator, the same answers.

    python -m tests.compiled --seeds 300

What can be compiled is no promise that it does the same: mypyc has compiled code that fails when it runs (see
decision 0038). The wheel is built as `make wheel-compiled` builds it, and unpacked beside a copy of the
tests, so that both are found there and not in the checkout. What events come to, hostile ones among them, is
compared with what the checkout says of them (tests/same_answers.py). Then the wheel is installed, and
members of that installation are judged against a real Kafka where there is one. Exit code 0: all held.
"""

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from itertools import zip_longest
from pathlib import Path

from tests import program
from tools import compiled_program
from tools.compiling import modules

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".cache" / "compiled"
TESTS = (
    *("tests/engine", "tests/events", "tests/transform", "tests/mapping", "tests/avro", "tests/planhat"),
    *("tests/kafka", "tests/test_metrics.py", "--ignore=tests/avro/test_real_registry.py"),
    "--deselect=tests/avro/test_generated.py::test_calls_are_made_of_the_fields_that_are_read",
    "--deselect=tests/events/test_plain.py::test_a_class_names_all_that_it_holds",
)
"""Without what a registry in Java says of schemas, in which nothing compiled has a part; without what listens
at a dict for what is asked of it, since compiled code asks a dict past its methods; and without what reads
signatures, which compiled constructors do not tell."""
AVRO_CASES = "50000"
"""Bytes of random schemas, read by fastavro, by made source and by rows, which are compiled in the wheel."""
OF_MEMBERS = tuple(f"tests/real_kafka/test_{name}.py" for name in ("end_to_end", "settled_ahead", "endings"))
"""Run from the checkout: what judges is Python, and what is judged the installed program."""


def build(home: Path) -> Path:
    """Build the wheel and unpack it into `home`, with the tests beside it; the wheel's path."""
    shutil.rmtree(home, ignore_errors=True)
    wheel = compiled_program.build(home / "wheel")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(home)
    for name in ("docs", "schemas", "tests", "tools"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, home)
    return wheel


def run(*arguments: str, root: Path = HOME, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run Python where the compiled package is, and nothing else of the checkout; or in another root."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), **variables},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )


def differences(seed: int) -> list[str]:
    """What the two say otherwise of the same events: how many lines, and the first of them."""
    told = {HOME: HOME / "compiled.txt", ROOT: HOME / "pure.txt"}
    for root, path in told.items():
        asked = ("-m", "tests.same_answers", "--seed", str(seed), str(path))
        if run(*asked, root=root, PYTHONHASHSEED="0").returncode:
            return [f"what events come to could not be told in {root}"]
    with told[HOME].open(encoding="ascii") as compiled, told[ROOT].open(encoding="ascii") as pure:
        pairs = list(zip_longest(compiled, pure, fillvalue="(nothing)"))
    others = [(one, other) for one, other in pairs if one != other]
    sys.stdout.write(f"{len(pairs)} answers compared (seed {seed}), {len(others)} of them differ\n")
    return [f"{len(others)} answers differ; compiled: {one} pure: {other}" for one, other in others[:1]]


def faults(wheel: Path, seeds: int, first: int) -> list[str]:
    """What does not hold of the wheel, which is unpacked in `HOME`; empty when all is well."""
    found = []
    told = run("-m", "streamer", "--version").stdout.strip()
    if not told.endswith("(compiled)"):
        found.append(f"--version says {told!r}")
    for module in modules(ROOT):
        name = module.removesuffix(".py").replace("/", ".")
        place = run("-c", f"import {name}; print({name}.__file__)").stdout.strip()
        if not (place.startswith(str(HOME)) and place.endswith(".so")):
            found.append(f"{name} is {place or 'not to be imported alone'}")
    if run("-c", "from streamer.avro.leaves import IS_COMPILED; print(IS_COMPILED)").stdout != "True\n":
        found.append("fields in a row are not read by the table that was compiled for them")
    pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    installed = {program.VARIABLE: str(compiled_program.install(wheel, HOME / "environment"))}
    for what, ended in (
        ("the tests", run(*pytest, *TESTS)),
        ("the readers of Avro", run("-m", "tests.avro.compare", "--cases", AVRO_CASES, "--seed", str(first))),
        ("the simulator", run("-m", "tests.simulation", "--seeds", str(seeds), "--first", str(first))),
        ("members in a real Kafka", run(*pytest, *OF_MEMBERS, root=ROOT, **installed)),
    ):
        sys.stdout.write(ended.stdout)
        if ended.returncode:
            found.append(f"{what}: ended with {ended.returncode}")
    found += differences(first)
    return found


def main() -> int:
    """Parse, build, judge; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    wheel = build(HOME)
    sys.stdout.write(f"built {wheel.name}\n")
    found = faults(wheel, arguments.seeds, arguments.first)
    for fault in found:
        sys.stdout.write(f"FAILED: {fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
