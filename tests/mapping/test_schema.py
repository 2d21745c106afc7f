"""The JSON Schema beside the reader: an editor marks what the reader refuses, and nothing else."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.mapping import MappingMistakes, json_schema, read_mapping
from streamer.mapping.shape import MappingFile
from tests.events.strategies import unhurried
from tests.mapping.strategies import stated

DOCS = Path(__file__).parents[2] / "docs"
# A schema's $ is the end of the text; Python's may be the newline before it.
_END = re.compile(r"(?<!\\\\)\$(?!schema|defs|ref)")
SCHEMA = jsonschema.Draft202012Validator(json.loads(_END.sub(r"\\\\Z", json.dumps(json_schema()))))


def is_read(text: str) -> bool:
    """Whether the reader takes it."""
    try:
        read_mapping(text)
    except MappingMistakes:
        return False
    return True


def trait(rule: str) -> str:
    """A file with one rule for a trait of a user."""
    return f"[identify.traits]\nx = {rule}"


GOOD = [
    "",
    "version = 1",
    "version = 1.0",
    "[calls]\nscreen = 'activity'\ndelete = 'delete'",
    "[calls]\ndelete = 'archive'",
    "[calls]\ndelete = 'archive'\n[identify]\ncompanies = 'first'",
    "[identify]\ncompanies = 'all'",
    "[events]\nallow = []\ndeny = ['Debug *', '?', 'a*b*']",
    "[identify]\nunlisted = 'drop'\nflatten = 'text'\nmetrics = ['seats', 'n_*']",
    trait("'phone'"),
    trait("'drop'"),
    trait("['title', 'position', 'custom:Job', 'metric:m']"),
    trait("'custom:a b $ c'"),
    trait("'custom: x'"),
    trait("{ to = 'title' }"),
    trait("{ to = ['title'], type = 'text', default = 'none' }"),
    trait("{ to = 'custom:x', default = [1, 'a', true] }"),
    trait("{ to = 'custom:x', type = 'number', default = '1,200' }"),
    "[identify.traits]\n'address.city' = 'custom:City'",
    "[identify.traits.x]\nto = 'title'",
    "[group.traits]\nx = 'zip'",
    "[track]\naction = 'did {event}'\nweight = 'revenue'\nunlisted = 'drop'",
    "[track]\naction = '{{{event}}}'\nweight = -2.5",
    "[track]\nweight = 9_223_372_036_854_774_784",
    "[track.properties]\nx = ['info:X', 'info: messageId', 'metric:x']",
    "[track.events.'Order *']\nskip = false\naction = 'x'\nweight = 1\nproperties = { a = 'info:b' }",
    "[page]\naction_named = '{category} {name}'\naction_unnamed = '{category} page'",
    "[page]\naction_named = '{category}{{'",
    "[screen]\nproperties = { a = 'drop' }",
]
BAD = [
    "version = 2",
    "version = '1'",
    "version = true",
    "odd = 1",
    "identify = 1",
    "[[identify]]",
    "[calls]\nscreen = true",
    "[calls]\ndelete = 'forget'",
    "[calls]\ndelete = 'archive'\n[identify]\ncompanies = 'all'",
    "[events]\nallow = '*'",
    "[events]\nallow = [1]",
    "[events]\nallow = ['']",
    "[events]\nallow = [' ']",
    "[events]\nallow = ['a**']",
    '[events]\ndeny = ["a\\tb"]',
    "[identify]\nunlisted = 'info'",
    "[identify]\nunlistd = 'drop'",
    "[identify]\nflatten = 'not'",
    "[identify]\ntraits = []",
    "[group]\ncompanies = 'all'",
    trait("1"),
    trait("true"),
    trait("2026-01-05"),
    trait("''"),
    trait("[]"),
    trait("['title', 1]"),
    trait("['title', 'drop']"),
    trait(f"{[f'custom:{n}' for n in range(11)]}"),
    trait("'fone'"),
    trait("'Phone'"),
    trait("'email'"),
    trait("'source'"),
    trait("'zip'"),
    trait("'info:x'"),
    trait("'custom:'"),
    trait("'custom: '"),
    trait("'custom:a.b'"),
    trait("'custom:$a'"),
    trait('"custom:a\\u0000b"'),
    trait("'metric:'"),
    trait("'metric:a b'"),
    trait(f"'metric:{'m' * 101}'"),
    trait("{ type = 'date' }"),
    trait("{ to = 'drop' }"),
    trait("{ to = 1 }"),
    trait("{ to = [] }"),
    trait("{ to = 'title', typ = 'text' }"),
    trait("{ to = 'title', type = 'int' }"),
    trait("{ to = 'custom:x', default = 2026-01-05 }"),
    trait("{ to = 'custom:x', default = { a = 1 } }"),
    trait("{ to = 'custom:x', default = [[1]] }"),
    trait("{ to = 'custom:x', default = inf }"),
    trait("{ to = 'custom:x', default = [-inf] }"),
    "[identify.traits]\n'' = 'title'",
    "[identify.traits]\n' ' = 'title'",
    "[identify.traits]\naddress.city = 'custom:City'",
    "[group.traits]\nx = 'firstName'",
    "[track]\naction = 1",
    "[track]\naction = ''",
    "[track]\naction = ' '",
    "[track]\naction = '{'",
    "[track]\naction = '{name}'",
    "[track]\naction = '{}'",
    "[track]\naction = '{event!r}'",
    "[track]\naction = '{event:>9}'",
    "[track]\nweight = true",
    "[track]\nweight = ''",
    "[track]\nweight = inf",
    "[track]\nweight = 1e300",
    "[track]\nweight = [1]",
    "[track]\nunlisted = 'custom'",
    "[track.properties]\nx = 'phone'",
    "[track.properties]\nx = 'custom:x'",
    "[track.properties]\nx = 'info: '",
    "[track.properties]\nx = 'info:messageId'",
    "[track.events]\nx = true",
    "[track.events.x]\nskip = 'yes'",
    "[track.events.x]\nskp = true",
    "[track.events.'a**']\nskip = true",
    "[track.events.' ']\nskip = true",
    "[page]\naction = 'x'",
    "[page]\naction_named = '{category}'",
    "[page]\naction_named = '{category} {event}'",
    "[page]\naction_unnamed = '{name}'",
]
READER_ALONE = [
    trait("{ to = 'custom:x', type = 'number', default = 'many' }"),
    trait("{ to = 'custom:x', default = nan }"),
    "[track]\nweight = nan",
    '[events]\nallow = ["a\\u202Eb"]',
]
"""What no schema can say: whether text is a date, that there is no number, what a character looks like."""


@pytest.mark.parametrize("text", GOOD)
def test_both_take_what_is_sound(text: str) -> None:
    """Nothing that works is marked as a mistake."""
    assert is_read(text)
    assert list(SCHEMA.iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize("text", BAD)
def test_both_refuse_what_is_not(text: str) -> None:
    """What ends a start is marked while it is written."""
    assert not is_read(text)
    assert not SCHEMA.is_valid(tomllib.loads(text))


@pytest.mark.parametrize("text", READER_ALONE)
def test_some_mistakes_only_the_reader_sees(text: str) -> None:
    """These are all: one that the schema can say goes into the table above."""
    assert not is_read(text)
    assert SCHEMA.is_valid(tomllib.loads(text))


@unhurried
@given(stated)
def test_no_sound_file_is_marked(file: dict[str, Any]) -> None:
    """Whatever a sound file says, the schema takes it."""
    MappingFile.model_validate(file)

    assert list(SCHEMA.iter_errors(file)) == []


PLACES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "identify.unlisted": lambda value: {"identify": {"unlisted": value}},
    "trait": lambda value: {"identify": {"traits": {"x": value}}},
    "to": lambda value: {"group": {"traits": {"x": {"to": value}}}},
    "property": lambda value: {"track": {"properties": {"x": value}}},
    "default": lambda value: {"identify": {"traits": {"x": {"to": "custom:X", "default": value}}}},
    "weight": lambda value: {"track": {"events": {"E": {"weight": value}}}},
    "skip": lambda value: {"track": {"events": {"E": {"skip": value}}}},
    "action": lambda value: {"track": {"action": value}},
    "page": lambda value: {"page": {"action_named": value}},
    "pattern": lambda value: {"events": {"allow": [value]}},
}
TEXTS = st.text("{}categoryevnm *?:$.!\n\x00 ", max_size=24) | st.sampled_from(
    ["{event}", "{category}", "{name}", "custom:a", "info:a", "metric:a", "drop", "phone", "**"]
)
VALUES: st.SearchStrategy[Any] = (
    TEXTS | st.builds(lambda one, other: one + other, TEXTS, TEXTS) | st.integers() | st.booleans()
)


@unhurried
@given(
    st.sampled_from(sorted(PLACES)), VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(TEXTS, VALUES)
)
def test_reader_and_schema_agree_on_any_value(place: str, value: Any) -> None:
    """Put anything anywhere: both take it, or both refuse it."""
    file = PLACES[place](value)
    try:
        MappingFile.model_validate(file)
        is_taken = True
    except ValueError:
        is_taken = False

    assert SCHEMA.is_valid(file) is is_taken


def test_the_published_schema_is_a_schema() -> None:
    """What stands in the documentation is of the draft it names, and what the program says."""
    published = json.loads((DOCS / "mapping.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)

    assert published == json_schema()
