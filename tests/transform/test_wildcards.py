"""Laws of names with wildcards."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.transform.wildcards import Names, has_wildcard
from tests.events.strategies import unhurried


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("Order Completed", "Order Completed", True),
        ("Order Completed", "order completed", False),
        ("Order Completed", "Order Completed ", False),
        ("*", "", True),
        ("*", "anything\nat all", True),
        ("Order *", "Order Completed", True),
        ("Order *", "Order", False),
        ("* Viewed", "Product Viewed", True),
        ("* Viewed", "Product Viewed Twice", False),
        ("*Test*", "a Test of it", True),
        ("*Test*", "a test of it", False),
        ("a*b*c", "a-b-b-c-c", True),
        ("a*b*c", "a-c-b", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("**", "x", True),
        ("Step ?", "Step 1", True),
        ("Step ?", "Step 12", False),
        ("Step ?", "Step ", False),
        ("?*?", "ab", True),
        ("?*?", "a", False),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("(x|y)*", "(x|y)z", True),
        ("\\*", "\\x", True),
        ("Did you like it?", "Did you like it?", True),
    ],
)
def test_what_a_pattern_matches(pattern: str, name: str, matches: bool) -> None:
    """`*` is any text, `?` any one character; everything else is itself, case included."""
    assert (name in Names((pattern,))) is matches


def test_any_of_the_patterns_will_do() -> None:
    """Exact names and patterns stand beside one another."""
    names = Names(("Signed Up", "Order *", "*Test"))
    assert [name for name in ("Signed Up", "Order X", "A Test", "Signed", "Test A") if name in names] == [
        "Signed Up",
        "Order X",
        "A Test",
    ]
    assert "anything" not in Names(())
    assert names == Names(("Signed Up", "Order *", "*Test"))


few = st.text(st.sampled_from("ab*?\n"), max_size=8)


@unhurried
@given(few, few)
def test_taking_the_first_place_is_enough(pattern: str, name: str) -> None:
    """Never going back gives the same answers as trying every way does."""
    every_way = pattern.replace("*", "(.|\n)*").replace("?", "(.|\n)")
    assert (name in Names((pattern,))) is (re.fullmatch(every_way, name) is not None)
    assert has_wildcard(pattern) or (name in Names((pattern,))) is (pattern == name)


def test_a_name_made_to_take_long_does_not() -> None:
    """Forty stars and a long name that almost matches: by trying every way this would never end."""
    names = Names(("*a" * 40 + "*b", "*?a" * 40 + "c"))
    assert "a" * 30_000 not in names
    assert "a" * 30_000 + "b" in names
