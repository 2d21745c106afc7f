"""A replay as the engine sees it: a source of records, a dead-letter topic, and an observer.

Satisfies `engine.ports.Source` and `.DeadLetters` by shape. Before letters are handed out a note that
they are taken is acknowledged by the broker; after they are settled a note says how. Step by step, what a
SIGKILL leaves behind:

- before the first note is acknowledged: the letters are open, and were not sent;
- between the two notes: the letters are taken, and may have been delivered; the next replay sends them
  again and names them;
- after the second: they are settled, and no replay takes them.

At an orderly stop only what certainly was never sent is noted as given back; the rest stays taken.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from streamer.engine.ports import Assignment, CommitResult, DeadLetter, Finished
from streamer.errors import SourceError
from streamer.letters.journal import JournalEntry, settled_entries, taken_entries
from streamer.letters.letter import Place
from streamer.letters.replay import Replay, noted
from streamer.letters.told import Chosen
from streamer.records import Found, Mark, Record, TopicPartition

LANE: Final = TopicPartition("replay", 0)
"""What the engine takes for the partition: numbers of a replay are its offsets."""
CHUNK: Final = 50
"""Letters handed out at once, hence in one note."""
NOTE_SECONDS: Final = 0.25
"""How long answers may wait to be noted together."""
IDLE_SECONDS: Final = 0.02


class Doors:
    """What a replay needs from outside. Each raises SourceError where it cannot go on."""

    def __init__(
        self,
        *,
        write: Callable[[Sequence[JournalEntry]], None],
        catch_up: Callable[[], object],
        look_ahead: Callable[[], bool],
        fetch: Callable[[Sequence[Place]], Sequence[Chosen]],
        more: Callable[[], Sequence[Chosen]],
        stay_alone: Callable[[], None],
        progress: Callable[[], None],
        monotonic: Callable[[], float],
        time: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.write = write
        """Write notes and wait for their acknowledgement."""
        self.catch_up = catch_up
        """Bring the standing up to date with the source topic."""
        self.look_ahead = look_ahead
        """The same before letters are handed out; False where a stop cut it short, and none may be."""
        self.fetch = fetch
        """The records at these places of the source topic; those that are gone are left out."""
        self.more = more
        """The next letters, when the last are all handed out; none when there are no more, then or later."""
        self.stay_alone = stay_alone
        """See that no other replay runs."""
        self.progress = progress
        """Told when letters were settled."""
        self.monotonic = monotonic
        self.time = time
        self.sleep = sleep


class ReplaySource:
    """Letters as a source. For the owner thread."""

    def __init__(self, run: str, replay: Replay, doors: Doors, *, per_second: float | None = None) -> None:
        self._run = run
        self._replay = replay
        self._doors = doors
        self._per_second = per_second
        self._assignment: Assignment | None = None
        self._finished: Callable[[], None] | None = None
        self._is_open = False
        self._is_paused = False
        self._is_exhausted = False
        self._commits: list[tuple[Mapping[TopicPartition, Mark], CommitResult]] = []
        self._failures: dict[int, tuple[str, int | None]] = {}
        self._letters: list[tuple[DeadLetter, bool]] = []
        self._allowance = 1.0
        self._allowed_at = doors.monotonic()
        self._noted_at = doors.monotonic()
        self.problem: SourceError | None = None
        """Why the last notes could not be written, when the replay was ending anyway."""

    def when_finished(self, stop: Callable[[], None]) -> None:
        """What to call when there is nothing left to do."""
        self._finished = stop

    # --- Source ------------------------------------------------------------------------------------

    def subscribe(self, assignment: Assignment) -> None:
        """Take the engine's side of an assignment."""
        self._assignment = assignment

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """The next letters, after a note that they are taken; see the module's docstring."""
        if not self._is_open and self._assignment is not None:
            self._is_open = True
            self._assignment.assigned({LANE: Found()})
        self._doors.stay_alone()
        self._note()
        records = () if self._is_paused else self._hand_out(min(max_records, CHUNK, self._allowed()))
        if records:
            return records
        if self._finished is not None and self._is_exhausted and self._replay.is_done:
            self._finished()
        else:
            self._doors.sleep(min(timeout_seconds, IDLE_SECONDS))
        return ()

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Hand nothing out until resumed."""
        self._is_paused = self._is_paused or LANE in partitions

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Hand out again."""
        self._is_paused = self._is_paused and LANE not in partitions

    def start_commit(self, marks: Mapping[TopicPartition, Mark]) -> None:
        """Nothing to do: what is settled is noted letter by letter."""
        self._commits.append((marks, CommitResult.COMMITTED))

    def finished_commits(self) -> Sequence[tuple[Mapping[TopicPartition, Mark], CommitResult]]:
        """Commits since the last call; all of them are well."""
        ended, self._commits = self._commits, []
        return ended

    def commit_now(self, marks: Mapping[TopicPartition, Mark]) -> CommitResult:
        """Nothing to do."""
        return CommitResult.COMMITTED

    def close(self) -> None:
        """Note what is known by now; a failure is kept as `problem`, not to hide why the replay ends."""
        try:
            self._note(is_due=True)
        except SourceError as error:
            self.problem = error
        self._replay.end()

    # --- DeadLetters: what still fails stays the letter it is ------------------------------------------

    def produce(self, letter: DeadLetter) -> bool:
        """Remember why; nothing is written."""
        self._failures[letter.record.offset] = (letter.detail, letter.http_status)
        self._letters.append((letter, True))
        return True

    def collect(self, timeout_seconds: float) -> Sequence[tuple[DeadLetter, bool]]:
        """Everything is acknowledged at once."""
        answered, self._letters = self._letters, []
        return answered

    # --- what the engine tells ------------------------------------------------------------------------

    def settled(self, records: Sequence[Finished]) -> None:
        """Letters are finished with; noted soon."""
        for ended in records:
            offset = ended.record.offset
            detail, http_status = self._failures.pop(offset, ("", None))
            self._replay.settle(
                offset, ended.fate, ended.reason, detail, http_status, was_sent=ended.was_sent
            )

    # --- inside ------------------------------------------------------------------------------------

    def _allowed(self) -> int:
        """Letters that the rate lets go now. What was not used is kept for a second at most: no bursts."""
        if self._per_second is None:
            return CHUNK
        now = self._doors.monotonic()
        most = max(1.0, self._per_second)
        self._allowance = min(most, self._allowance + (now - self._allowed_at) * self._per_second)
        self._allowed_at = now
        return int(self._allowance)

    def _hand_out(self, most: int) -> Sequence[Record]:
        if most <= 0:
            return ()
        if not self._replay.has_waiting and not self._is_exhausted:
            self._replay.add(self._doors.more())
            self._is_exhausted = not self._replay.has_waiting
        if not self._replay.has_waiting:
            return ()
        if not self._doors.look_ahead():
            return ()
        numbered = self._replay.hand_out(most)
        self._fetch_later_calls()
        letters = [letter_id for each in numbered for letter_id in each.chosen.ids]
        if letters:
            self._doors.write(taken_entries(self._run, self._now_ms(), letters))
        self._allowance -= len(numbered)
        return [
            each.chosen.record._replace(topic=LANE.topic, partition=LANE.partition, offset=each.number)
            for each in numbered
        ]

    def _note(self, *, is_due: bool = False) -> None:
        if not self._replay.has_answers:
            return
        now = self._doors.monotonic()
        if not is_due and now - self._noted_at < NOTE_SECONDS:
            return
        self._noted_at = now
        self._doors.catch_up()
        notes = noted(self._replay.take_answers())
        if notes:
            self._doors.write(settled_entries(self._run, self._now_ms(), notes))
        if not is_due:  # at the end nothing goes any more, and the letters concerned stay taken
            self._fetch_later_calls()
        self._doors.progress()

    def _fetch_later_calls(self) -> None:
        wanted = self._replay.take_wanted()
        if wanted:
            self._replay.add_later_calls(wanted, self._doors.fetch(wanted))

    def _now_ms(self) -> int:
        return int(self._doors.time() * 1000)
