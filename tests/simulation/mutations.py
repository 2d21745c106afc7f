"""Mistakes that the simulator must find: read from mutants.toml, made in a copy, looked for by seed.

`python -m tests.simulation.mutations` finds each mistake's seed anew where chances have changed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
LIST = Path(__file__).with_name("mutants.toml")
SEEDS = 10_000
"""Every mistake is found within so many."""
START_SECONDS = 30.0
SECONDS_EACH = 0.1
"""Longest that a seed takes in the mean, on a machine that is busy with other things."""
_BROKEN = re.compile(r"^(?:seed (\d+) breaks|after step \d+,) the law of ([^:]+): (.*)$", re.MULTILINE)


class Mutant(NamedTuple):
    """One mistake: `old` stands in `file` exactly once, and `new` in its place is wrong."""

    name: str
    laws: Sequence[str]
    """One of these must be broken by it, be others broken as well."""
    near: int
    """The seed that did it last."""
    script: str
    """Steps that do it, where chance hardly ever takes them; "" elsewhere."""
    file: str
    old: str
    new: str


class Caught(NamedTuple):
    """What the simulator said."""

    seed: int
    """-1 where it was a script."""
    law: str
    reason: str


def listed() -> list[Mutant]:
    """All of mutants.toml, in its order."""
    found = []
    for each in tomllib.loads(LIST.read_text(encoding="utf-8"))["mutant"]:
        laws = each["law"] if isinstance(each["law"], list) else [each["law"]]
        old, new = each["old"].removeprefix("\n"), each["new"].removeprefix("\n")
        found.append(
            Mutant(each["name"], laws, each.get("near", -1), each.get("script", ""), each["file"], old, new)
        )
    return found


def copied_to(place: Path) -> Path:
    """The sources and the simulator, to be spoilt; returns `place`."""
    for name in ("streamer", "schemas", "tests/simulation"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "tests" / "__init__.py").touch()
    return place


@contextmanager
def made(mutant: Mutant, copy: Path) -> Iterator[None]:
    """The mistake is in the copy meanwhile. Raises ValueError where there is no place for it, or several."""
    file = copy / mutant.file
    sound = file.read_text(encoding="utf-8")
    if sound.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.file} does not hold the text to spoil exactly once")
    try:
        file.write_text(sound.replace(mutant.old, mutant.new), encoding="utf-8")
        yield
    finally:
        file.write_text(sound, encoding="utf-8")


def caught(copy: Path, mutant: Mutant, seeds: int) -> Caught | None:
    """How the mistake, made in the copy, breaks its law: by its script, or its seed, or the first of so many.

    Raises RuntimeError where the simulator did not run to its end, TimeoutExpired where not in time.
    """
    if mutant.script:
        file = copy / "script.txt"
        file.write_text(mutant.script, encoding="utf-8")
        return _simulated(copy, ["--script", str(file)], 1)
    laws = [word for law in mutant.laws for word in ("--law", law)]
    for first, count in ((mutant.near, 1), (0, seeds)):
        words = ["--first", str(first), "--seeds", str(count), "--workers", "1", "--quick", *laws]
        found = _simulated(copy, words, count)
        if found is not None:
            return found
    return None


def _simulated(copy: Path, words: Sequence[str], seeds: int) -> Caught | None:
    environment = {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
        timeout=START_SECONDS + seeds * SECONDS_EACH,
    )  # fmt: skip
    broken = _BROKEN.search(ended.stdout)
    if ended.returncode == 1 and broken is not None:
        return Caught(int(broken[1] or -1), broken[2], broken[3])
    if ended.returncode:
        raise RuntimeError(ended.stdout + ended.stderr)
    return None


def with_near(text: str, name: str, seed: int) -> str:
    """The text of mutants.toml with another seed for the mutant of this name."""
    start = text.index(f'name = "{name}"')
    return text[:start] + re.sub(r"^near = \d+$", f"near = {seed}", text[start:], count=1, flags=re.MULTILINE)


def main() -> int:
    """Look at each mutant, or at those named; write what was found. 1 where one was not."""
    wanted, missed = sys.argv[1:], 0
    with tempfile.TemporaryDirectory() as place:
        copy = copied_to(Path(place))
        for mutant in listed():
            if wanted and mutant.name not in wanted:
                continue
            with made(mutant, copy):
                found = caught(copy, mutant, SEEDS)
            if found is None or found.law not in mutant.laws:
                missed += 1
                sys.stdout.write(f"{mutant.name}: {found or f'no seed of {SEEDS}'}\n")
                continue
            sys.stdout.write(f"{mutant.name}: seed {found.seed}, law of {found.law}: {found.reason}\n")
            sys.stdout.flush()
            if not mutant.script:
                text = LIST.read_text(encoding="utf-8")
                LIST.write_text(with_near(text, mutant.name, found.seed), encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
