"""Every mistake in a mapping file is named by its line, in its own terms, with what to do; so are doubts."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.mapping import MappingMistakes, read_mapping


def mistakes(text: str) -> list[str]:
    """What is wrong with a text, each with its line."""
    with pytest.raises(MappingMistakes) as raised:
        read_mapping(text)
    return list(map(str, raised.value.mistakes))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[identfy]", "line 1: identfy: there is no such key here; did you mean 'identify'?"),
        (
            "[identify]\nunlistd = 1",
            "line 2: identify.unlistd: there is no such key here; did you",
        ),
        ("version = 2", "line 1: version: must be 1"),
        ("calls = 5", "line 1: calls: must be a table"),
        ("[events]\ndeny = 'x'", "line 2: events.deny: must be a list"),
        ('[events]\ndeny = [\n"a",\n5]', "line 4: events.deny[1]: must be text"),
        ('[events]\nallow = ["**"]', "line 2: events.allow[0]: ** is no wildcard: * stands for any text"),
        ('[events]\nallow = [" "]', "line 2: events.allow[0]: a name is missing"),
        (
            '[identify.traits]\nx = "fone"',
            "line 2: identify.traits.x: Planhat has no field 'fone' of an",
        ),
        ('[identify.traits]\nx = "Phone"', "did you mean 'phone'?"),
        (
            '[group.traits]\nx = "firstName"',
            "Planhat has no field 'firstName' of a company: a field, custom:<name>",
        ),
        ('[identify.traits]\nx = "email"', "'email' is a key: no rule changes whom a call is about"),
        ('[group.traits]\nx = "externalId"', "'externalId' is a key"),
        ('[identify.traits]\nx = "custom:a.b"', "'a.b' is no name of a custom field"),
        ('[identify.traits]\nx = "custom:$a"', "'$a' is no name of a custom field"),
        ('[identify.traits]\nx = "custom:"', "'' is no name of a custom field"),
        ('[identify.traits]\nx = "info:a"', "there is no 'info' to go to"),
        ('[track.properties]\nx = "custom:a"', "there is no 'custom' to go to"),
        ('[track.properties]\nx = "phone"', "Planhat has no field 'phone' of an activity"),
        ('[track.properties]\nx = "info:messageId"', "'messageId' is the call's own in info"),
        ('[identify.traits]\nx = "metric:a b"', "'a b' is no metric's id"),
        ('[identify.traits]\nx = ["phone", "drop"]', '"drop" stands alone'),
        ("[identify.traits]\nx = []", "line 2: identify.traits.x: must be a list of at least 1"),
        ("[identify.traits]\nx = 5", "must be a target, a list of them, or a table with `to`"),
        ('[identify.traits]\nx = { type = "date" }', "line 2: identify.traits.x.to: is missing"),
        ("[identify.traits]\nx = {}", "line 2: identify.traits.x.to: is missing"),
        (
            '[identify.traits]\nx = { to = "phone", typ = 1 }',
            "no such key here; did you mean 'type'?",
        ),
        (
            '[identify.traits]\nx = { to = "phone", type = "int" }',
            "traits.x.type: must be 'text', 'number'",
        ),
        (
            '[identify.traits]\nx = { to = "custom:X", type = "number", default = "a" }',
            "default: is no number",
        ),
        ('[identify.traits]\n"" = "phone"', "a name is missing"),
        ('[track]\naction = "{name}"', "line 2: track.action: {name} is not filled in here: only {event}"),
        ('[track]\naction = "{event"', "a brace stands alone"),
        ('[track]\naction = "{event!r:>9}"', "{event!r:>9} is not filled in here"),
        ('[track]\naction = " "', "an activity needs a name"),
        ('[page]\naction_unnamed = "{category}"', "also where the call has no category"),
        ("[track]\nweight = true", "must be the name of a property, or a number"),
        ("[track]\nweight = inf", "must be a finite number"),
        ('[track.events.E]\nskip = "yes"', "line 2: track.events.E.skip: must be true or false"),
        ('[track.events."A**"]\nskip = true', 'line 1: track.events."A**": ** is no wildcard'),
        ('[page]\naction_unnamed = "{name}"', "{name} is not filled in here"),
        ("[track]\nweight = 9223372036854775808", "a finite number of at most 64 bits"),
        ("version = true", "line 1: version: must be 1"),
        ('[identify.traits]\nx = { to = "custom:X", default = inf }', "must be a finite number"),
        (
            '[identify.traits]\nx = { to = "custom:X", default = [1, nan] }',
            "a list holds text, finite numbers",
        ),
        ('[identify.traits]\nx = { to = "custom:X", default = [2026-01-05] }', "a list holds text, finite"),
        (
            '[identify.traits]\naddress.city = "custom:City"',
            'line 2: identify.traits.address.city: a path stands in quotes: "address.city"',
        ),
        (
            '[identify.traits]\naddress.geo.lat = { to = "custom:Lat" }',
            'identify.traits.address.geo: a path stands in quotes: "address.geo.lat"',
        ),
        (
            '[group.traits.plan]\ntier = "custom:Tier"',
            "line 2: group.traits.plan.tier: a path stands in quotes",
        ),
        ('[track.properties]\norder.total = "info:Total"', 'in quotes: "order.total"'),
        ("a = 1\na = 2", "line 2: this is no TOML: Cannot overwrite a value (what stands here has a value"),
        ("[track]\n[page]\n[track]", "line 3: this is no TOML: Cannot declare [track] twice (put its keys"),
        ("[track]\nb.c = 1\n[track.b]", "Cannot declare [track.b] twice"),
        ("[track]\nunlisted = drop", "line 2: this is no TOML: Invalid value (text stands in quotes"),
        (
            "identify:",
            "line 1: this is no TOML: Expected '=' after a key in a key/value pair (write key = value)",
        ),
        ('[track]\naction = "x\n', "(close the quote on the line where it begins)"),
        pytest.param(
            f"\n[track]\nweight = {'9' * 5_000}", "line 3: a number has more than 4300 digits", id="digits"
        ),
        pytest.param(f"x = {'[' * 5_000}", "line 1: is nested too deep to be a mapping", id="deep"),
        ("x = [1,\n", "line 2: this is no TOML"),
    ],
)
def test_a_mistake_is_named_by_its_line(text: str, expected: str) -> None:
    """Each kind of mistake says where it stands, what is wrong, and what may stand there."""
    (found,) = mistakes(text)

    assert expected in found


def test_every_mistake_is_named_at_once() -> None:
    """One mistake hides no other."""
    text = "version = 9\n[calls]\nscreen = 1\n[identify.traits]\na = 'b'\n\n[track]\nweight = []\n[odd]\n"

    assert [each.partition(":")[0] for each in mistakes(text)] == [f"line {n}" for n in (1, 3, 5, 8, 9)]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *((name, name) for name in ("one", "several", "table", "number", "property", "to")),
        ("[key]", '"[key]"'),
        (r"\u0000one", r'"\u0000one"'),
    ],
)
@pytest.mark.parametrize("rule", ['"fone"', "5", '["fone"]'])
def test_a_mistake_is_found_whatever_its_trait_is_called(name: str, shown: str, rule: str) -> None:
    """Words of the machinery are names like any other in a file."""
    (found,) = mistakes(f'[identify.traits]\n"{name}" = {rule}')

    assert found.startswith(f"line 2: identify.traits.{shown}")


def test_a_mistake_is_one_line_that_a_terminal_can_show() -> None:
    """What a file holds moves no cursor, makes no second line, and fills no screen."""
    (named,) = mistakes('[identify.traits]\n"a\\u001b[31m\\nb" = "fone"')
    (long,) = mistakes(f"[identify.traits]\nx = '{'f' * 100_000}'")

    assert named.startswith(r'line 2: identify.traits."a\u001b[31m\u000ab": Planhat has no field')
    assert len(long) < 500
    assert long.startswith("line 2: identify.traits.x: Planhat has no field 'fff")
    assert long.endswith("drop may stand here")


def test_a_path_without_quotes_hides_no_other_mistake() -> None:
    """Each such key is told once, and so is what else is wrong there."""
    text = (
        '[identify.traits]\naddress.city = "custom:City"\naddress.zip = "custom:Zip"\nx = { typ = "date" }\n'
    )

    assert [each.partition(":")[0] for each in mistakes(text)] == ["line 2", "line 3", "line 4", "line 4"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[events]\nallow = []", "line 2: events.allow: nothing is allowed"),
        ('[events]\ndeny = ["a",\n"[ab]*"]', "line 3: events.deny[1]: '[ab]*' is taken as it stands"),
        ("[events]\ndeny = ['a', '*']", "line 2: events.deny[1]: everything is denied"),
        ('[identify.traits]\nmobile = "phone"', "'phone' goes to 'phone' too"),
        (
            '[identify.traits]\nx = ["custom:X", "custom:X"]',
            "line 2: identify.traits.x: names 'X' more than once",
        ),
        (
            '[identify.traits]\nborn = { to = "createDate", type = "boolean" }',
            "line 2: identify.traits.born: 'createDate' holds a date, and never what type makes: boolean",
        ),
        (
            '[group.traits]\nseats = { to = "metric:seats", type = "text" }',
            "line 2: group.traits.seats: 'seats' holds a number, and never what type makes: text",
        ),
        (
            '[identify.traits]\nborn = { to = "createDate", default = "unknown" }',
            "line 2: identify.traits.born.default: 'createDate' holds a date, which this is not",
        ),
        (
            '[track.properties]\nn = { to = ["info:N", "metric:n"], default = "none" }',
            "line 2: track.properties.n.default: 'n' holds a number, which this is not",
        ),
        (
            '[track.events."Debug *"]\nskip = true\naction = "x"',
            'line 3: track.events."Debug *".action: has no effect where skip is true',
        ),
        ("[screen]\nweight = 2", "line 1: screen: has no effect unless calls.screen is 'activity'"),
    ],
)
def test_what_is_doubtful_is_said(text: str, expected: str) -> None:
    """What is allowed, and hardly meant, is a warning with its line."""
    (warning,) = read_mapping(text).warnings

    assert expected in str(warning)


@given(st.text(string.printable, max_size=80) | st.text(max_size=80))
def test_any_text_is_rules_or_mistakes(text: str) -> None:
    """Reading is total: no text makes it fail in another way."""
    found = None
    try:
        read_mapping(text)
    except MappingMistakes as raised:
        found = raised.mistakes
    assert found is None or found
    assert all(1 <= each.line <= text.count("\n") + 1 for each in found or ())


@pytest.mark.parametrize(
    "text",
    [
        '[identify.traits]\nborn = { to = "createDate", type = "number" }',
        '[identify.traits]\nx = { to = ["featured", "custom:X"], default = "yes" }',
        '[group.traits]\nx = { to = "metric:x", type = "number", default = "1,200" }',
        '[calls]\nscreen = "activity"\n[screen]\nweight = 2',
        "[track.events.x]\nskip = true",
        "[events]\ndeny = ['Debug *']",
    ],
)
def test_what_may_well_be_meant_is_not_doubtful(text: str) -> None:
    """A warning that is none teaches people to overlook them."""
    assert read_mapping(text).warnings == ()
