"""Records that came of a paused partition."""

from streamer.kafka.kept_back import KeptBack
from streamer.records import Record, TopicPartition

HERE, THERE = TopicPartition("t", 0), TopicPartition("t", 1)


def _records(partition: int, *offsets: int) -> list[Record]:
    return [Record("t", partition, offset, -1, None, None) for offset in offsets]


def test_kept_records_come_once_after_their_resume() -> None:
    """Nothing comes while paused; afterwards everything does, in order, in bites of what is asked for."""
    kept = KeptBack()
    kept.keep(_records(0, 1, 2, 3) + _records(1, 7))
    assert kept.take(10) == []
    kept.release([HERE])
    assert kept.take(2) == _records(0, 1, 2)
    assert kept.take(2) == _records(0, 3)
    assert kept.take(2) == []


def test_a_second_pause_holds_what_is_due() -> None:
    """A partition paused again before its records were taken keeps them, in order."""
    kept = KeptBack()
    kept.keep(_records(0, 1, 2) + _records(1, 7))
    kept.release([HERE, THERE])
    kept.hold([HERE])
    assert kept.take(10) == _records(1, 7)
    kept.keep(_records(0, 3))
    kept.release([HERE])
    assert kept.take(10) == _records(0, 1, 2, 3)


def test_what_went_elsewhere_is_forgotten() -> None:
    """Records of revoked partitions never come, whether due or not."""
    kept = KeptBack()
    kept.keep(_records(0, 1) + _records(1, 7))
    kept.release([HERE])
    kept.drop([HERE, THERE])
    kept.release([THERE])
    assert kept.take(10) == []
