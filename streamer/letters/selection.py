"""Which letters are meant: the filters of `dead-letters list` and `replay`."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from streamer.letters.history import Filed, State
from streamer.letters.letter import LetterId

_SPAN: Final = re.compile(r"(\d{1,6})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Selection:
    """Letters that pass every filter that is set."""

    reasons: Collection[str] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    user: str | None = None
    partition: int | None = None
    """Of the original."""
    ids: Collection[LetterId] = ()
    """Letters that are named: also those that a replay skipped, to be tried once more."""
    is_settled_too: bool = False
    """Also those that a replay delivered or skipped."""

    def accepts(self, filed: Filed) -> bool:
        """Whether this letter is meant."""
        written = filed.letter.written_ms
        is_named_again = bool(self.ids) and filed.state is State.SKIPPED
        return (
            (self.is_settled_too or filed.state.is_open or is_named_again)
            and (not self.reasons or filed.reason in self.reasons)
            and (self.since_ms is None or written >= self.since_ms)
            and (self.until_ms is None or written < self.until_ms)
            and (self.partition is None or filed.letter.record.partition == self.partition)
            and (not self.ids or any(each in self.ids for each in filed.ids))
            and (self.user is None or filed.subject.is_named(self.user))
        )


def moment_ms(text: str, now_ms: int) -> int | None:
    """Milliseconds since 1970 of an ISO time with its zone, or of a span back such as `90m`, `2h`, `3d`.

    None where `text` is neither.
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now_ms - int(span[1]) * _SECONDS[span[2]] * 1000
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else int(moment.astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):  # the latter: in UTC it is outside the calendar
        return None
