"""What librdkafka is told: our rules, then the user's properties, never the other way round.

Property names and defaults: librdkafka's CONFIGURATION.md.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer

from streamer.config import is_secret_property
from streamer.errors import MASK
from streamer.kafka.tokens import asking_nobody, token_problem

PROPERTIES_VARIABLE: Final = "STREAMER_KAFKA_PROPERTIES"

logger = logging.getLogger("streamer.kafka")
"""librdkafka's own lines, told through Python's logging instead of bare text on standard error."""


def _is_worth_telling(line: logging.LogRecord) -> bool:
    # Users give one set of properties for consumer, producer and questions; each ignores the others'.
    return "property and will be ignored by this" not in line.getMessage()


logger.addFilter(_is_worth_telling)

Configuration = dict[str, Any]
"""A librdkafka configuration: names to strings, numbers, flags and callbacks."""

MAX_LETTER_BYTES: Final = 48 * 1024 * 1024
"""Largest record our producers hand over; what the broker takes is usually less, and the broker's to say."""

_PRODUCER_QUEUE_KILOBYTES: Final = 64 * 1024
# Above MAX_LETTER_BYTES on purpose: a record larger than the whole queue would find it "full" for ever.

_REFUSED: Final[Mapping[str, str]] = {
    "enable.auto.commit": "offsets are committed only when everything before them is settled",
    "enable.auto.offset.store": "offsets are committed only when everything before them is settled",
    "auto.commit.enable": "offsets are committed only when everything before them is settled",
    "default.topic.config": "give topic properties beside the others",
    "auto.commit.interval.ms": "offsets are never committed automatically",
    "auto.offset.reset": "offsets never jump; STREAMER_START says where a new group starts",
    "bootstrap.servers": "set STREAMER_KAFKA_BOOTSTRAP_SERVERS",
    "metadata.broker.list": "set STREAMER_KAFKA_BOOTSTRAP_SERVERS",
    "group.id": "set STREAMER_KAFKA_GROUP_ID",
    "partition.assignment.strategy": "it is cooperative-sticky; with another, commits at a revoke fail",
    "enable.idempotence": "dead letters are always produced idempotently",
    "acks": "a dead letter counts only when all in-sync replicas have it",
    "request.required.acks": "a dead letter counts only when all in-sync replicas have it",
    "transactional.id": "streamer does not use transactions",
    "enable.gapless.guarantee": "it stops the producer at the first failed dead letter",
    "plugin.library.paths": "streamer loads no foreign code",
    "logger": "it cannot be given as text",
}

_FILES: Final = frozenset({
    "ssl.ca.location",
    "ssl.crl.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "https.ca.location",
})  # fmt: skip
"""Properties that name a file (or a directory, or `probe`), read when a client is made."""

_UNREPORTED: Final[Configuration] = {"statistics.interval.ms": 0}
"""Of clients whose reports nobody takes: librdkafka would make and keep them, 10 KB each or more."""

# The consumer protocol of KIP-848 leaves these to the broker, and librdkafka refuses them with it.
_CLASSIC_GROUP: Final[Configuration] = {
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 45_000,
    "heartbeat.interval.ms": 3_000,
}


def property_problems(properties: Mapping[str, str]) -> list[str]:
    """What is wrong with the user's librdkafka properties, one line each; no broker is asked.

    Values of secret properties are not repeated.
    """
    problems = []
    for name in properties:
        reason = _refusal(name)
        if reason is not None:
            problems.append(f"{PROPERTIES_VARIABLE}: {name} cannot be set: {reason}")
    allowed = {name: value for name, value in properties.items() if _refusal(name) is None}
    accepted = {}
    for name, value in allowed.items():
        # Alone first, so that every mistake is named; some are only wrong in company (below).
        problem = _single_problem(name, value) or _unreadable_file(name, value)
        if problem is None:
            accepted[name] = value
        else:
            problems.append(f"{PROPERTIES_VARIABLE}: {problem}")
    if not problems and accepted:
        problem = token_problem(accepted) or _joint_problem(accepted)
        if problem is not None:
            problems.append(f"{PROPERTIES_VARIABLE}: {problem}")
    return problems


SHARED_BYTES: Final = 65_536
LETTERS_TOGETHER: Final[Mapping[str, int]] = {"batch.size": SHARED_BYTES, "linger.ms": 20}
"""Dead letters of so many bytes share a request; a larger one has its own. A request each costs half a
millisecond of CPU: while more than five wait for their answers librdkafka's thread runs in circles (2.16)."""


def consumer_configuration(
    bootstrap_servers: str, group_id: str, properties: Mapping[str, str] | None = None
) -> Configuration:
    """Configuration of a member of the group. Nothing in `properties` can switch our rules off."""
    given = _without_refused(properties or {})
    group = {} if given.get("group.protocol", "").lower() == "consumer" else _CLASSIC_GROUP
    return {
        # Modest read-ahead: 16 MiB in all, counted in bytes; what is beyond waits on the broker.
        "queued.max.messages.kbytes": 16_384,
        "queued.min.messages": 5_000,
        "fetch.max.bytes": 8 * 1024 * 1024,
        # How soon a fetch is tried again after that queue was full (the default, 1 s, leaves gaps).
        "fetch.queue.backoff.ms": 20,
        "max.poll.interval.ms": 300_000,
        "statistics.interval.ms": 2_000,
        "isolation.level": "read_committed",
        "client.id": "planhat-streamer",
        **group,
        **given,
        "bootstrap.servers": bootstrap_servers,
        "group.id": group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
        "logger": logger,
    }


def producer_configuration(
    bootstrap_servers: str, properties: Mapping[str, str] | None = None
) -> Configuration:
    """Configuration of a producer whose acknowledgements can be relied on."""
    return {
        "message.max.bytes": MAX_LETTER_BYTES,
        "queue.buffering.max.kbytes": _PRODUCER_QUEUE_KILOBYTES,
        "linger.ms": 5,
        "delivery.timeout.ms": 60_000,
        # The Java client's choice of partition for a key, so that several producers of a topic agree.
        "partitioner": "murmur2_random",
        "client.id": "planhat-streamer",
        **_without_refused(properties or {}),
        **_UNREPORTED,
        "bootstrap.servers": bootstrap_servers,
        "enable.idempotence": True,
        "acks": "all",
        "logger": logger,
    }


def admin_configuration(bootstrap_servers: str, properties: Mapping[str, str] | None = None) -> Configuration:
    """Configuration of a client that only asks questions."""
    return {
        "client.id": "planhat-streamer",
        **_without_refused(properties or {}),
        **_UNREPORTED,
        "bootstrap.servers": bootstrap_servers,
        "logger": logger,
    }


def onlooker_configuration(
    bootstrap_servers: str, properties: Mapping[str, str] | None = None
) -> Configuration:
    """Configuration of a client that asks the same questions for as long as the program lives."""
    return {
        **admin_configuration(bootstrap_servers, properties),
        # It must not rely for long on who led a partition: after a restart of a broker it was told
        # FENCED_LEADER_EPOCH, again and again, until what it remembered ran out (by default 15 minutes).
        "metadata.max.age.ms": 10_000,
    }


def _refusal(name: str) -> str | None:
    if name in _REFUSED:
        return _REFUSED[name]
    if name.endswith("_cb"):
        return "callbacks cannot be given as text"
    if name.startswith("test.mock."):
        return "it replaces the cluster by librdkafka's own stand-in"
    return None


def _without_refused(properties: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in properties.items() if _refusal(name) is None}


def _single_problem(name: str, value: str) -> str | None:
    try:
        Consumer({"group.id": "check", "logger": _silent, name: value})
    except KafkaException as error:
        text = _text(error)
        # Other complaints (say, a user name without its password) are about the set, not about this one.
        if "No such configuration property" in text:
            return f"librdkafka has no property {name!r}"
        if "Invalid value" in text or "onfiguration property" in text:
            return f"{name}: {masked(text, [name], {name: value})}"
    except (TypeError, ValueError) as error:
        return f"{name}: {masked(str(error), [name], {name: value})}"
    return None


def _unreadable_file(name: str, value: str) -> str | None:
    # librdkafka says no more of it than that OpenSSL's file layer failed.
    if name not in _FILES or not value or value == "probe":
        return None
    try:
        path = Path(value)
        path.stat() if path.is_dir() else path.open("rb").close()
    except OSError as error:
        return f"{name}: {value} cannot be read ({error.strerror}); mount it or correct the path"
    return None


def _joint_problem(properties: Mapping[str, str]) -> str | None:
    tried = asking_nobody(properties)
    wanted_consumer = consumer_configuration("127.0.0.1:1", "check", tried)
    wanted_producer = producer_configuration("127.0.0.1:1", tried)
    try:
        Consumer({**wanted_consumer, "logger": _silent})
        Producer({**wanted_producer, **LETTERS_TOGETHER, "logger": _silent})
    except (KafkaException, TypeError, ValueError) as error:
        text = _text(error) if isinstance(error, KafkaException) else str(error)
        return masked(text, properties, properties)
    return None


def _text(error: KafkaException) -> str:
    return str(error.args[0].str()).strip()


def masked(text: str, names: Iterable[str], properties: Mapping[str, str]) -> str:
    """The text without the values of those of these properties that are secret."""
    for name in names:
        if is_secret_property(name) and properties[name]:
            text = text.replace(properties[name], MASK)
    return text


_silent = logging.getLogger("streamer.kafka.check")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False
