"""`streamer schemas`: the bundled schemas beside their released versions, and a registry's subjects."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from streamer.app.building import registry_access
from streamer.avro.evolution import Evolved, evolved
from streamer.avro.registry_subjects import SubjectsClient
from streamer.avro.schemas import load_schemas
from streamer.avro.subjects import (
    Added,
    Judgement,
    Standing,
    SubjectNames,
    add,
    judgement,
    standing,
    subject_name,
)
from streamer.config import Settings
from streamer.errors import SchemaError, UsageError


@dataclass(frozen=True, slots=True)
class Beside:
    """The bundled schemas beside a registry."""

    client: SubjectsClient
    names: SubjectNames
    topic: str

    def standings(self) -> Iterator[Standing]:
        """How each stands there. Raises SourceError where the registry gives no answer."""
        schemas = load_schemas()
        for schema in schemas:
            subject = subject_name(schema, self.names, self.topic)
            yield standing(self.client, schema, tuple(schemas.released(schema).values()), subject)

    def judgements(self) -> Iterator[Judgement]:
        """Whether each may be added; nothing is written. Raises SourceError."""
        for found in self.standings():
            yield judgement(self.client, found)

    def additions(self, judged: tuple[Judgement, ...]) -> Iterator[Added]:
        """Add what is not there, one after another. Raises SchemaError, SourceError."""
        for each in judged:
            yield add(self.client, each)


@contextmanager
def beside_registry(settings: Settings, names: SubjectNames, topic: str | None) -> Iterator[Beside]:
    """The registry of the settings, for as long as the block lasts. Raises UsageError where none is set."""
    if settings.schema_registry_url is None:
        raise UsageError("no registry is named: set STREAMER_SCHEMA_REGISTRY_URL")
    client = SubjectsClient(settings.schema_registry_url, **registry_access(settings))
    try:
        yield Beside(client, names, topic or settings.kafka_topic)
    finally:
        client.close()


def beside_released() -> tuple[Evolved, ...]:
    """Each bundled schema beside its released versions. Raises SchemaError where there are none."""
    found = tuple(evolved(load_schemas()))
    if not any(each.versions for each in found):
        raise SchemaError(
            "the released versions of the schemas are missing, so nothing can be compared; "
            "install the package again, or restore schemas/released/"
        )
    return found
