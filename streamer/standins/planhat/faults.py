"""What goes wrong on request: scripted faults, taken in the order they were added.

A fault of the request kinds strikes one request: the first live fault that fits it. Faults of the
item kinds strike single items inside bulks; all live ones are looked at.
"""

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Literal

import msgspec

from streamer.errors import UsageError
from streamer.standins.planhat.drafts import ItemRefused
from streamer.standins.planhat.entries import JsonObject
from streamer.standins.planhat.models import ItemIgnored, Screen


class FaultKind(StrEnum):
    """What happens."""

    STATUS = "status"
    """Answered with `status` and `body`; nothing is applied."""
    RESET = "reset"
    """The connection is aborted; nothing is applied."""
    SLOW = "slow"
    """Applied, answered after `seconds`."""
    DRIP = "drip"
    """Applied, answered byte by byte, `bytes_per_second`."""
    CUT = "cut"
    """Applied, half of the answer is sent, the connection closed."""
    LOST_REPLY = "lost_reply"
    """Applied; after `seconds` the connection is aborted without an answer."""
    REFUSE = "refuse"
    """Item: refused with `error`."""
    OVERLAP = "overlap"
    """Item: refused as another writer's, `externalId,email duplicated`."""
    IGNORE = "ignore"
    """Item: neither saved nor counted, without an error."""


ITEM_KINDS = frozenset({FaultKind.REFUSE, FaultKind.OVERLAP, FaultKind.IGNORE})


class ItemMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Items whose field (`externalId`, `email`, `custom.plan`, `info.messageId`) has one of the values."""

    field: str
    values: frozenset[str]

    def fits(self, sent: object) -> bool:
        """Whether the item is meant."""
        found: Any = sent
        for part in self.field.split(".", 1):
            if not isinstance(found, dict):
                return False
            found = found.get(part)
        return found is not None and str(found) in self.values


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One scripted fault."""

    kind: FaultKind
    endpoint: Literal["any", "companies", "endusers", "activities", "metrics", "segment"] = "any"
    method: str = ""
    """Empty: any method."""
    items: ItemMatch | None = None
    """Item kinds: the items struck. Request kinds: only requests holding such an item."""
    times: int | None = 1
    """How many requests (or items) it strikes; null: until cleared."""
    skip: int = 0
    """How many fitting ones it lets pass first."""
    every: int = 1
    """Strikes every n-th fitting one."""
    for_seconds: float | None = None
    """It ends this long after it was added."""
    status: int = 503
    body: str = "<html><body>Service Unavailable</body></html>"
    content_type: str = "text/html"
    headers: dict[str, str] = {}
    seconds: float = 0.0
    bytes_per_second: float = 20.0
    error: str = "refused by the sandbox"

    def __post_init__(self) -> None:
        if self.every < 1 or self.skip < 0 or self.seconds < 0 or (self.times is not None and self.times < 1):
            raise ValueError("every and times must be 1 or more, skip and seconds 0 or more")
        if not 100 <= self.status <= 599 or self.bytes_per_second <= 0:
            raise ValueError("status must be 100 to 599, bytes_per_second more than 0")


class _Live:
    """A fault in the queue, and how often it fitted and struck."""

    __slots__ = ("ends", "fault", "fitted", "struck")

    def __init__(self, fault: Fault, now: float) -> None:
        self.fault = fault
        self.fitted = 0
        self.struck = 0
        self.ends = None if fault.for_seconds is None else now + fault.for_seconds

    def over(self, now: float) -> bool:
        times = self.fault.times
        return (times is not None and self.struck >= times) or (self.ends is not None and now >= self.ends)

    def strikes(self, now: float) -> bool:
        """Called for each that fits."""
        if self.over(now):
            return False
        self.fitted += 1
        if self.fitted <= self.fault.skip or (self.fitted - self.fault.skip) % self.fault.every:
            return False
        self.struck += 1
        return True


def faults_of(wanted: object) -> list[Fault]:
    """Faults from JSON: one object or a list of them. Raises UsageError saying what is wrong."""
    try:
        return msgspec.convert(wanted if isinstance(wanted, list) else [wanted], list[Fault])
    except msgspec.ValidationError as error:
        kinds = ", ".join(FaultKind)
        raise UsageError(
            f"this is no fault: {error}; kinds are {kinds}, and `streamer sandbox --help` tells of each"
        ) from error


class FaultQueue:
    """The faults waiting to strike."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._live: list[_Live] = []

    def add(self, faults: Sequence[Fault]) -> None:
        """Queue faults, behind those that wait already."""
        now = self._clock()
        self._live.extend(_Live(fault, now) for fault in faults)

    def clear(self) -> None:
        """Forget all."""
        self._live.clear()

    def for_request(self, endpoint: str, method: str, sent_items: Sequence[object]) -> Fault | None:
        """The fault that strikes this request, if any."""
        now = self._clock()
        for live in self._waiting(endpoint, now):
            fault = live.fault
            if fault.kind in ITEM_KINDS or (fault.method and fault.method != method):
                continue
            if fault.items is not None and not any(map(fault.items.fits, sent_items)):
                continue
            if live.strikes(now):
                return fault
        return None

    def screen(self, endpoint: str) -> Screen | None:
        """What looks at each item of a bulk; None when no fault would."""
        now = self._clock()
        waiting = [live for live in self._waiting(endpoint, now) if live.fault.kind in ITEM_KINDS]
        if not waiting:
            return None

        def strike(sent: JsonObject) -> None:
            for live in waiting:
                fault = live.fault
                if (fault.items is None or fault.items.fits(sent)) and live.strikes(now):
                    if fault.kind is FaultKind.IGNORE:
                        raise ItemIgnored("fault")
                    text = "externalId,email duplicated" if fault.kind is FaultKind.OVERLAP else fault.error
                    raise ItemRefused(text)

        return strike

    def view(self) -> list[dict[str, Any]]:
        """The faults that are not over, with how often each struck."""
        now = self._clock()
        return [
            {**msgspec.to_builtins(live.fault), "struck": live.struck}
            for live in self._live
            if not live.over(now)
        ]

    def _waiting(self, endpoint: str, now: float) -> list[_Live]:
        if not self._live:
            return []
        self._live = [live for live in self._live if not live.over(now)]
        return [live for live in self._live if live.fault.endpoint in {"any", endpoint}]
