"""What a story is made of. Plain values, filled by whoever reads topics, judged by `verdict`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from streamer.kafka.topic_reader import Stretch
from streamer.letters.history import State
from streamer.letters.letter import LetterId
from streamer.outcomes import InvalidReason, SkipReason
from streamer.transform.keys import company_keys, user_keys
from streamer.transform.operations import (
    DeleteEnduser,
    ForwardCall,
    Operation,
    UpsertEnduser,
)


class Kind(StrEnum):
    """By what an object is named."""

    USER = "user"
    """An enduser's external id."""
    EMAIL = "email"
    COMPANY = "company"
    """A company's external id."""


class Wanted(NamedTuple):
    """The object that is asked about."""

    kind: Kind
    name: str

    @property
    def key(self) -> str:
        """What operations that are about it have among their keys."""
        match self.kind:
            case Kind.USER:
                keys = user_keys(self.name, None)
            case Kind.EMAIL:
                keys = user_keys(None, self.name)
            case Kind.COMPANY:
                keys = company_keys(self.name)
        return keys[0]

    @property
    def noun(self) -> str:
        """What it is to Planhat."""
        return "company" if self.kind is Kind.COMPANY else "enduser"


def company_of(operation: UpsertEnduser) -> str | None:
    """External id of the company that it goes to, be it only where Planhat finds no other."""
    named = operation.company_external_id
    return named if named is not None else operation.fallback_company


class Settling(StrEnum):
    """Whether the group is finished with a call."""

    COMMITTED = "committed"
    """Its offset is below the committed one: delivered, skipped or a dead letter."""
    AHEAD = "settled_ahead"
    """As above; the commit's metadata says so, while something before it is not finished."""
    OPEN = "not_settled"
    """Not read yet, or in flight."""
    UNKNOWN = "unknown"
    """Nobody told what is committed."""


class Outcome(StrEnum):
    """What a call comes to by the rules in force; a contract of `explain --json`."""

    OPERATIONS = "operations"
    SKIPPED = "skipped"
    INVALID = "invalid"
    UNREAD = "unread"
    """The registry does not give its schema."""


class At(NamedTuple):
    """Where a call stands; the order of a story is that of these."""

    written_ms: int
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


@dataclass(slots=True)
class ToldLetter:
    """A dead letter of the object."""

    id: LetterId
    partition: int
    offset: int
    written_ms: int
    reason: str
    detail: str
    state: State
    replays: int
    call: str = ""


@dataclass(slots=True)
class ToldCall:
    """One call about the object."""

    at: At
    type: str
    event: str | None
    """Of a track call its event, of a page or screen its name."""
    timestamp: str | None
    """When it happened, as the event says."""
    outcome: Outcome
    skipped: SkipReason | None = None
    invalid: InvalidReason | None = None
    detail: str = ""
    operations: tuple[Operation, ...] = field(default=(), repr=False)
    """Those that are about the object."""
    has_key: bool = True
    copy_of: At | None = None
    """An earlier call of the same type and messageId."""
    says_nothing_new: bool = False
    """All that it says was said shortly before (`STREAMER_UNCHANGED_TTL`): perhaps `unchanged`."""
    overtaken_by: At | None = None
    """The later call since which every value of this one was said anew, or the object was deleted."""
    settling: Settling = Settling.UNKNOWN
    letter: ToldLetter | None = None

    @property
    def upserts(self) -> bool:
        """Whether it creates or updates the object."""
        return any(each.endpoint.is_upsert for each in self.operations)

    @property
    def deletes(self) -> bool:
        """Whether it deletes the object."""
        return any(isinstance(each, DeleteEnduser) and not each.archives for each in self.operations)

    @property
    def archives(self) -> bool:
        """Whether it archives the object."""
        return any(isinstance(each, DeleteEnduser) and each.archives for each in self.operations)

    @property
    def is_forwarded(self) -> bool:
        """Whether it goes to Planhat as it came."""
        return any(isinstance(each, ForwardCall) for each in self.operations)

    @property
    def company(self) -> str | None:
        """The company that its upsert of an enduser names."""
        named = (company_of(each) for each in self.operations if isinstance(each, UpsertEnduser))
        return next((each for each in named if each is not None), None)


@dataclass(slots=True)
class Partition:
    """What was looked at of one partition."""

    read: Stretch
    held: Stretch
    """What the log held; below it everything is deleted."""
    committed: int | None = None


class Look(StrEnum):
    """What asking Planhat for one record came to."""

    FOUND = "found"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Present:
    """Planhat's record of one object now."""

    look: Look
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)
    detail: str = ""
    """Why it is unknown; of several with one e-mail, how many there are."""
    is_refused: bool = False
    """Planhat does not take our credentials."""


@dataclass(slots=True)
class Story:
    """Everything that was found out about one object."""

    wanted: Wanted
    topic: str
    group: str
    since_ms: int
    holding_company: str | None = None
    """Of `STREAMER_UNASSIGNED`; None for `discard`."""
    unchanged_seconds: float = 0.0
    """`STREAMER_UNCHANGED_TTL`."""
    records: int = 0
    """Records that were read."""
    partitions: dict[int, Partition] = field(default_factory=dict)
    calls: list[ToldCall] = field(default_factory=list)
    """The latest of them, in the order in which they were written."""
    count: int = 0
    """Calls about the object, kept or not."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Of all of them: `operations`, `skipped: <reason>`, `invalid: <reason>`, `unread`."""
    seen_on: set[int] = field(default_factory=set)
    """Partitions that hold its calls."""
    null_keys: int = 0
    other_ids: set[str] = field(default_factory=set)
    """External ids that the same calls name: the object goes by these too."""
    named_by: int = 0
    """Of a company: calls of users that name it."""
    grouped: frozenset[str] | None = frozenset()
    """Companies that a group call made; None where there are too many to say."""
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    """What its upserts say all together, as Planhat spells it."""
    letters: list[ToldLetter] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """What could not be found out, and why."""
    present: Present | None = None
    """Of the object; None where Planhat was not asked."""
    company: str | None = None
    """The company that its latest upsert names."""
    present_company: Present | None = None
