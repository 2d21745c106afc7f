"""Laws of the judge of schemas: it says what a reader will meet."""

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from streamer.avro import compatibility
from streamer.avro.compatibility import are_equal_but_for_docs, obstacles
from streamer.avro.datum import DatumReader
from tests.avro.evolutions import CHANGES, Change, record, within
from tests.avro.resolution import is_readable


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_stands_in_the_way_is_told(change: Change) -> None:
    """Each change is allowed or told of with its place, in either direction."""
    old, new = DatumReader(within(change.old)), DatumReader(within(change.new))
    for words, found in (
        (change.new_reads_old, obstacles(new, old)),
        (change.old_reads_new, obstacles(old, new)),
    ):
        assert bool(found) == bool(words), found
        assert re.search(words, "\n".join(found)), found


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_fastavro_reads_what_is_allowed_and_nothing_else(change: Change) -> None:
    """What is written by one is read by the other exactly where the judge says so."""
    old, new = within(change.old), within(change.new)

    assert is_readable(new, old) == (not change.new_reads_old)
    assert is_readable(old, new) == (not change.old_reads_new)


def test_aliases_are_the_readers() -> None:
    """A field or a record that was renamed is found by its alias; only the reader's own count."""
    old = record("Old", a="int")
    new = record("New", b="int") | {"aliases": ["Old"]}
    new["fields"][0]["aliases"] = ["a"]

    assert obstacles(DatumReader(new), DatumReader(old)) == ()
    assert len(obstacles(DatumReader(old), DatumReader(new))) == 1


def chain(of: Any) -> DatumReader:
    """A record that contains itself, with a value."""
    return DatumReader(record("Link", value=of, next=["null", "Link"]))


def test_types_that_contain_themselves_end() -> None:
    """They are looked through once; what differs within them is told once."""
    assert obstacles(chain("long"), chain("int")) == ()
    assert len(obstacles(chain("int"), chain("long"))) == 1


def test_a_record_that_only_one_branch_reads_is_read() -> None:
    """What one branch of a union makes of a record does not count for the other branch."""
    plain, fuller = record("R", a="int"), record("R", a="int", b="int")
    both = DatumReader(within([{"type": "array", "items": fuller}, {"type": "map", "values": "R"}]))

    assert len(obstacles(both, DatumReader(within({"type": "map", "values": plain})))) == 1
    assert obstacles(both, DatumReader(within({"type": "map", "values": fuller}))) == ()


def nested(depth: int, leaf: str) -> DatumReader:
    """Records in records, each two times and each time perhaps null; the innermost has one field more."""
    found: dict[str, Any] = record("R0", v=leaf)
    for number in range(1, depth):
        found = record(f"R{number}", f=["null", found], g=["null", f"R{number - 1}"])
    return DatumReader(found)


@pytest.mark.parametrize(("leaf", "obstacle"), [("int", ""), ("string", "v: written as string, read as int")])
def test_branches_in_branches_are_compared_once(
    leaf: str, obstacle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schema of others may be deep: what doubles with each level has no end at thirty."""
    asked = list[str]()
    differences = compatibility._Pair.differences

    def count(self: compatibility._Pair, reader: Any, writer: Any, place: str) -> Iterator[str]:
        asked.append(place)
        assert len(asked) < 10_000
        return differences(self, reader, writer, place)

    monkeypatch.setattr(compatibility._Pair, "differences", count)
    found = obstacles(nested(30, "int"), nested(30, leaf))

    assert [each.rpartition(".")[2] for each in found] == ([obstacle] if obstacle else [])


def test_what_is_too_deep_to_be_compared_is_told() -> None:
    """A registry may hold anything: an answer, not a crash. Here the stack is made short instead."""
    schema = nested(60, "int")
    before, depth = sys.getrecursionlimit(), len(inspect.stack(0))
    sys.setrecursionlimit(depth + 60)
    try:
        found, are_equal = obstacles(schema, schema), are_equal_but_for_docs(schema, schema)
    finally:
        sys.setrecursionlimit(before)

    assert found == ("the datum: types within types too deep to be compared",)
    assert not are_equal
    assert obstacles(schema, schema) == ()


def test_docs_and_spelling_make_no_difference_and_all_else_does() -> None:
    """Two schemas are one where only docs, order of keys and the way to write a name differ."""
    one = {"type": "record", "name": "N", "namespace": "a", "fields": [{"name": "x", "type": "int"}]}
    same = {"name": "a.N", "doc": "d", "fields": [{"type": "int", "name": "x", "doc": "e"}], "type": "record"}
    others: list[Any] = [
        one | {"name": "M"},
        one | {"aliases": ["M"]},
        one | {"fields": [{"name": "x", "type": "int", "default": 1}]},
        one | {"fields": [{"name": "x", "type": {"type": "int", "logicalType": "date"}}]},
    ]

    assert are_equal_but_for_docs(DatumReader(one), DatumReader(same))
    for other in others:
        assert not are_equal_but_for_docs(DatumReader(one), DatumReader(other)), other


def test_a_default_that_looks_like_a_doc_counts() -> None:
    """Within a default everything is a value."""
    one, other = (
        DatumReader(within({"type": "map", "values": "string"}, {"doc": text})) for text in ("a", "b")
    )

    assert not are_equal_but_for_docs(one, other)
