"""Where a batch comes from: gathered only where somebody follows records through streamer."""

from collections.abc import Sequence

from streamer.engine.lanes import Ticket
from streamer.engine.outbox import Kind
from streamer.engine.ports import Origin


def origin_of(kind: Kind, tickets: Sequence[Ticket]) -> Origin:
    """What a batch of these stands for, if it is sent now."""
    entries = dict.fromkeys(part.entry for ticket in tickets for part in ticket.told)
    records = tuple(entry.record for entry in entries)
    return Origin(records, kind.value, 1 + max(ticket.tries for ticket in tickets))


def tried(origin: Origin | None, tickets: Sequence[Ticket]) -> None:
    """They were sent: each has one more try behind it, where that is told. What no worker took was no try."""
    if origin is not None:
        for ticket in tickets:
            ticket.tries += 1
