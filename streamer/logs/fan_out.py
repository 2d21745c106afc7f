"""Several observers as one, so that the engine tells each thing once."""

from typing import TYPE_CHECKING

from streamer.outcomes import Endpoint

if TYPE_CHECKING:
    from collections.abc import Collection

    from streamer.engine.ports import (
        CommitResult,
        Delivery,
        Gauges,
        HoldReason,
        Lot,
        Observer,
        OperationFate,
    )
    from streamer.records import MarkIgnored, TopicPartition


class Observers:
    """Passes everything on to each observer, in the order given."""

    def __init__(self, *observers: "Observer") -> None:
        self._observers = observers

    def polled(self, records: int, null_keys: int) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.polled(records, null_keys)

    def settled(self, lot: "Lot", time: float) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.settled(lot, time)

    def operations_made(self, endpoint: Endpoint, count: int) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.operations_made(endpoint, count)

    def operations_done(self, endpoint: Endpoint, fate: "OperationFate", count: int) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.operations_done(endpoint, fate, count)

    def coalesced(self, endpoint: Endpoint, count: int) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.coalesced(endpoint, count)

    def revived(self, count: int) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.revived(count)

    def delivered(self, delivery: "Delivery") -> None:
        """Pass on."""
        for observer in self._observers:
            observer.delivered(delivery)

    def retried(self, endpoint: Endpoint, reason: str, operations: int) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.retried(endpoint, reason, operations)

    def fenced(self, operations: int) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.fenced(operations)

    def rebalanced(
        self, change: str, partitions: "Collection[TopicPartition]", released: int, *, is_committed: bool
    ) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.rebalanced(change, partitions, released, is_committed=is_committed)

    def committed(self, result: "CommitResult", partitions: int) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.committed(result, partitions)

    def mark_ignored(self, reason: "MarkIgnored") -> None:
        """Pass on."""
        for observer in self._observers:
            observer.mark_ignored(reason)

    def paused(self, stage: str) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.paused(stage)

    def hold_entered(self, reason: "HoldReason") -> None:
        """Pass on."""
        for observer in self._observers:
            observer.hold_entered(reason)

    def holding(self, reason: "HoldReason", seconds: float) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.holding(reason, seconds)

    def hold_left(self, reason: "HoldReason") -> None:
        """Pass on."""
        for observer in self._observers:
            observer.hold_left(reason)

    def failed(self, error: Exception) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.failed(error)

    def gauges(self, gauges: "Gauges") -> None:
        """Pass on."""
        for observer in self._observers:
            observer.gauges(gauges)
