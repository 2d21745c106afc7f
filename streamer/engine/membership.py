"""Whether this replica may still send: the coordinator itself must have called it a member lately.

A process that stood still for longer than its session (SIGSTOP, a frozen node) wakes up with its
partitions in other hands, and does not know it: librdkafka learns of the loss some polls later. What
it sent until then, their new owner would send again.

An acknowledged commit is the proof. It carries the generation, so a member that was thrown out is
refused; and it is proof as of the moment it was *started*: the acknowledgement may have come in before
the freeze and be read after it. An assignment is no proof, for the same reason: the callback may be
served after waking, of an answer that came long before, and nothing says how long. So the first records
of an assignment wait for one commit, of the offset they begin at.

Without a coordinator there is no proof, and nothing is sent although the partitions may still be
ours: nobody can know. The first commit that gets through ends that.
"""

from collections.abc import Mapping
from typing import Final

from streamer.engine.ports import CommitResult
from streamer.records import TopicPartition

RETRY_SECONDS: Final = 0.5
"""Between commits for a proof."""
RENEW_RATIO: Final = 1 / 3
"""Age of a proof, in units of its validity, at which another one is asked for."""


class Membership:
    """How old the proof of our membership is. Read by the workers' threads too: numbers, each set at once."""

    def __init__(self, valid_seconds: float | None) -> None:
        """`valid_seconds`: how long others leave us what we own after a proof; None needs no proofs."""
        self._valid_seconds = valid_seconds
        self._proved_at: float | None = None
        self._asked_at: float | None = None
        self._number = 0
        self._asked: dict[TopicPartition, tuple[object, float]] = {}
        """Commits under way: what is committed, and the earliest moment at which just that was started."""

    def is_proved(self, now: float) -> bool:
        """Whether nobody else can own what we own."""
        return self._is_younger(now, 1.0)

    def proved(self, now: float) -> int | None:
        """Which membership that is, counted from 0; None where it is not proved.

        A worker that stood still while we were thrown out and came back finds a proof, but of another one.
        """
        # Looked at twice: between one look and the other a membership may end, and the next be proved.
        number = self._number
        is_proved = self._is_younger(now, 1.0)
        return number if is_proved and number == self._number else None

    def needs_proof(self, now: float) -> bool:
        """Whether another commit is worth its while, though nothing new is settled."""
        is_asking = self._asked_at is not None and now - self._asked_at < RETRY_SECONDS
        return not is_asking and not self._is_younger(now, RENEW_RATIO)

    def _is_younger(self, now: float, ratio: float) -> bool:
        if self._valid_seconds is None:
            return True
        proved_at = self._proved_at
        return proved_at is not None and now - proved_at < self._valid_seconds * ratio

    def asked(self, now: float, offsets: Mapping[TopicPartition, object]) -> None:
        """A commit is being started.

        One that never seemed to be answered may have been, before a freeze; its acknowledgement, read
        after it, looks just like that of a repetition with the same offsets. So the older moment stays.
        """
        self._asked_at = now
        for source, offset in offsets.items():
            before = self._asked.get(source)
            if before is None or before[0] != offset:
                self._asked[source] = (offset, now)

    def answered(self, offsets: Mapping[TopicPartition, object], result: CommitResult) -> None:
        """What became of a commit, or of some of its partitions."""
        if result is CommitResult.FENCED:
            self.lost()
        if not offsets:
            self._asked.clear()  # it failed before it came to partitions
        for source, offset in offsets.items():
            asked = self._asked.get(source)
            if asked is None or asked[0] != offset:
                continue
            del self._asked[source]
            if result is CommitResult.COMMITTED:
                self._proved_at = max(asked[1], self._proved_at or asked[1])

    def lost(self) -> None:
        """We were thrown out: what was proved before says nothing of what we are given next."""
        self._proved_at = None
        self._number += 1
        self._asked.clear()
