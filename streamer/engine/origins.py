"""Where a batch comes from: gathered only where somebody follows records through streamer."""

from collections.abc import Sequence

from streamer.engine.lanes import Ticket
from streamer.engine.outbox import Kind
from streamer.engine.ports import Origin


def begun(kind: Kind, tickets: Sequence[Ticket]) -> Origin:
    """What a batch of these, about to be sent, stands for; each has one more try behind it."""
    for ticket in tickets:
        ticket.tries += 1
    entries = dict.fromkeys(part.entry for ticket in tickets for part in ticket.told)
    records = tuple(entry.record for entry in entries)
    return Origin(records, kind.value, max(ticket.tries for ticket in tickets))
