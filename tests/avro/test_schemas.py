"""Laws of the bundled schemas and of how they are found."""

import json
import shutil
from pathlib import Path
from typing import Any

import fastavro.schema
import pytest

from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import IN_CHECKOUT, Schema, load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import SchemaError
from tests.avro.events import CALL_TYPES

ENVELOPE = [
    *("type", "messageId", "userId", "anonymousId", "timestamp", "originalTimestamp", "sentAt"),
    *("receivedAt", "channel", "version", "context", "integrations"),
]
OWN_FIELDS = {
    "identify": ["traits"],
    "group": ["groupId", "traits"],
    "track": ["event", "properties"],
    "page": ["name", "category", "properties"],
    "screen": ["name", "category", "properties"],
    "alias": ["previousId"],
    "delete": [],
}
BUNDLED = {schema.label: schema for schema in load_schemas()}


def fields_of(schema: Schema) -> list[dict[str, Any]]:
    """The fields as the file spells them."""
    fields: list[dict[str, Any]] = json.loads(schema.source.read_text())["fields"]
    return fields


def test_there_is_one_schema_for_each_call_type() -> None:
    """Every type of call has its schema, and there are no others."""
    assert sorted(BUNDLED) == sorted(CALL_TYPES)


@pytest.mark.parametrize("call_type", CALL_TYPES)
def test_fields_bear_segments_names(call_type: str) -> None:
    """A schema is the envelope, the call's own fields, and the overflow; all under Segment's names."""
    names = [member["name"] for member in fields_of(BUNDLED[call_type])]

    assert names == [*ENVELOPE, *OWN_FIELDS[call_type], "extra"]


@pytest.mark.parametrize("call_type", CALL_TYPES)
def test_envelope_fields_are_the_same_in_every_schema(call_type: str) -> None:
    """The envelope is spelled alike in all files, `type` aside."""
    envelope = fields_of(BUNDLED[call_type])[1 : len(ENVELOPE)]

    assert envelope == fields_of(BUNDLED["track"])[1 : len(ENVELOPE)]


@pytest.mark.parametrize("call_type", CALL_TYPES)
def test_every_field_is_documented_and_may_be_absent(call_type: str) -> None:
    """Every field has a doc, and every one but `type` defaults to null, so that fields can come and go."""
    for member in fields_of(BUNDLED[call_type]):
        assert len(member["doc"]) > 10, member["name"]
        assert member["name"] == "type" or (member["type"][0] == "null" and member["default"] is None)


def test_files_are_readable_by_the_avro_library_alone() -> None:
    """Each file is a schema complete in itself: no loader of ours is needed to use it."""
    for path in IN_CHECKOUT.glob("*.avsc"):
        parsed = fastavro.schema.parse_schema(json.loads(path.read_text(encoding="utf-8")))
        assert isinstance(parsed, dict)
        assert parsed["name"] == f"segment.{path.stem.capitalize()}"


def test_fingerprints_are_those_of_the_avro_specification(tmp_path: Path) -> None:
    """A schema's fingerprint is CRC-64-AVRO of its canonical form, little-endian."""
    empty = 0xC15D213AA4D7A795
    table = []
    for index in range(256):
        entry = index
        for _ in range(8):
            entry = (entry >> 1) ^ (empty & -(entry & 1))
        table.append(entry)
    (tmp_path / "one.avsc").write_text(
        '{"doc": "d", "name": "One", "namespace": "n", "type": "record",'
        ' "fields": [{"type": "long", "name": "a", "default": 1}]}'
    )
    canonical = b'{"name":"n.One","type":"record","fields":[{"name":"a","type":"long"}]}'
    fingerprint = empty
    for byte in canonical:
        fingerprint = (fingerprint >> 8) ^ table[(fingerprint ^ byte) & 0xFF]

    (one,) = load_schemas(tmp_path)

    assert one.fingerprint == fingerprint.to_bytes(8, "little")


def test_schemas_are_found_by_name_label_and_fingerprint() -> None:
    """A schema answers to its Avro name, its file's name and its fingerprint."""
    schemas = load_schemas()
    track = schemas.by_name("track")

    assert track is not None
    assert schemas.by_name("segment.Track") is track
    assert schemas.by_fingerprint(track.fingerprint) is track
    assert schemas.by_name("nonsense") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("7", "not a named Avro type"),
        ('{"type": "array", "items": "long"}', "not a named Avro type"),
        ('{"type": "enum", "name": "A"}', "not an Avro schema"),
        ('{"type": "record", "name": "A", "fields": [{"name": "b", "type": "Elsewhere"}]}', "Elsewhere"),
        ('{"type": "record", "name": "A", "fields": [{"name": "b", "type": {"type": {}}}]}', "not an Avro"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    """A file that holds no schema is refused by name, with what to do."""
    (tmp_path / "bad.avsc").write_text(text)

    with pytest.raises(SchemaError, match=says) as caught:
        load_schemas(tmp_path)

    assert str(tmp_path / "bad.avsc") in str(caught.value)
    assert "mend it" in str(caught.value)


def test_missing_and_empty_directories_are_named(tmp_path: Path) -> None:
    """A directory without schemas is refused by name."""
    with pytest.raises(SchemaError, match="nowhere"):
        load_schemas(tmp_path / "nowhere")
    with pytest.raises(SchemaError, match=r"no [.]avsc"):
        load_schemas(tmp_path)


def test_two_files_cannot_hold_the_same_schema(tmp_path: Path) -> None:
    """Two files of one fingerprint are one too many; both are named."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.avsc").write_text('{"type": "record", "name": "A", "fields": []}')

    with pytest.raises(SchemaError, match=r"b\.avsc and .*a\.avsc"):
        load_schemas(tmp_path)


def test_older_versions_stay_readable(tmp_path: Path) -> None:
    """A value written with an older version is read with its own file; new ones with the new file."""
    shutil.copytree(IN_CHECKOUT, tmp_path, dirs_exist_ok=True)
    older = Encoder(load_schemas(tmp_path)).encode({"type": "track", "event": "Paid", "added": 7})
    newer_schema = json.loads((tmp_path / "track.avsc").read_text(encoding="utf-8"))
    newer_schema["fields"].append({"name": "added", "type": ["null", "long"], "default": None})
    (tmp_path / "track.avsc").rename(tmp_path / "track.v1.avsc")
    (tmp_path / "track.avsc").write_text(json.dumps(newer_schema))

    schemas = load_schemas(tmp_path)
    newer = Encoder(schemas).encode({"type": "track", "event": "Paid", "added": 7})

    assert schemas.by_name("segment.Track") is schemas.by_name("track")
    assert older[:10] != newer[:10]
    for value in (older, newer):
        outcome = Decoder(schemas).decode(value)
        assert isinstance(outcome, Decoded)
        assert (outcome.value["event"], outcome.value["added"]) == ("Paid", 7)
