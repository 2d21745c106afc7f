import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.ledger import Book, Entry, Ledger
from streamer.engine.settled import Settled
from streamer.errors import LedgerError
from streamer.outcomes import Fate
from streamer.records import Record, TopicPartition

HERE = TopicPartition("segment.events", 0)


def record(offset: int) -> Record:
    """A record at an offset."""
    return Record("segment.events", 0, offset, 0, b"k", b"value")


def tracked(*offsets: int) -> tuple[Book, dict[int, Entry]]:
    """A book with these offsets in flight."""
    book = Ledger().open_book(HERE)
    return book, {offset: book.track(record(offset), 0.0) for offset in offsets}


def test_nothing_is_committable_while_the_first_record_is_in_flight() -> None:
    """An offset is safe to commit only when everything up to it is settled."""
    book, entries = tracked(0, 1, 2)
    book.settle(entries[1])
    book.settle(entries[2])
    assert book.committable is None
    book.settle(entries[0])
    assert book.committable == 3


def test_gaps_left_by_compaction_block_nothing() -> None:
    """Only offsets that were read count; the ones that never came are not waited for."""
    book, entries = tracked(4, 9, 70)
    book.settle(entries[4])
    assert book.committable == 5
    book.settle(entries[9])
    assert book.committable == 10
    book.settle(entries[70])
    assert book.committable == 71


def test_a_released_record_holds_the_commit_back_for_good() -> None:
    """What was given back to Kafka unsent must be read again, so nothing at or past it is committed."""
    book, entries = tracked(0, 1, 2)
    book.settle(entries[0])
    entries[1].worsen(Fate.RELEASED, "")
    book.settle(entries[1])
    book.settle(entries[2])
    assert book.committable == 1


def test_what_was_passed_overwrites_nothing_any_more() -> None:
    """In doubt is what an earlier record would overwrite if it went again; below the front none does.

    Otherwise: 1 was in doubt for 0, both are passed, and 3 would be sent again for the sake of 1.
    """
    book, entries = tracked(0, 1, 2, 3)
    for offset in (0, 1, 3):
        entries[offset].upserted = ("co:acme",)
    book.would_overwrite(entries[0])
    book.settle(entries[1])
    assert list(book.settled_ahead().unsettled) == [0, 1, 2, 3]
    book.settle(entries[0])
    assert book.committable == 2
    book.settle(entries[3])
    assert list(book.settled_ahead().unsettled) == [2]


def test_one_of_its_upserts_is_enough_to_put_a_record_in_doubt() -> None:
    """1 tells of a user, whom nobody overwrites, and of a company that 0 would overwrite if it went again."""
    book, entries = tracked(0, 1, 2)
    entries[0].upserted = ("co:acme",)
    entries[1].upserted = ("ext:u-1", "co:acme")
    entries[2].upserted = ("ext:u-2",)
    book.would_overwrite(entries[0])
    book.settle_all((entries[1], entries[2]))
    assert list(book.settled_ahead().unsettled) == [0, 1]


def test_a_late_answer_of_an_old_epoch_changes_nothing() -> None:
    """After a revoke the offsets are another member's business, even when the partition comes back."""
    ledger = Ledger()
    old = ledger.open_book(HERE)
    late = old.track(record(0), 0.0)
    ledger.close_book(HERE)
    new = ledger.open_book(HERE)
    again = new.track(record(0), 0.0)
    assert old.settle(late) is False
    assert new.committable is None
    assert new.settle(again) is True
    assert old.committable is None
    assert new.committable == 1


def test_a_record_is_settled_once() -> None:
    """Settling twice is a bug of ours and is not survived quietly."""
    book, entries = tracked(0)
    book.settle(entries[0])
    with pytest.raises(LedgerError, match="settled twice"):
        book.settle(entries[0])


def test_reading_backwards_is_refused() -> None:
    """Within an epoch offsets only grow; anything else would let a commit go back."""
    book, _ = tracked(5)
    with pytest.raises(LedgerError, match="was read after 5"):
        book.track(record(5), 0.0)


def test_the_worst_fate_of_several_operations_is_the_records() -> None:
    """A later, better answer does not cover an earlier, worse one."""
    book, entries = tracked(0)
    entries[0].worsen(Fate.DEAD_LETTERED, "refused")
    entries[0].worsen(Fate.SKIPPED, "no_company")
    book.settle(entries[0])
    assert book.settled[Fate.DEAD_LETTERED] == 1
    assert entries[0].reason == "refused"


def test_bytes_are_counted_while_in_flight_and_no_longer() -> None:
    """Original and encoded bytes leave the account with their record."""
    book, entries = tracked(0, 1)
    before = book.size_bytes
    book.grow(entries[0], 100)
    assert book.size_bytes == before + 100
    book.settle(entries[0])
    book.settle(entries[1])
    assert book.size_bytes == 0


def test_what_is_settled_behind_an_old_record_costs_no_memory() -> None:
    """One record may be in trouble for minutes, while hundreds of thousands are settled behind it."""
    book, entries = tracked(0)
    for offset in range(1, 50_000):
        entry = book.track(record(offset), 0.0)
        book.settle(entry)
    assert book.span == 50_000
    assert book.position == 0
    assert len(book._order) < 2_000
    book.settle(entries[0])
    assert book.committable == 50_000
    assert book.span == 0


@pytest.mark.parametrize("lazy", [0, 1_024])
@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.data())
def test_commit_is_always_the_end_of_the_settled_front(
    lazy: int, gaps: list[int], data: st.DataObject
) -> None:
    """Whatever the order of answers: never past a record in flight, never back, and conservation holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamer.engine.ledger.LAZY_RECORDS", lazy)
        _settle_in_any_order(gaps, data)


def _settle_in_any_order(gaps: list[int], data: st.DataObject) -> None:
    offsets = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    book, entries = tracked(*offsets)
    left = list(offsets)
    highest = -1
    for offset in data.draw(st.permutations(offsets)):
        fate = data.draw(st.sampled_from([Fate.DELIVERED, Fate.SKIPPED, Fate.DEAD_LETTERED]))
        entries[offset].worsen(fate, "x")
        book.settle(entries[offset])
        left.remove(offset)
        book.check()
        settled_front = [o for o in offsets if not left or o < left[0]]
        assert book.span == len(offsets) - len(settled_front)
        assert book.committable == (settled_front[-1] + 1 if settled_front else None)
        assert (book.committable or -1) >= highest
        highest = book.committable or -1
    assert book.in_flight == 0


@given(st.lists(st.integers(1, 4), min_size=1, max_size=40), st.data())
def test_what_is_settled_ahead_is_what_was_settled_now_or_before(
    gaps: list[int], data: st.DataObject
) -> None:
    """Whatever was settled by an earlier epoch, by this one, given back, or not read again yet."""
    offsets = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    old = set(data.draw(st.lists(st.sampled_from(offsets[1:] or [-1]))))
    open_before = [offset for offset in offsets if offset not in old]
    book = Ledger().open_book(HERE, Settled(offsets[0], open_before, offsets[-1] + 1), "id")
    settled = set(old)
    read = offsets[: data.draw(st.integers(1, len(offsets)))]
    for offset in read:
        entry = book.track(record(offset), 0.0)
        if book.before.has(offset):
            book.settle(entry)
            continue
        fate = data.draw(st.sampled_from([None, Fate.DELIVERED, Fate.RELEASED]))
        if fate is not None:
            entry.worsen(fate, "")
            book.settle(entry)
            settled |= {offset} if fate is Fate.DELIVERED else set()
    ahead = book.settled_ahead()
    assert all(offset < ahead.base or ahead.has(offset) for offset in settled)
    assert not any(offset < ahead.base or ahead.has(offset) for offset in offsets if offset not in settled)
    assert ahead.base == (book.committable if book.committable is not None else offsets[0])


def test_a_broken_account_is_noticed() -> None:
    """Conservation is checked against what is really open, so a lost record cannot hide."""
    book, entries = tracked(0, 1)
    book._open.pop(1)
    with pytest.raises(LedgerError, match="2 records polled, 1 accounted for"):
        book.check()
    assert entries[0].book is book
