"""Conservation of operations: made = delivered + refused + unsaved + released + waiting, at each endpoint."""

from collections import Counter
from typing import Final

from streamer.engine.forecast import Loads
from streamer.engine.ports import Observer, OperationFate
from streamer.errors import LedgerError
from streamer.outcomes import Endpoint

_RELEASED: Final = OperationFate.RELEASED


class Conservation:
    """Counts operations; the observer, and the forecast, are told by the lot."""

    def __init__(self, observer: Observer, loads: Loads) -> None:
        self._observer = observer
        self._loads = loads
        self.made = dict.fromkeys(Endpoint, 0)
        self._done: Counter[tuple[Endpoint, OperationFate]] = Counter()
        self._told_made, self._told_done = self.made.copy(), self._done.copy()
        """As far as the observer knows."""
        self._fenced = 0
        """Under way still, of partitions that are no longer ours; counted as released already."""

    def done(self, endpoint: Endpoint, fate: OperationFate, count: int, fenced: int = 0) -> None:
        """So many are finished with, and so many more that count for nothing: they were fenced."""
        self._done[endpoint, fate] += count
        if fenced:
            self._fenced -= fenced
            self._observer.fenced(fenced)

    def fence(self, endpoint: Endpoint) -> None:
        """One that is under way will count for nothing, whatever is answered."""
        self._done[endpoint, _RELEASED] += 1
        self._fenced += 1

    def tell(self) -> None:
        """Tell of those made and done since the last time."""
        for endpoint, made in self.made.items():
            if count := made - self._told_made[endpoint]:
                self._told_made[endpoint] = made
                self._observer.operations_made(endpoint, count)
                if endpoint.is_metered:
                    self._loads.made(count)
        for kind, done in self._done.items():
            if count := done - self._told_done[kind]:
                self._told_done[kind] = done
                self._observer.operations_done(*kind, count)

    def waiting(self) -> dict[Endpoint, int]:
        """Made and not finished with, by endpoint."""
        waiting = self.made.copy()
        for (endpoint, _), done in self._done.items():
            waiting[endpoint] -= done
        return waiting

    def check(self, in_line: int) -> None:
        """Raise LedgerError unless the law holds; `in_line`: operations that wait, or are under way."""
        waiting = in_line - self._fenced
        made, done = sum(self.made.values()), sum(self._done.values())
        if made != done + waiting:
            raise LedgerError(f"{made} operations made, {done} done and {waiting} waiting.")
