"""Laws of the tests' own registry: the client library of confluent_kafka is content with it."""

import importlib
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.avro.registry_server import INVALID_SCHEMA, SCHEMA_NOT_FOUND, RegistryServer, running_registry

with warnings.catch_warnings():
    # On import authlib sets a filter that shows its deprecations whatever was set before: ours goes on top.
    importlib.import_module("authlib.deprecate")
    warnings.filterwarnings("ignore", "The httpx module is deprecated", DeprecationWarning)
    schema_registry = importlib.import_module("confluent_kafka.schema_registry")

ADDRESS = {
    "type": "record",
    "name": "Address",
    "namespace": "a",
    "fields": [{"name": "city", "type": "string"}],
}
PERSON = {
    "type": "record",
    "name": "Person",
    "namespace": "a",
    "fields": [{"name": "home", "type": "a.Address"}],
}


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    """A registry that wants a password."""
    with running_registry() as running:
        running.credentials = ("reader", "s3cret")
        yield running


@pytest.fixture
def client(server: RegistryServer) -> Iterator[Any]:
    """Confluent's own client of it."""
    with schema_registry.SchemaRegistryClient(
        {"url": server.url, "basic.auth.user.info": "reader:s3cret", "max.retries": 0}
    ) as connected:
        yield connected


def schema(source: object, kind: str = "AVRO", references: list[Any] | None = None) -> Any:
    """A schema as the client takes it."""
    return schema_registry.Schema(json.dumps(source), kind, references or [])


def test_a_registered_schema_is_found_by_id_and_by_subject(client: Any) -> None:
    """What is registered is given back by its id, by its version and as the latest."""
    number = client.register_schema("person-value", schema(ADDRESS))
    client.clear_caches()

    assert json.loads(client.get_schema(number).schema_str) == ADDRESS
    assert client.get_latest_version("person-value").schema_id == number
    assert client.get_version("person-value", 1).schema_id == number
    assert client.lookup_schema("person-value", schema(ADDRESS)).version == 1
    assert client.get_subjects() == ["person-value"]
    assert client.get_versions("person-value") == [1]


def test_one_schema_has_one_id_in_every_subject(client: Any, server: RegistryServer) -> None:
    """Ids belong to schemas, versions to subjects."""
    server.shelf.level = "NONE"
    first = client.register_schema("a", schema(ADDRESS))
    second = client.register_schema("b", schema(ADDRESS))
    third = client.register_schema("b", schema({"type": "string"}))

    assert (first, second) == (1, 1)
    assert third == 2
    assert client.get_versions("b") == [1, 2]


def test_references_are_kept(client: Any) -> None:
    """A schema that refers to another is given back with what it refers to."""
    client.register_schema("address", schema(ADDRESS))
    reference = schema_registry.SchemaReference("a.Address", "address", 1)
    number = client.register_schema("person", schema(PERSON, references=[reference]))
    client.clear_caches()

    (kept,) = client.get_schema(number).references

    assert (kept.name, kept.subject, kept.version) == ("a.Address", "address", 1)


def test_other_kinds_of_schema_say_so(client: Any) -> None:
    """JSON and Protobuf schemas bear their type."""
    number = client.register_schema("j", schema({"type": "object"}, "JSON"))
    client.clear_caches()

    assert client.get_schema(number).schema_type == "JSON"


def test_errors_bear_confluents_codes(client: Any) -> None:
    """What is missing or wrong is answered with the codes that clients tell apart."""
    with pytest.raises(schema_registry.SchemaRegistryError) as missing:
        client.get_schema(77)
    with pytest.raises(schema_registry.SchemaRegistryError) as invalid:
        client.register_schema("x", schema({"type": "nonsense"}))

    assert (missing.value.http_status_code, missing.value.error_code) == (404, SCHEMA_NOT_FOUND)
    assert (invalid.value.http_status_code, invalid.value.error_code) == (422, INVALID_SCHEMA)


def test_wrong_credentials_are_refused(server: RegistryServer) -> None:
    """Without the right password nothing is told."""
    wrong = {"url": server.url, "basic.auth.user.info": "reader:wrong", "max.retries": 0}
    with (
        schema_registry.SchemaRegistryClient(wrong) as client,
        pytest.raises(schema_registry.SchemaRegistryError) as caught,
    ):
        client.get_subjects()

    assert caught.value.http_status_code == 401


def test_a_deleted_subject_keeps_its_schemas(client: Any) -> None:
    """Deleted softly, a subject is gone from lists, and its schema is still found by id."""
    number = client.register_schema("gone", schema(ADDRESS))
    client.delete_subject("gone")
    client.clear_caches()

    assert client.get_subjects() == []
    assert json.loads(client.get_schema(number).schema_str) == ADDRESS


def test_what_a_level_allows_is_asked_and_kept_to(client: Any, server: RegistryServer) -> None:
    """By Confluent's client: the level in force, whether a schema would be taken, and that it is refused."""
    wider = {**ADDRESS, "fields": [{"name": "city", "type": ["null", "string"]}]}
    client.register_schema("address", schema(ADDRESS))
    server.shelf.levels["address"] = "FORWARD"

    assert client.get_compatibility("address") == "FORWARD"
    assert client.get_compatibility() == "BACKWARD"
    assert not client.test_compatibility("address", schema(wider))
    with pytest.raises(schema_registry.SchemaRegistryError) as refused:
        client.register_schema("address", schema(wider))
    assert refused.value.http_status_code == 409

    server.shelf.levels["address"] = "BACKWARD"
    assert client.test_compatibility("address", schema(wider))
    assert client.register_schema("address", schema(wider)) == 2
    assert client.register_schema("address", schema(ADDRESS)) == 1, "what is there is there"


def test_a_transitive_level_asks_about_every_version(client: Any, server: RegistryServer) -> None:
    """A field that was dropped may come back with another type, unless older versions count too."""
    for kind in ("string", None):
        fields = [{"name": "a", "type": kind, "default": "x"}] if kind else []
        client.register_schema("a", schema({"type": "record", "name": "A", "fields": fields}))
    again = schema({"type": "record", "name": "A", "fields": [{"name": "a", "type": "long", "default": 1}]})

    assert client.test_compatibility("a", again)
    server.shelf.levels["a"] = "BACKWARD_TRANSITIVE"
    with pytest.raises(schema_registry.SchemaRegistryError):
        client.register_schema("a", again)
