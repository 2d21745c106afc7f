"""What counters went up by in the last minute."""

from streamer.metrics.catalogue import EVENTS, FAILURES
from streamer.metrics.last_minute import NOTE_SECONDS, WINDOW_SECONDS, LastMinute
from streamer.metrics.tallies import Counts


class Turned:
    """A clock turned by hand, a counter, and its last minute."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.failures, self.events = Counts(FAILURES), Counts(EVENTS)
        self.minute = LastMinute((self.failures, self.events), lambda: self.now)

    def turn(self, seconds: int, failures_a_second: int) -> None:
        """Count and note every second."""
        for _ in range(seconds):
            self.now += 1
            self.failures.add(count=failures_a_second)
            self.minute.note()

    def read(self) -> tuple[float, int]:
        """Length of the minute, and failures in it."""
        read = self.minute.read()
        return read.seconds, read.counts[FAILURES.name][()]


def test_after_a_start_the_minute_is_as_long_as_the_program_ran() -> None:
    """All that was counted since the start."""
    turned = Turned()
    assert turned.read() == (0, 0)
    turned.turn(7, 3)
    assert turned.read() == (7, 21)


def test_what_is_older_than_a_minute_is_left_out() -> None:
    """The minute is at least sixty seconds long, and longer by less than a note's distance."""
    turned = Turned()
    turned.turn(100, 50)
    for _ in range(200):
        turned.turn(1, 2)
        seconds, failures = turned.read()
        assert WINDOW_SECONDS <= seconds < WINDOW_SECONDS + NOTE_SECONDS
    assert failures == 2 * seconds


def test_an_owner_that_stands_still_makes_the_minute_longer() -> None:
    """What was counted before it stopped is old news then."""
    turned = Turned()
    turned.turn(90, 2)
    turned.now += 600
    seconds, failures = turned.read()
    assert seconds >= 600
    assert failures == 0


def test_few_notes_are_kept() -> None:
    """However long it runs."""
    turned = Turned()
    turned.turn(3000, 1)
    assert len(turned.minute._notes) <= WINDOW_SECONDS / NOTE_SECONDS + 2


def test_what_is_read_does_not_change_afterwards() -> None:
    """A reader on another thread keeps what it was given."""
    turned = Turned()
    read = turned.minute.read()
    turned.turn(10, 1)
    assert read.counts[FAILURES.name] == {(): 0}
    assert set(read.counts[EVENTS.name].values()) == {0}
