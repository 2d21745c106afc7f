"""The quota under a virtual clock: shares, the bound of every minute, headers, and what follows a 429."""

import random
from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.limits import Limits
from streamer.engine.quota import Quota
from streamer.engine.share import share_of

LIMITS = Limits()
WHOLE = LIMITS.calls_per_minute


class Tenant:
    """Planhat's count of calls: no more than `quota` in any 60 seconds, whoever makes them."""

    def __init__(self, quota: int) -> None:
        self.quota = quota
        self.calls: deque[float] = deque()
        self.refused: list[float] = []

    def call(self, now: float) -> bool:
        """A call arrives; refused ones do not count."""
        self._forget(now)
        is_taken = len(self.calls) < self.quota
        if is_taken:
            self.calls.append(now)
        else:
            self.refused.append(now)
        return is_taken

    def remaining(self, now: float) -> int:
        """What the header says."""
        self._forget(now)
        return self.quota - len(self.calls)

    def _forget(self, now: float) -> None:
        while self.calls and now - self.calls[0] >= 60.0:
            self.calls.popleft()


class Group:
    """Replicas that call whenever they may, from their own moments on."""

    def __init__(self, budget: float, partitions: int, replicas: int, chance: random.Random) -> None:
        self.budget, self.partitions = budget, partitions
        self.quotas = [Quota(replace(LIMITS, calls_per_minute=budget)) for _ in range(replicas)]
        self.hungry_from = [chance.uniform(0.0, 90.0) for _ in range(replicas)]
        self.owners = list(range(replicas))
        self.owners += [chance.randrange(replicas) for _ in range(partitions - replicas)]
        self.share(0.0)

    def share(self, now: float) -> None:
        """Tell each its share."""
        for number, quota in enumerate(self.quotas):
            owned = [part for part, owner in enumerate(self.owners) if owner == number]
            quota.set_share(now, share_of(self.budget, self.partitions, owned))

    def run(self, now: float, until: float, tenant: Tenant | None = None) -> list[float]:
        """Every call of the group, in order; with a tenant, each is answered at once, with a header."""
        calls: list[float] = []
        while True:
            waits = [
                max(now, since) + quota.seconds_until_call(max(now, since))
                for quota, since in zip(self.quotas, self.hungry_from, strict=True)
            ]
            now = min(waits)
            if now >= until:
                return calls
            quota = self.quotas[waits.index(now)]
            if not quota.may_call(now):
                now += 1e-6  # a token that is a rounding away
                continue
            quota.called(now, is_extra=False)
            calls.append(now)
            if tenant is not None and tenant.call(now):
                quota.answered(now, now, tenant.remaining(now))
            elif tenant is not None:
                quota.throttled(now, None, now)


def most_in_a_minute(calls: list[float]) -> int:
    """Of the calls, in order, how many any 60 seconds hold."""
    most, first = 0, 0
    for last, call in enumerate(calls):
        while call - calls[first] >= 60.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def alone() -> Quota:
    """The quota of a replica that reads every partition, since moment 0."""
    quota = Quota(LIMITS)
    quota.set_share(0.0, WHOLE)
    return quota


# --- shares ----------------------------------------------------------------------------------------


def test_a_share_is_the_part_of_the_partitions() -> None:
    """Three of twelve partitions: a quarter of the calls."""
    assert share_of(160.0, 12, range(3)) == 40.0
    assert share_of(160.0, 12, range(12)) == 160.0
    assert share_of(160.0, 12, []) == 0.0


def test_a_partition_beyond_the_known_count_counts() -> None:
    """It was added to the topic a moment ago: the others have theirs still."""
    assert share_of(160.0, 4, [7]) == 20.0


def test_a_replica_without_one_whole_call_goes_by_the_fraction() -> None:
    """A budget below the number of partitions must not stop a replica for ever."""
    assert share_of(2.0, 8, [0]) == 0.25
    assert share_of(0.5, 1, [0]) == 0.5


@given(st.integers(1, 400), st.integers(1, 64), st.randoms(use_true_random=False))
def test_shares_add_up_to_the_budget(budget: int, partitions: int, chance: random.Random) -> None:
    """Whoever reads which: whole calls, none lost and none given twice."""
    owners = [chance.randrange(16) for _ in range(partitions)]
    shares = [
        share_of(budget, partitions, [part for part, owner in enumerate(owners) if owner == replica])
        for replica in set(owners)
    ]
    if budget >= partitions:
        assert sum(shares) == budget
    assert all(share > 0 for share in shares)


# --- no minute above the budget --------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 16), st.integers(0, 16), st.integers(0, 120), st.integers(0, 10**6))
def test_no_minute_of_a_group_sees_more_than_its_budget(
    replicas: int, more_partitions: int, more_budget: int, seed: int
) -> None:
    """Also where the budget is all of the tenant's quota; and 95 % of it and more is used."""
    partitions = replicas + more_partitions
    budget = partitions + more_budget
    group = Group(budget, partitions, replicas, random.Random(seed))
    tenant = Tenant(budget)
    calls = group.run(0.0, 1_800.0, tenant)

    assert most_in_a_minute(calls) <= budget
    assert tenant.refused == []
    settled = [call for call in calls if call >= 180.0]
    # Less one call of each replica, which the end of the time cut off.
    assert len(settled) >= 0.95 * budget * (1_800.0 - 180.0) / 60.0 - replicas


def test_a_tenant_that_counts_a_little_late_is_not_overdrawn() -> None:
    """Requests do not all take equally long to reach Planhat; a second between them is allowed for."""
    chance = random.Random(4)
    calls = Group(160.0, 12, 3, chance).run(0.0, 1_200.0)
    assert most_in_a_minute(sorted(call + chance.uniform(0.0, 0.99) for call in calls)) <= 160


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 8), st.integers(0, 10**6))
def test_hand_overs_cost_a_call_or_two_at_most(replicas: int, seed: int) -> None:
    """Any partitions may move at any time, and replicas fall quiet and wake up."""
    chance = random.Random(seed)
    group, calls, now = Group(120.0, 12, replicas, chance), [], 0.0
    for _ in range(8):
        until = now + chance.uniform(1.0, 120.0)
        calls += group.run(now, until)
        now = until
        for _ in range(chance.randrange(13)):
            group.owners[chance.randrange(12)] = chance.randrange(replicas)
        group.share(now)
        group.hungry_from[chance.randrange(replicas)] = now + chance.uniform(0.0, 60.0)
    assert most_in_a_minute(calls) <= 120 + 2


@pytest.mark.parametrize("tokens", [0, 1])
def test_a_restart_starts_with_one_token_or_none(tokens: int) -> None:
    """A crash loop must not spend a fresh burst each time; none where the start has called already."""
    quota = Quota(replace(LIMITS, start_calls=float(tokens)))
    quota.set_share(60.0, WHOLE)
    assert quota.tokens(60.0) == tokens
    if tokens:
        quota.called(60.0, is_extra=False)
    assert not quota.may_call(60.0)


def test_a_grown_share_starts_without_credit() -> None:
    """Whoever had the partitions before may have called for them a moment ago."""
    quota = Quota(LIMITS)
    quota.set_share(0.0, 20.0)
    assert quota.tokens(600.0) == 2.0
    quota.set_share(600.0, 80.0)
    assert not quota.may_call(600.0)
    assert quota.seconds_until_call(600.0) == pytest.approx(2 * 61.0 / 80.0)


def test_time_without_partitions_earns_nothing() -> None:
    """A spare replica that is assigned something has saved nothing up."""
    quota = alone()
    quota.called(0.0, is_extra=False)
    quota.set_share(0.0, 0.0)
    quota.set_share(3_600.0, WHOLE)
    assert not quota.may_call(3_600.0)


def test_a_lost_share_stops_at_once() -> None:
    """Without partitions nothing is sent; half of them are half of the calls from then on."""
    quota = alone()
    assert quota.tokens(60.0) == 2.0
    quota.set_share(60.0, WHOLE / 2)
    assert quota.tokens(60.0) == 1.0
    assert quota.calls_per_minute(60.0) == WHOLE / 2
    quota.set_share(60.0, 0.0)
    assert not quota.may_call(600.0)
    assert quota.seconds_until_call(600.0) == float("inf")


def test_extra_requests_have_their_own_share() -> None:
    """Isolation and second looks may not eat the quota."""
    quota = alone()
    extras = 0
    now = 0.0
    while now < 600.0:
        if quota.may_call_extra(now):
            quota.called(now, is_extra=True)
            extras += 1
        now += 0.25
    assert 0.15 * 1_600 <= extras <= 0.2 * 1_600 + 1


# --- headers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("replicas", "refused", "used"), [(1, 2, 0.95), (3, 30, 0.7)])
def test_headers_slow_us_down_before_a_429(replicas: int, refused: int, used: float) -> None:
    """Others take 120 of the tenant's 200 a minute: we keep to the 80 that are left, of our 160."""
    chance, tenant = random.Random(1), Tenant(200)
    group, ours, others_refused = Group(160.0, 6, replicas, chance), [], 0
    for tick in range(4_200):  # others call twice a second; we join after five minutes, for half an hour
        now = tick * 0.5
        others_refused += not tenant.call(now)
        if tick >= 600:
            ours += group.run(now, now + 0.5, tenant)
    settled = [call for call in ours if call > 420.0]
    assert others_refused == 0
    assert len(tenant.refused) <= refused
    assert most_in_a_minute(settled) <= 80 + refused
    assert len(settled) >= used * 80 * 28


def test_headers_never_raise_the_pace() -> None:
    """However much is left, the budget is ours to keep to."""
    quota = alone()
    quota.answered(10.0, 9.0, 100_000)
    assert quota.calls_per_minute(10.0) == WHOLE


def test_a_header_that_is_always_0_does_not_halt_us() -> None:
    """Planhat documents none of them: a quarter of the share is never given up for one."""
    quota = alone()
    quota.answered(10.0, 9.0, 0)
    assert quota.calls_per_minute(10.0) == WHOLE / 4
    assert quota.calls_per_minute(72.0) == WHOLE


# --- 429 -------------------------------------------------------------------------------------------


def test_429_without_a_header_waits_15_seconds_doubling_to_two_minutes() -> None:
    """Planhat documents no Retry-After; our own waits grow until it answers again."""
    quota = alone()
    now = 0.0
    for wait in (15.0, 30.0, 60.0, 120.0, 120.0):
        quota.throttled(now, None, sent_at=now)
        assert not quota.may_call(now + wait - 0.01)
        now += wait
        assert quota.tokens(now) > 0.0
    quota.answered(now, now, None)
    quota.throttled(now, None, sent_at=now)
    assert quota.may_call(now + 16.0)


def test_retry_after_beats_our_own_wait() -> None:
    """At most ten minutes, whatever it says."""
    quota = alone()
    quota.throttled(0.0, 40.0, sent_at=0.0)
    assert not quota.may_call(39.0)
    assert quota.may_call(41.0)
    quota.throttled(50.0, 9_999.0, sent_at=50.0)
    assert not quota.may_call(649.0)
    assert quota.may_call(652.0)


def test_a_429_halves_the_calls_and_they_grow_back_within_minutes() -> None:
    """Who goes on as before is refused again."""
    quota = alone()
    quota.throttled(0.0, 10.0, sent_at=0.0)
    assert quota.calls_per_minute(10.0) == WHOLE / 2
    grown = [quota.calls_per_minute(10.0 + minute * 60.0) for minute in range(8)]
    assert grown == sorted(grown)
    assert WHOLE / 2 < grown[1] < 0.65 * WHOLE
    assert grown[5] == WHOLE


def test_two_requests_refused_together_are_one_429() -> None:
    """Companies and endusers were both under way: it says nothing new, and halves nothing twice."""
    quota = alone()
    quota.throttled(10.0, None, sent_at=9.0)
    quota.throttled(10.1, None, sent_at=9.5)
    assert quota.calls_per_minute(25.1) == pytest.approx(WHOLE / 2)
    assert quota.may_call(25.2)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.0, 90.0), max_size=30))
def test_the_calls_always_come_back_and_never_exceed_the_share(pauses: list[float]) -> None:
    """Whenever 429s come: at least a sixteenth, at most the whole, and the whole again ten minutes after."""
    quota = alone()
    now = 0.0
    for pause in pauses:
        now += pause
        if quota.may_call(now):
            quota.called(now, is_extra=False)
            quota.throttled(now, 5.0, sent_at=now)
        assert WHOLE / 16 <= quota.calls_per_minute(now) <= WHOLE
    assert quota.calls_per_minute(now + 605.0) == WHOLE


@pytest.mark.parametrize("greedy", [60, 120, 180])
@pytest.mark.parametrize("replicas", [1, 3])
def test_beside_a_greedy_client_without_headers_we_settle(greedy: int, replicas: int) -> None:
    """Some 429s show us the limit, few of them; we get most of what is left, and all when the other goes."""
    chance, tenant = random.Random(greedy), Tenant(200)
    group = Group(160.0, 6, replicas, chance)
    ours = Silent(tenant)
    made: list[float] = []
    step = 60.0 / greedy
    now = 0.0
    while now < 3_600.0:
        tenant.call(now)
        made += group.run(now, now + step, ours)
        now += step
    left = max(20, 200 - greedy)
    accepted = len([call for call in made if call > 600.0]) - ours.count(600.0)
    assert accepted >= 0.6 * min(160, left) * 50.0
    assert ours.count(0.0) <= 60 * replicas
    calls = group.run(4_200.0, 4_800.0, ours)
    assert len(calls) >= 0.95 * 160 * 10


class Silent(Tenant):
    """The same tenant, without headers, for one of its clients."""

    def __init__(self, tenant: Tenant) -> None:
        super().__init__(10**9)
        self._tenant = tenant

    def call(self, now: float) -> bool:
        """Ask the tenant; remember what it refused us."""
        is_taken = self._tenant.call(now)
        if not is_taken:
            self.refused.append(now)
        return is_taken

    def remaining(self, now: float) -> int:
        """No word of it."""
        return 10**9

    def count(self, since: float) -> int:
        """How often we were refused."""
        return sum(at > since for at in self.refused)


def test_calls_that_follow_unasked_are_owed() -> None:
    """A request that may come to three calls goes as soon as there is one; the next waits for all of them."""
    quota, once = alone(), alone()
    quota.called(60.0, 3, is_extra=False)
    once.called(60.0, is_extra=False)
    two_calls = 2 * 61.0 / WHOLE
    assert quota.seconds_until_call(60.0) - once.seconds_until_call(60.0) == pytest.approx(two_calls)
    assert not quota.may_call(60.0)
