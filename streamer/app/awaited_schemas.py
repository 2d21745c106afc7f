"""Schemas that records wait for, told to a person: a registry that gives none must not go unseen."""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from streamer.avro.decoder import Decoder
from streamer.avro.registry import RegistryProblem
from streamer.logs import Event, log, schema_advice
from streamer.logs.quiet import Quiet


class AwaitedSchemas:
    """Looks at what the registry owes us. For the owner thread; `by_reason` may be read by any."""

    def __init__(self, decoder: Decoder, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._decoder = decoder
        self._quiet = Quiet(monotonic)
        self._told: set[int] = set()
        """Ids that a line has named and no later one has taken back."""
        self.by_reason: Mapping[str, int] = {}
        """How many schemas are awaited, by reason; replaced, never changed."""

    def look(self) -> None:
        """Count what is awaited; tell one line for each reason, seldom, and one when a named id arrived."""
        problems = self._decoder.problems()
        self.by_reason = Counter(problem.reason for problem in problems)
        for reason, schemas in self.by_reason.items():
            if self._quiet.due(reason):
                alike = [problem for problem in problems if problem.reason == reason]
                self._tell(max(alike, key=lambda problem: problem.seconds), schemas)
        for schema_id in self._told - {problem.schema_id for problem in problems}:
            self._told.discard(schema_id)
            # Otherwise its partition went elsewhere, or it became unknown, which dead letters tell.
            if self._decoder.knows_schema(schema_id):
                log(Event.SCHEMA_ARRIVED, schema_id=schema_id)

    def _tell(self, longest: RegistryProblem, schemas: int) -> None:
        self._told.add(longest.schema_id)
        log(
            Event.SCHEMA_AWAITED,
            schema_id=longest.schema_id,
            reason=longest.reason,
            schemas=schemas,
            seconds=round(longest.seconds),
            next=schema_advice(longest.advice),
        )
