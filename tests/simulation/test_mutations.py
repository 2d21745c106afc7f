"""The simulator finds mistakes: each of mutants.toml is made in a copy, and breaks the law that it should.

A mutant that only slows things down is none for this file: time is virtual here.
"""

from pathlib import Path

import pytest

from tests.simulation.laws import ALL
from tests.simulation.mutations import Mutant, caught, copied_to, listed, made, with_near
from tests.simulation.runs import run
from tests.simulation.script import read

pytestmark = pytest.mark.long

MUTANTS = listed()
SEEDS = 2_000
"""Tried where `near` breaks the law no more: what a test has time for. The command tries all."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources and the simulator, to be spoilt."""
    return copied_to(tmp_path_factory.mktemp("mutants"))


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name.replace(" ", "-") for mutant in MUTANTS])
def test_the_mistake_breaks_its_law(copy: Path, mutant: Mutant) -> None:
    """A seed, or the mutant's own script, breaks the law that is there to find such a mistake.

    `near` is the seed that did it last: asked first, to save the others.
    """
    with made(mutant, copy):
        found = caught(copy, mutant, SEEDS)
    assert found is not None, (
        f"seed {mutant.near} and the first {SEEDS} keep the law of {' and '.join(mutant.laws)}; "
        "python -m tests.simulation.mutations looks further, and writes the new seed down"
    )
    assert found.law in mutant.laws


def test_every_law_is_the_one_that_some_mistake_breaks() -> None:
    """A law that nothing breaks may be one that cannot be; where a mistake has several, it may be another."""
    broken = {mutant.laws[0] for mutant in MUTANTS if len(mutant.laws) == 1}
    assert {law.name for law in ALL} - broken == set()


def test_the_scripts_of_mistakes_break_nothing_by_themselves() -> None:
    """Without the mistake every law holds: it is the mistake that is found, not the script."""
    for mutant in MUTANTS:
        if mutant.script:
            assert run(read(mutant.script)) is None, mutant.name


def test_a_new_seed_is_written_beside_its_mutant() -> None:
    """Only the number of that mutant changes."""
    text = '[[mutant]]\nname = "a"\nnear = 1\n\n[[mutant]]\nname = "b"\nnear = 2\n'
    assert with_near(text, "a", 7) == text.replace("near = 1", "near = 7")
    assert with_near(text, "b", 7) == text.replace("near = 2", "near = 7")
