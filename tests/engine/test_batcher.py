from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.batcher import Pool
from streamer.engine.lanes import Lanes, Place, Ticket
from streamer.engine.ledger import Ledger
from streamer.engine.limits import BulkLimits
from streamer.outcomes import Endpoint
from streamer.records import Record, TopicPartition
from streamer.transform.operations import LogActivity, UpsertEnduser

LIMITS = BulkLimits(operations=1_000, size_bytes=1_000, linger_seconds=0.25, flights=4)


def pool_of(endpoint: Endpoint, users: list[str], size: int = 10) -> tuple[Pool, Lanes, list[Ticket]]:
    """A pool fed through lanes with one operation per named user."""
    book = Ledger().open_book(TopicPartition("t", 0))
    entry = book.track(Record("t", 0, 0, 0, None, b""), 0.0)
    pool, lanes, tickets = Pool(endpoint, LIMITS), Lanes(), []
    for number, user in enumerate(users):
        operation = (
            LogActivity(user, None, None, "Signed In", None, 1)
            if endpoint is Endpoint.ACTIVITIES
            else UpsertEnduser(user, None)
        )
        ticket = Ticket(number, operation, b"x" * size, entry)
        tickets.append(ticket)
        if lanes.add(ticket):
            pool.add(ticket, 0.0)
    return pool, lanes, tickets


def numbers(tickets: list[Ticket]) -> list[int]:
    """Arrival numbers."""
    return [ticket.number for ticket in tickets]


def test_one_bulk_never_holds_two_upserts_of_one_enduser() -> None:
    """Two of one object in a bulk have no defined order at Planhat."""
    pool, _, _ = pool_of(Endpoint.ENDUSERS, ["a", "b", "a", "a"])
    assert numbers(pool.take(100, 1)) == [0, 1]
    assert pool.take(100, 2) == []


def test_an_activity_batch_carries_several_of_one_user_in_order() -> None:
    """Otherwise a busy user gets one activity a request."""
    pool, _, _ = pool_of(Endpoint.ACTIVITIES, ["a", "b", "a", "a", "b"])
    taken = numbers(pool.take(100, 1))
    assert sorted(taken) == [0, 1, 2, 3, 4]
    assert [n for n in taken if n in {0, 2, 3}] == [0, 2, 3]


def test_the_rest_of_a_user_waits_for_the_batch_that_carries_the_first() -> None:
    """A second worker must not overtake the first."""
    pool, lanes, tickets = pool_of(Endpoint.ACTIVITIES, ["a", "a", "a"])
    assert numbers(pool.take(2, 1)) == [0, 1]
    assert pool.take(2, 2) == []
    lanes.finish(tickets[:1])
    freed = lanes.finish(tickets[1:2])
    assert numbers(freed) == [2]


def test_a_failed_batch_returns_to_the_head_and_to_its_lanes() -> None:
    """What waited only for members of the failed batch waits for them again, in order."""
    pool, _, tickets = pool_of(Endpoint.ACTIVITIES, ["a", "a", "b"])
    pool.put_back(pool.take(3, 1), at_head=True)
    assert [ticket.place for ticket in tickets] == [Place.READY, Place.WAITING, Place.READY]
    assert sorted(numbers(pool.take(3, 2))) == [0, 1, 2]


def test_bytes_end_a_batch_but_one_always_fits() -> None:
    """An operation larger than the limit travels alone; it is Planhat's to refuse."""
    pool, _, _ = pool_of(Endpoint.ENDUSERS, ["a", "b", "c"], size=600)
    assert numbers(pool.take(100, 1)) == [0]
    pool, _, _ = pool_of(Endpoint.ENDUSERS, ["a", "b"], size=5_000)
    assert numbers(pool.take(100, 1)) == [0]


def test_a_batch_is_due_when_full_or_old_enough() -> None:
    """By count, by bytes, or by the wait of its oldest."""
    pool, _, _ = pool_of(Endpoint.ENDUSERS, ["a", "b", "c"])
    assert not pool.is_due(0.24, 5_000)
    assert pool.is_due(0.25, 5_000)
    assert pool.is_due(0.0, 3)
    pool, _, _ = pool_of(Endpoint.ENDUSERS, ["a", "b"], size=500)
    assert pool.is_due(0.0, 5_000)


def test_withdrawn_tickets_are_neither_sent_nor_counted() -> None:
    """They stay in the queue until met; the count does not lie meanwhile."""
    pool, lanes, tickets = pool_of(Endpoint.ENDUSERS, ["a", "b"])
    pool.withdrawn(tickets[0])
    lanes.withdraw([tickets[0]])
    assert pool.count == 1
    assert pool.is_due(0.3, 5_000)
    assert numbers(pool.take(100, 1)) == [1]
    assert (pool.count, pool.size_bytes) == (0, 0)
    assert not pool.is_due(9.0, 5_000)


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.integers(1, 7), st.data())
def test_activities_of_a_user_leave_in_arrival_order(
    users: list[str], most: int, data: st.DataObject
) -> None:
    """Over any sequence of batches, answers and failures: in order, each one exactly once delivered."""
    pool, lanes, tickets = pool_of(Endpoint.ACTIVITIES, list(users))
    delivered: list[Ticket] = []
    under_way: list[list[Ticket]] = []
    flight = 0
    while len(delivered) < len(tickets):
        flight += 1
        if batch := pool.take(most, flight):
            assert len(batch) <= most
            under_way.append(batch)
        assert under_way
        batch = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
        if data.draw(st.booleans()):
            pool.put_back(batch, at_head=data.draw(st.booleans()))
            continue
        for ticket in batch:
            delivered.append(ticket)
            for freed in lanes.finish([ticket]):
                pool.add(freed, 0.0)
    for user in set(users):
        mine = [t.number for t in delivered if f"ext:{user}" in t.operation.keys]
        assert mine == sorted(mine)
    assert pool.count == 0
