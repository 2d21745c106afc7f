"""What fuzzing begins with and what it has found: every law holds for it, in every test run."""

import importlib
from pathlib import Path

import pytest

from tests.fuzz import NAMES, Target

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"


def target(name: str) -> Target:
    """The target of this name."""
    found = importlib.import_module(f"tests.fuzz.{name}").TARGET
    assert isinstance(found, Target)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_laws_hold_for_seeds_and_corpus(name: str) -> None:
    """Each input that a search starts from, or that one has kept, breaks no law."""
    one = target(name).one
    kept = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    assert kept
    for value in (b"", *target(name).seeds, *kept):
        one(value)


def test_nothing_lies_about() -> None:
    """Every module is a target by its name, and every directory of the corpus is one's."""
    modules = {path.stem for path in HERE.glob("*.py")} - {"__init__", "__main__", "test_corpus"}
    assert modules == set(NAMES)
    assert {path.name for path in CORPUS.iterdir()} == set(NAMES)
