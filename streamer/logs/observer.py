"""What the engine tells, as log lines; where it tells often, one line stands for many.

Satisfies `engine.ports.Observer` by shape. A failure line says what happens next.
"""

import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Protocol

from streamer.errors import place_of
from streamer.logs.events import Event, Level
from streamer.logs.quiet import Quiet
from streamer.logs.writing import FieldValue, log
from streamer.outcomes import DEAD_LETTERED, Answered, Endpoint, Verdict

if TYPE_CHECKING:
    from streamer.engine.ports import CommitResult, Delivery, Gauges, HoldReason, Lot, OperationFate
    from streamer.records import MarkIgnored, TopicPartition

ADVICE = {
    "credentials": "Planhat refuses the token: put a valid one into STREAMER_PLANHAT_API_TOKEN, or, in "
    "passthrough mode, into STREAMER_PLANHAT_TENANT_TOKEN (its file is read again every minute), and see "
    "that STREAMER_PLANHAT_SUBDOMAIN names the tenant's region",
    "permission": "the API token's service account may not write companies or endusers: allow it in Planhat. "
    "Or it may not delete endusers (endpoint deletions): allow that, or take calls.delete out of the "
    "mapping and restart",
    "not_found": "the address is not Planhat's: see STREAMER_PLANHAT_API_URL, STREAMER_PLANHAT_SUBDOMAIN, "
    "STREAMER_PLANHAT_ANALYTICS_URL and, in passthrough mode, STREAMER_PLANHAT_SEGMENT_URL",
    "everything_refused": "Planhat refuses every operation alike, so the fault is not in one event: see what "
    "changed in Planhat's model or in what is sent",
    "dead_letters": "too many records are bad, so the fault is not in the records: `streamer "
    "transform --topic --offset -100` says of the newest records why (those that wait are no dead letters "
    "yet), and from the committed offset on of these; mend the producer, then restart",
}
"""What to do about each hold; keyed by `HoldReason`."""


class _Log(Protocol):
    def __call__(self, event: Event, level: Level | None = None, **fields: FieldValue) -> None: ...


class LogObserver:
    """Writes what matters to a person; counts the rest away."""

    def __init__(self, log: _Log = log, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._quiet = Quiet(monotonic)

    def _rarely(self, event: Event, key: str, count: int, counted: str, **fields: FieldValue) -> None:
        """Write at most one line in ten seconds for an event and key; the next counts the silent ones."""
        total = self._quiet.due((event, key), count)
        if total:
            self._log(event, None, **fields, **{counted: total})

    def polled(self, records: int, null_keys: int) -> None:
        """Metrics count these."""

    def settled(self, lot: "Lot", time: float) -> None:
        """A dead letter is worth a line."""
        for (call, fate, reason), count in lot.kinds.items():
            if fate is DEAD_LETTERED:
                self._rarely(
                    Event.RECORD_DEAD_LETTERED,
                    f"{call} {reason}",
                    count,
                    "records",
                    call=call.value,
                    reason=reason,
                    next="kept in the dead-letter topic; the records around it are delivered",
                )

    def operations_made(self, endpoint: Endpoint, count: int) -> None:
        """Metrics count these."""

    def operations_done(self, endpoint: Endpoint, fate: "OperationFate", count: int) -> None:
        """Metrics count these."""

    def coalesced(self, endpoint: Endpoint, count: int) -> None:
        """Metrics count these."""

    def revived(self, count: int) -> None:
        """Metrics count these."""

    def delivered(self, delivery: "Delivery") -> None:
        """Each request, for whoever debugs."""
        answered = isinstance(delivery.answer, Answered)
        verdicts = delivery.answer.verdicts if isinstance(delivery.answer, Answered) else ()
        self._log(
            Event.BATCH_DELIVERED if answered else Event.DELIVERY_FAILED,
            endpoint=delivery.batch.endpoint.value,
            operations=len(delivery.batch.operations),
            accepted=verdicts.count(Verdict.ACCEPTED),
            bytes=delivery.batch.size_bytes,
            status=delivery.status,
            answer=type(delivery.answer).__name__,
            seconds=round(delivery.seconds, 3),
        )

    def retried(self, endpoint: Endpoint, reason: str, operations: int) -> None:
        """Why operations wait again."""
        self._rarely(
            Event.DELIVERY_RETRIED,
            f"{endpoint} {reason}",
            operations,
            "operations",
            endpoint=endpoint.value,
            reason=reason,
            next="sent again after a wait, for as long as it lasts; offsets stay uncommitted",
        )

    def fenced(self, operations: int) -> None:
        """Answers that came too late to count."""
        self._rarely(
            Event.ANSWERS_FENCED,
            "",
            operations,
            "operations",
            next="whoever reads those partitions now sends them again",
        )

    def rebalanced(
        self, change: str, partitions: "Collection[TopicPartition]", released: int, *, is_committed: bool
    ) -> None:
        """Partitions came or went."""
        count, numbers = len(partitions), ranges(each.partition for each in partitions)
        match change:
            case "assigned":
                self._log(Event.PARTITIONS_ASSIGNED, partitions=count, numbers=numbers)
            case "revoked":
                self._log(
                    Event.PARTITIONS_REVOKED,
                    partitions=count,
                    numbers=numbers,
                    released=released,
                    committed=is_committed,
                )
            case _:
                self._log(
                    Event.PARTITIONS_LOST,
                    partitions=count,
                    numbers=numbers,
                    released=released,
                    next="their new reader begins at the last commit; what we sent since is sent again",
                )

    def committed(self, result: "CommitResult", partitions: int) -> None:
        """Only commits that failed."""
        match result.value:
            case "retry":
                following = (
                    "tried again with the newest offsets; nothing is sent while the last one taken is older "
                    "than the session; a crash before that resends more"
                )
                self._rarely(Event.COMMIT_FAILED, "", partitions, "partitions", next=following)
            case "denied":
                following = (
                    "allow it; where that lasts streamer stops, and what is not committed is sent again"
                )
                self._rarely(Event.COMMIT_FAILED, "denied", partitions, "partitions", next=following)
            case "fenced":
                following = "what is still ours is committed again; the rest is its new reader's"
                self._rarely(Event.COMMIT_FENCED, "", partitions, "partitions", next=following)
            case "too_large":
                following = "committed again with less of what is settled ahead; a crash resends more"
                self._rarely(Event.COMMIT_FAILED, "too_large", partitions, "partitions", next=following)
            case _:
                return

    def mark_ignored(self, reason: "MarkIgnored") -> None:
        """What the last reader had settled is read as if it were new."""
        self._rarely(
            Event.METADATA_IGNORED,
            reason.value,
            1,
            "partitions",
            reason=reason.value,
            next="nothing is lost; what was settled ahead of the committed offset is sent again",
        )

    def paused(self, stage: str) -> None:
        """Back-pressure."""
        self._rarely(Event.BACKPRESSURE_CHANGED, stage, 1, "times", stage=stage)

    def hold_entered(self, reason: "HoldReason") -> None:
        """A person is needed."""
        self._log(Event.HOLD_ENTERED, reason=reason.value, next=hold_advice(reason.value))

    def holding(self, reason: "HoldReason", seconds: float) -> None:
        """A person is still needed."""
        self._log(Event.HOLDING, reason=reason.value, seconds=round(seconds), next=hold_advice(reason.value))

    def hold_left(self, reason: "HoldReason") -> None:
        """A person did it."""
        self._log(Event.HOLD_LEFT, reason=reason.value)

    def failed(self, error: Exception) -> None:
        """Where our code failed. Not the error's text: it may quote the record."""
        kind, where = type(error).__name__, place_of(error)
        self._rarely(
            Event.RECORD_FAILED,
            f"{kind} {where}",
            1,
            "records",
            error=kind,
            where=where,
            next="the record becomes a dead letter with reason internal; please report this line",
        )

    def gauges(self, gauges: "Gauges") -> None:
        """Metrics show these."""


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers in few characters: `0-3 7`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(f"{low}-{high}" if high > low else str(low) for low, high in runs)


def hold_advice(reason: str) -> str:
    """What a hold comes to and what to do about it, by the value of its `HoldReason`."""
    return f"nothing is sent and nothing is lost; {ADVICE[reason]}"


def schema_advice(advice: str) -> str:
    """What comes of a schema that records wait for, and what to do, by the registry client's advice."""
    return f"its partitions wait and are read on once it is there; {advice}"
