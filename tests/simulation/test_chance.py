"""What chance turns: every switch and every kind of fault of the sandbox, or a reason why not."""

from collections import defaultdict
from dataclasses import fields
from enum import StrEnum
from typing import get_type_hints

import pytest

from streamer.standins.planhat.faults import FaultKind
from streamer.standins.planhat.switches import PERMISSIONS, Switches, with_changes
from tests.simulation.chance import script_of
from tests.simulation.odds import NOT_TURNED, OF_FEATURES, SWITCHES
from tests.simulation.world import HOLDING

SEEDS = 3_000
ENUMS = {
    name: kind
    for name, kind in get_type_hints(Switches).items()
    if isinstance(kind, type) and issubclass(kind, StrEnum)
}


@pytest.fixture(scope="module")
def words() -> dict[str, dict[str, set[str]]]:
    """By verb and name: the values in the words `name=value` of some thousand scripts."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for seed in range(SEEDS):
        for step in script_of(seed):
            for name, value in step.named().items():
                found[step.verb][name].add(value)
    return found


def test_every_switch_is_turned_or_has_its_reason(words: dict[str, dict[str, set[str]]]) -> None:
    """The switches in the scripts and those with a reason are the sandbox's, and no switch is both."""
    turned = set(words["switch"])
    assert turned | NOT_TURNED.keys() == {each.name for each in fields(Switches)}
    assert not turned & NOT_TURNED.keys()
    assert all(reason.endswith(".") for reason in NOT_TURNED.values())


def test_every_value_in_the_table_comes_up(words: dict[str, dict[str, set[str]]]) -> None:
    """The table promises no value that no script turns to, and each is one the sandbox takes."""
    tables = (SWITCHES, *OF_FEATURES.values())
    for name, values in (row for table in tables for row in table.items()):
        assert set(values) <= words["switch"][name], name
        for value in values:
            with_changes(Switches(), {name: value})


@pytest.mark.parametrize("name", sorted(ENUMS.keys() - NOT_TURNED.keys()))
def test_every_answer_of_a_choice_is_given(words: dict[str, dict[str, set[str]]], name: str) -> None:
    """A switch with a closed set of values takes every one of them."""
    assert words["switch"][name] == set(ENUMS[name])


def test_every_permission_is_denied_alone(words: dict[str, dict[str, set[str]]]) -> None:
    """Each permission is lacking while the token has all others."""
    assert set(PERMISSIONS) <= words["switch"]["denied"]


def test_every_kind_of_fault_strikes(words: dict[str, dict[str, set[str]]]) -> None:
    """The kinds in the scripts are the sandbox's, none left out."""
    assert words["fault"]["kind"] == set(FaultKind)


def test_what_an_operator_may_set_is_set(words: dict[str, dict[str, set[str]]]) -> None:
    """Worlds read on past full metadata, have a holding company, or name one that is not there, and so on."""
    assert words["world"]["overflow"] == {"resend"}
    assert words["world"]["unassigned"] == {HOLDING, "co-nowhere"}
    assert words["world"]["mode"] == {"passthrough"}
    assert words["world"]["metrics"] == {"on"}
    assert words["world"]["deletes"] == {"delete", "archive"}
    assert words["world"]["link"] == {"if_absent", "never"}


def test_what_calls_become_does_not_change_other_worlds() -> None:
    """Most worlds have none of it, and passthrough has nothing beside it."""
    worlds = [script_of(seed)[0].named() for seed in range(400)]
    chosen = [world.keys() & {"mode", "metrics", "deletes"} for world in worlds]
    assert sum(not each for each in chosen) > 120
    assert all(each == {"mode"} for each in chosen if "mode" in each)


def test_faults_are_aimed_at_what_calls_become(words: dict[str, dict[str, set[str]]]) -> None:
    """At each endpoint of Planhat's, and at each request that a deletion makes."""
    assert words["fault"]["endpoint"] == {"any", "companies", "endusers", "activities", "metrics", "segment"}
    assert words["fault"]["method"] == {"DELETE", "GET"}
