"""Asks a Confluent schema registry over HTTP; every answer is one of a closed set."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from streamer.avro import json_text
from streamer.avro.datum import DatumReader
from streamer.avro.registry_http import Absent, NoAnswer, Refused, RegistryHttp, Trouble, in_words
from streamer.errors import InvalidEvent, SchemaError

MAX_REFERENCES = 200
"""Schemas one schema may draw in."""
MAX_SCHEMA_DEPTH = 512


# --- what an id stands for ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """An Avro schema, ready to read with."""

    reader: DatumReader


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """A JSON schema: what follows the header is JSON text."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """There is such a schema, and it can never be read with; ids never change what they stand for."""

    why: str


Answer = AvroSchema | JsonSchema | Unreadable | Absent | Trouble


class RegistryClient(RegistryHttp):
    """What one registry's ids stand for. Its calls wait for the network: not for the owner thread."""

    def fetch(self, schema_id: int) -> Answer:
        """What this id stands for; never raises for what a registry may do."""
        try:
            return self.meaning(self.get(f"/schemas/ids/{schema_id}"))
        except NoAnswer as no_answer:
            instead = no_answer.instead
            # A question refuses nobody; who says so is no registry.
            return Trouble.NOT_A_REGISTRY if isinstance(instead, Refused) else instead

    def check(self) -> None:
        """Ask something every registry answers.

        Raises:
            SourceError: it does not; says why and what to look at.
        """
        try:
            reply = self.get("/schemas/types")
        except NoAnswer as no_answer:
            raise in_words(no_answer.instead) from None
        if not isinstance(reply, list) or "AVRO" not in reply:
            raise in_words(Trouble.NOT_A_REGISTRY)

    def meaning(self, reply: Any) -> AvroSchema | JsonSchema | Unreadable:  # noqa: ANN401 any JSON
        """What a reply about a schema stands for; asks for what the schema refers to. Raises NoAnswer."""
        if not isinstance(reply, dict):
            raise NoAnswer(Trouble.NOT_A_REGISTRY)
        schema_type = reply.get("schemaType", "AVRO")
        if schema_type == "JSON":
            return JsonSchema()
        if schema_type != "AVRO":
            return Unreadable("its schema is neither Avro nor JSON")
        named: dict[str, Any] = {}
        try:
            self._draw_in(reply, named, set())
            return AvroSchema(_reader_of(reply, named))
        except SchemaError as error:
            return Unreadable(str(error))

    def _draw_in(self, reply: dict[str, Any], named: dict[str, Any], seen: set[tuple[str, str]]) -> None:
        """Parse what a schema refers to, innermost first, into `named`."""
        references = reply.get("references") or []
        if not isinstance(references, list):
            raise NoAnswer(Trouble.NOT_A_REGISTRY)
        for reference in references:
            try:
                where = (str(reference["subject"]), str(int(reference["version"])))
            except (LookupError, TypeError, ValueError):
                raise NoAnswer(Trouble.NOT_A_REGISTRY) from None
            if where in seen:
                continue
            seen.add(where)
            if len(seen) > MAX_REFERENCES:
                raise SchemaError(f"draws in more than {MAX_REFERENCES} schemas")
            # One that was deleted softly is still what the schema was written with.
            subject, version = where
            inner = self.get(f"/subjects/{quote(subject, safe='')}/versions/{version}?deleted=true")
            if not isinstance(inner, dict):
                raise NoAnswer(Trouble.NOT_A_REGISTRY)
            self._draw_in(inner, named, seen)
            named.update(_reader_of(inner, named).named)


def _reader_of(reply: dict[str, Any], named: dict[str, Any]) -> DatumReader:
    """What reads by a reply's schema. Raises SchemaError that quotes nothing: it is a letter's detail."""
    try:
        return DatumReader(_schema_of(reply), named)
    except SchemaError:
        raise SchemaError(
            "its schema is no Avro schema that can be read; look it up in the registry"
        ) from None


def _schema_of(reply: dict[str, Any]) -> Any:  # noqa: ANN401 a schema: a name, a dict or a list
    """A reply's schema: JSON inside JSON. Raises NoAnswer where it has none."""
    text = reply.get("schema")
    if not isinstance(text, str):
        raise NoAnswer(Trouble.NOT_A_REGISTRY)
    try:
        return json_text.parse(text, max_depth=MAX_SCHEMA_DEPTH)
    except InvalidEvent:
        # A registry may keep a primitive's name without quotes.
        return text
