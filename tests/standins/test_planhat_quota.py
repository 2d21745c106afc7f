"""The limits of the main API, with a clock that tests move."""

from email.utils import parsedate_to_datetime

import pytest

from streamer.standins.planhat.quota import Decision, Quota
from streamer.standins.planhat.replies import route_of
from streamer.standins.planhat.sandbox import Sandbox
from streamer.standins.planhat.switches import Board, Switches, with_changes

EPOCH = 1_700_000_000.0


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        """The same, since 1970."""
        return EPOCH + self.now


def quota_of(clock: Clock, **switches: object) -> Quota:
    """A quota under these switches."""
    return Quota(Board(with_changes(Switches(), switches)), clock, clock.wall)


def enter(quota: Quota) -> Decision:
    """One call, answered at once."""
    decision = quota.enter("token")
    if decision.may_pass:
        quota.leave()
    return decision


def passed(quota: Quota, calls: int) -> int:
    """How many of so many calls pass."""
    return sum(enter(quota).may_pass for _ in range(calls))


def test_the_default_is_200_calls_a_minute() -> None:
    """200 calls pass in a minute, whatever is asked."""
    clock = Clock()
    quota = quota_of(clock, calls_per_second=0)

    assert passed(quota, 250) == 200
    assert quota.refused == 50


def test_switch_calls_per_minute() -> None:
    """The calls of a minute can be set; 0 is no limit."""
    assert passed(quota_of(Clock(), calls_per_minute=3), 5) == 3
    assert passed(quota_of(Clock(), calls_per_minute=0, calls_per_second=0), 500) == 500


def test_switch_quota_window() -> None:
    """A fixed window gives all calls back at once, a sliding one each call after its own minute."""
    again = {}
    for window in ("fixed", "sliding"):
        clock = Clock()
        quota = quota_of(clock, calls_per_minute=4, quota_window=window)
        passed(quota, 2)
        clock.now = 50.0
        assert passed(quota, 4) == 2
        clock.now = 60.0
        again[window] = passed(quota, 9)

    assert again == {"fixed": 4, "sliding": 2}


def test_switch_calls_per_second() -> None:
    """A second cap stands above the minute's."""
    clock = Clock()
    quota = quota_of(clock, calls_per_second=5)

    assert passed(quota, 9) == 5
    clock.now = 1.0
    assert passed(quota, 9) == 5


def test_switch_parallel_calls() -> None:
    """So many requests may be in flight; one that is answered makes room."""
    quota = quota_of(Clock(), parallel_calls=2)

    assert [quota.enter("token").may_pass for _ in range(3)] == [True, True, False]
    quota.leave()
    assert quota.enter("token").may_pass


@pytest.mark.parametrize(
    ("spelling", "headers"),
    [
        ("x-rate-limit", {"X-Rate-Limit-Limit": "9", "X-Rate-Limit-Remaining": "8"}),
        ("x-ratelimit", {"x-ratelimit-limit": "9", "x-ratelimit-remaining": "8", "x-ratelimit-reset": "60"}),
        ("none", {}),
    ],
)
def test_switch_header_spelling(spelling: str, headers: dict[str, str]) -> None:
    """Replies name the quota in the spelling chosen, or not at all."""
    assert enter(quota_of(Clock(), calls_per_minute=9, header_spelling=spelling)).headers == headers


def test_switch_reset_header() -> None:
    """The reset is given in seconds to go, or as the time since 1970."""
    resets = {}
    for kind in ("seconds", "epoch"):
        clock = Clock()
        quota = quota_of(clock, header_spelling="x-ratelimit", reset_header=kind)
        enter(quota)
        clock.now = 20.0
        resets[kind] = float(enter(quota).headers["x-ratelimit-reset"])

    assert resets == {"seconds": 40.0, "epoch": EPOCH + 60.0}


def test_switch_retry_after() -> None:
    """A 429 says nothing of when to come back, or seconds, or a date."""
    waits = {}
    for kind in ("none", "seconds", "date"):
        clock = Clock()
        quota = quota_of(clock, calls_per_minute=1, retry_after=kind)
        assert "Retry-After" not in enter(quota).headers
        clock.now = 12.5
        waits[kind] = enter(quota).headers.get("Retry-After")

    assert waits["none"] is None
    assert waits["seconds"] == "48"
    assert waits["date"] is not None
    assert parsedate_to_datetime(waits["date"]).timestamp() == EPOCH + 60.0


def test_only_the_main_api_is_metered() -> None:
    """The analytics host asks for no credentials, counts no calls and has no quota headers."""
    sandbox = Sandbox(with_changes(Switches(), {"calls_per_minute": 1}))
    bearer = f"Bearer {sandbox.api_token}"

    main = [sandbox.admit(route_of("/endusers"), bearer).refusal for _ in range(2)]
    analytics = [sandbox.admit(route_of("/analytics/bulk/x"), None) for _ in range(9)]

    assert main[0] is None
    assert main[1] is not None
    assert (main[1].status, main[1].body) == (429, b"Too many requests")
    assert {(each.refusal, len(each.headers)) for each in analytics} == {(None, 0)}


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer sandbox-api-token", None),
        ("Basic c2FuZGJveC1hcGktdG9rZW46", None),
        ("Basic c2FuZGJveC1hcGktdG9rZW4=", 401),
        ("Basic !", 401),
        ("Bearer other", 401),
        ("sandbox-api-token", 401),
        (None, 401),
    ],
)
def test_the_main_api_takes_the_token_as_bearer_or_basic(
    authorization: str | None, status: int | None
) -> None:
    """Bearer, or Basic with the token, a colon and no password; all else is a 401 that costs no quota."""
    sandbox = Sandbox()

    admission = sandbox.admit(route_of("/endusers"), authorization)

    assert (admission.refusal.status if admission.refusal else None) == status
    assert sandbox.quota.in_flight == (1 if status is None else 0)
