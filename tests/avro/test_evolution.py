"""Laws of evolution: what any released version wrote is read today, and today's by whom that is promised."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import fastavro
import pytest

from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.framing import SINGLE_OBJECT_HEADER_BYTES
from streamer.avro.schemas import IN_CHECKOUT, RELEASED, Schema, Schemas, load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent, SchemaError
from streamer.outcomes import InvalidReason
from tests.avro.events import CALL_TYPES
from tests.avro.evolutions import Edit, add_field, change, drop_field, rename, set_type
from tools.schemas import SUMS, freeze, main, problems


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A copy of `schemas/`, as in a source archive: no history, no tags."""
    shutil.copytree(IN_CHECKOUT, tmp_path / "schemas")
    return tmp_path / "schemas"


# --- what CI checks --------------------------------------------------------------------------------


def test_the_bundled_schemas_fit_all_that_was_released() -> None:
    """Every released version is there, as it was; each schema is its newest one and fits the others."""
    assert problems() == []


def test_the_check_is_part_of_make_check(capsys: pytest.CaptureFixture[str]) -> None:
    """The program says so, and `make check` runs it."""
    assert main(["check"]) == 0
    assert "every released version is kept" in capsys.readouterr().out
    makefile = (IN_CHECKOUT.parent / "Makefile").read_text(encoding="utf-8")
    (line,) = (line for line in makefile.splitlines() if line.startswith("check:"))
    assert "schemas-check" in line.split()


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (add_field("plan", "string"), "cannot read what version 1 wrote: plan: not written"),
        (set_type("event", ["null", "long"]), "cannot read what version 1 wrote: event: written as string"),
        (
            set_type("event", ["null", "string", "long"]),
            "version 1 cannot read what it writes: event: written as long",
        ),
        (set_type("type", {"type": "enum", "name": "TrackType", "symbols": ["track", "event"]}), "event"),
        (drop_field("type"), "version 1 cannot read what it writes: type: not written"),
        (rename, "written as record segment.Track, read as record segment.Tracked"),
        (set_type("extra", ["null", "string"]), "differs from version 1 in what no fingerprint tells"),
        (add_field("plan", ["null", "string"], None), "`make schemas` makes it version 2"),
    ],
)
def test_a_change_that_breaks_the_promise_is_told(folder: Path, edit: Edit, says: str) -> None:
    """Each kind of break is named, with the version and the field; so is a change that is not frozen yet."""
    change(folder, "track", edit)

    assert any(each.startswith("track ") and says in each for each in problems(folder)), problems(folder)


def test_what_is_released_stays_as_it_is(folder: Path) -> None:
    """A released file that is edited, gone, not noted, or of no schema is named."""
    released = folder / RELEASED
    (released / "track.v1.avsc").write_text((released / "track.v1.avsc").read_text().replace("doc", "doc "))
    (released / "page.v1.avsc").unlink()
    shutil.copyfile(released / "group.v1.avsc", released / "group.v3.avsc")
    (folder / "alias.avsc").unlink()
    told = "\n".join(problems(folder))

    assert "released/track.v1.avsc was changed, and what is released stays" in told
    assert "released/page.v1.avsc is gone" in told
    assert "released/group.v3.avsc is not noted" in told
    assert "group has versions (1, 3): one is missing" in told
    assert "released/alias.v1.avsc is a version of no schema" in told


def test_docs_may_be_mended_without_a_new_version(folder: Path) -> None:
    """Words change nothing that is written."""
    change(folder, "track", lambda definition: definition.update(doc="Other words."))

    assert problems(folder) == []
    assert freeze(folder) == []


def test_freezing_makes_the_next_version_and_only_of_what_fits(folder: Path) -> None:
    """A sound change becomes version 2 and all is well; a broken one becomes none, and nothing is written."""
    change(folder, "track", add_field("plan", ["null", "string"], None))
    assert freeze(folder) == ["track.v2.avsc"]
    assert problems(folder) == []
    before = (folder / RELEASED / SUMS).read_text()

    change(folder, "track", add_field("needed", "string"))
    with pytest.raises(SchemaError, match="track cannot read what version 2 wrote: needed"):
        freeze(folder)
    assert (folder / RELEASED / SUMS).read_text() == before
    assert not (folder / RELEASED / "track.v3.avsc").exists()


def test_an_older_version_that_comes_back_is_told(folder: Path) -> None:
    """Who takes a version back leaves records of the later one behind."""
    change(folder, "track", add_field("plan", ["null", "string"], None))
    freeze(folder)
    change(folder, "track", drop_field("plan"))

    assert problems(folder) == ["track says what version 1 says, and there are later ones"]


# --- writers and readers ---------------------------------------------------------------------------


@pytest.fixture(scope="module", name="evolving")
def _evolving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`schemas/` two versions from now: a field was added to each, then one was dropped and another added."""
    folder = tmp_path_factory.mktemp("evolving") / "schemas"
    shutil.copytree(IN_CHECKOUT, folder)
    for label in CALL_TYPES:
        change(folder, label, add_field("added", ["null", "string", "long"], None))
    freeze(folder)
    for label in CALL_TYPES:
        change(folder, label, drop_field("channel"))
        change(folder, label, add_field("later", ["null", {"type": "string", "logicalType": "json"}], None))
    freeze(folder)
    assert problems(folder) == []
    return folder


def versions(schemas: Schemas, label: str) -> dict[int, Schema]:
    """The versions of a schema, the first one first."""
    schema = schemas.by_name(label)
    assert schema is not None
    return schemas.released(schema)


def as_current(schema: Schema, label: str) -> Schema:
    """A version as the schema that a producer of its days writes with."""
    return Schema(schema.name, label, schema.source, schema.definition, schema.fingerprint, schema.reader)


def events_of(label: str, count: int) -> Iterator[dict[str, Any]]:
    """Calls with all kinds of fields, some of which no version has a place for."""
    dice = Random(label)
    choices: dict[str, list[Any]] = {
        "messageId": ["m-1"], "userId": ["u-123", 7, 2**70], "channel": ["web", 3], "added": ["x", 5, 1.5],
        "later": [{"a": [1, None]}, "y"], "context": [{"groupId": "acme", "n": 2**70}],
        "event": ["Paid", None],
        "traits": [{"plan": "pro"}], "properties": [{"Größe": 1.5}], "foreign": [[{"deep": 1}]],
        "timestamp": ["2026-01-05T10:00:00Z"],
    }  # fmt: skip
    for _ in range(count):
        chosen = {name: dice.choice(values) for name, values in choices.items() if dice.random() < 0.7}
        yield {"type": label, **chosen}


def without_nulls(event: Any) -> Any:
    """A field that is null and one that is absent are the same."""
    return {name: value for name, value in event.items() if value is not None}


@pytest.mark.parametrize("makes_readers", [True, False], ids=["made", "fastavro"])
@pytest.mark.parametrize("label", CALL_TYPES)
def test_what_any_version_wrote_is_read_today(evolving: Path, label: str, makes_readers: bool) -> None:
    """By single-object framing, an event comes out as it went in, whichever version its writer had."""
    for folder, known in ((IN_CHECKOUT, None), (evolving, 3)):
        schemas = load_schemas(folder)
        decoder = Decoder(schemas, makes_readers=makes_readers)
        writers = versions(schemas, label)
        assert known is None or list(writers) == [1, 2, 3]
        for writer in writers.values():
            encoder = Encoder(Schemas([as_current(writer, label)]))
            for event in events_of(label, 20):
                outcome = decoder.decode(encoder.encode(event))

                assert isinstance(outcome, Decoded)
                assert without_nulls(outcome.value) == without_nulls(event), writer.label


@pytest.mark.parametrize("label", CALL_TYPES)
def test_every_version_reads_every_other_by_avros_resolution(evolving: Path, label: str) -> None:
    """For readers with a schema of their own: what both versions have is the same, the rest its default."""
    schemas = load_schemas(evolving)
    for writer in versions(schemas, label).values():
        encoder = Encoder(Schemas([as_current(writer, label)]))
        for event in events_of(label, 10):
            datum = encoder.encode(event)[SINGLE_OBJECT_HEADER_BYTES:]
            written = fastavro.schemaless_reader(io.BytesIO(datum), writer.definition, None)
            assert isinstance(written, dict)
            for reader in versions(schemas, label).values():
                read = fastavro.schemaless_reader(io.BytesIO(datum), writer.definition, reader.definition)
                names = [member["name"] for member in reader.definition["fields"]]

                assert read == {name: written.get(name) for name in names}, (writer.label, reader.label)


def test_a_program_of_yesterday_does_not_know_the_fingerprints_of_tomorrow(evolving: Path) -> None:
    """By single-object framing alone nothing tells it the new schema: so readers are upgraded first."""
    newer = Encoder(load_schemas(evolving)).encode({"type": "track", "event": "Paid"})

    with pytest.raises(InvalidEvent) as caught:
        Decoder(load_schemas()).decode(newer)
    assert caught.value.reason is InvalidReason.UNKNOWN_SCHEMA


def test_released_versions_do_not_stand_for_the_schema(evolving: Path) -> None:
    """A name is the newest version's; older ones are found by fingerprint and label, and not counted."""
    schemas = load_schemas(evolving)
    track, first = schemas.by_name("track"), schemas.by_name("track.v1")

    assert track is not None
    assert first is not None
    assert schemas.by_name("segment.Track") is track
    assert schemas.by_fingerprint(track.fingerprint) is track
    assert schemas.by_fingerprint(first.fingerprint) is first
    assert [schema.label for schema in schemas] == sorted(CALL_TYPES)
    bare = Decoder(schemas, value_format="bare:track.v1")
    value = Encoder(Schemas([as_current(first, "track")])).encode({"type": "track", "channel": "web"}, "bare")
    outcome = bare.decode(value)
    assert isinstance(outcome, Decoded)
    assert outcome.value["channel"] == "web"
