"""What records say, for commands that look into topics: decoded in their turn, awaiting schemas a while."""

import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Final, Self, TypeVar

from streamer.app.building import decoder_of
from streamer.config import Settings
from streamer.engine.interpret import Interpreted, interpret
from streamer.engine.ports import AwaitingSchema, Decoded
from streamer.errors import InvalidEvent
from streamer.records import Record
from streamer.transform.rules import Rules

SCHEMA_SECONDS: Final = 10.0
"""How long the registry may take to give a schema, once; after that what it wrote goes unread."""
_LOOK_SECONDS: Final = 0.02

Found = TypeVar("Found")


class _Known:
    """Stands for a decoder of one record, which was decoded already."""

    def __init__(self, decoded: Decoded) -> None:
        self._decoded = decoded

    def decode(self, _value: bytes) -> Decoded:
        """What it was decoded to."""
        return self._decoded


class Interpreter:
    """Reads values by the schemas that wrote them; a context manager."""

    def __init__(self, settings: Settings, *, wanted: Collection[str] | None = None) -> None:
        """Prepare a decoder; a registry is asked when a record first names a schema of it.

        `wanted`: the fields of an event that are read, all if None.
        """
        self.decoder = decoder_of(settings, wanted=wanted)
        self._silent_schemas: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop asking the registry."""
        self.decoder.close()

    def decoded(self, value: bytes) -> Decoded | AwaitingSchema:
        """What a value says; the schema that it awaits where the registry does not give that.

        Raises InvalidEvent where the value can never be read.
        """
        return self._waited(lambda: self.decoder.decode(value))

    def interpreted(self, record: Record, rules: Rules) -> Interpreted | None:
        """What a record asks for by these rules; None while its schema cannot be had."""
        found = self._waited(lambda: interpret(record, self.decoder, rules))
        return found if isinstance(found, Interpreted) else None

    def opened(self, record: Record) -> Decoded | AwaitingSchema | None:
        """What a record says, as `decoded`; None where it says nothing, or nothing that can be read."""
        try:
            return None if record.value is None else self.decoded(record.value)
        except InvalidEvent:
            return None

    def interpreted_of(
        self, record: Record, opened: Decoded | AwaitingSchema | None, rules: Rules
    ) -> Interpreted | None:
        """As `interpreted`, of a record that is opened already: nothing is decoded twice."""
        if isinstance(opened, AwaitingSchema):
            return None
        if opened is None:
            return self.interpreted(record, rules)
        found = interpret(record, _Known(opened), rules)
        return found if isinstance(found, Interpreted) else None

    def _waited(self, ask: Callable[[], Found | AwaitingSchema]) -> Found | AwaitingSchema:
        deadline = time.monotonic() + SCHEMA_SECONDS
        while isinstance(found := ask(), AwaitingSchema) and found.schema_id not in self._silent_schemas:
            if time.monotonic() > deadline:
                self._silent_schemas.add(found.schema_id)
            time.sleep(_LOOK_SECONDS)
        return found
