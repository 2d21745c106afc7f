"""An endpoint's outbox: everything that waits to be sent there, and the choice of what goes next.

Four kinds of requests, by rising normality: a step of an isolation, one operation alone, a second
look at operations whose fate a reply left open, and a bulk (a probe while the gate is half open).
The first three are extras: they spend from their own share of the quota, and what no bulk has a use for.
"""

import heapq
from bisect import insort
from collections import deque
from enum import Enum
from typing import NamedTuple

from streamer.engine.batcher import Pool
from streamer.engine.gate import BulkSize, Gate, Permit
from streamer.engine.isolation import Isolation
from streamer.engine.lanes import Place, Ticket
from streamer.engine.limits import Limits
from streamer.outcomes import Endpoint
from streamer.transform.facts import names_company


class Kind(Enum):
    """Why a request is sent."""

    BULK = "bulk"
    PROBE = "probe"
    LOOK = "look"
    ALONE = "alone"
    ISOLATE = "isolate"

    @property
    def is_extra(self) -> bool:
        """Whether it spends from the share of extras."""
        return self in {Kind.LOOK, Kind.ALONE, Kind.ISOLATE}


class Aside(NamedTuple):
    """A ticket set aside, and at which of its times: only the newest entry of it is meant."""

    ticket: Ticket
    parking: int

    @property
    def is_meant(self) -> bool:
        """Not sent, withdrawn or set aside anew since."""
        return self.ticket.place is Place.PARKED and self.ticket.parking == self.parking


def _number_of(aside: Aside) -> int:
    return aside.ticket.number


class Outbox:
    """What waits for one endpoint."""

    def __init__(self, endpoint: Endpoint, limits: Limits) -> None:
        self.endpoint = endpoint
        self.limits = limits
        self.bulk = limits.bulk(endpoint)
        self.pool = Pool(endpoint, self.bulk)
        self.gate = Gate(limits)
        self.size = BulkSize(self.bulk.operations)
        self.flights = 0
        self.more_comes = False
        """A backlog is read: a bulk that is not full yet soon will be."""
        self.isolations: deque[Isolation] = deque()
        """Hunts for operations at fault, one at a time."""
        self._alone: deque[Aside] = deque()
        self._looks: dict[bool, deque[Aside]] = {False: deque(), True: deque()}
        """Second looks by whether the operation names a company: those that do are hardly ever unsaved, so
        asked apart from the others they are confirmed by one answer."""
        self._later: list[tuple[float, int, int, Aside, Kind]] = []
        self._tried_again: list[Ticket] = []
        """Tickets whose time for a bulk has come, and that may be set aside anew by its answer."""

    def park(self, ticket: Ticket, due: float, kind: Kind) -> None:
        """Set a ticket aside until `due`; then it travels as `kind`."""
        ticket.park()
        aside = Aside(ticket, ticket.parking)
        heapq.heappush(self._later, (due, ticket.number, ticket.parking, aside, kind))

    def parked(self) -> list[tuple[Ticket, Kind]]:
        """Every ticket set aside, and as what it will travel; in no order."""
        aside = [(later[3], later[4]) for later in self._later]
        aside += [(one, Kind.ALONE) for one in self._alone]
        for looks in self._looks.values():
            aside += [(one, Kind.LOOK) for one in looks]
        parked = [(one.ticket, kind) for one, kind in aside if one.is_meant]
        for isolation in self.isolations:
            parked += [(ticket, Kind.ISOLATE) for ticket in isolation.tickets()]
        return parked

    def tried_again(self) -> list[Ticket]:
        """Tickets that were set aside for a later bulk, and are in it or on their way there."""
        self._tried_again = [
            ticket
            for ticket in self._tried_again
            if ticket.was.duplicates and ticket.place in {Place.READY, Place.SENT}
        ]
        return self._tried_again

    @property
    def has_ready(self) -> bool:
        """Whether there is anything that may be sent now or when its time comes."""
        return self.pool.count > 0 or bool(self.parked())

    def wake(self, now: float) -> None:
        """Move what is due to where it is sent from."""
        while self._later and self._later[0][0] <= now:
            _, _, _, aside, kind = heapq.heappop(self._later)
            if not aside.is_meant:
                continue
            if kind is Kind.ALONE:
                self._alone.append(aside)
            elif kind is Kind.LOOK:
                self._add_look(aside)
            else:
                self.pool.put_back([aside.ticket], at_head=False)
                self._tried_again.append(aside.ticket)

    def _add_look(self, aside: Aside) -> None:
        """Where a request takes several of one object, in the order of arrival: they go together, or wait."""
        looks = self._looks[names_company(aside.ticket.operation)]
        if self.endpoint.is_in_line:
            insort(looks, aside, key=_number_of)
        else:
            looks.append(aside)

    def has_due_bulk(self, now: float) -> bool:
        """Whether a bulk, or a probe, would go now if there was a call for it. Call `wake` before."""
        if self.flights >= self.bulk.flights:
            return False
        permit = self.gate.permit(now)
        if permit is Permit.PROBE:
            return self.pool.count > 0
        return permit is Permit.EVERYTHING and self._is_due(now)

    def has_full_bulk(self, now: float) -> bool:
        """Whether a bulk would go now that gains nothing by waiting."""
        return self.has_due_bulk(now) and self.pool.is_full(self.size.operations)

    def fill(self, now: float, *, extras: bool) -> float:
        """How full the request is that may go now, up to 1; 0 when none is due. Call `wake` before."""
        if self.flights >= self.bulk.flights:
            return 0.0
        has_extras = extras and bool(self.isolations or self._alone or any(self._looks.values()))
        may_extra = has_extras and self.gate.permit(now) is not Permit.NOTHING
        if not (may_extra or self.has_due_bulk(now)):
            return 0.0
        return min(1.0, max(1, self.pool.count) / self._full)

    @property
    def _full(self) -> int:
        """What a call can carry: one for one operation leaves the others' bulks their turns."""
        if self.endpoint.is_single and self.endpoint.is_metered:
            return self.limits.bulk(Endpoint.ENDUSERS).operations
        return self.size.operations

    def choose(self, now: float, flight: int, *, extras: bool) -> tuple[Kind, list[Ticket]] | None:
        """What to send now, marked as sent in `flight`; None when nothing is due or may go."""
        if self.flights >= self.bulk.flights:
            return None
        permit = self.gate.permit(now)
        if permit is Permit.NOTHING:
            return None
        if permit is Permit.PROBE:
            chosen = self._probe(now, flight, extras=extras)
            self.gate.is_probing = chosen is not None
            return chosen
        chosen = self._extra(flight, self.size.operations) if extras else None
        return chosen or self._bulk(now, flight, is_probe=False)

    def _probe(self, now: float, flight: int, *, extras: bool) -> tuple[Kind, list[Ticket]] | None:
        """Bulks and extras in turns.

        Extras are suspects, and as every probe they could keep the gate closed for ever; so could the
        bulks, where all that is ready makes requests fail and everything else is suspect still.
        """
        most = min(self.gate.probe_size(), self.size.operations)
        if not extras:
            return self._bulk(now, flight, is_probe=True)
        if self.gate.failures % 2 == 0:
            return self._extra(flight, most) or self._bulk(now, flight, is_probe=True)
        return self._bulk(now, flight, is_probe=True) or self._extra(flight, most)

    def _extra(self, flight: int, most: int) -> tuple[Kind, list[Ticket]] | None:
        while self.isolations and self.isolations[0].is_over:
            self.isolations.popleft()
        if self.isolations:
            group = self.isolations[0].next_group(most)
            if group:
                return Kind.ISOLATE, self._mark(group, flight)
        for _ in range(len(self._alone)):
            aside = self._alone.popleft()
            if aside.is_meant and aside.ticket.waits_for:
                self._alone.append(aside)
            elif aside.is_meant:
                return Kind.ALONE, self._mark([aside.ticket], flight)
        for looks in self._looks.values():
            group = self._look_group(looks, most)
            if group:
                return Kind.LOOK, self._mark(group, flight)
        return None

    def _look_group(self, looks: deque[Aside], limit: int) -> list[Ticket]:
        """As many second looks as the first of them allows: groups shrink while replies stay unclear.

        What went behind an earlier one of its object, in one request, does not overtake it now.
        """
        group: list[Ticket] = []
        behind: list[Aside] = []
        room = self.bulk.size_bytes
        while looks:
            ticket = looks[0].ticket
            if not looks[0].is_meant:
                looks.popleft()
                continue
            if not all(before in group for before in ticket.waits_for):
                behind.append(looks.popleft())
                continue
            most = min(limit, group[0].was.group_limit if group else ticket.was.group_limit)
            if group and (len(group) >= most or ticket.size_bytes >= room):
                break
            room -= ticket.size_bytes + 1
            group.append(looks.popleft().ticket)
        looks.extendleft(reversed(behind))
        return group

    def _bulk(self, now: float, flight: int, *, is_probe: bool) -> tuple[Kind, list[Ticket]] | None:
        if is_probe:
            tickets = self.pool.take(min(self.gate.probe_size(), self.size.operations), flight)
            return (Kind.PROBE, tickets) if tickets else None
        if not self._is_due(now):
            return None
        return Kind.BULK, self.pool.take(self.size.operations, flight)

    def _is_due(self, now: float) -> bool:
        linger = self.bulk.linger_seconds
        if self.more_comes and self.endpoint.is_metered and not self.endpoint.is_single:
            linger = max(linger, self.limits.backlog_linger_seconds)
        return self.pool.is_due(now, self.size.operations, linger)

    @staticmethod
    def _mark(tickets: list[Ticket], flight: int) -> list[Ticket]:
        for ticket in tickets:
            ticket.place = Place.SENT
            ticket.flight = flight
        return tickets
