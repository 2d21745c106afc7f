"""Which partitions to pause because too much waits behind keys in trouble.

A key that keeps failing holds only itself, until what is parked behind it takes a share of the
memory that everybody needs; then the partitions that feed it pause, and the others go on.
"""

from collections import deque
from collections.abc import Iterable

from streamer.engine.lanes import Ticket
from streamer.records import TopicPartition


def stuck_partitions(parked: Iterable[Ticket], most: int) -> set[TopicPartition]:
    """Partitions with more than `most` operations parked or waiting (at any remove) for a parked one."""
    seen = set(parked)
    line = deque(seen)
    waiting: dict[TopicPartition, int] = {}
    while line:
        ticket = line.popleft()
        source = ticket.entry.book.source
        waiting[source] = waiting.get(source, 0) + 1
        for follower in ticket.followers:
            if follower not in seen:
                seen.add(follower)
                line.append(follower)
    return {source for source, operations in waiting.items() if operations > most}
