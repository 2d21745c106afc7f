"""Does the cluster allow us what we need? Asked before anything is read, so that all is named at once."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streamer.kafka.configuration import admin_configuration, logger
from streamer.kafka.faults import error_of, not_allowed, text_of
from streamer.kafka.permissions import DENIED, Need, acl_commands
from streamer.kafka.probe import Probe

ANSWER_SECONDS: Final = 15.0
"""How long a broker may take to answer at start."""

_UNSAID: Final = "User:NAME"
"""A certificate's user, or a token's, is what the broker makes of its subject: not ours to guess."""


def check_access(
    bootstrap_servers: str,
    group_id: str,
    needs: Sequence[Need],
    properties: Mapping[str, str] | None = None,
    timeout_seconds: float = ANSWER_SECONDS,
) -> None:
    """Raise SourceError that names every ACL of `needs` that is missing, and the commands that grant them.

    A cluster without ACLs allows everything; of one that does not tell what it allows (it is too old, or
    no Apache Kafka) nothing is said here: the first call that it refuses says it then.
    """
    missing = missing_needs(bootstrap_servers, group_id, needs, properties, timeout_seconds)
    if missing:
        user = (properties or {}).get("sasl.username")
        principal = f"User:{user}" if user else _UNSAID
        raise not_allowed(bootstrap_servers, missing, acl_commands(missing, bootstrap_servers, principal))


def missing_needs(
    bootstrap_servers: str,
    group_id: str,
    needs: Sequence[Need],
    properties: Mapping[str, str] | None = None,
    timeout_seconds: float = ANSWER_SECONDS,
) -> list[Need]:
    """Those of `needs`, at least one of which is on a topic, that the cluster does not allow.

    Raises SourceError where no broker answers.
    """
    names = {kind: sorted({need.name for need in needs if need.kind == kind}) for kind in ("topic", "group")}
    with Probe(bootstrap_servers, group_id, properties) as probe:
        if not probe.has_controller(names["topic"][0], timeout_seconds):
            return []  # librdkafka would wait for one: librdkafka's own stand-in never has it
    # Gone on return, so before a coordinator that was away comes back: librdkafka 2.16 may end the process
    # where one that answers after its time still finds who asked (docs/decisions/0028).
    admin = AdminClient(admin_configuration(bootstrap_servers, properties))
    answers: dict[tuple[str, str], Future[Any]] = {}
    asking: dict[str, Any] = {"include_authorized_operations": True, "request_timeout": timeout_seconds}
    topics = admin.describe_topics(TopicCollection(names["topic"]), **asking)
    answers |= {("topic", name): answer for name, answer in topics.items()}
    if names["group"]:  # to look at letters takes none
        groups = admin.describe_consumer_groups(names["group"], **asking)
        answers |= {("group", name): answer for name, answer in groups.items()}
    allowed = {place: _allowed(answer) for place, answer in answers.items()}
    return [need for need in needs if not _covers(allowed[need.kind, need.name], need.operation)]


def _allowed(answer: "Future[Any]") -> Collection[str] | None:
    """The operations allowed, in capitals as one word; None where the cluster does not tell."""
    try:
        operations = answer.result().authorized_operations
    except KafkaException as exception:
        error = error_of(exception)
        if error is not None and error.code() in DENIED:
            return frozenset()
        logger.debug("kafka: what is allowed was not told: %s", text_of(exception))
        return None
    # To be told at all takes Describe, so an empty answer is none.
    return {each.name.replace("_", "") for each in operations} if operations else None


def _covers(allowed: Collection[str] | None, operation: str) -> bool:
    return allowed is None or operation.upper() in allowed or "ALL" in allowed
