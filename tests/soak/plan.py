"""When a soak strikes, and when it is quiet: the same again from the same seed. Pure.

It warms up first, for a quarter of the time: faults that hit all members fill what memory there is to fill,
so that later ones add nothing. Then rounds, each of a quiet part and one with strikes at random. It ends
struck, not quiet: at the pace at which it was judged.
"""

from random import Random
from typing import Final, NamedTuple

from tests.faults.schedule import Kind, Strike, schedule

WARM_UP_SHARE: Final = 0.25
LONGEST_WARM_UP_SECONDS: Final = 1_800.0
QUIET_SHARE: Final = 0.2
"""Of each round."""
ROUND_SECONDS: Final = 1_800.0
FEWEST_ROUNDS: Final = 2
LAST_SHARE: Final = 0.05
"""No strike comes in the last part: the levels at the end are those of a group that is whole."""
WARMING: Final = (Kind.TIMED_OUT, Kind.UNAVAILABLE, Kind.BROKER_RESTART, Kind.WIRE_LONG_CUT)
"""They hit all members, and make them hold as much as they ever will."""


class Due(NamedTuple):
    """A strike and when it is due, in seconds from the start."""

    at: float
    strike: Strike


class Quiet(NamedTuple):
    """Nothing is struck, and little comes."""

    begins: float
    ends: float


class Plan(NamedTuple):
    """A soak, ahead of time."""

    seconds: float
    warm_up_seconds: float
    due: tuple[Due, ...]
    quiet: tuple[Quiet, ...]


def plan(seed: int, seconds: float, every_seconds: float) -> Plan:
    """Strikes come about `every_seconds`, from half of that to one and a half apart."""
    rng = Random(seed)
    warm_up = min(seconds * WARM_UP_SHARE, LONGEST_WARM_UP_SECONDS)
    rounds = max(FEWEST_ROUNDS, round((seconds - warm_up) / ROUND_SECONDS))
    length = (seconds - warm_up) / rounds
    begins = [warm_up + number * length for number in range(rounds)]
    quiet = tuple(Quiet(at, at + length * QUIET_SHARE) for at in begins)
    moments: list[float] = []
    at = warm_up
    while at < seconds * (1 - LAST_SHARE):
        if not any(part.begins <= at < part.ends for part in quiet):
            moments.append(at)
        at += every_seconds * rng.uniform(0.5, 1.5)
    warming = [
        Due(warm_up * (0.3 + 0.6 * place / len(WARMING)), Strike(place + 1, kind, 0.0, 0.0, 1.0))
        for place, kind in enumerate(WARMING)
        if every_seconds <= warm_up
    ]
    later = [
        Due(moment, strike._replace(number=len(warming) + strike.number))
        for moment, strike in zip(moments, schedule(seed, len(moments)), strict=True)
    ]
    return Plan(seconds, warm_up, (*warming, *later), quiet)
