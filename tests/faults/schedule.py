"""Which strike comes when: the same schedule again from the same seed."""

from enum import StrEnum
from random import Random
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What is done to the parts."""

    SIGKILL = "sigkill"
    SIGTERM = "sigterm"
    SIGSTOP = "sigstop"
    """Stopped in its tracks past the session time-out, then continued."""
    REBALANCE = "rebalance"
    """One more member comes, and leaves again."""
    BROKER_RESTART = "broker_restart"
    BROKER_KILL = "broker_kill"
    WIRE_CUT = "wire_cut"
    """No member reaches the broker for a while, within the session time-out."""
    WIRE_LONG_CUT = "wire_long_cut"
    """Likewise, past the session time-out: all lose all they read."""
    WIRE_CUT_ONE = "wire_cut_one"
    """One member does not reach the broker, past the session time-out; Planhat it reaches."""
    WIRE_SLOW = "wire_slow"
    UNAVAILABLE = "planhat_503"
    THROTTLED = "planhat_429"
    TIMED_OUT = "planhat_timeouts"
    """Applied, and answered after the members have given up."""
    LOST_REPLY = "planhat_lost_replies"
    RESET = "planhat_resets"
    SLOW = "planhat_slow"
    PAGE = "planhat_html_200"
    OVERLAP = "planhat_duplicated"
    """Entries are refused as another writer's."""
    TOKEN = "planhat_401"
    """The API token is refused for a while."""


OF_MEMBERS: Final = frozenset({Kind.SIGKILL, Kind.SIGTERM, Kind.SIGSTOP, Kind.REBALANCE})
MAY_INVERT: Final = frozenset({Kind.SIGSTOP, Kind.WIRE_CUT_ONE})
"""A member that does not know yet that others read its partitions: requests under way may come late."""
OF_KAFKA: Final = frozenset(
    {
        Kind.BROKER_RESTART,
        Kind.BROKER_KILL,
        Kind.WIRE_CUT,
        Kind.WIRE_LONG_CUT,
        Kind.WIRE_CUT_ONE,
        Kind.WIRE_SLOW,
    }
)
"""A commit may come to nothing."""

_BAG: Final = (
    *[Kind.SIGKILL] * 6,
    *[Kind.SIGTERM] * 4,
    *[Kind.SIGSTOP] * 3,
    *[Kind.REBALANCE] * 3,
    *[kind for kind in Kind if kind not in OF_MEMBERS],
)


class Strike(NamedTuple):
    """One strike; `dice` are uniform in [0, 1) and decide whom it hits and for how long."""

    number: int
    kind: Kind
    whom: float
    wait: float
    extent: float

    def __str__(self) -> str:
        return f"{self.number} {self.kind} {self.whom:.3f} {self.wait:.3f} {self.extent:.3f}"

    def between(self, low: float, high: float) -> float:
        """Its extent, scaled."""
        return low + self.extent * (high - low)


def schedule(seed: int, strikes: int) -> list[Strike]:
    """Every kind comes once before any comes oftener than its share."""
    rng = Random(seed)
    kinds: list[Kind] = []
    while len(kinds) < strikes:
        bag = list(_BAG)
        rng.shuffle(bag)
        kinds += bag
    return [
        Strike(number, kind, rng.random(), rng.random(), rng.random())
        for number, kind in enumerate(kinds[:strikes], 1)
    ]
