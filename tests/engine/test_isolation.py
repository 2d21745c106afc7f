import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.isolation import Isolation
from streamer.engine.lanes import Place, Ticket
from streamer.engine.ledger import Ledger
from streamer.records import Record, TopicPartition
from streamer.transform.operations import UpsertEnduser


def parked(count: int) -> list[Ticket]:
    """Tickets of a bulk that was refused."""
    book = Ledger().open_book(TopicPartition("t", 0))
    entry = book.track(Record("t", 0, 0, 0, None, b""), 0.0)
    tickets = [Ticket(number, UpsertEnduser(f"u-{number}", None), b"{}", entry) for number in range(count)]
    for ticket in tickets:
        ticket.place = Place.PARKED
    return tickets


def hunt(
    tickets: list[Ticket], bad: set[int], sample: list[Ticket]
) -> tuple[int, list[int], list[int], bool]:
    """Run one isolation against a Planhat that refuses any group with a bad one: calls, culprits, freed."""
    isolation = Isolation(tickets, sample, 26, 8)
    calls, culprits, freed, is_everything = 0, [], [], False
    while group := isolation.next_group(5_000):
        calls += 1
        is_refused = any(ticket.number in bad for ticket in group)
        if not is_refused:
            for ticket in group:
                ticket.place = Place.DONE
        finding = isolation.answered(is_refused=is_refused)
        is_everything |= finding.is_everything
        for ticket in finding.culprits + finding.freed:
            ticket.place = Place.READY
        culprits += [ticket.number for ticket in finding.culprits]
        freed += [ticket.number for ticket in finding.freed]
    assert isolation.is_over
    return calls, culprits, freed, is_everything


@pytest.mark.parametrize("bad", [0, 1, 2_499, 2_500, 4_999])
def test_one_poison_in_a_full_bulk_costs_at_most_26_calls(bad: int) -> None:
    """Eight samples and thirteen halvings find one among five thousand."""
    tickets = parked(5_000)
    sample = random.Random(7).sample(tickets, 8)
    calls, culprits, _, is_everything = hunt(tickets, {bad}, sample)
    assert culprits == [bad]
    assert calls <= 26
    assert not is_everything


def test_a_sample_that_is_refused_throughout_means_hold() -> None:
    """When eight random operations are all refused alone, the fault is not in them."""
    tickets = parked(200)
    calls, culprits, freed, is_everything = hunt(tickets, set(range(200)), tickets[:8])
    assert is_everything
    assert calls == 8
    assert culprits == list(range(8))
    assert sorted(freed) == list(range(8, 200))


def test_a_few_refused_of_the_sample_are_culprits_and_the_rest_go_free() -> None:
    """What the sample found is found; the rest is asked by a normal bulk, which costs nothing extra."""
    tickets = parked(50)
    _, culprits, freed, is_everything = hunt(tickets, {0, 1}, tickets[:8])
    assert culprits == [0, 1]
    assert sorted(freed) == list(range(8, 50))
    assert not is_everything


def test_too_few_for_a_sample_never_mean_hold() -> None:
    """Two refused records on a quiet topic are two refused records."""
    tickets = parked(2)
    _, culprits, _, is_everything = hunt(tickets, {0, 1}, tickets)
    assert sorted(culprits) == [0, 1]
    assert not is_everything


def test_what_went_back_to_kafka_during_a_hunt_is_no_culprit() -> None:
    """A sampled ticket was refused and then withdrawn with its partition: it is nobody's business here."""
    tickets = parked(10)
    isolation = Isolation(tickets, tickets[:2], 26, 8)
    isolation.next_group(5_000)
    isolation.answered(is_refused=True)
    tickets[0].place = Place.DONE
    isolation.next_group(5_000)
    finding = isolation.answered(is_refused=True)
    assert [ticket.number for ticket in finding.culprits] == [1]


def test_no_answer_asks_the_same_again() -> None:
    """An outage in the middle of a hunt teaches nothing and costs nothing of its budget."""
    tickets = parked(4)
    isolation = Isolation(tickets, [], 26, 8)
    first = isolation.next_group(5_000)
    assert isolation.next_group(5_000) == []
    isolation.unanswered()
    assert isolation.next_group(5_000) == first


@given(st.integers(2, 300), st.data())
def test_every_ticket_is_delivered_freed_or_a_culprit(count: int, data: st.DataObject) -> None:
    """A hunt forgets nobody, tells of nobody twice, and ends within its budget."""
    bad = data.draw(st.sets(st.integers(0, count - 1), max_size=5))
    tickets = parked(count)
    sample = data.draw(st.sampled_from([[], tickets[:8], tickets[-8:]]))
    calls, culprits, freed, is_everything = hunt(tickets, bad, sample)
    delivered = [ticket.number for ticket in tickets if ticket.place is Place.DONE]
    assert sorted(delivered + culprits + freed) == list(range(count))
    assert calls <= 26 + 8
    if not is_everything:
        assert not set(delivered) & bad
