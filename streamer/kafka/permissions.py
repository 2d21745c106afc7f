"""What a client must be allowed on the cluster: the one list of ACLs.

Errors name what is missing by it, the documentation's table is made of it, and the tests grant exactly
it and take each of it away again. Pure.

Kafka's rule: Read and Write on a topic, and Read on a group, include Describe.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from confluent_kafka import KafkaError

DENIED: Final = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})
"""What a broker answers to a call of a consumer that an ACL is missing for."""


class Resource(StrEnum):
    """What an ACL is about, by the part it plays."""

    EVENTS = "the event topic"
    LETTERS = "the dead-letter topic"
    GROUP = "the consumer group"
    REPLAY_GROUP = "the group of replays"

    @property
    def kind(self) -> str:
        """As Kafka's tools call it: topic or group."""
        return "topic" if self in {Resource.EVENTS, Resource.LETTERS} else "group"


class Need(NamedTuple):
    """One operation on one resource, as an ACL grants it."""

    operation: str
    """As Kafka's tools spell it."""
    kind: str
    """topic or group."""
    name: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.kind} {self.name}"


class Permission(NamedTuple):
    """One row of the table: which command needs what, and what for."""

    commands: tuple[str, ...]
    operation: str
    resource: Resource
    purpose: str
    is_needed: bool = True
    """False: the command does without, and says less."""


_LOOKING: Final = ("dead-letters list", "dead-letters show", "dead-letters replay")
_REPLAY: Final = ("dead-letters replay",)
_READING: Final = ("transform", "explain")

PERMISSIONS: Final = (
    Permission(
        ("run", "check"), "Read", Resource.EVENTS, "read events, look up offsets and the topic, commit"
    ),
    Permission(("run", "check"), "Write", Resource.LETTERS, "produce dead letters, idempotently"),
    Permission(("run", "check"), "Read", Resource.GROUP, "join the group, look up its offsets, commit them"),
    Permission(
        ("run",),
        "DescribeConfigs",
        Resource.EVENTS,
        "tell the topic's retention in a metric",
        is_needed=False,
    ),
    Permission(_READING, "Read", Resource.EVENTS, "read a stretch of events (`transform` with --topic)"),
    Permission(("explain",), "Read", Resource.LETTERS, "tell the dead letters of an object", is_needed=False),
    Permission(("explain",), "Describe", Resource.GROUP, "tell whether a call is settled", is_needed=False),
    Permission(_LOOKING, "Read", Resource.LETTERS, "read letters, and what replays noted of them"),
    Permission(_LOOKING[1:], "Read", Resource.EVENTS, "read the record a letter stands for, and later ones"),
    Permission(_REPLAY, "Write", Resource.LETTERS, "note what becomes of each letter"),
    Permission(_REPLAY, "Read", Resource.REPLAY_GROUP, "see to it that one replay runs at a time"),
)


def needs_of(command: str, names: Mapping[Resource, str]) -> list[Need]:
    """What `command` cannot do without, for resources of these names."""
    return [
        Need(row.operation, row.resource.kind, names[row.resource])
        for row in PERMISSIONS
        if command in row.commands and row.is_needed
    ]


def wishes_of(command: str, names: Mapping[Resource, str]) -> list[Need]:
    """What `command` does without, and says less, for resources of these names."""
    return [
        Need(row.operation, row.resource.kind, names[row.resource])
        for row in PERMISSIONS
        if command in row.commands and not row.is_needed
    ]


def denied(
    error: KafkaError, topic: str | None, group_id: str | None, operation: str = "Read"
) -> Need | None:
    """What is missing where the broker refused a call on `topic`, or one of the group's.

    The codes do not say which operation was asked for; the caller knows: `operation` on the topic.
    """
    match error.code():
        case KafkaError.TOPIC_AUTHORIZATION_FAILED if topic is not None:
            return Need(operation, "topic", topic)
        case KafkaError.GROUP_AUTHORIZATION_FAILED if group_id is not None:
            return Need("Read", "group", group_id)
        case KafkaError.CLUSTER_AUTHORIZATION_FAILED if topic is not None:
            # An idempotent producer asks for its id first; Write on any topic answers for that.
            return Need("Write", "topic", topic)
    return None


def acl_commands(needs: Sequence[Need], bootstrap_servers: str, principal: str) -> list[str]:
    """The commands that grant these, one for each resource."""
    operations: dict[tuple[str, str], list[str]] = {}
    for need in needs:
        operations.setdefault((need.kind, need.name), []).append(need.operation)
    return [
        f"kafka-acls.sh --bootstrap-server {bootstrap_servers} --command-config admin.properties --add "
        f"--allow-principal {principal} {' '.join(f'--operation {each}' for each in wanted)} --{kind} {name}"
        for (kind, name), wanted in operations.items()
    ]


def permissions_markdown_table() -> str:
    """The list as a Markdown table."""
    rows = ["| command | operation | on | to |", "|---|---|---|---|"]
    for row in PERMISSIONS:
        commands = ", ".join(f"`{each}`" for each in row.commands)
        optional = "" if row.is_needed else " (it does without)"
        rows.append(f"| {commands} | {row.operation} | {row.resource} | {row.purpose}{optional} |")
    return "\n".join(rows) + "\n"


def permissions_commands(names: Mapping[Resource, str], bootstrap_servers: str, principal: str) -> str:
    """The commands that grant the whole list, as Markdown code."""
    needs = dict.fromkeys(Need(row.operation, row.resource.kind, names[row.resource]) for row in PERMISSIONS)
    lines = acl_commands(list(needs), bootstrap_servers, principal)
    return "```sh\n" + "\n".join(line.replace(" --add", " \\\n    --add") for line in lines) + "\n```\n"
