"""The engine's state at one moment: as gauges, and as the partitions that too much waits in."""

import math
from collections import Counter
from collections.abc import Iterable

from streamer.engine.dispatch import Dispatch
from streamer.engine.hold import Hold
from streamer.engine.lanes import Part, Ticket
from streamer.engine.ledger import Ledger
from streamer.engine.letters import Letters
from streamer.engine.marks import Marks
from streamer.engine.outbox import Kind
from streamer.engine.ports import Gauges, Load
from streamer.records import TopicPartition


def stuck_partitions(troubled: Iterable[tuple[Ticket, Kind]], most: int) -> set[TopicPartition]:
    """Partitions with more than `most` operations in trouble or waiting (at any remove) for one that is.

    A key that keeps failing holds only itself, until what is parked behind it takes a share of the
    memory that everybody needs; then the partitions that feed it pause, and the others go on.

    Many first looks are no trouble: each is over in seconds, and Planhat's answer to it ends it, so they wait
    in line as bulks do, and high water bounds them. One of them counts when so much waits behind it alone.
    """
    seen: set[Ticket] = set()
    lines, looks = [], []
    for ticket, kind in troubled:
        if kind is Kind.LOOK and ticket.is_first_look:
            looks.append(ticket)
        else:
            lines.append(_line_of(ticket, seen))
    for ticket in looks:
        line = _line_of(ticket, seen)
        if sum([_operations_of(part) for each in line for part in each.parts]) > most:
            lines.append(line)
    waiting: Counter[TopicPartition] = Counter()
    for line in lines:
        for ticket in line:
            for part in ticket.parts:
                waiting[part.entry.book.source] += _operations_of(part)
    return {source for source, operations in waiting.items() if operations > most}


def _line_of(first: Ticket, seen: set[Ticket]) -> list[Ticket]:
    """This one and all that wait for it, at any remove; each is seen once."""
    if first in seen:
        return []
    seen.add(first)
    line = [first]
    for ticket in line:
        for follower in ticket.followers:
            if follower not in seen:
                seen.add(follower)
                line.append(follower)
    return line


def _operations_of(part: Part) -> int:
    """It, and the copies of its record that wait for it."""
    return 1 + len(part.entry.copies or ())


def gauges_of(
    now: float,
    ledger: Ledger,
    dispatch: Dispatch,
    hold: Hold,
    letters: Letters,
    marks: Marks,
    paused_partitions: int,
) -> Gauges:
    """The state now, in values that nobody changes afterwards."""
    oldest = {book.source: book.oldest for book in ledger}
    return Gauges(
        in_flight_records=ledger.in_flight,
        in_flight_bytes=ledger.size_bytes,
        in_flight_by_partition={book.source: book.in_flight for book in ledger},
        oldest_unsettled_seconds={
            source: now - entry.polled_at if entry is not None else 0.0 for source, entry in oldest.items()
        },
        oldest_unsettled_written_at={
            source: entry.record.timestamp_ms / 1000
            for source, entry in oldest.items()
            if entry is not None and entry.record.timestamp_ms >= 0
        },
        paused_partitions=paused_partitions,
        gates_closed_seconds={e: box.gate.closed_seconds(now) for e, box in dispatch.outboxes.items()},
        waiting_operations=dispatch.operations.waiting(),
        hold=hold.reason,
        tokens=dispatch.quota.tokens(now),
        letters_held=letters.held,
        metadata_characters=marks.characters,
        load=_load_of(now, dispatch),
    )


def _load_of(now: float, dispatch: Dispatch) -> Load:
    quota, loads = dispatch.quota, dispatch.loads
    loads.fade()
    wait = quota.seconds_until_call(now)
    return Load(
        share=quota.share,
        calls_per_minute=quota.calls_per_minute(now),
        wait_seconds=wait if math.isfinite(wait) else None,
        operations_per_call=loads.operations_per_call,
        operations_per_record=loads.operations_per_record,
    )
