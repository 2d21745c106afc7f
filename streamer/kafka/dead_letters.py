"""The dead-letter topic. Satisfies `streamer.engine.ports.DeadLetters`.

A letter is the original record, byte for byte, with headers that say why it is here. It counts only
when the broker acknowledged it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import IntEnum
from functools import partial
from time import monotonic
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streamer import __version__
from streamer.engine.ports import DeadLetter
from streamer.kafka.configuration import LETTERS_TOGETHER, SHARED_BYTES, logger, producer_configuration
from streamer.kafka.faults import error_of, text_of
from streamer.kafka.permissions import denied
from streamer.outcomes import InvalidReason

HEADER_PREFIX: Final = "streamer."

Headers = list[tuple[str, str | bytes | None]]

_TOO_LARGE: Final = frozenset({
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_MSG_SIZE,
})  # fmt: skip

_REFUSED_TOGETHER: Final = frozenset({
    *_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError._INVALID_DIFFERENT_RECORD,  # noqa: SLF001 - librdkafka's own name for it
})  # fmt: skip
"""What a broker says of a whole request where one letter in it deserves it."""

_ONE_BY_ONE: Final = {"batch.num.messages": 1, "linger.ms": 0}

_CLOSE_SECONDS: Final = 10.0
_RENEW_SECONDS: Final = 1.0
_PART_SECONDS: Final = 1.0
"""How long letters under way may take once one was refused in company, before they are sent again."""


class Size(IntEnum):
    """How much of the original record a letter carries; reduced only when the broker refuses more."""

    WHOLE = 0
    STUB = 1
    """No value, but its SHA-256 and length."""
    BARE = 2
    """No key and no headers of the original either."""


class KafkaDeadLetters:
    """Produces dead letters and tells which of them the broker acknowledged."""

    def __init__(
        self, bootstrap_servers: str, topic: str, group_id: str, properties: Mapping[str, str] | None = None
    ) -> None:
        """Prepare a producer for `topic`; `group_id` is written into every letter."""
        self._topic = topic
        self._group_id = group_id
        self._configuration = producer_configuration(bootstrap_servers, properties)
        self._configuration |= {**LETTERS_TOGETHER, "error_cb": self._on_error}
        self._producer = Producer(self._configuration)
        self._is_together = True
        self._part_by: float | None = None
        """When the producer is replaced, at the latest, since letters were refused in company."""
        self._is_broken = False
        self._answered: list[tuple[DeadLetter, bool]] = []
        self._again: list[tuple[DeadLetter, Size]] = []
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Letters the broker has not answered for yet."""
        return self._waiting

    def produce(self, letter: DeadLetter) -> bool:
        """Hand it to the producer; False when that is full, or about to be replaced. Never waits."""
        if self._part_by is not None or not self._hand_over(letter, Size.WHOLE):
            return False
        self._waiting += 1
        return True

    def collect(self, timeout_seconds: float) -> Sequence[tuple[DeadLetter, bool]]:
        """Letters the broker answered for since: True acknowledged, False must be produced again.

        Waits at most `timeout_seconds`, and only while there is something to wait for.
        """
        try:
            self._producer.poll(timeout_seconds if self._waiting and not self._answered else 0)
        except KafkaException as exception:  # fatal errors come out here
            self._note_fatal(error_of(exception))
        if self._is_broken:
            self._renew()
        if self._part_by is not None:
            self._part(self._part_by)
        again, self._again = ([], self._again) if self._part_by is not None else (self._again, [])
        for letter, size in again:
            if not self._hand_over(letter, size):
                self._answer(letter, is_acknowledged=False)
        answered, self._answered = self._answered, []
        return answered

    def close(self) -> None:
        """Wait a few seconds for answers that are still due; what has none then was not acknowledged."""
        self._await_answers(_CLOSE_SECONDS)

    def _hand_over(self, letter: DeadLetter, size: Size) -> bool:
        record = letter.record
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value=record.value if size is Size.WHOLE else None,
                    key=record.key if size < Size.BARE else None,
                    headers=letter_headers(letter, self._group_id, size),
                    on_delivery=partial(self._on_delivery, letter, size),
                )
            except BufferError:
                return False
            except KafkaException as exception:
                error = error_of(exception)
                if error is not None and error.code() in _TOO_LARGE and size < Size.BARE:
                    size = Size(size + 1)
                    continue
                self._note_fatal(error)
                logger.warning(
                    "kafka: a dead letter could not be produced: %s", self._trouble(exception, error)
                )
                return False
            return True

    def _on_delivery(
        self, letter: DeadLetter, size: Size, error: KafkaError | None, _produced: Message
    ) -> None:
        # What is produced again is so from `collect`, not from in here: the producer's queue may be full.
        if error is not None and error.code() in _REFUSED_TOGETHER and self._had_company(letter, size):
            if self._part_by is None:
                self._part_by = monotonic() + _PART_SECONDS
            self._again.append((letter, size))
            return
        if error is not None and error.code() in _TOO_LARGE and size < Size.BARE:
            self._again.append((letter, Size(size + 1)))
            return
        if error is not None:
            logger.warning("kafka: a dead letter was not acknowledged: %s", self._trouble(error, error))
            self._note_fatal(error)
        self._answer(letter, is_acknowledged=error is None)

    def _trouble(self, problem: KafkaError | KafkaException, error: KafkaError | None) -> str:
        need = None if error is None else denied(error, self._topic, None, "Write")
        advice = "" if need is None else f". Allow this user {need}; until then nothing more is read"
        return text_of(problem) + advice

    def _on_error(self, error: KafkaError) -> None:
        self._note_fatal(error)  # librdkafka logs it, and everything else, by itself

    def _note_fatal(self, error: KafkaError | None) -> None:
        if error is not None and (error.fatal() or error.code() == KafkaError._FATAL):  # noqa: SLF001
            self._is_broken = True

    def _answer(self, letter: DeadLetter, *, is_acknowledged: bool) -> None:
        self._waiting -= 1
        self._answered.append((letter, is_acknowledged))

    def _had_company(self, letter: DeadLetter, size: Size) -> bool:
        is_large = size is Size.WHOLE and len(letter.record.value or b"") >= SHARED_BYTES
        return self._is_together and not is_large

    def _part(self, at_the_latest: float) -> None:
        """From then on one letter a request: a refusal is then its own, and costs no other one anything.

        Those under way are answered first. Until it is replaced, what the producer says is of company.
        """
        if len(self._producer) and monotonic() < at_the_latest:
            return
        self._configuration |= _ONE_BY_ONE
        self._renew()
        self._is_together, self._part_by = False, None

    def _renew(self) -> None:
        # An idempotent producer that lost its sequence never works again. What it still holds ends as
        # "not acknowledged", which may write a letter twice: they are told apart by their source offset.
        with suppress(KafkaException):
            self._producer.purge()
        self._await_answers(_RENEW_SECONDS)
        self._producer = Producer(self._configuration)
        self._is_broken = False

    def _await_answers(self, seconds: float) -> None:
        """At most so long, by polls: a fatal error that comes between two answers is raised within the next.

        A poll ends by it; a flush goes on, and its next answer, told with an error in the air, breaks off.
        """
        ends_at = monotonic() + seconds
        while len(self._producer) and (left := ends_at - monotonic()) > 0:
            try:
                self._producer.poll(left)
            except KafkaException as exception:
                self._note_fatal(error_of(exception))


def letter_headers(letter: DeadLetter, group_id: str, size: Size = Size.WHOLE) -> Headers:
    """The original headers, then ours. Nothing of the record's value is in ours."""
    record = letter.record
    reason, detail = letter.reason, letter.detail
    if size is not Size.WHOLE:
        reason, detail = (
            InvalidReason.OVERSIZE,
            f"{letter.reason}: {detail}" if detail else str(letter.reason),
        )
    ours: dict[str, object] = {
        "reason": str(reason),
        "detail": detail or None,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms if record.timestamp_ms >= 0 else None,
        "group": group_id,
        "schema_id": letter.schema_id,
        "http_status": letter.http_status,
        "attempts": letter.attempts,
        "first_failure": _iso(letter.first_failure),
        "version": __version__,
    }
    if size is not Size.WHOLE:
        ours["sha256"] = hashlib.sha256(record.value or b"").hexdigest()
        ours["value_bytes"] = len(record.value or b"")
    headers: Headers = list(record.headers) if size < Size.BARE else []
    headers += [
        (HEADER_PREFIX + name, str(value).encode()) for name, value in ours.items() if value is not None
    ]
    return headers


def _iso(seconds: float | None) -> str | None:
    return (
        None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    )
