"""What a record says: decode, parse and transform, a function of the record alone."""

from collections.abc import Callable
from typing import Any, Final

from streamer.engine.ports import AwaitingSchema, Decoded, Decoder
from streamer.errors import InvalidEvent
from streamer.events.calls import Call, JsonDict
from streamer.events.parse import call_type_of, parse
from streamer.outcomes import CallType, InvalidReason, SkipReason
from streamer.records import Record
from streamer.transform import Skipped, Transformed, told_of
from streamer.transform.operations import Operation
from streamer.transform.rules import Rules

# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_UNKNOWN: Final = CallType.UNKNOWN

Tell = Callable[[Call, JsonDict, Rules], Transformed | Skipped]
"""What becomes of a call; with it the event that it was parsed from."""


class Interpreted:
    """What a record says: operations, or the reason there are none. Nobody writes to one.

    No struct of msgspec's, since one is made for each record and read many times: see `Record`.
    """

    __slots__ = ("call", "detail", "error", "invalid", "message_id", "operations", "schema_id", "skipped")

    def __init__(
        self,
        call: CallType,
        schema_id: str | None = None,
        operations: tuple[Operation, ...] = (),
        *,
        skipped: SkipReason | None = None,
        invalid: InvalidReason | None = None,
        detail: str = "",
        message_id: str | None = None,
        error: Exception | None = None,
    ) -> None:
        """Hold it; `error` is what our own code raised, where it did: the record is invalid as `internal`."""
        self.call = call
        self.schema_id = schema_id
        self.operations = operations
        self.skipped = skipped
        self.invalid = invalid
        self.detail = detail
        self.message_id = message_id
        self.error = error

    def __repr__(self) -> str:
        # Not the error's text, nor what comes of people: an operation shows its ids alone.
        return f"<Interpreted {self.call} {self.operations} {self.skipped or self.invalid or ''}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in ("call", "operations", "skipped", "invalid")]


def interpret(
    record: Record, decoder: Decoder, rules: Rules, tell: Tell = told_of
) -> Interpreted | AwaitingSchema:
    """What this record asks for. Total: a failure of our own code is an answer too."""
    if record.value is None:
        return Interpreted(_UNKNOWN, skipped=SkipReason.TOMBSTONE)
    decoded: Decoded | AwaitingSchema | None = None
    try:
        decoded = decoder.decode(record.value)
        # By type, here and below: `isinstance` asks more.
        if type(decoded) is AwaitingSchema:
            return decoded
        call = parse(decoded.value)
        result = tell(call, decoded.value, rules)
    except InvalidEvent as invalid:
        return Interpreted(*_heading(decoded), invalid=invalid.reason, detail=invalid.detail)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - one record's bug must not stop the others
        return Interpreted(*_heading(decoded), invalid=InvalidReason.INTERNAL, error=error)
    if type(result) is Skipped:
        return Interpreted(call.type, decoded.schema_id, skipped=result.reason)
    return Interpreted(call.type, decoded.schema_id, result.operations, message_id=call.message_id)


def _heading(decoded: Decoded | AwaitingSchema | None) -> tuple[CallType, str | None]:
    """Of one that makes no call: what is wrong with a track call is counted with the track calls."""
    if not isinstance(decoded, Decoded):
        return _UNKNOWN, None
    return call_type_of(decoded.value), decoded.schema_id
