"""The bundled schemas beside a registry's subjects: what is there, what would be taken, what is added."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

from streamer.avro.compatibility import are_equal_but_for_docs, obstacles
from streamer.avro.datum import DatumReader
from streamer.avro.registry_subjects import Registered, Verdict
from streamer.avro.schemas import Schema
from streamer.errors import SchemaError

MOST_VERSIONS: Final = 100
"""Of a subject that are looked at, the newest ones."""
UNCHECKED: Final = "NONE"
"""The level at which a registry takes everything."""


class SubjectNames(StrEnum):
    """How a type's subject is called; Confluent's serializers have a strategy for each."""

    RECORD = "record"
    """By its full name, such as `segment.Track`: one subject for all topics (RecordNameStrategy)."""
    TOPIC_RECORD = "topic-record"
    """The topic before it, such as `segment.events-segment.Track` (TopicRecordNameStrategy)."""


def subject_name(schema: Schema, names: SubjectNames, topic: str) -> str:
    """The subject of a schema's type."""
    return schema.name if names is SubjectNames.RECORD else f"{topic}-{schema.name}"


class State(StrEnum):
    """What a subject holds, beside a bundled schema."""

    EQUAL = "equal"
    """Its newest version says the same."""
    OLDER = "older"
    """Its newest version is a version that was released before."""
    NEWER = "newer"
    """It has the schema, and later ones: somebody went on."""
    OTHER = "other"
    """Its newest version is none of ours."""
    ABSENT = "absent"
    """There is no such subject, or all its versions were deleted."""


class Client(Protocol):
    """Asks and changes subjects; see `registry_subjects`."""

    def versions(self, subject: str) -> tuple[int, ...]: ...  # noqa: D102 - see there
    def version(self, subject: str, number: int) -> Registered | None: ...  # noqa: D102
    def level(self, subject: str) -> str: ...  # noqa: D102
    def verdict(self, subject: str, definition: Any) -> Verdict: ...  # noqa: ANN401, D102
    def register(self, subject: str, definition: Any) -> int: ...  # noqa: ANN401, D102


@dataclass(frozen=True, slots=True)
class Standing:
    """How a schema stands in a registry."""

    schema: Schema
    subject: str
    state: State
    held: Registered | None = None
    """The version that says the same where there is one, else the newest."""
    newest: int | None = None
    """The number of the newest version."""

    @property
    def is_there(self) -> bool:
        """Whether the registry has the schema itself, so that there is nothing to add."""
        return self.state in {State.EQUAL, State.NEWER}


class Judgement(NamedTuple):
    """Whether a schema may become its subject's newest version."""

    standing: Standing
    level: str
    """The subject's level of compatibility."""
    is_compatible: bool
    reasons: tuple[str, ...] = ()
    """Why it may not."""


class Added(NamedTuple):
    """A schema in a registry."""

    standing: Standing
    schema_id: int | None
    version: int | None
    """Both are None for what would be added and was not."""
    is_new: bool


def standing(client: Client, schema: Schema, released: Sequence[Schema], subject: str) -> Standing:
    """How a schema stands in a subject; `released` are its versions. Raises SourceError."""
    numbers = client.versions(subject)[-MOST_VERSIONS:]
    newest: Registered | None = None
    for number in reversed(numbers):
        found = client.version(subject, number)
        if found is None:
            continue  # deleted since the numbers were told
        newest = newest or found
        if _is(found, schema):
            state = State.EQUAL if found is newest else State.NEWER
            return Standing(schema, subject, state, found, newest.version)
    if newest is None:
        return Standing(schema, subject, State.ABSENT)
    state = State.OLDER if any(_is(newest, each) for each in released) else State.OTHER
    return Standing(schema, subject, state, newest, newest.version)


def judgement(client: Client, found: Standing) -> Judgement:
    """Whether the schema may be added where it stands; nothing is written. Raises SourceError.

    The registry decides. Where its level is NONE it would take anything: then we hold the schema to our own
    promise beside the newest version, both ways.
    """
    level = client.level(found.subject)
    if found.held is None or found.is_there:
        return Judgement(found, level, is_compatible=True)
    own = _own_reasons(found.schema, found.held.reader, level)
    if level == UNCHECKED:
        return Judgement(found, level, not own, own)
    verdict = client.verdict(found.subject, found.schema.definition)
    if verdict.is_compatible:
        return Judgement(found, level, is_compatible=True)
    unsaid = ("the registry names no reason: look at the subject's older versions",)
    return Judgement(found, level, is_compatible=False, reasons=verdict.reasons or own or unsaid)


def add(client: Client, judged: Judgement) -> Added:
    """Register a schema that is not there; what is there is left alone.

    Raises:
        SchemaError: it may not be added, or the registry does not take it after all.
        SourceError: the registry gives no answer. What it did then is told by asking again: what
            is there is not added twice.
    """
    found = judged.standing
    if found.is_there and found.held is not None:
        return Added(found, found.held.schema_id, found.held.version, is_new=False)
    if not judged.is_compatible:
        raise SchemaError(f"{found.schema.label} may not become the newest version of {found.subject}")
    schema_id = client.register(found.subject, found.schema.definition)
    now = standing(client, found.schema, (), found.subject)
    return Added(now, schema_id, now.held.version if now.is_there and now.held else None, is_new=True)


def _is(found: Registered, schema: Schema) -> bool:
    return found.reader is not None and are_equal_but_for_docs(found.reader, schema.reader)


def _own_reasons(schema: Schema, newest: DatumReader | None, level: str) -> tuple[str, ...]:
    """What stands between a schema and the newest version, as far as the level asks; at NONE, both ways."""
    if newest is None:
        return ("the newest version is no Avro schema that can be read",)
    backward = obstacles(schema.reader, newest) if not level.startswith("FORWARD") else ()
    forward = obstacles(newest, schema.reader) if not level.startswith("BACKWARD") else ()
    return (
        *(f"cannot read what the newest version wrote: {why}" for why in backward),
        *(f"the newest version cannot read what it writes: {why}" for why in forward),
    )
