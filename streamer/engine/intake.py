"""From a record's bytes to operations: decode, parse, transform. A function of the record alone."""

from dataclasses import dataclass

from streamer.engine.ports import AwaitingSchema, Decoder
from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.outcomes import CallType, InvalidReason, SkipReason
from streamer.records import Record
from streamer.transform import Skipped, transform
from streamer.transform.operations import Operation
from streamer.transform.rules import Rules


@dataclass(frozen=True, slots=True)
class Interpreted:
    """What a record says: operations, or the reason there are none."""

    call: CallType
    schema_id: str | None = None
    operations: tuple[Operation, ...] = ()
    skipped: SkipReason | None = None
    invalid: InvalidReason | None = None
    detail: str = ""
    error: Exception | None = None
    """What our own code raised, where it did: the record is invalid as `internal`."""


def interpret(record: Record, decoder: Decoder, rules: Rules) -> Interpreted | AwaitingSchema:
    """What this record asks for. Total: a failure of our own code is an answer too."""
    if record.value is None:
        return Interpreted(CallType.UNKNOWN, skipped=SkipReason.TOMBSTONE)
    call_type = CallType.UNKNOWN
    schema_id = None
    try:
        decoded = decoder.decode(record.value)
        if isinstance(decoded, AwaitingSchema):
            return decoded
        schema_id = decoded.schema_id
        call = parse(decoded.value)
        call_type = call.type
        result = transform(call, rules)
    except InvalidEvent as invalid:
        return Interpreted(call_type, schema_id, invalid=invalid.reason, detail=invalid.detail)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - one record's bug must not stop the others
        return Interpreted(call_type, schema_id, invalid=InvalidReason.INTERNAL, error=error)
    if isinstance(result, Skipped):
        return Interpreted(call_type, schema_id, skipped=result.reason)
    return Interpreted(call_type, schema_id, result.operations)
