"""The engine's loop: one turn is `run_once()`, and the owner thread does nothing else.

The owner never waits on anything but `Source.poll` (briefly) and, while it must not poll, on
answers; the one exception is the bounded path of a revoke or a shutdown (`handover`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from streamer.engine.answers import Answers
from streamer.engine.commit import CommitSchedule
from streamer.engine.dead_letter_guard import DeadLetterGuard
from streamer.engine.dispatch import Dice, Dispatch
from streamer.engine.duplicates import Duplicates
from streamer.engine.handover import Handover
from streamer.engine.hold import Hold, ending
from streamer.engine.intake import Intake
from streamer.engine.interpret import Tell
from streamer.engine.ledger import Book, Ledger
from streamer.engine.letters import Letters
from streamer.engine.limits import Limits
from streamer.engine.marks import Marks
from streamer.engine.membership import Membership
from streamer.engine.ports import (
    Clock,
    CommitResult,
    DeadLetters,
    Decoder,
    Encoder,
    HoldReason,
    Observer,
    Sink,
    Source,
)
from streamer.engine.pressure import Pressure, Stage
from streamer.engine.settlement import Settlement
from streamer.engine.share import share_of
from streamer.engine.state import gauges_of, stuck_partitions
from streamer.engine.trickle import Trickle
from streamer.errors import LedgerError, StreamerError
from streamer.outcomes import Answered, Endpoint
from streamer.records import Found, Mark, Record, TopicPartition
from streamer.transform import told_of
from streamer.transform.rules import Rules

BUSY_POLL_SECONDS: Final = 0.02
"""Longest wait for records while answers are on their way."""
STILL_SECONDS: Final = 0.05
"""Longest wait for answers while not polling."""


class Streamer:
    """Moves records from a source to a sink; satisfies `ports.Assignment`."""

    def __init__(
        self,
        *,
        limits: Limits,
        rules: Rules,
        source: Source,
        decoder: Decoder,
        encode: Encoder,
        sink: Sink,
        dead_letters: DeadLetters,
        observer: Observer,
        clock: Clock,
        dice: Dice,
        topic_partitions: Callable[[], int] = lambda: 1,
        tell: Tell = told_of,
    ) -> None:
        """`topic_partitions`: how many there are for all replicas together, as far as is known now.

        `tell`: what becomes of a call; tests have words of their own.
        """
        self._limits = limits
        self._source = source
        self._sink = sink
        self._observer = observer
        self._clock = clock
        self.ledger = Ledger()
        self.hold = Hold(limits)
        self.duplicates = Duplicates(limits.duplicates_window, limits.duplicates_seconds)
        self.membership = Membership(limits.membership_seconds)
        self.dispatch = Dispatch(limits, sink, encode, observer)
        self.letters = Letters(DeadLetterGuard(limits), dead_letters)
        self.settlement = Settlement(self.duplicates, self.letters, observer, clock)
        self._answers = Answers(
            limits, self.dispatch, observer, clock, dice, self.settlement, self._enter_hold, self.hold
        )
        self.commits = CommitSchedule(limits.commit_interval_seconds, limits.commit_records)
        self._marks = Marks(limits, observer)
        self._handover = Handover(self, limits, source, observer)
        self._pressure = Pressure(limits)
        self._trickle = Trickle(limits)
        self._intake = Intake(self, rules, tell, decoder, observer)
        self._stuck: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._topic_partitions = topic_partitions
        self._next_gauges = 0.0
        self._is_stopping = False
        self._ending: StreamerError | None = None
        self.last_poll_at = clock.monotonic()
        """When the source was last polled: the liveness of the owner thread, and when it last could hear
        that partitions are lost."""

    # --- life -------------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until told to stop, or until an error says that this cannot go on; then hand over."""
        self._source.subscribe(self)
        try:
            while not self._is_stopping:
                self.run_once()
        except LedgerError:
            # Our own books are wrong: what they call committable must not be committed.
            self._handover.abandon()
            raise
        except StreamerError:
            self._handover.shut_down()
            raise
        except BaseException:
            # A bug of ours, or an interrupt between two lines: the books may be half written.
            self._handover.abandon()
            raise
        self._handover.shut_down()
        self._end_if_told()

    def _end_if_told(self) -> None:
        if self._ending is not None:
            raise self._ending

    def stop(self) -> None:
        """Finish what is under way, commit, leave. May be called from a signal handler."""
        self._is_stopping = True

    def run_once(self) -> None:
        """One turn."""
        now = self._clock.monotonic()
        self.collect(now)
        self._end_if_told()
        self._end_hold_or_probe(now)
        self._commit(now)
        self._send(now)
        records = self._poll(now)
        self.settlement.now = now = self._clock.monotonic()
        self._intake.take(records, now)
        self.tell()
        self._send(now)
        self._trip_on_dead_letters()
        self.letters.pump(now)
        self._report(now)
        self.check()

    def check(self) -> None:
        """Raise LedgerError where a conservation law does not hold."""
        self.ledger.check()
        self.dispatch.check()

    # --- answers, letters -------------------------------------------------------------------------

    def collect(self, now: float, timeout_seconds: float = 0.0) -> None:
        """Apply what came back from Planhat and from the dead-letter topic."""
        deliveries = self._sink.collect(timeout_seconds)
        if timeout_seconds:
            now = self._clock.monotonic()  # what came while we waited: the waits it asks for begin now
        self.settlement.now = now
        for delivery in deliveries:
            works = self._answers.apply(delivery, now)
            if works and self.hold.is_ended_by(delivery.batch.number):
                self._leave_hold(is_proved=isinstance(delivery.answer, Answered))
        self.settlement.settle(self.letters.collect(now))
        self.tell()

    def tell(self) -> None:
        """Tell the observer what is made, done and settled since the last time."""
        self.dispatch.operations.tell()
        self.settlement.tell()

    # --- hold -------------------------------------------------------------------------------------

    def _enter_hold(self, reason: HoldReason, endpoint: Endpoint | None) -> None:
        if not self._answers.suspects.has_accepted:
            # At start a person is watching: end rather than hold. Not from here: the other answers of
            # this turn must be applied first, or their requests would be waited for in vain.
            self._ending = self._ending or ending(reason)
        if self.hold.enter(reason, endpoint, self._clock.monotonic()):
            self._observer.hold_entered(reason)

    def _leave_hold(self, *, is_proved: bool) -> None:
        reason = self.hold.leave(self._clock.monotonic(), is_proved=is_proved)
        if reason is not None:
            self._observer.hold_left(reason)

    def _trip_on_dead_letters(self) -> None:
        if self.letters.guard.is_tripped and self.letters.held and self.hold.reason is None:
            self._enter_hold(HoldReason.DEAD_LETTERS, None)

    def _end_hold_or_probe(self, now: float) -> None:
        reason = self.hold.reason
        if reason is None:
            return
        if self.hold.is_over_patience(now):
            raise ending(reason)
        if self.hold.word_is_due(now):
            self._observer.holding(reason, now - self.hold.since)
        # With nothing to send there is nothing to prove, and nothing to probe with: the hold ends then.
        may_probe = self.membership.is_proved(now) or not self._has_work
        if may_probe and self.hold.probe_is_due(now):
            self._probe_hold(now)

    def _probe_hold(self, now: float) -> None:
        endpoint = self.hold.endpoint
        if endpoint is None:
            return
        if self.dispatch.can_be_probed(endpoint):
            self._sink.refresh_credentials()
            number = self.dispatch.probe(endpoint, self.hold.probe_operations, now)
            self.hold.probe = number or self.hold.probe
            if self.hold.reason is HoldReason.EVERYTHING_REFUSED:
                self.dispatch.send_parents(endpoint, self.hold.probe_operations, now)
        else:
            # What was refused went back to Kafka with its partition, or waits for what a hold does not
            # send: nothing is left to ask with, so go on and see.
            self._leave_hold(is_proved=False)

    # --- out, commits -----------------------------------------------------------------------------

    def _send(self, now: float) -> None:
        if self.hold.reason is None and self.membership.is_proved(now):
            self.dispatch.send(now)

    def _commit(self, now: float) -> None:
        self.finish_commits()
        settled = self.settlement.settled
        marks = self.news_of(self.ledger) if self.commits.is_due(now, settled) else {}
        if not marks and self._has_work and self.membership.needs_proof(now) and self.commits.is_free(now):
            marks = self._marks.as_they_stand(self.ledger)
        if marks:
            self.commits.started(now, marks, settled)
            self.membership.asked(now, marks)
            self._source.start_commit(marks)

    def news_of(self, books: Iterable[Book]) -> dict[TopicPartition, Mark]:
        """What there is to commit of these, and Kafka has not acknowledged."""
        return self.commits.changed(self._marks.of(books))

    @property
    def _has_work(self) -> bool:
        """Whether there is something to send, or in flight."""
        return self.dispatch.lanes.size > 0

    def finish_commits(self) -> None:
        """Learn what became of commits."""
        for marks, result in self._source.finished_commits():
            self.commits.finished(marks, result)
            self.membership.answered(marks, result)
            self.committed(marks, result)

    def committed(self, marks: Mapping[TopicPartition, Mark], result: CommitResult) -> None:
        """A commit ended."""
        if result is CommitResult.TOO_LARGE:
            self._marks.shrink()
        self._observer.committed(result, len(marks))

    # --- in ---------------------------------------------------------------------------------------

    def _poll(self, now: float) -> Sequence[Record]:
        before = self._pressure.stage
        stage = self._pressure.step(now, self.ledger.in_flight, self.ledger.size_bytes)
        if stage is not before:
            self._observer.paused(stage.value)
        is_trickle = self._is_trickle(stage, now)
        self._pause_and_resume(self._to_pause(stage, now, is_trickle=is_trickle))
        if stage is Stage.STILL and not is_trickle:
            # No poll, and not counted as one: who was frozen, and wakes up still, has not heard of a loss.
            self.collect(now, STILL_SECONDS)
            return ()
        is_busy = bool(self.dispatch.flights) or (self._has_work and not self.membership.is_proved(now))
        timeout = BUSY_POLL_SECONDS if is_busy else self._limits.poll_seconds
        room = self._pressure.room(self.ledger.in_flight, self.ledger.size_bytes)
        most = self._trickle.records if is_trickle else room
        records = self._source.poll(most, timeout)
        self.last_poll_at = self._clock.monotonic()
        asked = self._limits.poll_records if is_trickle else room
        self.dispatch.polled(records, self.last_poll_at, self._clock.time(), asked)
        if is_trickle and records:
            self._trickle.has_read(records, self.last_poll_at)
        return records

    def _is_trickle(self, stage: Stage, now: float) -> bool:
        is_held_up = bool(self._stuck) or (self._trickle.is_in_trouble and stage is not Stage.FLOWING)
        return self._trickle.is_open(now, self.ledger.in_flight, self.ledger.size_bytes, is_needed=is_held_up)

    def _to_pause(self, stage: Stage, now: float, *, is_trickle: bool = False) -> set[TopicPartition]:
        assigned = set(self.ledger.partitions)
        is_holding = self.hold.reason is not None and not self.hold.lets_in(now)
        if is_holding or self.letters.is_blocked or (stage is Stage.PAUSED and not is_trickle):
            return assigned
        # A letter that waits for evidence waits for records: there reading is what ends it.
        far = self._marks.stretched(self.ledger)
        stretched = {book.source for book in far if not self.letters.is_held(book.oldest)}
        waiting = self._intake.waiting_longer_than(self._limits.stuck_records)
        stuck = self._trickle.left_out(stage, self.ledger) if is_trickle else self._stuck
        return (stuck | waiting | stretched | self._marks.overfull) & assigned

    def _pause_and_resume(self, wanted: set[TopicPartition]) -> None:
        if wanted == self._paused:
            return
        to_pause, to_resume = wanted - self._paused, self._paused - wanted
        self._paused = wanted
        if to_pause:
            self._source.pause(to_pause)
        if to_resume:
            self._source.resume(to_resume)

    # --- Assignment: called from inside Source.poll and Source.close ---------------------------------

    def assigned(self, partitions: Mapping[TopicPartition, Found | None]) -> None:
        """Open a book for each; they start paused while everything else is."""
        for source, found in partitions.items():
            settled = self._marks.taken_over(source, found)
            book = self.ledger.open_book(source, settled, found.topic_id if found else "")
            if found is not None and found.is_refuted_by(settled.end):
                book.begin_at(found.committed)
        self._observer.rebalanced("assigned", partitions, 0, is_committed=True)
        wanted = self._to_pause(self._pressure.stage, self._clock.monotonic()) & set(partitions)
        if wanted:
            self._paused |= wanted
            self._source.pause(wanted)
        self._take_share(self._clock.monotonic())

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish what was sent, give the rest back, commit, forget."""
        self._handover.hand_over(partitions, "revoked")

    def lost(self, partitions: Collection[TopicPartition]) -> None:
        """Forget; somebody else reads them already."""
        self.membership.lost()
        self._handover.hand_over(partitions, "lost")

    def stop_intake(self, partitions: Collection[TopicPartition]) -> None:
        """Take nothing more in of these."""
        self._intake.forget(partitions)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Drop what is kept per partition outside its book."""
        for source in partitions:
            self._paused.discard(source)
            self._stuck.discard(source)
        self.commits.forget(partitions)
        self._marks.forget(partitions)
        self.dispatch.revived.forget_closed()
        self.letters.forget_closed()
        self._take_share(self._clock.monotonic())

    def _take_share(self, now: float) -> None:
        """The part of the group's calls that goes with the partitions read here."""
        assigned = [source.partition for source in self.ledger.partitions]
        share = share_of(self._limits.calls_per_minute, self._topic_partitions(), assigned)
        self.dispatch.quota.set_share(now, share)

    @property
    def clock(self) -> Clock:
        """The clock handed in."""
        return self._clock

    # --- what is going on ---------------------------------------------------------------------------

    def _report(self, now: float) -> None:
        if now < self._next_gauges:
            return
        self._next_gauges = now + self._limits.gauges_seconds
        self._take_share(now)  # partitions may have been added to the topic
        troubled = self.dispatch.in_trouble()
        self._trickle.is_in_trouble = bool(troubled) or self.dispatch.is_failing
        self._stuck = stuck_partitions(troubled, self._limits.stuck_records)
        self._observer.gauges(
            gauges_of(
                now, self.ledger, self.dispatch, self.hold, self.letters, self._marks, len(self._paused)
            )
        )
