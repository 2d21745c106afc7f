"""What was asked: every request with its time and its answer. The newest in detail, totals for ever."""

from collections import Counter, deque
from typing import Any

from streamer.standins.planhat.rows import RequestRow


class Journal:
    """The requests, bounded by count."""

    def __init__(self) -> None:
        self.rows: deque[RequestRow] = deque()
        self.numbers = 0
        """The newest request number."""
        self.answers: Counter[tuple[str, int]] = Counter()
        self.reads: Counter[tuple[str, int]] = Counter()
        """Those of the answers that were to GET: nothing was told to Planhat."""
        self.items: Counter[str] = Counter()
        self.bytes_in: Counter[str] = Counter()
        self.in_flight: Counter[str] = Counter()
        self.peak_in_flight: dict[str, int] = {}
        self.faults: Counter[str] = Counter()

    def arrive(self, endpoint: str) -> int:
        """A request arrives; its number."""
        self.numbers += 1
        self.in_flight[endpoint] += 1
        self.peak_in_flight[endpoint] = max(self.peak_in_flight.get(endpoint, 0), self.in_flight[endpoint])
        return self.numbers

    def answer(self, row: RequestRow, keep: int) -> None:
        """The request is answered."""
        self.in_flight[row.endpoint] -= 1
        self.answers[row.endpoint, row.status] += 1
        if row.method == "GET":
            self.reads[row.endpoint, row.status] += 1
        self.items[row.endpoint] += row.items
        self.bytes_in[row.endpoint] += row.bytes_in
        if row.fault:
            self.faults[row.fault] += 1
        self.rows.append(row)
        while len(self.rows) > keep:
            self.rows.popleft()

    def view(self) -> dict[str, Any]:
        """The totals."""
        return {
            "total": self.numbers,
            "answers": _by_endpoint(self.answers),
            "reads": _by_endpoint(self.reads),
            "items": dict(self.items),
            "bytes_in": dict(self.bytes_in),
            "in_flight": {name: count for name, count in self.in_flight.items() if count},
            "peak_in_flight": dict(self.peak_in_flight),
            "faults": dict(self.faults),
        }


def _by_endpoint(counts: Counter[tuple[str, int]]) -> dict[str, dict[str, int]]:
    """Counts by status, by endpoint."""
    sorted_out: dict[str, dict[str, int]] = {}
    for (endpoint, status), count in sorted(counts.items()):
        sorted_out.setdefault(endpoint, {})[str(status)] = count
    return sorted_out
