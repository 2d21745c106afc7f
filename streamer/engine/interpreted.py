"""What a record was found to say."""

from typing import Any

import msgspec

from streamer.outcomes import CallType, InvalidReason, SkipReason
from streamer.transform.operations import Operation


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


class Failed(Interpreted, frozen=True, gc=True):
    """What our own code failed on.

    The error's traceback knows the frames that wait for this, so whoever keeps it in one makes a ring:
    untracked, it would keep the record, and all else that these frames know, for ever.
    """
