"""Turns: which model of the main API gets the next token. Pure.

A token is a request, and a full one moves thousands of operations. So what counts is how long a request
has been ready to go, weighted by how full it is; but never with less than a tenth of the weight of a full
one: a lone company upsert, that many endusers may wait for, goes after ten tokens at the latest, and
costs no more than every eleventh. Age grows without end, so nobody starves.
"""

from collections.abc import Mapping
from typing import Final

from streamer.outcomes import Endpoint

LEAST_WEIGHT: Final = 0.1


def urgency(waited_seconds: float, fill: float) -> float:
    """How much a request should be next: `fill` is its part of a full one."""
    return waited_seconds * max(LEAST_WEIGHT, min(1.0, fill))


class Turns:
    """Since when each endpoint has had a request ready to go."""

    def __init__(self) -> None:
        self._since: dict[Endpoint, float] = {}

    def order(self, now: float, fills: Mapping[Endpoint, float]) -> list[Endpoint]:
        """Who has something to send, by urgency. `fills` holds every endpoint; 0: nothing is due there."""
        for endpoint, fill in fills.items():
            if fill > 0.0:
                self._since.setdefault(endpoint, now)
            else:
                self._since.pop(endpoint, None)
        waiting = {each: urgency(now - since, fills[each]) for each, since in self._since.items()}
        # Of equals the fuller goes, then the one that others may wait for (companies stand first).
        return sorted(waiting, key=lambda each: (-waiting[each], -fills[each], list(Endpoint).index(each)))

    def sent(self, endpoint: Endpoint) -> None:
        """It had its turn; what else waits there stands at the end of the line."""
        self._since.pop(endpoint, None)
