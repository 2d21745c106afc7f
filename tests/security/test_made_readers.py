"""Readers of Avro are source code made for a schema: a schema's words must never be read as code."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from streamer.avro.datum import DatumReader
from streamer.avro.generated import made_reader
from streamer.errors import SchemaError


@pytest.mark.parametrize("place", ["field", "record", "inner", "logical type", "symbol"])
def test_words_of_a_schema_are_not_code(place: str, tmp_path: Path) -> None:
    """Whatever quotes and line ends they hold, they are keys of what is read, or the schema is refused."""
    mark = tmp_path / "ran"
    call = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    double = call.replace("'", '"')
    quotes = ("'", '"', "'''", '"""', "", "\\'", "{")
    for quote, code, by_rows in itertools.product(quotes, (call, double), (False, True)):
        for word in (f"{quote}\n{code}\n#", f"x{quote}]; {code} #", f"{quote}+{code}+{quote}", f"{{{code}}}"):
            try:
                read = made_reader(DatumReader(_schema(place, word)), by_rows=by_rows)
            except SchemaError:
                continue
            try:
                value = read(b"\x02a", 0)
            except Exception:  # noqa: BLE001 - what it reads is not asked here
                continue
            assert place != "field" or value == {word: "a"}
    assert not mark.exists()


def _schema(place: str, word: str) -> Any:
    text: Any = "string"
    if place == "logical type":
        text = {"type": "string", "logicalType": word}
    if place == "symbol":
        text = {"type": "enum", "name": "E", "symbols": ["a", word]}
    if place == "inner":
        text = {"type": "record", "name": word, "fields": [{"name": "a", "type": "string"}]}
    name, field = ("R" if place != "record" else word), ("f" if place != "field" else word)
    return {"type": "record", "name": name, "fields": [{"name": field, "type": text}]}
