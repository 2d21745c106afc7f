"""Hold: running, joined, sending nothing, waiting for a person."""

from typing import Final

from streamer.engine.limits import Limits
from streamer.engine.ports import HoldReason
from streamer.errors import PlanhatMisconfigured, StreamerError, TooManyDeadLetters
from streamer.outcomes import Endpoint

WORD_SECONDS: Final = 60.0
TRICKLE_SECONDS: Final = 2.0


class Hold:
    """Whether we hold, why, and when to probe or say so again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.reason: HoldReason | None = None
        self.endpoint: Endpoint | None = None
        """Where it was learned: the only place whose answer can end it."""
        self.probe: int | None = None
        """Number of the request that asks whether things are well again."""
        self.since = 0.0
        self._left: tuple[HoldReason, float] | None = None
        """Why it held before, and until when, where nothing proved that things are well again."""
        self._next_probe = 0.0
        self._next_word = 0.0

    def enter(self, reason: HoldReason, endpoint: Endpoint | None, now: float) -> bool:
        """Start holding, or go on for a new reason; True when it was not holding before.

        Back for the same reason within the time between probes, it has held since it first did: its probe
        failed for something else, and nothing was well again.
        """
        was_free = self.reason is None
        if was_free:
            left, until = self._left or (None, 0.0)
            is_back = left is reason and now - until < self._limits.hold_probe_seconds
            self.since = self.since if is_back else now
            self._next_probe = now + self._limits.hold_probe_seconds
            self._next_word = now + WORD_SECONDS
        self.reason = reason
        self.endpoint = endpoint
        self.probe = None
        return was_free

    def is_ended_by(self, number: int) -> bool:
        """Whether an answer to this request ends it: only its own probe's does.

        What was sent before, or to another endpoint, proves nothing: activities need no API token, and
        a token may be good for one model and not for another.
        """
        return self.reason is not None and self.probe == number

    def leave(self, now: float, *, is_proved: bool) -> HoldReason | None:
        """Stop holding, proved to be well again or not; returns why we did."""
        reason, self.reason = self.reason, None
        self._left = None if reason is None or is_proved else (reason, now)
        return reason

    def probe_is_due(self, now: float) -> bool:
        """One request a minute may ask whether things are well again; bad records mend by a restart only."""
        if self.reason is None or self.reason is HoldReason.DEAD_LETTERS or now < self._next_probe:
            return False
        self._next_probe = now + self._limits.hold_probe_seconds
        return True

    def lets_in(self, now: float) -> bool:
        """Whether to read a little before the next probe: only new records can show that some pass."""
        is_near = now >= self._next_probe - TRICKLE_SECONDS
        return self.reason is HoldReason.EVERYTHING_REFUSED and is_near

    @property
    def probe_operations(self) -> int:
        """How many operations a probe holds: enough of them to meet one that is accepted."""
        return self._limits.probe_operations if self.reason is HoldReason.EVERYTHING_REFUSED else 1

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


ADVICE: Final = {
    HoldReason.CREDENTIALS: "Planhat refused the token (401): check the token and the region",
    HoldReason.PERMISSION: "the token may not do this (403): let its service account write companies and "
    "endusers and, where the mapping says calls.delete, delete endusers, or take that rule out",
    HoldReason.NOT_FOUND: "Planhat does not know this address (404): check STREAMER_PLANHAT_API_URL, and in "
    "passthrough mode STREAMER_PLANHAT_SEGMENT_URL",
    HoldReason.EVERYTHING_REFUSED: "Planhat refuses every record: look for a field made mandatory there",
}


def ending(reason: HoldReason) -> StreamerError:
    """The error that ends the process where it may not hold."""
    if reason is HoldReason.DEAD_LETTERS:
        return TooManyDeadLetters(
            "more than a fifth of the last records can never be delivered, so none of these was sent to the "
            "dead-letter topic and nothing past them is committed. Look at their reasons with "
            "`streamer transform --json` on a sample, mend the producer, the schemas or the settings, and "
            "start again."
        )
    return PlanhatMisconfigured(
        f"{ADVICE[reason]}. Nothing was lost or dead-lettered: mend it and start again."
    )
