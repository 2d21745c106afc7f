"""The fields of a record, for the readers made for its schema, and the reader that needs no source."""

from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

from streamer.avro.datum import OVERFLOW_FIELD, DatumReader
from streamer.avro.hazards import AvroType
from streamer.avro.leaf_types import leaf_of
from streamer.avro.leaves import Field, Flat, Leaf, Row
from streamer.avro.measures import RECORDS, Types

MOST_BRANCHES: Final = 64
"""Of a union; so many have a number of one byte."""


class Member(NamedTuple):
    """A field of a record: whether it is kept, and the name of the event's field that it is JSON of."""

    name: str
    type: AvroType
    is_kept: bool
    text_of: str | None = None


def members_of(
    datums: DatumReader, record: AvroType, wanted: Collection[str] | None
) -> tuple[list[Member], str | None]:
    """Of a record that is the datum: some hold JSON text, and that of this name is laid over the others."""
    members = []
    over = None
    for field in record["fields"]:
        name = field["name"]
        is_over = datums.overflows and name == OVERFLOW_FIELD
        over = name if is_over else over
        is_kept = is_over or wanted is None or name in wanted
        is_text = is_kept and name in datums.json_fields
        members.append(Member(name, field["type"], is_kept, name if is_text else None))
    return members, over


def field_of(types: Types, member: Member) -> Field | None:
    """A field as `leaves` reads it; None where its type holds others."""
    what, resolved = types.resolved(member.type)
    found: list[Leaf | None] = []
    for branch in resolved if what == "union" else [resolved]:
        leaf = leaf_of(*types.resolved(branch), member.text_of)
        if leaf is None:
            return None
        found += [leaf, None]
    if len(found) > 2 * MOST_BRANCHES:
        return None
    return Field(member.name if member.is_kept else None, found, is_union=what == "union")


def flat_reader(
    datums: DatumReader,
    types: Types,
    wanted: Collection[str] | None,
    otherwise: Callable[[bytes, int], Any],
) -> Flat | None:
    """What reads the datums of a record of which no field holds others; None for other schemas."""
    what, record = types.resolved(datums.parsed)
    if what not in RECORDS:
        return None
    members, over = members_of(datums, record, wanted)
    fields = [field for field in (field_of(types, member) for member in members) if field is not None]
    if not len(fields) == len(members) == len({member.name for member in members}):
        return None
    return Flat(Row(fields), {member.name: None for member in members if member.is_kept}, over, otherwise)
