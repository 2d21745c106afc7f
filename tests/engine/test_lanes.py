from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.lanes import Lanes, Place, Ticket
from streamer.engine.ledger import Entry, Ledger
from streamer.outcomes import Endpoint
from streamer.records import Record, TopicPartition
from streamer.transform.operations import LogActivity, Operation, UpsertCompany, UpsertEnduser


def entry() -> Entry:
    """Some record in flight."""
    book = Ledger().open_book(TopicPartition("t", 0))
    return book.track(Record("t", 0, 0, 0, None, b""), 0.0)


def enduser(external_id: str | None, email: str | None = None, company: str | None = None) -> UpsertEnduser:
    """An enduser upsert that says nothing but who."""
    return UpsertEnduser(external_id, email, company)


def activity(external_id: str | None, email: str | None = None, company: str | None = None) -> LogActivity:
    """An activity."""
    return LogActivity(external_id, email, company, "Signed In", None, 1)


@dataclass
class Line:
    """Lanes driven by hand: which tickets are free to go."""

    lanes: Lanes = field(default_factory=Lanes)
    tickets: list[Ticket] = field(default_factory=list)
    free: set[int] = field(default_factory=set)
    entry: Entry = field(default_factory=entry)

    def add(self, operation: Operation) -> Ticket:
        ticket = Ticket(len(self.tickets), operation, b"{}", self.entry)
        self.tickets.append(ticket)
        if self.lanes.add(ticket):
            self.free.add(ticket.number)
        return ticket

    def finish(self, ticket: Ticket) -> None:
        self.free.discard(ticket.number)
        self.free |= {freed.number for freed in self.lanes.finish([ticket])}

    def withdraw(self, ticket: Ticket) -> None:
        self.free.discard(ticket.number)
        self.free |= {freed.number for freed in self.lanes.withdraw([ticket])}


def test_upserts_of_one_enduser_go_one_after_the_other() -> None:
    """Same object, same kind: first in, first out, never two of them free at once."""
    line = Line()
    first, second = line.add(enduser("u-1")), line.add(enduser("u-1"))
    assert line.free == {0}
    line.finish(first)
    assert line.free == {1}
    assert second.place is Place.WAITING


def test_an_activity_waits_for_its_enduser_and_its_company() -> None:
    """Otherwise Planhat meets an activity of somebody it does not know, and drops it."""
    line = Line()
    company, user = line.add(UpsertCompany("acme")), line.add(enduser("u-1", company="acme"))
    line.add(activity("u-1", company="acme"))
    assert line.free == {0}
    line.finish(company)
    assert line.free == {1}
    line.finish(user)
    assert line.free == {2}


def test_an_upsert_never_waits_for_an_activity() -> None:
    """So there is no cycle, and a slow analytics host holds no enduser up."""
    line = Line()
    line.add(activity("u-1"))
    line.add(enduser("u-1"))
    assert line.free == {0, 1}


def test_operations_that_share_only_an_email_conflict() -> None:
    """Planhat matches by e-mail too, whatever its case."""
    line = Line()
    line.add(enduser("u-1", "a@acme.example"))
    line.add(enduser(None, "A@acme.example"))
    assert line.free == {0}


def test_withdrawing_the_middle_keeps_the_order_of_the_rest() -> None:
    """C waited for B and B for A, which is under way: without B, C waits for A."""
    line = Line()
    first, middle = line.add(enduser("u-1")), line.add(enduser("u-1"))
    line.add(enduser("u-1"))
    line.withdraw(middle)
    assert line.free == {0}
    line.finish(first)
    assert line.free == {2}


def test_one_answered_before_an_earlier_one_leaves_that_to_those_behind_it() -> None:
    """Two travelled together and failed, and the later went back to Kafka: the earlier goes first."""
    line = Line()
    first, second = line.add(activity("u-1")), line.add(activity("u-1"))
    line.add(activity("u-1"))
    line.finish(second)
    assert line.free == {0}
    line.finish(first)
    assert line.free == {2}


def test_a_newcomer_waits_for_what_a_withdrawn_tail_waited_for() -> None:
    """The lane's tail is withdrawn: the next to come stands behind what was before it."""
    line = Line()
    line.add(enduser("u-1"))
    tail = line.add(enduser("u-1"))
    line.withdraw(tail)
    line.add(enduser("u-1"))
    assert line.free == {0}


def must_wait(later: Operation, earlier: Operation) -> bool:
    """The three rules of the design, word by word."""
    shares_object = bool(set(later.keys) & set(earlier.keys))
    is_parent = bool(set(later.parents) & set(earlier.keys))
    if earlier.endpoint is Endpoint.ACTIVITIES:
        return later.endpoint is Endpoint.ACTIVITIES and shares_object
    if later.endpoint is Endpoint.ACTIVITIES:
        return is_parent
    return (later.endpoint is earlier.endpoint and shares_object) or is_parent


ids = st.sampled_from(["1", "2", "3", None])
mails = st.sampled_from(["a@x.example", "b@x.example", None])
companies = st.sampled_from(["x", "y", None])
operations = st.one_of(
    st.builds(UpsertCompany, st.sampled_from(["x", "y"])),
    st.builds(enduser, ids, mails, companies),
    st.builds(activity, ids, mails, companies),
).filter(lambda operation: bool(operation.keys))


@settings(max_examples=400, deadline=None)
@given(st.lists(operations, max_size=14), st.data())
def test_free_are_exactly_those_with_nothing_to_wait_for(made: list[Operation], data: st.DataObject) -> None:
    """Nobody goes too early and nobody waits for nothing, whatever is answered or withdrawn in between.

    A withdrawal may leave a wait that the rules alone would not ask for (C waited for B, B for A), so
    after one the law is: nobody free has to wait, and somebody is always free.
    """
    line = Line()
    alive: list[Ticket] = []
    has_withdrawn = False
    pending = list(made)
    while pending or alive:
        choices = (["add"] if pending else []) + (["finish"] if line.free else [])
        if any(ticket.number not in line.free for ticket in alive):
            choices.append("withdraw")
        choice = data.draw(st.sampled_from(choices))
        if choice == "add":
            alive.append(line.add(pending.pop(0)))
        else:
            numbers = sorted(line.free) if choice == "finish" else [t.number for t in alive]
            ticket = line.tickets[data.draw(st.sampled_from(numbers))]
            alive.remove(ticket)
            if choice == "finish":
                line.finish(ticket)
            else:
                has_withdrawn = True
                line.withdraw(ticket)
        expected = {
            later.number
            for i, later in enumerate(alive)
            if not any(must_wait(later.operation, earlier.operation) for earlier in alive[:i])
        }
        assert line.free <= expected
        assert has_withdrawn or line.free == expected
        assert bool(line.free) == bool(alive)
    assert line.lanes.size == 0
    assert not line.lanes._changes
    assert not any(line.lanes._others)
