"""Gates: one per endpoint. Open, or closed until a moment; then one probe, then open again.

Batches have no back-off of their own: while Planhat is down, waiting costs nothing but time, and
Kafka is the buffer.
"""

from enum import Enum

from streamer.engine.limits import Limits


class Permit(Enum):
    """What a gate lets through now."""

    NOTHING = "nothing"
    PROBE = "probe"
    EVERYTHING = "everything"


class Gate:
    """The gate of one endpoint. Time and dice are arguments."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.closed_until = 0.0
        self.failures = 0
        self.is_probing = False
        self._failed_at = -1.0

    def permit(self, now: float) -> Permit:
        """Everything while open; one probe once the closing time is over."""
        if not self.failures:
            return Permit.EVERYTHING
        if self.is_probing or now < self.closed_until:
            return Permit.NOTHING
        return Permit.PROBE

    def failed(
        self, now: float, dice: float, sent_at: float, retry_after_seconds: float | None = None
    ) -> None:
        """A request failed for no fault of its operations. `dice` is uniform in [0, 1): full jitter.

        Of several requests under way when the first of them failed, only that one counts: four
        workers meeting one outage are one failure.
        """
        if self.failures and sent_at < self._failed_at and not self.is_probing:
            return
        self._failed_at = now
        longest = min(
            self._limits.gate_longest_seconds,
            self._limits.gate_first_seconds * 2.0 ** min(self.failures, 32),
        )
        # Full jitter, but never so little that a loop of instant refusals becomes a busy one.
        wait = max(0.05, dice * longest)
        if retry_after_seconds is not None:
            wait = max(wait, min(retry_after_seconds, 600.0))
        self.failures += 1
        self.is_probing = False
        self.closed_until = max(self.closed_until, now + wait)

    def answered(self) -> None:
        """Planhat answered for each operation: open."""
        self.failures = 0
        self.closed_until = 0.0
        self.is_probing = False

    def probe_size(self) -> int:
        """Operations of the next probe: halved by each failed one, so that some probe misses a poison."""
        return max(1, self._limits.probe_operations >> min(self.failures - 1, 16))

    def closed_seconds(self, now: float) -> float:
        """How long it stays closed; 0 when open or due for a probe."""
        return max(0.0, self.closed_until - now) if self.failures else 0.0


class BulkSize:
    """How many operations a bulk may hold: halved by evidence of "too much", grown 10 % by success."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.operations = most

    def too_much(self, sent: int) -> None:
        """A time-out, a 413 or a 504 for a bulk of `sent` operations."""
        self.operations = max(1, min(self.operations, sent) // 2)

    def answered(self, sent: int) -> None:
        """A bulk that was as large as allowed was answered."""
        if sent >= self.operations < self._most:
            self.operations = min(self._most, self.operations + max(1, self.operations // 10))
