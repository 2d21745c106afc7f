"""What was delivered more than once, and whether that had to be.

A partition is read by one member after another. Whoever takes over begins at the last acknowledged
commit and passes over what its metadata tells to be settled ahead, so of what the giver had delivered,
exactly the other places come again. So within one tenure nothing may come twice, and nothing may come
that the last commit before the tenure called settled.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from streamer.engine.settled import NOTHING, Settled
from streamer.outcomes import Endpoint
from streamer.standins.account_books import Expected
from streamer.standins.account_view import person_keys
from streamer.standins.expectations import event_key, parse_event_key
from streamer.standins.planhat.client import SandboxClient
from streamer.standins.planhat.rows import EntryRow
from tests.real_kafka.commits import CommitHistory
from tests.real_kafka.member import Member
from tests.real_kafka.pipeline import Pipeline

Shares = Mapping[str, set[int]]
"""Partitions by the name of the member that reads them."""

SLACK_SECONDS: Final = 0.01
"""The broker's log tells milliseconds."""


class Place(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


class Change(NamedTuple):
    """A partition goes from one member to another."""

    partition: int
    giver: str
    at: float
    """Seconds since 1970: the giver sends nothing after."""
    commits_until: float
    """No commit later than this is the giver's."""
    end: int
    """What there was to read by then, at most."""


class Takeover(NamedTuple):
    """A change, with the offset at which the new reader begins."""

    partition: int
    giver: str
    at: float
    committed: int
    end: int
    ahead: Settled = NOTHING
    """What the last commit told to be settled beyond its offset."""

    def is_done(self, place: Place) -> bool:
        """Whether the new reader passes over this place."""
        return place.offset < self.committed or self.ahead.has(place.offset)


class Changes:
    """Notes who gave what to whom, from one stable sharing of the partitions to the next."""

    def __init__(self, shares: Shares, ends: Mapping[int, int]) -> None:
        self._owners = _owners(shares)
        self._ends = ends
        self._changes: list[Change] = []

    def note(self, shares: Shares, at: Callable[[str], float], commits_for_seconds: float = 0.0) -> None:
        """The partitions are now shared like this; `at` tells when a giver stopped sending.

        A commit that was under way when its sender was killed may still arrive; the next reader's first
        one comes later than `commits_for_seconds`.
        """
        owners = _owners(shares)
        for partition, giver in self._owners.items():
            if owners[partition] != giver:
                end = self._ends.get(partition, 0)
                moment = at(giver)
                self._changes.append(Change(partition, giver, moment, moment + commits_for_seconds, end))
        self._owners = owners

    def takeovers(self, history: CommitHistory) -> list[Takeover]:
        """All changes, in the order of time."""
        return [
            Takeover(
                each.partition,
                each.giver,
                each.at,
                history.offset_at(each.partition, each.commits_until + SLACK_SECONDS),
                each.end,
                history.ahead_at(each.partition, each.commits_until + SLACK_SECONDS),
            )
            for each in sorted(self._changes, key=lambda change: change.at)
        ]


def takeovers_at_losses(pipeline: Pipeline, *members: Member) -> list[Takeover]:
    """What these members' logs tell to be lost, as takeovers of every partition: of more than was theirs."""
    history = CommitHistory(pipeline.kafka, pipeline.group, pipeline.topic)
    return [
        Takeover(number, member.name, at, history.offset_at(number, at), end, history.ahead_at(number, at))
        for member in members
        for at in moments(member, "partitions_lost")
        for number, end in pipeline.expected.ends.items()
    ]


def moments(member: Member, event: str) -> list[float]:
    """When a member's log has lines of this name; seconds since 1970."""
    return [datetime.fromisoformat(line["time"]).timestamp() for line in member.lines(event)]


def _owners(shares: Shares) -> dict[int, str]:
    return {partition: name for name, partitions in shares.items() for partition in partitions}


# --- arrivals -------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """A request as the sandbox saw it."""

    number: int
    at: float
    until: float


Arrived = Mapping[str, Sequence[Asked]]
"""The requests that brought each event, by event key."""


@dataclass
class Arrivals:
    """What the sandbox holds of each event."""

    activities: dict[str, list[Asked]] = field(default_factory=dict)
    upserts: dict[str, list[Asked]] = field(default_factory=dict)
    """Only those that write a sequence number: group calls that name a person do not."""


def arrivals_at(sandbox: SandboxClient) -> Arrivals:
    """Everything that arrived."""
    asked = {row.number: Asked(row.number, row.time, row.time + row.seconds) for row in sandbox.requests()}
    found = Arrivals()
    for row in sandbox.activities():
        key = row.info.get("eventKey") if isinstance(row.info, Mapping) else None
        found.activities.setdefault(str(key), []).append(asked[row.request])
    for enduser in sandbox.endusers():
        _note_writes(found.upserts, asked, person_keys(enduser.external_id, enduser.email), enduser)
    for company in sandbox.companies():
        _note_writes(found.upserts, asked, (f"co:{company.external_id}",), company)
    return found


def _note_writes(
    upserts: dict[str, list[Asked]], asked: Mapping[int, Asked], keys: tuple[str, ...], row: EntryRow
) -> None:
    for write in row.history:
        custom = write.sent.get("custom")
        name = custom.get("eventKey") if isinstance(custom, Mapping) else None
        parsed = parse_event_key(name)
        if parsed is not None and parsed[0] in keys:
            upserts.setdefault(str(name), []).append(asked[write.request])


def unclear_requests(sandbox: SandboxClient) -> set[int]:
    """Bulks of endusers whose reply leaves open which item was not saved: some are asked for again.

    Planhat's summary counts items, and names none that it saved unchanged or did not save.
    """
    return {row.request for row in sandbox.ignored() if row.endpoint == Endpoint.ENDUSERS}


def places_of(expected: Expected) -> dict[str, list[Place]]:
    """The places of each event; copies have several, all in one partition.

    May be asked while events are still being fed: `add` appends the offset last but one, so as many as
    there are effects are whole, and their subjects are known by then.
    """
    whole = len(expected.effects)
    columns = (expected.numbers, expected.sequences, expected.partitions, expected.offsets)
    rows = list(zip(*(column[:whole] for column in columns), strict=True))
    subjects = {number: subject for subject, number in dict(expected.subjects).items()}
    places: dict[str, list[Place]] = {}
    for number, sequence, partition, offset in rows:
        places.setdefault(event_key(subjects[number], sequence), []).append(Place(partition, offset))
    return places


# --- the law ----------------------------------------------------------------------------------------


@dataclass
class Duplicates:
    """What came again, by the takeover that caused it, and what nothing explains."""

    by_takeover: dict[Takeover, Counter[str]] = field(default_factory=dict)
    unanswered: Counter[str] = field(default_factory=Counter)
    """Givers, with how much of theirs came again and was under way when they ended."""
    unexplained: list[str] = field(default_factory=list)

    def of(self, giver: str) -> int:
        """How much came again because this member's partitions were taken over."""
        return sum(again.total() for each, again in self.by_takeover.items() if each.giver == giver)

    @property
    def total(self) -> int:
        """All of it."""
        return sum(again.total() for again in self.by_takeover.values())


def judge(
    takeovers: Sequence[Takeover],
    places: Mapping[str, Sequence[Place]],
    arrived: Arrived,
    unclear: frozenset[int] | set[int] = frozenset(),
) -> Duplicates:
    """Hold every arrival against the law in the module's docstring."""
    judged = Duplicates()
    for key, requests in arrived.items():
        known = places.get(key)
        if known is None:
            judged.unexplained.append(f"{key}: nobody produced it")
            continue
        open_places = list(known)
        left = list(requests)
        for takeover in [each for each in takeovers if each.partition == known[0].partition]:
            tenure = [each for each in left if each.at <= takeover.at]
            left = [each for each in left if each.at > takeover.at]
            _look(judged, key, open_places, tenure, unclear)
            settled = sum(takeover.is_done(place) for place in open_places)
            looks = sum(each.number in unclear for each in tenure)
            if len(tenure) > settled + looks:
                again = len(tenure) - settled - looks
                judged.by_takeover.setdefault(takeover, Counter())[key] += again
                cut = sum(each.until > takeover.at for each in tenure)
                judged.unanswered[takeover.giver] += min(again, cut)
            open_places = [place for place in open_places if not takeover.is_done(place)]
        _look(judged, key, open_places, left, unclear)
    return judged


def _look(
    judged: Duplicates,
    key: str,
    places: Sequence[Place],
    tenure: Sequence[Asked],
    unclear: frozenset[int] | set[int],
) -> None:
    """In one tenure each place that was not settled when it began comes at most once."""
    most = len(places) + sum(each.number in unclear for each in tenure)
    if len(tenure) > most:
        judged.unexplained.append(
            f"{key} at {[tuple(place) for place in places]}: {len(tenure)} times in one tenure"
        )


def resent(takeovers: Sequence[Takeover]) -> dict[int, list[range]]:
    """Offsets that were rightly sent again, for the account: ranges of them for each takeover."""
    ranges: dict[int, list[range]] = {}
    for each in takeovers:
        mine = ranges.setdefault(each.partition, [])
        mine += [range(offset, offset + 1) for offset in each.ahead.unsettled if offset < each.end]
        mine.append(range(max(each.committed, each.ahead.end), each.end))
    return ranges
