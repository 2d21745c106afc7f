"""The engine's loop: one turn is `run_once()`, and the owner thread does nothing else.

The owner never waits on anything but `Source.poll` (briefly) and, while it must not poll, on
answers; the one exception is the bounded path of a revoke or a shutdown (`handover`).
"""

from collections import deque
from collections.abc import Collection, Sequence

from streamer.engine.answers import Answers
from streamer.engine.commit import CommitSchedule
from streamer.engine.dead_letter_guard import DeadLetterGuard
from streamer.engine.dispatch import Dice, Dispatch
from streamer.engine.handover import Handover
from streamer.engine.hold import Hold
from streamer.engine.intake import Interpreted, interpret
from streamer.engine.ledger import Entry, Ledger
from streamer.engine.letters import Letters
from streamer.engine.limits import Limits
from streamer.engine.ports import (
    AwaitingSchema,
    Clock,
    DeadLetters,
    Decoder,
    Encoder,
    Gauges,
    HoldReason,
    Observer,
    Sink,
    Source,
)
from streamer.engine.pressure import Pressure, Stage
from streamer.engine.stuck import stuck_partitions
from streamer.errors import LedgerError, PlanhatMisconfigured, StreamerError, TooManyDeadLetters
from streamer.outcomes import Fate
from streamer.records import Record, TopicPartition
from streamer.transform.rules import Rules

BUSY_POLL_SECONDS = 0.02
"""Longest wait for records while answers are on their way."""
STILL_SECONDS = 0.05
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
    ) -> None:
        self._limits = limits
        self._rules = rules
        self._source = source
        self._decoder = decoder
        self._sink = sink
        self._observer = observer
        self._clock = clock
        self.ledger = Ledger()
        self.hold = Hold(limits)
        self.dispatch = Dispatch(limits, sink, encode, observer)
        self.letters = Letters(DeadLetterGuard(limits), dead_letters)
        self._answers = Answers(
            limits, self.dispatch, observer, clock, dice, self._entry_answered, self._enter_hold
        )
        self._commits = CommitSchedule(limits.commit_interval_seconds)
        self._handover = Handover(self, limits, source, observer)
        self._pressure = Pressure(limits)
        self._parked: dict[TopicPartition, deque[Entry]] = {}
        """Entries behind one whose schema is being asked for."""
        self._stuck: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._next_gauges = 0.0
        self._is_stopping = False
        self._ending: StreamerError | None = None
        self.last_poll_at = clock.monotonic()
        """When the source was last polled: the liveness of the owner thread."""

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
        except BaseException:
            self._handover.shut_down()
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
        self._send(now)
        self._commit(now)
        records = self._poll(now)
        now = self._clock.monotonic()
        self._take_in(records, now)
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
        for delivery in self._sink.collect(timeout_seconds):
            if self._answers.apply(delivery, now):
                self._leave_hold()
        for entry in self.letters.collect(now):
            self.settle(entry)

    def _entry_answered(self, entry: Entry) -> None:
        """The last operation of a record is answered for."""
        if entry.fate is Fate.DEAD_LETTERED and entry.book.is_draining:
            entry.worsen(Fate.RELEASED, "")
        if entry.fate is Fate.DEAD_LETTERED:
            self.letters.guard.turned_bad(entry.judged_as)
            self.letters.add(entry)
        else:
            self.settle(entry)

    def settle(self, entry: Entry) -> None:
        """The record is finished with."""
        if not entry.book.settle(entry):
            return
        made_at = entry.record.timestamp_ms
        latency = max(0.0, self._clock.time() - made_at / 1000) if made_at >= 0 else None
        reason = entry.reason if entry.fate in {Fate.SKIPPED, Fate.DEAD_LETTERED} else ""
        self._observer.settled(entry.call, entry.fate, reason, latency)

    # --- hold -------------------------------------------------------------------------------------

    def _enter_hold(self, reason: HoldReason) -> None:
        if not any(self._answers.accepted.values()):
            # At start a person is watching: end rather than hold. Not from here: the other answers of
            # this turn must be applied first, or their requests would be waited for in vain.
            self._ending = self._ending or _ending(reason)
        if self.hold.enter(reason, self._clock.monotonic()):
            self._observer.hold_entered(reason)

    def _leave_hold(self) -> None:
        if self.hold.reason not in {None, HoldReason.DEAD_LETTERS}:
            reason = self.hold.leave()
            if reason is not None:
                self._observer.hold_left(reason)

    def _trip_on_dead_letters(self) -> None:
        if self.letters.guard.is_tripped and self.letters.held and self.hold.reason is None:
            self._enter_hold(HoldReason.DEAD_LETTERS)

    def _end_hold_or_probe(self, now: float) -> None:
        reason = self.hold.reason
        if reason is None:
            return
        if self.hold.is_over_patience(now):
            raise _ending(reason)
        if self.hold.word_is_due(now):
            self._observer.holding(reason, now - self.hold.since)
        if self.hold.probe_is_due(now):
            self._sink.refresh_credentials()
            self.dispatch.probe(now)

    # --- out, commits -----------------------------------------------------------------------------

    def _send(self, now: float) -> None:
        if self.hold.reason is None:
            self.dispatch.send(now)

    def _commit(self, now: float) -> None:
        self.finish_commits()
        offsets = self._commits.due(now, self.ledger.committable())
        if offsets:
            self._commits.started(now, offsets)
            self._source.start_commit(offsets)

    def finish_commits(self) -> None:
        """Learn what became of commits."""
        for offsets, result in self._source.finished_commits():
            self._commits.finished(offsets, result)
            self._observer.committed(result, len(offsets))

    # --- in ---------------------------------------------------------------------------------------

    def _poll(self, now: float) -> Sequence[Record]:
        before = self._pressure.stage
        stage = self._pressure.step(now, self.ledger.in_flight, self.ledger.size_bytes)
        if stage is not before:
            self._observer.paused(stage.value)
        self._pause_and_resume(self._to_pause(stage))
        if stage is Stage.STILL:
            self.last_poll_at = now
            self.collect(now, STILL_SECONDS)
            return ()
        is_busy = bool(self.dispatch.flights)
        timeout = BUSY_POLL_SECONDS if is_busy else self._limits.poll_seconds
        records = self._source.poll(self._limits.poll_records, timeout)
        self.last_poll_at = self._clock.monotonic()
        return records

    def _to_pause(self, stage: Stage) -> set[TopicPartition]:
        assigned = set(self.ledger.partitions)
        if stage is Stage.PAUSED or self.hold.reason is not None or self.letters.is_blocked:
            return assigned
        most = self._stuck_records
        parked = {source for source, entries in self._parked.items() if len(entries) > most}
        return (self._stuck | parked) & assigned

    @property
    def _stuck_records(self) -> int:
        return int(self._limits.high_water_records * self._limits.stuck_ratio)

    def _pause_and_resume(self, wanted: set[TopicPartition]) -> None:
        if wanted == self._paused:
            return
        to_pause, to_resume = wanted - self._paused, self._paused - wanted
        self._paused = wanted
        if to_pause:
            self._source.pause(to_pause)
        if to_resume:
            self._source.resume(to_resume)

    def _take_in(self, records: Sequence[Record], now: float) -> None:
        for source in list(self._parked):
            self._take_in_parked(source, now)
        null_keys = 0
        for record in records:
            book = self.ledger.book(record.source)
            if book is None:
                continue  # revoked between the fetch and this line
            null_keys += record.key is None
            entry = book.track(record, now)
            parked = self._parked.get(record.source)
            if parked is not None:
                parked.append(entry)
            elif not self._interpret(entry, now):
                self._parked[record.source] = deque([entry])
        if records:
            self._observer.polled(len(records), null_keys)

    def _take_in_parked(self, source: TopicPartition, now: float) -> None:
        entries = self._parked[source]
        while entries and self._interpret(entries[0], now):
            entries.popleft()
        if not entries:
            del self._parked[source]

    def _interpret(self, entry: Entry, now: float) -> bool:
        """Turn a record into operations, or settle it; False while its schema is not known yet."""
        result = interpret(entry.record, self._decoder, self._rules)
        if isinstance(result, AwaitingSchema):
            return False
        entry.call = result.call
        entry.schema_id = result.schema_id
        entry.judged_as = self.letters.guard.judge(is_bad=result.invalid is not None)
        if result.operations:
            self.dispatch.enter(entry, result.operations, now)
        else:
            self._without_operations(entry, result)
        return True

    def _without_operations(self, entry: Entry, result: Interpreted) -> None:
        if result.skipped is not None:
            entry.worsen(Fate.SKIPPED, result.skipped)
            self.settle(entry)
        elif result.invalid is not None:
            if result.error is not None:
                self._observer.failed(result.error)
            entry.worsen(Fate.DEAD_LETTERED, result.invalid)
            entry.detail = result.detail
            entry.failed_at = self._clock.time()
            self.letters.add(entry)
        else:
            raise LedgerError(f"{entry!r} asks for nothing and says no reason.")

    # --- Assignment: called from inside Source.poll and Source.close ---------------------------------

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Open a book for each; they start paused while everything else is."""
        for source in partitions:
            self.ledger.open_book(source)
        self._observer.rebalanced("assigned", len(partitions), 0)
        wanted = self._to_pause(self._pressure.stage) & set(partitions)
        if wanted:
            self._paused |= wanted
            self._source.pause(wanted)

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish what was sent, give the rest back, commit, forget."""
        self._handover.hand_over(partitions, "revoked")

    def lost(self, partitions: Collection[TopicPartition]) -> None:
        """Forget; somebody else reads them already."""
        self._handover.hand_over(partitions, "lost")

    def forget_parked(self, partitions: Collection[TopicPartition]) -> None:
        """Take nothing more in of these."""
        for source in partitions:
            self._parked.pop(source, None)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Drop what is kept per partition outside its book."""
        for source in partitions:
            self._paused.discard(source)
            self._stuck.discard(source)
        self._commits.forget(partitions)

    @property
    def commits(self) -> CommitSchedule:
        """What the broker has acknowledged, and what is due."""
        return self._commits

    @property
    def clock(self) -> Clock:
        """The clock handed in."""
        return self._clock

    # --- what is going on ---------------------------------------------------------------------------

    def _report(self, now: float) -> None:
        if now < self._next_gauges:
            return
        self._next_gauges = now + self._limits.gauges_seconds
        self._stuck = stuck_partitions(self.dispatch.parked(), self._stuck_records)
        outboxes = self.dispatch.outboxes
        oldest = {book.source: book.oldest for book in self.ledger}
        self._observer.gauges(
            Gauges(
                in_flight_records=self.ledger.in_flight,
                in_flight_bytes=self.ledger.size_bytes,
                in_flight_by_partition={book.source: book.in_flight for book in self.ledger},
                oldest_unsettled_seconds={
                    source: now - entry.polled_at if entry is not None else 0.0
                    for source, entry in oldest.items()
                },
                paused_partitions=len(self._paused),
                gates_closed_seconds={e: box.gate.closed_seconds(now) for e, box in outboxes.items()},
                waiting_operations={e: box.pool.count for e, box in outboxes.items()},
                hold=self.hold.reason,
                tokens=self.dispatch.quota.tokens(now),
                letters_held=self.letters.held,
            )
        )


_ADVICE = {
    HoldReason.CREDENTIALS: "Planhat refused the API token (401): check the token and the region",
    HoldReason.PERMISSION: "the API token may not write this model (403): give it the permission",
    HoldReason.NOT_FOUND: "Planhat does not know this address (404): check STREAMER_PLANHAT_API_URL",
    HoldReason.EVERYTHING_REFUSED: "Planhat refuses every record: look for a field made mandatory there",
}


def _ending(reason: HoldReason) -> StreamerError:
    """The error that ends the process where it may not hold."""
    if reason is HoldReason.DEAD_LETTERS:
        return TooManyDeadLetters(
            "more than a fifth of the last records can never be delivered, so none of these was sent to the "
            "dead-letter topic and nothing past them is committed. Look at their reasons with "
            "`streamer transform --json` on a sample, mend the producer, the schemas or the settings, and "
            "start again."
        )
    return PlanhatMisconfigured(
        f"{_ADVICE[reason]}. Nothing was lost or dead-lettered: mend it and start again."
    )
