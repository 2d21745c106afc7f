"""Back-pressure: bounds memory, not time.

Towards high water fewer are read at once, as many as there is room for. Above it, first nothing is polled
at all (librdkafka's own queue fills and stops fetching); after `still_seconds` partitions are paused and
polling goes on, so that the group keeps us. Pausing drops prefetched records, which is why it comes second.
"""

from enum import StrEnum
from typing import Final

from streamer.engine.limits import Limits

LEAST_RECORDS: Final = 20
"""Read at once, however little room is left: what is read in ones costs a turn each."""


class Stage(StrEnum):
    """How hard we hold back."""

    FLOWING = "flowing"
    STILL = "still"
    """Not polling; for a few seconds at most."""
    PAUSED = "paused"
    """Polling with every partition paused."""


class Pressure:
    """Decides the stage from what is in flight."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._since = 0.0
        self.stage = Stage.FLOWING

    def room(self, records: int, size_bytes: int) -> int:
        """How many to read at once, so much being in flight: of that size, what there is room for.

        Otherwise one poll of large ones would be a quarter of high water beyond it.
        """
        limits = self._limits
        if not records:
            return limits.poll_records
        held_bytes = limits.held_bytes(records, size_bytes)
        left = max(0, limits.high_water_bytes - held_bytes) * records // held_bytes
        return min(limits.poll_records, max(LEAST_RECORDS, left))

    def step(self, now: float, records: int, size_bytes: int) -> Stage:
        """The stage for this turn."""
        limits = self._limits
        held_bytes = limits.held_bytes(records, size_bytes)
        ratio = max(records / limits.high_water_records, held_bytes / limits.high_water_bytes)
        if self.stage is Stage.FLOWING:
            if ratio >= 1.0:
                self.stage, self._since = Stage.STILL, now
        elif ratio < limits.low_water_ratio:
            self.stage = Stage.FLOWING
        elif self.stage is Stage.STILL and now - self._since >= limits.still_seconds:
            self.stage = Stage.PAUSED
        return self.stage
