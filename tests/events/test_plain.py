"""Laws of the classes that hold fields and nothing else: calls, operations, and what is made of a record."""

import inspect
from collections.abc import Iterator

import pytest

from streamer.engine.decoded import Decoded
from streamer.events.calls import Call, Track
from streamer.events.plain import Plain
from streamer.transform.operations import LogActivity, Operation, Transformed, UpsertCompany

CALL = Track("m-1", "u-1", None, None, {}, None, "Signed In", {})


def _kinds(kind: type[Plain] = Plain) -> Iterator[type[Plain]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


@pytest.mark.parametrize("kind", list(_kinds()), ids=str)
def test_a_class_names_all_that_it_holds(kind: type[Plain]) -> None:
    """Of what is not named, nothing is compared, kept in a changed one, or told by `explain`."""
    held = {name for each in kind.__mro__ for name in vars(each).get("__slots__", ())}

    assert tuple(inspect.signature(kind).parameters) == kind.fields_in_order
    assert held == set(kind.fields_in_order)
    assert set(kind.shown) <= held
    assert len(list(_kinds())) > 16


def test_values_are_the_same_where_all_fields_are() -> None:
    """And of the same class: what two calls have in common makes them no one call."""
    assert CALL.but() == CALL
    assert CALL.but(event="Signed Out") != CALL
    assert CALL.but(event="Signed Out").event == "Signed Out"
    assert UpsertCompany("acme") != LogActivity("acme", None, None, "", None, 1)
    assert CALL != "Signed In"
    assert len({Decoded(1, "2"), Decoded(1, "2"), Decoded(1, None)}) == 2


@pytest.mark.parametrize("shown", [CALL, UpsertCompany("acme", {"name": "secret"}), Decoded("secret", "7")])
def test_a_repr_shows_ids_alone(shown: Call | Operation | Decoded) -> None:
    """Nothing of what is said of people."""
    assert repr(shown) in {
        "Track(message_id='m-1', user_id='u-1', anonymous_id=None)",
        "UpsertCompany(external_id='acme')",
        "Decoded(schema_id='7')",
    }
    told = Transformed((UpsertCompany("acme"),))
    assert repr(told) == "Transformed(operations=(UpsertCompany(external_id='acme'),))"
