"""What the account is made from, and what it comes to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from streamer.outcomes import CallType, Fate

EXAMPLES: Final = 5
"""How many of the events with one fault are named."""


class SeenActivity(NamedTuple):
    """An activity the sandbox keeps. `event_key` is `info.eventKey`, `keys` are its enduser's."""

    event_key: object
    keys: tuple[str, ...]
    arrival: int


class Write(NamedTuple):
    """An upsert the sandbox applied."""

    arrival: int
    sequence: int | None
    """What it wrote to `custom.sequence`, if anything."""
    brought: Sequence[int] = ()
    """Earlier upserts that were told with it as one, by their marks: those whose marks no later one wrote."""


class SeenObject(NamedTuple):
    """An enduser or company the sandbox holds, with all that was written to it, in order."""

    keys: tuple[str, ...]
    """`ext:<externalId>`, `mail:<e-mail>`; for a company `co:<externalId>`."""
    company: str | None
    """External id of the enduser's company."""
    custom: Mapping[str, Any]
    writes: Sequence[Write]
    is_whole: bool = True
    """None of its writes is forgotten."""


class SeenLetter(NamedTuple):
    """A dead letter, by the place its record was read from."""

    partition: int
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Seen:
    """All that can be found at the end."""

    activities: Iterable[SeenActivity]
    endusers: Iterable[SeenObject]
    companies: Iterable[SeenObject]
    ignored: Iterable[tuple[str, ...]]
    """`ext:<externalId>` and `mail:<e-mail>` of each activity the sandbox received and ignored."""
    letters: Iterable[SeenLetter]
    committed: Mapping[int, int]
    """The group's next offset by partition."""
    skipped: Mapping[str, int] | None = None
    """Records skipped by reason, as the pipeline counts them; None where its counters are gone."""
    merged: int | None = 0
    """Upserts the pipeline says it merged into later ones; None where its counters are gone.

    Marks tell of each whether it can have been: the count is one more witness.
    """
    resent: Mapping[int, Sequence[range]] = field(default_factory=dict)
    """Offsets a crash made the group read again, by partition; a range for each time."""


class Fault(StrEnum):
    """What can be wrong with an event, in words for the closing lines."""

    LOST_ACTIVITY = "activities lost"
    LOST_UPSERT = "upserts lost"
    LOST_LETTER = "bad records without a dead letter"
    LOST_IGNORED = "activities never sent (Planhat would have ignored them)"
    UNEXPECTED_IGNORED = "activities that Planhat ignored and should have kept"
    LEAKED = "skipped or bad events that reached Planhat all the same"
    UNKNOWN = "things at Planhat that nobody produced"
    MISPLACED = "activities with somebody else, endusers in another company"
    STALE = "objects without their latest values"
    DISORDERED_ACTIVITY = "activities in the wrong order"
    DISORDERED_UPSERT = "upserts in the wrong order"
    EARLY_ACTIVITY = "activities that overtook an upsert of their enduser"
    UNEXPLAINED_DUPLICATE = "activities counted too often"
    UNEXPECTED_LETTER = "dead letters of good records"
    WRONG_REASON = "dead letters with the wrong reason"
    SKIPPED_DIFFERS = "skips that are counted wrongly"
    UNEXPLAINED_MERGE = "upserts never seen that no merge explains"
    UNCOMMITTED = "partitions not committed to their end"


@dataclass(slots=True)
class Audit:
    """The closed account."""

    produced: int
    outcomes: Mapping[tuple[CallType, Fate, str], int]
    """Expected records by call, fate and reason; facts too, where there is no fault."""
    faults: Counter[Fault] = field(default_factory=Counter)
    examples: dict[Fault, list[str]] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    """Subjects of all objects without their latest values."""
    duplicates_from_copies: int = 0
    """Activities counted again because the topic holds their record again."""
    duplicates_from_resends: int = 0
    """Activities counted again because their record was rightly read again."""
    merged_upserts: int = 0
    """Upserts never seen on their own that a later one of the same object stands for."""
    copies_skipped: int = 0
    """Records on the topic twice that the pipeline knew by their messageId."""
    unconfirmed: int = 0
    """Skips that the pipeline could not tell from success; what they are is known here."""
    letters_repeated: int = 0
    """Dead letters beyond the first of the same record."""

    @property
    def is_complete(self) -> bool:
        """Every event is where it must be."""
        return not self.faults

    def report(self, fault: Fault, example: str, count: int = 1) -> None:
        """Note a fault; the first few examples are kept."""
        self.faults[fault] += count
        examples = self.examples.setdefault(fault, [])
        if len(examples) < EXAMPLES:
            examples.append(example)

    def lines(self) -> list[str]:
        """One line for each kind of fault, with examples."""
        return [
            f"{count} {fault.value}: {', '.join(self.examples[fault])}"
            for fault, count in sorted(self.faults.items())
        ]
