"""Hold: running, joined, sending nothing, waiting for a person."""

from streamer.engine.limits import Limits
from streamer.engine.ports import HoldReason

WORD_SECONDS = 60.0


class Hold:
    """Whether we hold, why, and when to probe or say so again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.reason: HoldReason | None = None
        self.since = 0.0
        self._next_probe = 0.0
        self._next_word = 0.0

    def enter(self, reason: HoldReason, now: float) -> bool:
        """Start holding, or go on for a new reason; True when it was not holding before."""
        was_free = self.reason is None
        if was_free:
            self.since = now
            self._next_probe = now + self._limits.hold_probe_seconds
            self._next_word = now + WORD_SECONDS
        self.reason = reason
        return was_free

    def leave(self) -> HoldReason | None:
        """Stop holding; returns why we did."""
        reason, self.reason = self.reason, None
        return reason

    def probe_is_due(self, now: float) -> bool:
        """One request a minute may ask whether things are well again; bad records mend by a restart only."""
        if self.reason is None or self.reason is HoldReason.DEAD_LETTERS or now < self._next_probe:
            return False
        self._next_probe = now + self._limits.hold_probe_seconds
        return True

    def word_is_due(self, now: float) -> bool:
        """Once a minute the log says what to do."""
        if self.reason is None or now < self._next_word:
            return False
        self._next_word = now + WORD_SECONDS
        return True

    def is_over_patience(self, now: float) -> bool:
        """Whether the process should end rather than hold on."""
        patience = self._limits.on_hold_exit_seconds
        return self.reason is not None and patience is not None and now - self.since >= patience
