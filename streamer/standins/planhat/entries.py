"""What is stored: entries (an enduser or a company), their keys, and the numbers stamped on them."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from streamer.standins.planhat.rows import IgnoredRow, WriteRow

JsonObject = Mapping[str, Any]


def iso(seconds: float) -> str:
    """Seconds since 1970 as Planhat writes dates: `2019-09-18T08:30:32.032Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Entry:
    """One enduser or company.

    `fields` are Planhat's own fields, without `custom`, `companyId` and what Planhat stamps itself.
    `arrival` and `last_arrival` are the arrival numbers of the first and of the newest write.
    """

    __slots__ = (
        "activities",
        "arrival",
        "company",
        "created",
        "custom",
        "fields",
        "history",
        "id",
        "last_arrival",
        "updated",
        "writes",
    )

    def __init__(self, entry_id: str, fields: dict[str, Any], custom: dict[str, Any], created: str) -> None:
        self.id = entry_id
        self.fields = fields
        self.custom = custom
        self.company: Entry | None = None
        self.created = created
        self.updated = created
        self.arrival = 0
        self.last_arrival = 0
        self.writes = 0
        self.activities = 0
        self.history: deque[WriteRow] | None = None

    def __repr__(self) -> str:
        return f"<Entry {self.id} arrival={self.arrival} writes={self.writes}>"

    def written(self, arrival: int, updated: str) -> None:
        """Note a write."""
        if not self.writes:
            self.arrival = arrival
        self.last_arrival = arrival
        self.updated = updated
        self.writes += 1

    def remember(self, write: WriteRow, history: int) -> None:
        """Keep what was sent, for the newest `history` writes."""
        if self.history is None or self.history.maxlen != history:
            self.history = deque(self.history or (), maxlen=history)
        self.history.append(write)


class Index:
    """Entries by a key that several may share, oldest first."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[str, list[Entry]] = {}

    def get(self, key: str) -> Sequence[Entry]:
        """Entries with this key."""
        return self._entries.get(key, ())

    def add(self, key: str, entry: Entry) -> None:
        """Entry now has this key."""
        found = self._entries.get(key)
        if found is None:
            self._entries[key] = [entry]
        else:
            found.append(entry)

    def remove(self, key: str, entry: Entry) -> None:
        """Entry no longer has this key."""
        found = self._entries[key]
        found.remove(entry)
        if not found:
            del self._entries[key]


class Stamps:
    """Ids, dates and arrival numbers: one arrival counter for everything applied, on both hosts."""

    __slots__ = ("_clock", "_ids", "arrivals", "request")

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ids = 0
        self.arrivals = 0
        """The newest arrival number."""
        self.request = 0
        """The number of the request being applied."""

    def arrive(self) -> int:
        """The next arrival number."""
        self.arrivals += 1
        return self.arrivals

    def new_id(self) -> str:
        """An id of 24 hexadecimal digits, seconds first, as Planhat's database makes them."""
        self._ids += 1
        return f"{int(self._clock()):08x}5a{self._ids:014x}"

    def now(self) -> str:
        """The time as an ISO date."""
        return iso(self._clock())


class IgnoredLog:
    """What was ignored and why: totals for ever, the newest in detail."""

    def __init__(self) -> None:
        self.rows: deque[IgnoredRow] = deque()
        self.totals: Counter[tuple[str, str]] = Counter()

    def add(self, row: IgnoredRow, keep: int) -> None:
        """Note one, keeping the newest `keep`."""
        self.totals[row.endpoint, row.reason] += 1
        self.rows.append(row)
        while len(self.rows) > keep:
            self.rows.popleft()
