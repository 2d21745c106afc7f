"""What a broker's error means to us: the one table of Kafka error codes.

Codes: Kafka's protocol guide and librdkafka's rdkafka.h (negative ones, written `_NAME`, are local).
"""

from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from streamer.errors import SourceError
from streamer.kafka.permissions import Need
from streamer.records import TopicPartition

# The group has moved on without this member: what it wants to commit belongs to somebody else now.
FENCED: Final = frozenset({
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001 - librdkafka's own name for it
    KafkaError._FENCED,  # noqa: SLF001
})  # fmt: skip

_LOG_IN: Final = "correct user and password, or client and secret, in STREAMER_KAFKA_PROPERTIES"

# A person has to change something on the cluster: waiting does not help.
_REFUSED: Final = {
    # These three do not say which operation was refused; who called knows, and names it (`Need`).
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "allow this user what docs/secured-kafka.md lists for the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "allow this user Read on the consumer group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "allow this user what docs/secured-kafka.md lists",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create the topic, or correct STREAMER_KAFKA_TOPIC",
    KafkaError._UNKNOWN_TOPIC: "create the topic, or correct STREAMER_KAFKA_TOPIC",  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION: "the topic was made anew with fewer partitions; start again",  # noqa: SLF001
    KafkaError.TOPIC_EXCEPTION: "correct STREAMER_KAFKA_TOPIC: Kafka does not allow that name",
    KafkaError.INVALID_GROUP_ID: "correct STREAMER_KAFKA_GROUP_ID",
    KafkaError.GROUP_MAX_SIZE_REACHED: "run fewer replicas, or raise the broker's group.max.size",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
        "other members of this group do not use cooperative-sticky; stop them, or change "
        "STREAMER_KAFKA_GROUP_ID"
    ),
    KafkaError.UNSUPPORTED_VERSION: (
        "this broker is too old for STREAMER_KAFKA_GROUP_PROTOCOL=consumer, or for the settings in "
        "STREAMER_KAFKA_PROPERTIES"
    ),
    KafkaError.SASL_AUTHENTICATION_FAILED: _LOG_IN,
    KafkaError._AUTHENTICATION: _LOG_IN,  # noqa: SLF001
    KafkaError.FENCED_INSTANCE_ID: (
        "another process bears the same STREAMER_KAFKA_GROUP_INSTANCE_ID; give each its own"
    ),
    KafkaError.UNRELEASED_INSTANCE_ID: (
        "another process bears the same STREAMER_KAFKA_GROUP_INSTANCE_ID; give each its own. If it "
        "was killed, start again when its session has ended"
    ),
    KafkaError._FATAL: "the client cannot go on; start it again",  # noqa: SLF001
}


def error_of(exception: KafkaException) -> KafkaError | None:
    """The error a KafkaException carries, if it carries one."""
    first = exception.args[0] if exception.args else None
    return first if isinstance(first, KafkaError) else None


def text_of(error: KafkaError | BaseException) -> str:
    """The error in words, with the code's name that a search engine knows."""
    if isinstance(error, KafkaException):
        error = error_of(error) or error
    if isinstance(error, KafkaError):
        return f"{error.str()} ({error.name()})"
    return str(error)


def _cause(error: KafkaError) -> int:
    """The code of what made an error fatal, which librdkafka tells in words alone; else its own."""
    if error.code() != KafkaError._FATAL:  # noqa: SLF001
        return error.code()
    told = (code for code in _REFUSED if code != error.code() and KafkaError(code).str() in error.str())
    return next(told, error.code())


def never_works(error: KafkaError) -> bool:
    """Whether waiting and trying again cannot help."""
    return bool(error.fatal()) or error.code() in _REFUSED


def source_error(
    error: KafkaError, bootstrap_servers: str, what: str, need: Need | None = None
) -> SourceError:
    """The error as ours: what happened, what happens next, what to do. `need`: the ACL that is missing."""
    advice = _REFUSED.get(_cause(error), "look at the broker's log, then start again")
    if need is not None:
        advice = f"allow this user {need} (docs/secured-kafka.md lists every ACL)"
    return SourceError(
        f"{what} at {bootstrap_servers}: {text_of(error)}. "
        f"streamer stops; nothing is lost: uncommitted records are read again. To do: {advice}."
    )


def unreachable(bootstrap_servers: str, seconds: float, seen: Sequence[str] = ()) -> SourceError:
    """No broker answered in time. `seen`: what was reported meanwhile."""
    details = f" Last report: {seen[-1]}." if seen else ""
    return SourceError(
        f"no Kafka broker answered at {bootstrap_servers} within {seconds:.0f} s.{details} streamer stops. "
        "To do: check STREAMER_KAFKA_BOOTSTRAP_SERVERS, that the broker runs, and that TLS and SASL in "
        "STREAMER_KAFKA_PROPERTIES are what its listener wants."
    )


def let_in(bootstrap_servers: str, what: str, advice: str) -> SourceError:
    """No broker lets us in, and waiting does not mend that."""
    return SourceError(
        f"no Kafka broker at {bootstrap_servers} lets us in: {what}. streamer stops; nothing was read or "
        f"sent. To do: {advice}."
    )


def not_allowed(bootstrap_servers: str, needs: Sequence[Need], commands: Sequence[str]) -> SourceError:
    """The cluster knows us and does not allow what we need. `commands` would allow it."""
    missing = ", ".join(map(str, needs))
    return SourceError(
        f"this user is not allowed at {bootstrap_servers}: {missing}. streamer stops; nothing was read or "
        "sent. To do: allow it, as an administrator of the cluster:\n"
        + "\n".join(f"  {each}" for each in commands)
    )


def made_anew(topic: str, group_id: str, bootstrap_servers: str) -> SourceError:
    """The topic was deleted and made anew while it was read: the group's offsets speak of another log."""
    return SourceError(
        f"topic {topic} was deleted and made anew while it was read: the offsets of group {group_id} are "
        "those of the old one, so its first records would be passed over. streamer stops, because where to "
        "go on is your decision. To do: stop all replicas, then run\n"
        f"  kafka-consumer-groups.sh --bootstrap-server {bootstrap_servers} --group {group_id} "
        f"--topic {topic} --reset-offsets --to-earliest --execute\n"
        "and start again; what was delivered of the new topic meanwhile is sent again."
    )


def offset_gone(
    partition: TopicPartition, position: int, held: tuple[int, int], group_id: str, bootstrap_servers: str
) -> SourceError:
    """The group's offset is not in the log any more, which holds those of `held` (first, next)."""
    low, high = held
    why = f"{low - position} records are gone" if position < low else "the log was cut or made anew"
    return SourceError(
        f"group {group_id} wants offset {position} of {partition.topic}[{partition.partition}], but the log "
        f"holds {low} to {high}: {why}. streamer stops, because going on elsewhere is your decision. "
        "To do: stop all replicas, then run\n"
        f"  kafka-consumer-groups.sh --bootstrap-server {bootstrap_servers} --group {group_id} "
        f"--topic {partition.topic}:{partition.partition} --reset-offsets --to-earliest --execute\n"
        "and start again."
    )
