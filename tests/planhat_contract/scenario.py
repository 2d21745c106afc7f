"""A story of events that touches everything Planhat leaves open, and what each of them asks for.

Each event carries its place in the story: `custom.step` of an upsert, `messageId` of an activity. So
whatever the sandbox applied can be laid beside what was told.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from streamer.events.parse import parse
from streamer.standins.planhat.faults import Fault, FaultKind, ItemMatch
from streamer.transform import Rules, Skipped, transform
from streamer.transform.operations import LogActivity, Operation
from tests.engine.fakes import group, identify, track

PARTITIONS = 3

FAULTS = (
    Fault(
        kind=FaultKind.REFUSE,
        endpoint="endusers",
        items=ItemMatch(field="externalId", values=frozenset({"u-refused"})),
        times=None,
        error="phone is not valid",
    ),
    Fault(
        kind=FaultKind.OVERLAP,
        endpoint="endusers",
        items=ItemMatch(field="externalId", values=frozenset({"u-overlap"})),
        times=2,
    ),
)
"""One enduser that Planhat refuses whenever it is sent, and one that another writer holds for a while."""


class Event(NamedTuple):
    """One event of the story."""

    step: int
    name: str
    """Whom it upserts, and the how-manieth time from the second on: `u-3`, `u-3/2`; or its messageId."""
    partition: int
    call: dict[str, Any]
    operations: tuple[Operation, ...]

    @property
    def is_activity(self) -> bool:
        """Whether it asks for an activity, and for nothing else."""
        return isinstance(self.operations[0], LogActivity)


def story() -> list[list[Event]]:
    """Chapters, each told when the one before is settled: companies, who is in them, what happens then."""
    chapters = [list(_companies()), list(_users()), list(_what_happens())]
    events = events_of([call for chapter in chapters for call in chapter])
    return [[next(events) for _ in chapter] for chapter in chapters]


def events_of(calls: Iterable[dict[str, Any]]) -> Iterator[Event]:
    """Calls as events, numbered from 0."""
    times: Counter[str] = Counter()
    for step, call in enumerate(calls):
        numbered = {**call, "messageId": f"m-{step}"}
        if "traits" in call:
            # A repetition keeps the number it has: it is to change nothing at Planhat.
            numbered["traits"] = {"step": step, **call["traits"]}
        meant = transform(parse(numbered), Rules())
        assert not isinstance(meant, Skipped)
        about = str(call.get("groupId") or call["userId"])
        times[about] += "traits" in call
        name = f"{about}/{times[about]}" if times[about] > 1 else about
        name = name if "traits" in call else f"m-{step}"
        yield Event(step, name, sum(about.lower().encode()) % PARTITIONS, numbered, meant.operations)


def _companies() -> Iterator[dict[str, Any]]:
    yield track("u-early", "Looked Around", company=None)
    yield group("acme", name="Acme", website="acme.example", seats=3)
    yield group("beta", name="Beta", phone="030 1", address={"street": "1 Main", "city": "Bonn"})
    yield group("nameless", plan="free")
    for number in range(1, 7):
        yield group(f"c-{number}", name=f"Company {number}")
    yield group("acme", step=90, user="u-1", name="Acme")
    yield group("acme", step=90, user="u-1", name="Acme")


def _users() -> Iterator[dict[str, Any]]:
    for number in range(1, 10):
        yield identify(
            f"u-{number}", name=f"User {number}", email=f"user{number}@acme.example", title="CTO", phone="1"
        )
    for number in range(1, 5):
        yield track(f"u-{number}", "Signed In", weight=number)


def _what_happens() -> Iterator[dict[str, Any]]:
    yield from _one_user_again_and_again()
    yield from _odd_users()
    yield from _without_a_company()
    yield from _refused_for_a_while_or_for_good()
    for number in range(1, 5):
        yield track(f"u-{number}", "Signed Out")


def _one_user_again_and_again() -> Iterator[dict[str, Any]]:
    """u-1: new values, a null, values of every kind, the same once more."""
    yield identify("u-1", plan="free", seats=1, tags=["a", "b"])
    yield track("u-1", "Changed Plan", plan="pro")
    named_by_hand: dict[str, Any] = {"Days until renewal": 3, "is.trial": True}
    yield identify("u-1", plan="pro", score=0.5, **named_by_hand)
    yield identify("u-1", plan=None, phone=None, address={"city": "Bonn"})
    yield identify("u-1", step=900, plan="team")
    yield identify("u-1", step=900, plan="team")
    yield identify("u-1", step=900, plan="team")
    yield track("u-1", "Changed Plan", plan="team")


def _odd_users() -> Iterator[dict[str, Any]]:
    """Known by one key, by the other, by both, in another case, in two companies, without a name."""
    yield identify("u-nameless", plan="free")
    yield track("u-nameless", "Signed In")
    yield identify("third@acme.example", name="Third")
    yield identify("u-third", name="Third", email="Third@Acme.example")
    yield track("u-third", "Signed In")
    yield identify("u-two", name="User 2", email="user2@acme.example")
    yield identify("u-3", company="beta", name="User 3", plan="beta")
    yield identify("u-3", company=None, plan="which of the two")
    yield track("u-3", "Signed In", company="beta")
    yield identify("u-4", company=None, plan="still acme's")
    yield track("u-new", "Signed In")
    yield track("u-new", "Signed In")


def _without_a_company() -> Iterator[dict[str, Any]]:
    """Nobody's endusers: no company named, one that does not exist, one that their address tells."""
    for number in range(1, 4):
        yield identify(f"u-lost-{number}", company=None, name="Lost")
        yield track(f"u-lost-{number}", "Signed In", company=None)
    yield identify("u-elsewhere", company="not-there", name="Else")
    yield identify("u-free", company=None, name="Free", email="free@nowhere.example")
    yield identify("u-domain", company=None, name="Dom", email="dom@acme.example")
    yield track("u-domain", "Signed In", company=None)


def _refused_for_a_while_or_for_good() -> Iterator[dict[str, Any]]:
    yield identify("u-refused", name="Never", phone="?")
    yield track("u-refused", "Signed In")
    yield identify("u-overlap", name="Later")
    yield identify("u-overlap", plan="pro")
    yield track("u-overlap", "Signed In")
