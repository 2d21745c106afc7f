"""The batcher: an endpoint's pool of ready tickets, and what of it makes the next batch.

A batch is formed at the moment it is sent, so batches grow while they wait for a token, a gate or a
free worker. On the main API every ticket in the pool is the first of all its lanes, so no two of
one batch are about one object. A batch of activities, or of metrics, may also carry what waits only
for others of the same batch, behind them: several of one user, in order.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from streamer.engine.lanes import Place, Ticket
from streamer.engine.limits import BulkLimits
from streamer.outcomes import Endpoint

# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_WAITING: Final = Place.WAITING
_READY: Final = Place.READY
_SENT: Final = Place.SENT


class Pool:
    """Ready tickets of one endpoint, oldest first."""

    def __init__(self, endpoint: Endpoint, limits: BulkLimits) -> None:
        self._carries_followers = endpoint.is_in_line
        self._limits = limits
        self._ready: deque[Ticket] = deque()
        self.count = 0
        """Tickets ready to go; withdrawn ones stay in the queue until met, uncounted."""
        self.size_bytes = 0

    def add(self, ticket: Ticket, now: float) -> None:
        """A ticket has nothing before it any more."""
        ticket.place = _READY
        ticket.ready_at = now
        self._ready.append(ticket)
        self.count += 1
        self.size_bytes += ticket.size_bytes

    def put_back(self, tickets: Iterable[Ticket], *, at_head: bool) -> None:
        """Tickets of a failed batch return. Those that wait for others of it go back to their lanes."""
        returned = []
        for ticket in tickets:
            if ticket.waits_for:
                ticket.place = _WAITING
                continue
            ticket.place = _READY
            self._count(ticket, 1)
            returned.append(ticket)
        if at_head:
            self._ready.extendleft(reversed(returned))
        else:
            self._ready.extend(returned)

    def withdrawn(self, ticket: Ticket) -> None:
        """A ready ticket was withdrawn: it is not counted any more, and skipped when met."""
        self._count(ticket, -1)

    def resized(self, size_bytes: int) -> None:
        """A ready ticket says so much more, or less, than when it came."""
        self.size_bytes += size_bytes

    def _count(self, ticket: Ticket, sign: int) -> None:
        self.count += sign
        self.size_bytes += sign * ticket.size_bytes

    def is_full(self, most: int) -> bool:
        """Whether waiting longer would make a batch of so many no fuller."""
        return self.count >= most or self.size_bytes >= self._limits.size_bytes

    def is_due(self, now: float, most: int, linger_seconds: float | None = None) -> bool:
        """Whether a batch is worth sending: full by count or bytes, or its oldest waited long enough.

        How long that is may be said; else it is the endpoint's own.
        """
        if not self.count:
            return False
        if self.is_full(most):
            return True
        while self._ready[0].place is not _READY:
            self._ready.popleft()
        linger = self._limits.linger_seconds if linger_seconds is None else linger_seconds
        return now - self._ready[0].ready_at >= linger

    def take(self, most: int, flight: int) -> list[Ticket]:
        """The next batch: at most `most` tickets and the byte limit, marked as sent in `flight`."""
        taken: list[Ticket] = []
        room = self._limits.size_bytes
        while self._ready and len(taken) < most:
            ticket = self._ready.popleft()
            if ticket.place is not _READY:
                continue
            if taken and ticket.size_bytes >= room:
                self._ready.appendleft(ticket)
                break
            ticket.place, ticket.flight = _SENT, flight
            taken.append(ticket)
            self.count -= 1
            self.size_bytes -= ticket.size_bytes
            room -= ticket.size_bytes + 1
            if self._carries_followers and ticket.followers:
                room -= self._send_followers(ticket, flight, taken, most, room)
        return taken

    def _send_followers(self, first: Ticket, flight: int, taken: list[Ticket], most: int, room: int) -> int:
        """Take what waits only for tickets of this batch; followers stand in arrival order."""
        used = 0
        line = deque([first])
        while line:
            for follower in line.popleft().followers:
                if follower.endpoint is not first.endpoint:
                    continue  # a deletion waits for what is under way here, and goes elsewhere
                if len(taken) >= most or follower.size_bytes >= room - used:
                    return used
                if follower.place is _WAITING and all(
                    before.flight == flight and before.place is _SENT for before in follower.waits_for
                ):
                    follower.place, follower.flight = _SENT, flight
                    taken.append(follower)
                    used += follower.size_bytes + 1
                    line.append(follower)
        return used
