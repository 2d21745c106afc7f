"""The engine's state at one moment: as gauges, and as the partitions that too much waits in."""

import math
from collections import deque
from collections.abc import Iterable

from streamer.engine.dispatch import Dispatch
from streamer.engine.hold import Hold
from streamer.engine.lanes import Ticket
from streamer.engine.ledger import Ledger
from streamer.engine.letters import Letters
from streamer.engine.marks import Marks
from streamer.engine.ports import Gauges, Load
from streamer.records import TopicPartition


def stuck_partitions(parked: Iterable[Ticket], most: int) -> set[TopicPartition]:
    """Partitions with more than `most` operations parked or waiting (at any remove) for a parked one.

    A key that keeps failing holds only itself, until what is parked behind it takes a share of the
    memory that everybody needs; then the partitions that feed it pause, and the others go on.
    """
    seen = set(parked)
    line = deque(seen)
    waiting: dict[TopicPartition, int] = {}
    while line:
        ticket = line.popleft()
        for part in ticket.parts:
            source = part.entry.book.source
            waiting[source] = waiting.get(source, 0) + 1 + len(part.entry.copies or ())
        for follower in ticket.followers:
            if follower not in seen:
                seen.add(follower)
                line.append(follower)
    return {source for source, operations in waiting.items() if operations > most}


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
        waiting_operations=dispatch.waiting(),
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
