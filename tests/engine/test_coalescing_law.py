"""The law of coalescing: told together, upserts leave Planhat, and their records, as told one by one.

The same events go through two engines, one of which may tell nothing together; behind each stands a
small Planhat that reads the JSON it is sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch
from streamer.outcomes import Answer, Answered, Endpoint, Fate, SkipReason, Verdict
from tests.engine.fakes import Bench

ONE_BY_ONE = Limits(
    calls_per_minute=6_000, dead_letter_ratio=1.0, second_look_seconds=0.5, coalesced_parts=1,
    unchanged_seconds=0, revived_endusers=0,
)  # fmt: skip
TOGETHER = replace(ONE_BY_ONE, coalesced_parts=100)
WITH_MEMORY = replace(ONE_BY_ONE, unchanged_seconds=3_600)

Spelled = dict[str, Any]


@dataclass
class Planhat:
    """Companies by external id; endusers found by external id, else by address."""

    companies: dict[str, Spelled] = field(default_factory=lambda: {"acme": {}, "beta": {}})
    endusers: list[Spelled] = field(default_factory=list)
    entries: int = 0

    def known(self) -> list[bytes]:
        """The endusers, in no order that matters."""
        return sorted(msgspec.json.encode(enduser, order="deterministic") for enduser in self.endusers)

    def answer(self, batch: Batch) -> Answer:
        self.entries += len(batch.items)
        take = self._company if batch.endpoint is Endpoint.COMPANIES else self._enduser
        return Answered(tuple([take(msgspec.json.decode(encoded)) for encoded in batch.items]))

    def _company(self, spelled: Spelled) -> Verdict:
        if "bad" in spelled.get("custom", {}):
            return Verdict.REFUSED
        known = self.companies.get(spelled["externalId"])
        if known is None and "name" not in spelled:
            return Verdict.NAME_MISSING
        put(self.companies.setdefault(spelled["externalId"], {}), spelled)
        return Verdict.ACCEPTED

    def _enduser(self, spelled: Spelled) -> Verdict:
        external_id, email = spelled.get("externalId"), spelled.get("email")
        company = spelled.get("companyId", "").removeprefix("extid-")
        found = self._find("externalId", external_id) or self._find("email", email)
        if "bad" in spelled.get("custom", {}) or (found and self._is_another(found, external_id, email)):
            return Verdict.REFUSED
        if (company and company not in self.companies) or (found is None and not company):
            return Verdict.MISSING
        if found is None:
            found = {}
            self.endusers.append(found)
        put(found, spelled)
        return Verdict.ACCEPTED

    def _find(self, key: str, value: str | None) -> Spelled | None:
        return next((one for one in self.endusers if value is not None and one.get(key) == value), None)

    def _is_another(self, found: Spelled, external_id: str | None, email: str | None) -> bool:
        """Planhat calls it duplicated: two keys that name two endusers."""
        holder = self._find("email", email)
        return (holder is not None and holder is not found) or (
            external_id is not None and found.get("externalId") not in {None, external_id}
        )


def put(stored: Spelled, spelled: Spelled) -> None:
    """A partial update: what is named is set, `custom` key by key, a null clears."""
    custom = stored.setdefault("custom", {})
    for name, value in spelled.get("custom", {}).items():
        custom[name] = value
        if value is None:
            del custom[name]
    for name, value in spelled.items():
        if name != "custom":
            stored[name] = value


@dataclass(frozen=True)
class Said:
    """One call: who, of which company, and what."""

    kind: str
    external_id: str | None
    email: str | None
    company: str | None
    traits: tuple[tuple[str, Any], ...]

    def event(self, company: str | None) -> Spelled:
        """Its Segment event, of a company."""
        traits = {**dict(self.traits), **({"email": self.email} if self.email else {})}
        who: Spelled = {"userId": self.external_id} if self.external_id else {"anonymousId": "a-1"}
        if self.kind == "group":
            named: Spelled = {"groupId": company or "nova", "traits": dict(self.traits)}
            named["context"] = {"traits": {"email": self.email}} if self.email else {}
            return {"type": "group", "messageId": "m", **who, **named}
        context = {"groupId": company} if company else {}
        return {"type": "identify", "messageId": "m", "context": context, "traits": traits, **who}


@dataclass
class Run:
    """An engine that has taken a story in, and what became of it."""

    planhat: Planhat
    bench: Bench
    where: list[tuple[int, int]]

    def outcome(self, number: int) -> tuple[Fate, str]:
        return self.bench.told.outcomes[self.where[number]]


def run(story: list[Said], turns: list[int], companies: dict[int, str], limits: Limits) -> Run:
    """Tell a story, with so many turns before each event; `companies` are given to some beforehand."""
    planhat = Planhat()
    bench = Bench(limits=limits, answer=planhat.answer)
    done = Run(planhat, bench, [])
    for number, (said, pause) in enumerate(zip(story, turns, strict=True)):
        bench.turn(pause, seconds=0.1)
        record = bench.source.feed(said.event(companies.get(number, said.company)))
        done.where.append((record.partition, record.offset))
        bench.streamer.check()
    for _ in range(200):
        bench.turn(10, seconds=0.5)
        if not bench.streamer.ledger.in_flight and len(bench.told.outcomes) == len(story):
            break
    assert not bench.streamer.ledger.in_flight
    assert sum(bench.told.done.values()) == sum(bench.told.made.values())
    return done


def next_company(story: list[Said], number: int) -> Iterator[str]:
    """Companies that later calls of the same enduser name."""
    said = story[number]
    for later in story[number + 1 :]:
        shares = (said.external_id and said.external_id == later.external_id) or (
            said.email and said.email == later.email
        )
        if shares and later.company:
            yield later.company


traits = st.dictionaries(
    st.sampled_from(["plan", "seats", "phone", "bad"]), st.sampled_from([1, 2, "x", None]), max_size=3
).map(lambda chosen: tuple(chosen.items()))


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[Said, int]]:
    """Calls, and how many turns pass before each.

    Two endusers may claim one address. Nobody changes hers, or goes by one key here and by another there:
    calls that share no key have no order, so there is no "one by one" to compare with.
    """
    second = draw(st.sampled_from(["a@x.example", "b@x.example"]))
    people = [("1", None), ("1", "a@x.example"), ("2", None), ("2", second), (None, "c@x.example")]
    story = []
    for _ in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(["identify", "identify", "identify", "group"]))
        external_id, email = draw(st.sampled_from(people))
        company = draw(st.sampled_from(["acme", "acme", "beta", "ghost", None]))
        if kind == "group" and company not in {"acme", "beta"}:
            # A company that comes into being is nobody's: whoever asks again finds it sooner or later.
            company, external_id, email = "nova", None, None
        said = Said(kind, external_id, email, company, draw(traits))
        story.append((said, draw(st.sampled_from([0, 0, 0, 1, 3]))))
    return story


@settings(max_examples=300, deadline=None)
@given(stories())
def test_told_together_is_told_one_by_one(told: list[tuple[Said, int]]) -> None:
    """Same state at Planhat, same outcome of each record, wherever coalescing begins and ends.

    One difference is meant: who was told too early to have a company, and is told with a later call that
    names one, is saved as if it had named that company itself.
    """
    story, turns = [said for said, _ in told], [turns for _, turns in told]
    together = run(story, turns, {}, TOGETHER)
    one_by_one = run(story, turns, {}, ONE_BY_ONE)
    saved = {
        number: company
        for number in range(len(story))
        if one_by_one.outcome(number) == (Fate.SKIPPED, SkipReason.NO_COMPANY)
        and together.outcome(number) == (Fate.DELIVERED, "")
        for company in [next(next_company(story, number), None)]
        if company is not None
    }
    if saved:
        one_by_one = run(story, turns, saved, ONE_BY_ONE)
    assert together.planhat.companies == one_by_one.planhat.companies
    assert together.planhat.known() == one_by_one.planhat.known()
    for number in range(len(story)):
        assert together.outcome(number) == one_by_one.outcome(number), number
    assert together.planhat.entries <= one_by_one.planhat.entries + len(story)


@settings(max_examples=300, deadline=None)
@given(stories())
def test_what_is_not_sent_again_is_there(told: list[tuple[Said, int]]) -> None:
    """Skipping what says nothing new leaves Planhat as sending it does; every other outcome is the same."""
    story, turns = [said for said, _ in told], [turns for _, turns in told]
    remembering, sending = run(story, turns, {}, WITH_MEMORY), run(story, turns, {}, ONE_BY_ONE)
    assert remembering.planhat.companies == sending.planhat.companies
    assert remembering.planhat.known() == sending.planhat.known()
    for number in range(len(story)):
        outcome = remembering.outcome(number)
        if outcome == (Fate.SKIPPED, SkipReason.UNCHANGED):
            outcome = (Fate.DELIVERED, "")
        assert outcome == sending.outcome(number), number
