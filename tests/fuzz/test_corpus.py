"""What fuzzing begins with and what it has found: every law holds for it, in every test run."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import NAMES, Target, readers

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


def test_readers_are_followed_as_atheris_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives a function new code, which a method would refuse: those are left as they are."""
    pairs = readers.pairs()
    monkeypatch.setattr(readers, "_SCHEMAS", pairs)
    followed = []

    def instrument(made: Any) -> Any:
        made.__code__ = made.__code__.replace()
        followed.append(made)
        return made

    readers.follow(instrument)
    made = [each for pair in pairs for each in pair._made]
    assert {id(each) for each in followed} == {id(each) for each in made if not hasattr(each, "__self__")}
    assert len(pairs) <= len(followed) < len(made)


def test_nothing_lies_about() -> None:
    """Every module is a target by its name, and every directory of the corpus is one's."""
    modules = {path.stem for path in HERE.glob("*.py")} - {"__init__", "__main__", "test_corpus"}
    assert modules == set(NAMES)
    assert {path.name for path in CORPUS.iterdir()} == set(NAMES)
