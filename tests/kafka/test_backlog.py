"""What lies unread and since when, report by report."""

from streamer.kafka.backlog import Backlog
from streamer.kafka.log_ends import LogEnd
from streamer.kafka.statistics import Statistics
from streamer.records import Record, TopicPartition

HERE, THERE = TopicPartition("t", 0), TopicPartition("t", 1)
ASKED = 1_790_000_000.0


def _ends(**offsets: int) -> dict[TopicPartition, LogEnd]:
    places = {"here": HERE, "there": THERE}
    return {places[name]: LogEnd(offset, ASKED) for name, offset in offsets.items()}


def _record(offset: int, written_at: float, partition: int = 0) -> Record:
    return Record("t", partition, offset, round(written_at * 1000), None, None)


def test_unread_is_the_end_less_the_place() -> None:
    """The place is after the last record given, else the committed offset; without either none is known."""
    backlog = Backlog("t")
    assert backlog.unread(_ends(here=9, there=9)) == {}
    backlog.reported(Statistics(committed={0: 4, 1: 9}), _ends(here=9, there=9))
    assert backlog.unread(_ends(here=9, there=9)) == {HERE: 5, THERE: 0}
    assert (backlog.committed(HERE), backlog.committed(TopicPartition("t", 7))) == (4, None)
    backlog.given([_record(4, ASKED), _record(5, ASKED)])
    assert backlog.unread(_ends(here=9)) == {HERE: 3}
    assert backlog.position(HERE) == 6
    assert backlog.unread(_ends(here=5)) == {HERE: 0}, "an end learnt before the record was read"


def test_what_was_fetched_past_without_a_record_is_not_unread() -> None:
    """Markers of transactions at the end of the log count until they are fetched, then no more."""
    backlog = Backlog("t")
    backlog.given([_record(7, ASKED)])
    assert backlog.unread(_ends(here=9)) == {HERE: 1}
    backlog.reported(Statistics(passed={0: 9}), _ends(here=9))
    assert backlog.unread(_ends(here=9)) == {HERE: 0}


def test_what_a_pause_threw_away_is_unread() -> None:
    """What was fetched ahead of a pause counts as unread, whatever a report made before says."""
    backlog = Backlog("t")
    backlog.given([_record(3, ASKED)])
    backlog.reported(Statistics(passed={0: 9, 1: 9}), _ends(here=9))
    backlog.doubt([HERE])
    assert backlog.unread(_ends(here=9)) == {HERE: 5}
    backlog.reported(Statistics(passed={0: 9, 1: 9}), _ends(here=9))
    assert backlog.unread(_ends(here=9)) == {HERE: 5}, "a report that may have been made before"
    assert backlog.unread_since() == {HERE: ASKED}
    backlog.reported(Statistics(passed={0: 5}), _ends(here=9))
    assert backlog.unread(_ends(here=9)) == {HERE: 4}


def test_unread_was_written_after_the_last_one_given() -> None:
    """What lies behind a record in the log is not older than it; of an unknown partition nothing is said."""
    backlog = Backlog("t")
    backlog.given([_record(0, ASKED - 60), _record(1, ASKED - 50), _record(0, ASKED - 40, partition=1)])
    assert backlog.unread_since() == {HERE: ASKED - 50, THERE: ASKED - 40}
    backlog.given([Record("t", 0, 2, -1, None, None)])
    assert backlog.unread_since()[HERE] == ASKED - 50, "a record without a timestamp says nothing new"


def test_unread_was_written_after_the_last_moment_without_any() -> None:
    """After a quiet night the first record is as old as the last look at an empty log, not as the night."""
    backlog = Backlog("t")
    backlog.given([_record(8, ASKED - 36_000)])
    backlog.reported(Statistics(), _ends(here=9))
    assert backlog.unread_since() == {HERE: ASKED}
    backlog.reported(Statistics(), {HERE: LogEnd(10, ASKED + 2)})
    assert backlog.unread_since() == {HERE: ASKED}


def test_a_partition_that_went_elsewhere_is_forgotten() -> None:
    """Nothing of an earlier tenure counts in a later one."""
    backlog = Backlog("t")
    backlog.given([_record(8, ASKED)])
    backlog.reported(Statistics(committed={0: 9}, passed={0: 12}), _ends(here=9))
    backlog.forget([HERE])
    assert backlog.position(HERE) is None
    assert backlog.unread(_ends(here=12)) == {}
    assert backlog.unread_since() == {}
