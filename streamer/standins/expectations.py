"""What a made event must come to, stated by its maker.

Nothing here asks the transform: an expectation derived from the code under test would prove nothing.
Facts: the tables of the design's sections 5 and 6, and Segment's discard vocabulary.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from streamer.outcomes import CallType, Fate, InvalidReason, SkipReason

MARKS: Final = 16
"""Upserts write so many custom fields in turn."""


class Effect(IntEnum):
    """What Planhat must hold because of an event."""

    NOTHING = 0
    """Skipped or dead-lettered: no trace of it may be found."""
    ENDUSER = 1
    """The enduser took the traits."""
    COMPANY = 2
    """The company took the traits."""
    LINK = 3
    """The company exists and the enduser belongs to it; the traits are the company's name alone."""
    ACTIVITY = 4
    """One activity of the enduser."""
    IGNORED = 5
    """Sent, answered 200, and ignored by Planhat: nobody to attach the activity to."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The fate of one record, and where to look for its trace.

    `subject` is whose order the event belongs to: `ext:<userId>`, `mail:<e-mail>` or `co:<groupId>`;
    None where nobody's (bad records, tombstones, anonymous pages). `sequence` counts the subject's
    events from 1 and is 0 without a subject. Both are in the event too, see `event_key`.
    """

    call: CallType
    fate: Fate
    reason: SkipReason | InvalidReason | None = None
    effect: Effect = Effect.NOTHING
    subject: str | None = None
    sequence: int = 0
    company: str | None = None
    """External id of the company the event names or its user belongs to."""
    is_copy: bool = False
    """The same messageId was made before: it is skipped as a copy, or counts again."""

    @property
    def event_key(self) -> str:
        """The `eventKey` in traits or properties, unique but for copies; empty without a subject."""
        return event_key(self.subject, self.sequence) if self.subject is not None else ""


def event_key(subject: str, sequence: int) -> str:
    """`<subject>#<sequence>`."""
    return f"{subject}#{sequence}"


def parse_event_key(text: object) -> tuple[str, int] | None:
    """Subject and sequence of an `eventKey`; None for anything else."""
    if not isinstance(text, str):
        return None
    subject, mark, number = text.rpartition("#")
    if not mark or not number.isascii() or not number.isdigit():
        return None
    return subject, int(number)


def mark_of(sequence: int) -> str:
    """The custom field that the upsert with this sequence number writes: what a lost one wrote is missed."""
    return f"Mark {sequence % MARKS}"
