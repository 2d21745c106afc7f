"""What is known of a registry's ids, and a thread that finds out the rest.

`lookup` never waits: an id not yet known is asked for in the background, and looked up again by
whoever needs it. Only a registry that keeps saying "no such schema" makes an id unknown; one that
is down, slow, or refuses us never does.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streamer.avro.registry_client import Answer, AvroSchema, JsonSchema, Unreadable
from streamer.avro.registry_http import ABSENT, ADVICE, Absent, Trouble

ASK_AGAIN_SECONDS = 60.0
"""How long "no such schema" is believed."""
UNKNOWN_AFTER_SECONDS = 300.0
"""How long a registry must keep saying it before a record of that id is beyond help."""
FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 30.0
MAX_SEARCHES = 10_000
"""Ids without a schema that are remembered; hostile bytes can name four thousand million."""
CLOSE_SECONDS = 1.0
AWAITED_SECONDS = 10.0
"""A record that waits looks its schema up every turn; one nobody looked up for so long is awaited no more."""


class Client(Protocol):
    """Asks a registry, and waits for its answer."""

    def fetch(self, schema_id: int) -> Answer:
        """What this id stands for."""
        ...

    def check(self) -> None:
        """Raise SourceError where the registry gives no answer."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """Not known yet: look it up again on a later turn."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The registry has kept saying that there is no such schema."""


Known = AvroSchema | JsonSchema | Unreadable
Lookup = Known | Pending | Unknown


@dataclass(frozen=True, slots=True)
class RegistryProblem:
    """An id that records wait for, and why the registry did not help; for logs and metrics."""

    schema_id: int
    reason: str
    """A Trouble, or `absent`."""
    seconds: float
    """Since when."""

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.reason]


@dataclass(slots=True)
class _Search:
    """An id without a schema so far."""

    ask_at: float
    is_asking: bool = False
    reason: str = ""
    """What the last answer was; empty before the first."""
    since: float = 0.0
    """When the answers began to be that."""
    retry_seconds: float = FIRST_RETRY_SECONDS
    is_unknown: bool = False
    awaited_at: float = float("-inf")
    """When a record was last told to wait for it."""


class Registry:
    """Schemas by their ids. Its methods belong to one thread, the owner's."""

    def __init__(
        self,
        client: Client,
        monotonic: Callable[[], float],
        *,
        unknown_after_seconds: float = UNKNOWN_AFTER_SECONDS,
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._unknown_after = unknown_after_seconds
        self._known: dict[int, Known] = {}
        self._searches: dict[int, _Search] = {}
        self._questions: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[int, Answer]] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None

    def lookup(self, schema_id: int) -> Lookup:
        """What is known of an id now; asks in the background where it is worth asking."""
        if schema_id not in self._known:
            self._take_answers()
        known = self._known.get(schema_id)
        if known is not None:
            return known
        now = self._monotonic()
        search = self._searches.get(schema_id) or self._begin(schema_id, now)
        if now < search.ask_at and search.is_unknown:
            return Unknown()
        if now >= search.ask_at and not search.is_asking:
            # What was said of it has grown old.
            search.is_asking = True
            self._ask(schema_id)
        search.awaited_at = now
        return Pending()

    def problems(self) -> tuple[RegistryProblem, ...]:
        """Every id that was asked for in vain and that records wait for; empty when all is well.

        An id that counts as unknown is none of them: its records become dead letters.
        """
        self._take_answers()
        now = self._monotonic()
        return tuple(
            RegistryProblem(schema_id, search.reason, now - search.since)
            for schema_id, search in self._searches.items()
            if search.reason and not search.is_unknown and now - search.awaited_at <= AWAITED_SECONDS
        )

    def knows(self, schema_id: int) -> bool:
        """Whether the registry has said what this id stands for."""
        self._take_answers()
        return schema_id in self._known

    def check(self) -> None:
        """Ask the registry something every registry answers, and wait.

        Raises:
            SourceError: it gives no answer.
        """
        self._client.check()

    def close(self) -> None:
        """Stop asking."""
        if self._worker is None:
            self._client.close()
            return
        self._questions.put(None)
        self._worker.join(CLOSE_SECONDS)

    def _begin(self, schema_id: int, now: float) -> _Search:
        if len(self._searches) >= MAX_SEARCHES:
            # The oldest one that nobody is waiting for; its next record starts it again.
            idle = next((known for known, search in self._searches.items() if not search.is_asking), None)
            if idle is not None:
                del self._searches[idle]
        search = _Search(ask_at=now)
        self._searches[schema_id] = search
        return search

    def _take_answers(self) -> None:
        while True:
            try:
                schema_id, answer = self._answers.get_nowait()
            except queue.Empty:
                return
            if isinstance(answer, Absent | Trouble):
                self._note_failure(self._searches[schema_id], answer)
            else:
                del self._searches[schema_id]
                self._known[schema_id] = answer

    def _note_failure(self, search: _Search, answer: Absent | Trouble) -> None:
        now = self._monotonic()
        reason = ABSENT if isinstance(answer, Absent) else answer.value
        if search.reason != reason:
            search.reason, search.since = reason, now
        search.is_asking = False
        if isinstance(answer, Absent):
            search.is_unknown = now - search.since >= self._unknown_after
            search.retry_seconds = FIRST_RETRY_SECONDS
            search.ask_at = now + ASK_AGAIN_SECONDS
        else:
            # A registry in trouble may have said "absent" for the same cause: that count starts again.
            search.is_unknown = False
            search.ask_at = now + search.retry_seconds
            search.retry_seconds = min(2 * search.retry_seconds, LAST_RETRY_SECONDS)

    def _ask(self, schema_id: int) -> None:
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="schema-registry", daemon=True)
            self._worker.start()
        self._questions.put(schema_id)

    def _work(self) -> None:
        """The other thread: one question at a time."""
        while (schema_id := self._questions.get()) is not None:
            try:
                answer = self._client.fetch(schema_id)
            except Exception:  # noqa: BLE001 a bug of ours must not leave the id unanswered for ever
                answer = Trouble.INTERNAL
            self._answers.put((schema_id, answer))
        self._client.close()
