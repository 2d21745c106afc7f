"""Look for bytes that break a law: `make fuzz TARGET=replies FUZZ_SECONDS=600`; without one, all in turn.

What breaks one is kept in `.cache/fuzz/<target>/` and ends the run; `--replay <file>` runs it again. Beside
the corpus in `corpus/<target>/`, which is only read, CORPUS=<directory> keeps what opened new branches.
"""

import argparse
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tests.fuzz import NAMES, Target

HERE: Final = Path(__file__).parent
CORPUS: Final = HERE / "corpus"
FOUND: Final = HERE.parents[1] / ".cache" / "fuzz"
ALL: Final = "all"
EXIT_BROKEN: Final = 1
EXIT_MISSING: Final = 2
LONGEST: Final = 4096
LIMITS: Final = (f"-max_len={LONGEST}", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1")
"""Seconds and MiB that no input may take."""
_MISSING: Final = """\
atheris is not installed, and no test needs it. To fuzz, put it where nothing else lives, and name the place:
    .venv/bin/python -m pip install --target /tmp/atheris atheris
    make fuzz ATHERIS=/tmp/atheris FUZZ_SECONDS=600
"""


def main() -> int:
    """Fuzz for so many seconds a target; not 0 where a law is broken."""
    parser = argparse.ArgumentParser(description="look for bytes that break a law")
    parser.add_argument("--target", choices=[*NAMES, ALL], default=ALL)
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--corpus", type=Path, help="where what was found is kept, a directory a target")
    parser.add_argument("--replay", type=Path, help="run the target on this file alone")
    args = parser.parse_args()
    if args.replay is not None:
        _target(args.target).one(args.replay.read_bytes())
        return 0
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        print(_MISSING, end="")
        return EXIT_MISSING
    if args.target == ALL:
        # libFuzzer ends the process it runs in.
        broken = [name for name in NAMES if _run_alone(name, args.seconds, args.corpus)]
        print(f"broken: {', '.join(broken)}" if broken else f"no law is broken: {', '.join(NAMES)}")
        return EXIT_BROKEN if broken else 0
    _fuzz(atheris, args.target, args.seconds, args.corpus)
    return 0


def _run_alone(name: str, seconds: int, corpus: Path | None) -> int:
    print(f"--- {name}", flush=True)
    kept = [] if corpus is None else ["--corpus", str(corpus)]
    line = [sys.executable, "-m", "tests.fuzz", "--target", name, "--seconds", str(seconds), *kept]
    return subprocess.run(line, check=False).returncode


def _fuzz(atheris: Any, name: str, seconds: int, kept: Path | None) -> None:
    with atheris.instrument_imports(include=list(NAMES[name]) or ["nothing"], enable_loader_override=False):
        target = _target(name)
    if name == "readers":
        importlib.import_module("tests.fuzz.readers").follow(atheris.instrument_func)
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        seeds = _written(Path(scratch) / "seeds", target.seeds)
        corpus = Path(scratch) / "corpus" if kept is None else kept / name
        corpus.mkdir(parents=True, exist_ok=True)
        words = Path(scratch) / "words"
        # libFuzzer refuses an empty one.
        words.write_text("".join(f'"{_spelled(word)}"\n' for word in target.words or (b"\0",)))
        read_only = [str(each) for each in (seeds, CORPUS / name) if each.is_dir()]
        limits = [*LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={found}/", f"-dict={words}"]
        atheris.Setup([sys.argv[0], *limits, str(corpus), *read_only], target.one)
        atheris.Fuzz()


def _target(name: str) -> Target:
    target = importlib.import_module(f"tests.fuzz.{name}").TARGET
    assert isinstance(target, Target)
    return target


def _written(directory: Path, seeds: Iterable[bytes]) -> Path:
    directory.mkdir()
    for number, seed in enumerate(seeds):
        (directory / f"{number:04}").write_bytes(seed)
    return directory


def _spelled(word: bytes) -> str:
    """As libFuzzer's dictionaries spell bytes."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
