"""The members' vital signs while a soak goes on: looked at every few seconds, told by spans of time."""

import statistics
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Final, NamedTuple

from tests.faults.plant import Broken, Life, Plant
from tests.faults.vitals import Vitals, vitals

UNTOLD: Final = -1.0
"""Of what a member's metrics tell, while it does not answer."""


class Look(NamedTuple):
    """One member at one moment."""

    name: str
    at: float
    """Seconds since the load began."""
    vitals: Vitals
    in_flight: float
    undelivered: float
    oldest_seconds: float
    """How long ago the oldest record in flight was read."""
    held: float
    """1 while it holds."""


class Span(NamedTuple):
    """One member over a minute or so: medians, but for what is said."""

    at: float
    """Seconds since the load began, to the middle of it."""
    resident_mib: float
    proportional_mib: float
    handles: float
    threads: float
    cpu_share: float
    """Of one core, over the span."""
    in_flight: float
    """The most."""
    undelivered: float
    """The most."""
    oldest_seconds: float
    """The most."""
    is_held: bool
    """At any look."""


class Watch(threading.Thread):
    """Looks at all members that live, on a thread of its own; now and then it tells of what it saw."""

    def __init__(
        self,
        plant: Plant,
        every_seconds: float,
        tell_seconds: float,
        told: Callable[[Sequence[Look]], None],
    ) -> None:
        super().__init__(daemon=True)
        self._plant = plant
        self._every_seconds = every_seconds
        self._tell_seconds = tell_seconds
        self._told = told
        self._is_over = threading.Event()
        self._error: Exception | None = None
        self.looks: list[Look] = []

    def run(self) -> None:
        """Look until `end`."""
        try:
            self._look_on()
        except Exception as error:  # noqa: BLE001 - whoever ends it is told
            self._error = error

    def _look_on(self) -> None:
        began = monotonic()
        due = self._tell_seconds
        while not self._is_over.wait(self._every_seconds):
            at = monotonic() - began
            looks = list(self._looks(at))
            self.looks += looks
            if at >= due:
                due = at + self._tell_seconds
                self._told(looks)

    def _looks(self, at: float) -> Iterator[Look]:
        for life in list(self._plant.now.values()):
            try:
                yield _look(life, at)
            except OSError:
                continue  # it ended meanwhile

    def end(self) -> None:
        """Look no more. Raises Broken where it had ended before: what grew since then nobody saw."""
        self._is_over.set()
        self.join()
        if self._error is not None:
            raise Broken(f"the watch ended early: {self._error!r}") from self._error


def _look(life: Life, at: float) -> Look:
    found, told = vitals(life.member.pid), life.member.scrape()
    age = told.by("streamer_oldest_unsettled_seconds", "partition")
    is_told = bool(told.total("streamer_build_info"))

    def figure(name: str) -> float:
        return told.total(name) if is_told else UNTOLD

    return Look(
        life.name,
        at,
        found,
        figure("streamer_in_flight_records"),
        figure("streamer_undelivered_records"),
        max(age.values(), default=0.0) if is_told else UNTOLD,
        figure("streamer_hold"),
    )


def spans(looks: Iterable[Look], seconds: float) -> dict[str, list[Span]]:
    """By member, in the order of time; spans of so many seconds, those without any look left out."""
    parted: dict[str, dict[int, list[Look]]] = {}
    for look in looks:
        parted.setdefault(look.name, {}).setdefault(int(look.at // seconds), []).append(look)
    return {name: _spans_of(each, seconds) for name, each in parted.items()}


def _spans_of(parted: Mapping[int, Sequence[Look]], seconds: float) -> list[Span]:
    found: list[Span] = []
    last: Look | None = None
    for number in sorted(parted):
        looks = parted[number]
        first = last or looks[0]
        last = looks[-1]
        spent = last.vitals.cpu_seconds - first.vitals.cpu_seconds

        def middle(figure: Callable[[Vitals], float], looks: Sequence[Look] = looks) -> float:
            return statistics.median(figure(look.vitals) for look in looks)

        found.append(
            Span(
                at=(number + 0.5) * seconds,
                resident_mib=middle(lambda each: each.resident_mib),
                proportional_mib=middle(lambda each: each.proportional_mib),
                handles=middle(lambda each: each.handles),
                threads=middle(lambda each: each.threads),
                cpu_share=spent / (last.at - first.at) if last.at > first.at else 0.0,
                in_flight=max(look.in_flight for look in looks),
                undelivered=max(look.undelivered for look in looks),
                oldest_seconds=max(look.oldest_seconds for look in looks),
                is_held=any(look.held > 0 for look in looks),
            )
        )
    return found
