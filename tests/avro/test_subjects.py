"""Laws of a schema beside a subject, whatever the registry: what is looked at, and what is told."""

import json
from typing import Any

import pytest

from streamer.avro.registry_http import MAX_REASON_CHARACTERS, MAX_REPLY_BYTES
from streamer.avro.registry_subjects import Registered, SubjectsClient, Verdict
from streamer.avro.schemas import load_schemas
from streamer.avro.subjects import MOST_VERSIONS, Standing, State, judgement, standing
from streamer.errors import SourceError
from tests.avro.registry_server import Reply, running_registry

BUNDLED = {schema.label: schema for schema in load_schemas()}
TRACK, PAGE = BUNDLED["track"], BUNDLED["page"]


class Held:
    """A registry of one subject; None is a version that was deleted since its number was told."""

    def __init__(self, *versions: Registered | None) -> None:
        self.held = dict(enumerate(versions, 1))
        self.asked: list[int] = []

    def versions(self, _: str) -> tuple[int, ...]:
        return tuple(self.held)

    def version(self, _: str, number: int) -> Registered | None:
        self.asked.append(number)
        return self.held[number]

    def level(self, _: str) -> str:
        return "BACKWARD"

    def verdict(self, _subject: str, _definition: Any) -> Verdict:
        return Verdict(is_compatible=False, reasons=())

    def register(self, _subject: str, _definition: Any) -> int:
        raise AssertionError("nothing is to be registered")


def test_only_the_newest_versions_are_looked_at() -> None:
    """Each is a question to the registry: a subject that somebody writes to every day has thousands."""
    registry = Held(*[Registered(number, number, PAGE.reader) for number in range(1, 2 * MOST_VERSIONS)])

    assert standing(registry, TRACK, (), "s").state is State.OTHER
    assert registry.asked == list(range(2 * MOST_VERSIONS - 1, MOST_VERSIONS - 1, -1))


def test_a_version_that_was_deleted_meanwhile_is_passed_over() -> None:
    """Not taken for the end of the subject."""
    found = standing(Held(Registered(1, 1, TRACK.reader), None), TRACK, (), "s")

    assert (found.state, found.newest) == (State.EQUAL, 1)


def test_a_refusal_is_never_without_a_reason() -> None:
    """The registry names none, and beside the newest version there is none: an older one is in the way."""
    found = Standing(TRACK, "s", State.OLDER, Registered(1, 1, TRACK.reader), 1)

    assert judgement(Held(), found).reasons == (
        "the registry names no reason: look at the subject's older versions",
    )


def test_the_reasons_of_a_registry_are_bounded() -> None:
    """Confluent's repeats the whole older schema as a reason, and any may say as much as it likes."""
    told = ["{oldSchema: '{...}'}", "{errorType: X}", "x" * 5_000, 7]
    body = json.dumps({"is_compatible": False, "messages": told}).encode()
    with running_registry() as server:
        server.instead = Reply(200, body)
        client = SubjectsClient(server.url)
        found = client.verdict("s", TRACK.definition)
        client.close()

    assert found.reasons == ("{errorType: X}", "x" * MAX_REASON_CHARACTERS)


def test_a_reply_without_an_end_is_not_kept_in_memory() -> None:
    """However well it begins: what is larger than any schema comes from no registry."""
    body = json.dumps({"compatibilityLevel": "NONE", "more": "x" * MAX_REPLY_BYTES}).encode()
    with running_registry() as server:
        server.instead = Reply(200, body)
        client = SubjectsClient(server.url)
        with pytest.raises(SourceError, match="not_a_registry"):
            client.level("s")
        client.close()
