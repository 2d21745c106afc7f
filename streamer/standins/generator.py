"""Real-looking Segment events, with what each must come to: the same ones again from the same seed.

The stream has people of very different activity (about as 1/rank), page loads that identify, runs
of identifies of one person, audience entries and exits in bursts, copies, opt-outs, anonymous
pages, tombstones and, exactly, one bad record in a hundred.

It opens with one group call per company. Kafka keeps no order between partitions, so whoever wants
the expectations to hold lets the opening settle before producing the rest (`MadeEvent.is_opening`).

How often one object is written is capped: of one object a bulk takes one item, so the most written
object alone would set the number of requests.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from random import Random
from typing import Final

from streamer.standins.composer import Composer, MadeEvent
from streamer.standins.population import Company, Person

_BAD_EVERY: Final = 100
_BAD_AT: Final = 50
_COPY_SHARE: Final = 0.01
_EXIT_AFTER: Final = 400
_MOST_WRITES_COMPANYLESS: Final = 1
_AUDIENCES: Final = ("high_usage_accounts", "trial_ending_soon", "j_o_onboarding", "power_users")


class Generator:
    """Makes `total` events, lazily. Iterate it once.

    `companyless_share` of the people (never the busiest) have no company, so Planhat does not save
    them. `most_writes_per_object` caps the upserts of one enduser and of one company, about.
    """

    def __init__(
        self,
        seed: int,
        total: int,
        *,
        most_writes_per_object: int = 12,
        companyless_share: float = 0.02,
    ) -> None:
        self._rng = Random(seed)  # noqa: S311 - the same dice again are the point
        self._compose = Composer(seed, self._rng)
        self._total = total
        self._most_writes = most_writes_per_object
        self._companyless_share = companyless_share
        self._people: dict[int, Person] = {}
        self._population = max(30, total // 20)
        self._companies = [Company(number) for number in range(1, 1 + max(4, self._population // 10))]
        self._made = 0
        self._due_copies: list[tuple[int, int, MadeEvent]] = []
        self._due_exits: deque[tuple[int, str, list[Person]]] = deque()

    @property
    def opening_count(self) -> int:
        """How many events the opening has."""
        return min(self._total, len(self._companies))

    def __iter__(self) -> Iterator[MadeEvent]:
        """All events, in the order to produce them."""
        for company in self._companies[: self._total]:
            self._made += 1
            yield self._compose.company_update(company, is_opening=True)
        for made in self._endless():
            if self._made >= self._total:
                return
            self._made += 1
            yield made

    def _endless(self) -> Iterator[MadeEvent]:
        while True:
            for made in self._next_events():
                if self._made % _BAD_EVERY == _BAD_AT:
                    yield self._compose.bad(self._anybody())
                yield made

    # --- what comes next ---------------------------------------------------------------------------

    def _next_events(self) -> list[MadeEvent]:
        return self._due_events() or self._new_events()

    def _due_events(self) -> list[MadeEvent]:
        """A copy, or the exits of an audience, whose time has come."""
        if self._due_copies and self._due_copies[0][0] <= self._made:
            return [heapq.heappop(self._due_copies)[2]]
        if self._due_exits and self._due_exits[0][0] <= self._made:
            _, audience, members = self._due_exits.popleft()
            return [self._compose.audience(member, audience, is_member=False) for member in members]
        return []

    def _new_events(self) -> list[MadeEvent]:
        draw = self._rng.random()
        if draw < 0.002:
            return self._audience_entries()
        if draw < 0.01:
            return [self._compose.tombstone(self._anybody())]
        if draw < 0.04:
            return [self._compose.anonymous_page()]
        if draw < 0.06:
            return self._company_calls()
        person = self._anybody()
        return self._calls_of(person, draw) if person.sequence else self._first_calls(person)

    def _calls_of(self, person: Person, draw: float) -> list[MadeEvent]:
        """What somebody known does next; `draw` is at least 0.06."""
        if draw < 0.11:
            return [self._compose.unsupported(person)] if person.user_id is not None else []
        if draw < 0.13:
            return [self._compose.opted_out(person)]
        if draw < 0.23:
            return [*self._page_loads(person, 1), self._activity(self._compose.page(person))]
        if draw < 0.25:
            return self._page_loads(person, self._rng.randint(2, 4))
        if draw < 0.42:
            return [self._activity(self._compose.page(person))]
        return [self._activity(self._compose.track(person))]

    def _first_calls(self, person: Person) -> list[MadeEvent]:
        """A newcomer: one in five is linked to the company by a group call, the others name it."""
        company = person.company
        if company is not None and person.number % 5 == 0 and company.upserts < self._most_writes:
            return [
                self._compose.link(person, company),
                self._compose.page_load(person, names_company=False),
            ]
        return [self._compose.page_load(person)]

    def _page_loads(self, person: Person, count: int) -> list[MadeEvent]:
        calls = []
        for _ in range(min(count, self._room(person))):
            made = self._compose.page_load(person)
            calls.append(made)
            if self._rng.random() < _COPY_SHARE:
                calls.append(made.copy())  # at once: a late copy would rightly undo what came between
        return calls

    def _activity(self, made: MadeEvent) -> MadeEvent:
        """The same; now and then it comes again, up to 200 events later."""
        if self._rng.random() < _COPY_SHARE:
            due = self._made + self._rng.randint(1, 200)
            heapq.heappush(self._due_copies, (due, self._made, made.copy()))
        return made

    def _company_calls(self) -> list[MadeEvent]:
        company = self._any_company()
        return [self._compose.company_update(company)] if company.upserts < self._most_writes else []

    def _audience_entries(self) -> list[MadeEvent]:
        """Everybody of an audience enters it now, and leaves it a while later."""
        audience = self._rng.choice(_AUDIENCES)
        known = [person for person in self._people.values() if person.sequence and self._room(person) >= 2]
        members = self._rng.sample(known, min(len(known), self._rng.randint(20, 60)))
        self._due_exits.append((self._made + _EXIT_AFTER, audience, members))
        return [self._compose.audience(member, audience, is_member=True) for member in members]

    # --- who ---------------------------------------------------------------------------------------

    def _room(self, person: Person) -> int:
        """How many more identifies; few without a company: each is asked for a second time, alone."""
        most = self._most_writes if person.company is not None else _MOST_WRITES_COMPANYLESS
        return most - person.identifies

    def _anybody(self) -> Person:
        """Somebody: number n about 1/n as often as the first."""
        number = int(self._population ** self._rng.random())
        person = self._people.get(number)
        if person is None:
            is_companyless = number > 10 and self._rng.random() < self._companyless_share
            company = None if is_companyless else self._any_company()
            person = self._people[number] = Person(number, company)
        return person

    def _any_company(self) -> Company:
        return self._companies[int(len(self._companies) ** self._rng.random()) - 1]
