"""The law of the quota: what each process, and all of them together, may call."""

from collections import defaultdict, deque
from itertools import pairwise
from math import inf
from typing import NamedTuple

from streamer.engine.ports import Delivery
from streamer.outcomes import Host, Transient, TransientReason
from tests.simulation.facts import Facts
from tests.simulation.law import Law, calls_of
from tests.simulation.member import Member, Reading
from tests.simulation.planhat import Call
from tests.simulation.world import World

MINUTE_SECONDS = 61.0
"""As the design counts it."""
HAIR = 1e-6
SLACK_CALLS = 0.1
"""The engine reads its clock once a turn: a commit in it, of a hundredth of a second, goes on no bill."""


class Allowance:
    """What one process may call at most, by the partitions that it reads. `now` never goes back.

    It starts with one call, saves up two at most, and earns its share evenly over 61 seconds. A share that
    shrinks takes its part of what is saved along; one that grows, but for the first, starts with a debt of
    one call. Changes at the same moment are one, as an assignment is: that never allows less.
    """

    def __init__(self, start: float, burst: float, now: float) -> None:
        self._burst = burst
        self._saved = start
        self._at = now
        self._share = self._wanted = 0.0
        self._had_share = False
        self._calls: deque[float] = deque()

    @property
    def may_save(self) -> bool:
        """Whether it has, or is getting, a share."""
        return self._wanted > 0.0

    def share(self, now: float, calls_per_minute: float) -> None:
        """From now on this is its part of the group's calls."""
        self._earn(now)
        self._wanted = calls_per_minute

    def lose(self, now: float) -> None:
        """Planhat said 429: nothing is saved, and nothing owed."""
        self._earn(now)
        self._take_share()
        self._saved = 0.0

    def call(self, now: float, following: int = 0) -> str:
        """One more call, and those that follow it unasked; why that is one too many, or "".

        What follows a deletion is owed: it comes at once, and nothing goes until it is earned.
        """
        self._earn(now)
        self._take_share()
        self._calls.append(now)
        while self._calls[0] <= now - MINUTE_SECONDS + HAIR:
            self._calls.popleft()
        if self._share <= 0.0:
            return "a call without a share"
        if len(self._calls) > max(1, int(self._share)):
            return f"{len(self._calls)} calls in {MINUTE_SECONDS} s with a share of {self._share:g}"
        self._saved -= 1.0
        wrong = "" if self._saved >= -SLACK_CALLS else f"a call with {1 + self._saved:.3f} of one saved up"
        self._saved -= following
        self._calls.extend([now] * following)
        return wrong

    def _earn(self, now: float) -> None:
        if now > self._at:
            self._take_share()  # what changed at the moment before is in force since then
            self._saved = min(self._burst, self._saved + (now - self._at) * self._share / MINUTE_SECONDS)
            self._at = now

    def _take_share(self) -> None:
        if self._wanted < self._share:
            self._saved *= self._wanted / self._share
        elif self._wanted > self._share and self._had_share:
            self._saved = -1.0
        self._had_share = self._had_share or self._wanted > 0.0
        self._share = self._wanted


class _Stretch(NamedTuple):
    """A stretch of time that begins with a call."""

    first: float
    before: int
    """Calls made before it."""
    calls_at_most: float
    """Calls ever made, by its end, less what is earned by then from time 0 and the first process on."""


class Quota(Law):
    """Calls to the main API: within the share, within the group's budget, and none while told to wait.

    Each partition has its whole calls of the budget: of B calls and P partitions, number n has
    (n + 1) B // P - n B // P, so that all have B. A process has those of the partitions it reads, as an
    `Allowance`, and never more than that number in 61 seconds.

    Of the group that follows, and is counted once more. At any moment no partition has two readers, so
    shares come to B at most, and in any stretch of t seconds all processes together earn B t / 61. On top
    there is what was saved up at its beginning, two calls by each process that then had a share, and one by
    each that got its first share in it. That is all that rebalances may add: who gets more of the topic than
    before owes a call, and what another made of it a moment ago is within what that one had saved or earned
    (docs/decisions/0024).
    """

    name = "quota"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._allowances: dict[Member, Allowance] = {}
        self._blocked: defaultdict[Member, float] = defaultdict(float)
        self._calls = 0
        """Of all processes, ever."""
        self._tightest = _Stretch(0.0, 0, inf)
        """The stretch that leaves the fewest calls from now on: it stays that until a tighter one begins."""

    def begun(self, reading: Reading) -> None:
        self._share_out(self._world.members[reading.slot])

    def over(self, member: Member, reading: Reading) -> None:
        self._share_out(member)

    def _share_out(self, member: Member) -> None:
        whole, parts = int(member.limits.calls_per_minute), len(self._world.broker.sources)
        bounds = [number * whole // parts for number in range(parts + 1)]
        calls = [upper - lower for lower, upper in pairwise(bounds)]
        share = sum(calls[source.partition] for source in member.readings)
        self._allowance(member).share(self._world.clock.now, float(share))

    def _allowance(self, member: Member) -> Allowance:
        if member not in self._allowances:
            limits = member.limits
            self._allowances[member] = Allowance(
                limits.start_calls, limits.burst_calls, self._world.clock.now
            )
        return self._allowances[member]

    def submitted(self, member: Member, call: Call) -> None:
        if call.batch.endpoint.host is not Host.MAIN:
            return
        now = self._world.clock.now
        if now < self._blocked[member]:
            self._broken(f"a call {self._blocked[member] - now:.2f} s before the end of a 429's wait")
        # A deletion is one operation, and perhaps several calls: the first of them counts for the group.
        following = max(map(calls_of, call.batch.operations)) - 1
        if wrong := self._allowance(member).call(now, following):
            self._broken(f"member {member.slot}: {wrong}")
        self._count(member, now)

    def _count(self, member: Member, now: float) -> None:
        """The group's calls in every stretch that ends now, however long.

        What a stretch allows grows by the same for all of them, so only the tightest needs to be asked.
        """
        limits, alive = member.limits, [each for each in self._allowances.values() if each.may_save]
        started = len(self._allowances)
        earned = limits.start_calls * started + limits.calls_per_minute * now / MINUTE_SECONDS
        saved = limits.burst_calls * len(alive)
        begun = _Stretch(now, self._calls, self._calls + saved - earned)
        self._tightest = min(self._tightest, begun, key=lambda stretch: stretch.calls_at_most)
        self._calls += 1
        first, before, calls_at_most = self._tightest
        if self._calls > calls_at_most + earned + HAIR:
            count, most = self._calls - before, calls_at_most + earned - before
            self._broken(f"{count} calls of the group in {now - first:.2f} s, {most:.2f} at most")

    def collected(self, member: Member, delivery: Delivery) -> None:
        answer = delivery.answer
        if delivery.batch.endpoint.host is not Host.MAIN or not isinstance(answer, Transient):
            return
        if answer.reason is TransientReason.THROTTLED:
            now, wait = self._world.clock.now, answer.retry_after_seconds
            wait = member.limits.throttled_first_seconds if wait is None else min(wait, 600.0)
            self._blocked[member] = max(self._blocked[member], now + wait - 0.001)
            self._allowance(member).lose(now)
