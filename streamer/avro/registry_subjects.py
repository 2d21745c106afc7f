"""Subjects of a Confluent schema registry: what they hold, what they take, and how to add to them."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from streamer.avro.datum import DatumReader
from streamer.avro.registry_client import AvroSchema, RegistryClient
from streamer.avro.registry_http import Absent, NoAnswer, Refused, Trouble, in_words
from streamer.errors import SchemaError

_LONG_REASON = "{oldSchema:"
"""Begins the reason of Confluent's registry that repeats the whole older schema."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a subject."""

    schema_id: int
    version: int
    reader: DatumReader | None
    """Reads what it describes; None where that is not Avro, or none that can be read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a registry says of a schema that might become a subject's next version."""

    is_compatible: bool
    reasons: tuple[str, ...]
    """The registry's own words; some say none."""


class SubjectsClient(RegistryClient):
    """Asks and changes subjects, and waits.

    Raises (from every method):
        SourceError: the registry gives no answer, or none that a registry gives; says why and what to do.
    """

    def versions(self, subject: str) -> tuple[int, ...]:
        """The numbers of its versions, oldest first; empty where there is no such subject."""
        reply = self._asked(f"/subjects/{_part(subject)}/versions")
        if reply is None:
            return ()
        if not isinstance(reply, list) or not all(isinstance(number, int) for number in reply):
            raise in_words(Trouble.NOT_A_REGISTRY)
        return tuple(sorted(reply))

    def version(self, subject: str, number: int) -> Registered | None:
        """One of its versions; None where there is none of this number."""
        reply = self._asked(f"/subjects/{_part(subject)}/versions/{number}")
        if reply is None:
            return None
        try:
            answer = self.meaning(reply)
            schema_id, version = reply["id"], reply["version"]
        except NoAnswer as no_answer:
            raise in_words(no_answer.instead) from None
        except LookupError:
            raise in_words(Trouble.NOT_A_REGISTRY) from None
        if not isinstance(schema_id, int) or not isinstance(version, int):
            raise in_words(Trouble.NOT_A_REGISTRY)
        return Registered(schema_id, version, answer.reader if isinstance(answer, AvroSchema) else None)

    def level(self, subject: str) -> str:
        """The level of compatibility in force for it, such as `BACKWARD`: its own, else the registry's."""
        reply = self._asked(f"/config/{_part(subject)}")
        if reply is None:
            reply = self._asked("/config")
        level = reply.get("compatibilityLevel") if isinstance(reply, dict) else None
        if not isinstance(level, str):
            raise in_words(Trouble.NOT_A_REGISTRY)
        return level

    def verdict(self, subject: str, definition: Any) -> Verdict:  # noqa: ANN401 a schema
        """Whether a schema may become the next version of a subject that is there; nothing is written."""
        path = f"/compatibility/subjects/{_part(subject)}/versions"
        try:
            try:
                reply = self.post(f"{path}?verbose=true", _sent(definition))
            except NoAnswer as no_answer:
                if no_answer.instead is not Trouble.NOT_A_REGISTRY:
                    raise
                # Registries that compare with one version at a time only.
                reply = self.post(f"{path}/latest?verbose=true", _sent(definition))
        except NoAnswer as no_answer:
            if isinstance(no_answer.instead, Refused):
                return Verdict(is_compatible=False, reasons=_said(no_answer.instead.reason))
            raise in_words(no_answer.instead) from None
        if not isinstance(reply, dict) or not isinstance(reply.get("is_compatible"), bool):
            raise in_words(Trouble.NOT_A_REGISTRY)
        messages = reply.get("messages")
        listed = messages if isinstance(messages, list) else []
        told = (self.masked(each) for each in listed if not str(each).startswith(_LONG_REASON))
        return Verdict(reply["is_compatible"], tuple(each for each in told if each))

    def register(self, subject: str, definition: Any) -> int:  # noqa: ANN401 a schema
        """Make a schema the newest version of a subject; gives its id. The same again changes nothing.

        Raises:
            SchemaError: the registry does not take it; says its reason.
        """
        try:
            reply = self.post(f"/subjects/{_part(subject)}/versions", _sent(definition))
        except NoAnswer as no_answer:
            if isinstance(no_answer.instead, Refused):
                why = no_answer.instead.reason or "no reason given"
                raise SchemaError(
                    f"the registry does not take a schema for subject {subject} ({why}); nothing was "
                    "changed there; see what `streamer schemas check` says of it"
                ) from None
            raise in_words(no_answer.instead) from None
        if not isinstance(reply, dict) or not isinstance(reply.get("id"), int):
            raise in_words(Trouble.NOT_A_REGISTRY)
        return int(reply["id"])

    def _asked(self, path: str) -> Any:  # noqa: ANN401 any JSON
        """The answer; None where the registry says that there is no such thing."""
        try:
            return self.get(path)
        except NoAnswer as no_answer:
            if isinstance(no_answer.instead, Absent):
                return None
            raise in_words(no_answer.instead) from None


def _part(subject: str) -> str:
    return quote(subject, safe="")


def _sent(definition: Any) -> dict[str, str]:  # noqa: ANN401 a schema
    return {"schema": json.dumps(definition)}


def _said(reason: str) -> tuple[str, ...]:
    return (reason,) if reason else ()
