"""Compiles what every event comes through, as the wheel is built: `make wheel-compiled` (decision 0038).

A build hook of hatchling's, off unless HATCH_BUILD_HOOK_ENABLE_CUSTOM is set: the wheel is pure Python else.
The sources are the same; each compiled module lies beside its own, and Python prefers it.
Nothing is written into the checkout: a module compiled there would go on hiding its source after that
has changed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EVENTS = ("calls", "json_text", "moments", "parse", "plain", "values")
"""Of events/: what parses."""
TRANSFORM = (
    *("activity", "activity_rules", "consent", "deletion", "encoding", "facts", "fields", "group"),
    *("identify", "identity", "keys", "operations", "page", "passthrough", "pushed", "retyping"),
    *("ruled", "rules", "told", "track", "trait_rules"),
)
"""Of transform/: what every event comes through, and not what is made once, of a mapping. Compiled code holds
a stranger's value to what its annotation says, so tests/same_answers.py holds it to what Python answers."""
OTHERS = (
    *("records", "avro/decoder", "avro/json_text", "avro/leaves", "avro/varints"),
    *("metrics/tallies", "planhat/items"),
)
"""Of other rooms. Wherever they stand, structs of msgspec's must stay Python's."""
INTERPRETED = frozenset({"__init__", "ports"})
"""Of engine/, which is compiled else: protocols."""

_SETUP = """
import sys
from setuptools import setup
from mypyc.build import mypycify
made = mypycify(sys.argv[3:], opt_level="3", debug_level="0")
if sys.platform != "win32":  # functions may call each other straight, as nobody else links to the library
    for each in made:
        each.extra_compile_args += ["-fno-semantic-interposition", "-fvisibility=hidden"]
setup(name="streamer", packages=[], ext_modules=made, script_args=sys.argv[1:3])
"""
_TYPES = "[mypy]\nstrict = true\n"


def modules(root: Path) -> list[str]:
    """What is compiled, as paths within the project, in order."""
    engine = sorted((root / "streamer" / "engine").glob("*.py"))
    found = [root / "streamer" / "events" / f"{name}.py" for name in EVENTS]
    found += [root / "streamer" / "transform" / f"{name}.py" for name in TRANSFORM]
    found += [root / "streamer" / f"{name}.py" for name in OTHERS]
    found += [path for path in engine if path.stem not in INTERPRETED]
    return [str(path.relative_to(root)) for path in found]


def compile_in(copy: Path, root: Path) -> list[Path]:
    """Compile in a copy of the package; the extension modules made, as paths within the copy.

    Raises:
        RuntimeError: a type does not hold, a construct is refused, or there is no C compiler.
    """
    shutil.copytree(
        root / "streamer", copy / "streamer", ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )
    (copy / "mypy.ini").write_text(_TYPES, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", _SETUP, "build_ext", "--inplace", "--config-file=mypy.ini", *modules(root)],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        what = (
            "streamer could not be compiled; `make wheel`, and an image with COMPILED=false, need no compiler"
        )
        raise RuntimeError(f"{what}. mypyc and the compiler said:\n{ended.stdout}")
    # One library holds all of it, and lies beside the package; the others only point into it.
    made = [*copy.glob("*.so"), *copy.glob("streamer/**/*.so")]
    return sorted(path.relative_to(copy) for path in made)


class Compiling(BuildHookInterface[Any]):
    """Puts the compiled modules into the wheel."""

    PLUGIN_NAME = "custom"

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - hatchling's own
        super().__init__(*args, **kwargs)
        self._copy: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before anything is packed; an editable install is never compiled."""
        if self.target_name != "wheel" or version != "standard":
            return
        self._copy = tempfile.TemporaryDirectory(prefix="streamer-compiled-")
        copy = Path(self._copy.name)
        made = compile_in(copy, Path(self.root))
        build_data["force_include"].update({str(copy / path): str(path) for path in made})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Forget the copy."""
        if self._copy is not None:
            self._copy.cleanup()
