"""Laws of finding the line of a key: whatever way a TOML text is written, each key is where it stands."""

import string
import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamer.mapping.lines import Path, locate

BARE = string.ascii_letters + string.digits + "_-"
keys = st.text(BARE, min_size=1, max_size=6) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), max_size=6
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
scalars = st.booleans() | st.integers(-999, 999) | texts
arrays = st.lists(scalars, max_size=3)


def spelled(key: str) -> str:
    """A key as TOML takes it."""
    if key and all(each in BARE for each in key):
        return key
    return quoted(key)


def quoted(text: str) -> str:
    """Text as a basic string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def value(draw: Any, found: Any) -> str:
    """One spelling of a value, on one line."""
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, int):
        return str(found)
    if isinstance(found, list):
        return "[" + ", ".join(value(draw, each) for each in found) + "]"
    if "'" not in found and draw(st.booleans()):
        return f"'{found}'"
    return quoted(found)


@st.composite
def documents(draw: Any) -> tuple[str, dict[Path, int]]:  # noqa: C901 - one way of writing after the other
    """A TOML text with comments, blank lines, long strings and arrays over lines; where each key stands."""
    lines: list[str] = []
    expected: dict[Path, int] = {}

    def noise() -> None:
        lines.extend(draw(st.lists(st.sampled_from(["", "  ", "# [no.table] = 1", "\t# x = ["]), max_size=2)))

    def pair(table: Path, name: str) -> None:
        kind = draw(st.sampled_from(["scalar", "array", "long array", "long text", "inline"]))
        here = len(lines) + 1
        expected[(*table, name)] = here
        head = f"{spelled(name)} = "
        if kind == "long text":
            lines.extend([head + '"""', "[x]", 'a = "b" # no comment', '"""'])
        elif kind == "long array":
            entries = draw(arrays)
            lines.append(head + "[")
            for number, each in enumerate(entries):
                expected[(*table, name, number)] = len(lines) + 1
                lines.append(f"  {value(draw, each)},  # [in, it]")
            lines.append("]")
        elif kind == "inline":
            inner = draw(st.dictionaries(keys, scalars, max_size=3))
            for key in inner:
                expected[(*table, name, key)] = here
            lines.append(
                head + "{" + ", ".join(f"{spelled(k)} = {value(draw, v)}" for k, v in inner.items()) + "}"
            )
        else:
            found = draw(arrays if kind == "array" else scalars)
            if isinstance(found, list):
                expected.update({(*table, name, number): here for number in range(len(found))})
            lines.append(head + value(draw, found) + draw(st.sampled_from(["", " # note", "  "])))

    for name in draw(st.lists(keys, unique=True, max_size=3)):
        noise()
        pair((), name)
    outer = [each for each in draw(st.lists(keys, unique=True, max_size=3)) if (each,) not in expected]
    for table in outer:
        noise()
        path: Path = (table, draw(keys)) if draw(st.booleans()) else (table,)
        for length in range(1, len(path) + 1):
            expected.setdefault(path[:length], len(lines) + 1)
        lines.append("[" + " . ".join(spelled(str(each)) for each in path) + "]")
        for name in draw(st.lists(keys, unique=True, max_size=3)):
            noise()
            pair(path, name)
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"])), expected


@given(documents())
def test_every_key_is_found_where_it_stands(document: tuple[str, dict[Path, int]]) -> None:
    """The line of each key and array entry is the one it was written on, and nothing else is found."""
    text, expected = document
    tomllib.loads(text)

    assert locate(text) == expected


def test_dotted_keys_and_arrays_of_tables_have_lines() -> None:
    """A dotted key stands for the tables on its way, and each table of an array has a place of its own."""
    text = 'a.b."c d" = 1\n[[t]]\nx = 1\n[[t]]\nx = 2\n[t.u]\ny = 3\n'

    assert locate(text) == {
        ("a",): 1,
        ("a", "b"): 1,
        ("a", "b", "c d"): 1,
        ("t",): 2,
        ("t", 0): 2,
        ("t", 0, "x"): 3,
        ("t", 1): 4,
        ("t", 1, "x"): 5,
        ("t", 1, "u"): 6,
        ("t", 1, "u", "y"): 7,
    }
