"""What a record says: decode, parse and transform, a function of the record alone."""

from typing import Any, Final

import msgspec

from streamer.engine.ports import AwaitingSchema, Decoded, Decoder
from streamer.errors import InvalidEvent
from streamer.events.parse import call_type_of, parse
from streamer.outcomes import CallType, InvalidReason, SkipReason
from streamer.records import Record
from streamer.transform import Skipped, told_of
from streamer.transform.operations import Operation
from streamer.transform.rules import Rules

# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_UNKNOWN: Final = CallType.UNKNOWN


class Interpreted(msgspec.Struct, frozen=True, gc=False):
    """What a record says: operations, or the reason there are none."""

    call: CallType
    schema_id: str | None = None
    operations: tuple[Operation, ...] = ()
    skipped: SkipReason | None = None
    invalid: InvalidReason | None = None
    detail: str = ""
    message_id: str | None = None
    error: Exception | None = None
    """What our own code raised, where it did: the record is invalid as `internal`."""

    def __repr__(self) -> str:
        # Not the error's text, nor what comes of people: an operation shows its ids alone.
        return f"<Interpreted {self.call} {self.operations} {self.skipped or self.invalid or ''}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in ("call", "operations", "skipped", "invalid")]


class _Failed(Interpreted, frozen=True, gc=True):
    """What our own code failed on.

    The error's traceback knows the frames that wait for this, so whoever keeps it in one makes a ring:
    untracked, it would keep the record, and all else that these frames know, for ever.
    """


def interpret(record: Record, decoder: Decoder, rules: Rules) -> Interpreted | AwaitingSchema:
    """What this record asks for. Total: a failure of our own code is an answer too."""
    if record.value is None:
        return Interpreted(_UNKNOWN, skipped=SkipReason.TOMBSTONE)
    decoded = None
    try:
        decoded = decoder.decode(record.value)
        if isinstance(decoded, AwaitingSchema):
            return decoded
        call = parse(decoded.value)
        result = told_of(call, decoded.value, rules)
    except InvalidEvent as invalid:
        return Interpreted(*_heading(decoded), invalid=invalid.reason, detail=invalid.detail)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - one record's bug must not stop the others
        return _Failed(*_heading(decoded), invalid=InvalidReason.INTERNAL, error=error)
    if isinstance(result, Skipped):
        return Interpreted(call.type, decoded.schema_id, skipped=result.reason)
    return Interpreted(call.type, decoded.schema_id, result.operations, None, None, "", call.message_id)


def _heading(decoded: Decoded | AwaitingSchema | None) -> tuple[CallType, str | None]:
    """Of one that makes no call: what is wrong with a track call is counted with the track calls."""
    if not isinstance(decoded, Decoded):
        return _UNKNOWN, None
    return call_type_of(decoded.value), decoded.schema_id
