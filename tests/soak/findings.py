"""What a soak came to: laws and levels. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from tests.faults.report import as_json
from tests.faults.strikes import Struck
from tests.faults.verdict import Row, Verdict
from tests.soak.flat import Bound, Flat, Point, flat
from tests.soak.plan import LAST_SHARE, Plan
from tests.soak.watch import Span

BOUNDS: Final = {
    "memory": Bound(ratio=0.10, noise=6.0, an_hour=6.0, step=48.0),
    "handles": Bound(ratio=0.0, noise=6.0, an_hour=6.0, step=0.0),
    "threads": Bound(ratio=0.0, noise=2.0, an_hour=2.0, step=0.0),
}
"""Memory in MiB. Handles come and go with connections, whose number is bounded: faults add none."""


class Judged(NamedTuple):
    """A member that was never struck alone, figure by figure."""

    memory: Flat
    handles: Flat
    threads: Flat

    def broken(self, name: str) -> list[str]:
        """What does not keep its level, in words."""
        figures = {"memory": self.memory, "handles": self.handles, "threads": self.threads}
        return [
            f"{name}: {figure} is not flat: {found.level:.1f} after the warm-up, {found.end:.1f} at the end, "
            f"{found.an_hour:+.1f} an hour"
            for figure, found in figures.items()
            if not found.is_flat
        ]


class Findings(NamedTuple):
    """All of it."""

    plan: Plan
    per_second: float
    struck: Sequence[Struck]
    began: float
    """Seconds since 1970, when the load began."""
    spans: Mapping[str, Sequence[Span]]
    """By member."""
    judged: Mapping[str, Judged]
    verdict: Verdict
    activities: int
    """Requests' worth of them that Planhat has: what duplicates are a part of."""
    record_bytes: float
    """Of a record's value, in the mean."""
    holds_left: Sequence[str]
    """Members that still held at the end."""
    ended_in_order: int
    """Members that were told to end, and ended with 0."""

    @property
    def broken(self) -> list[str]:
        """What must hold whatever the length of the run."""
        return [*self.verdict.broken, *(f"{name} still holds at the end" for name in self.holds_left)]

    @property
    def growing(self) -> list[str]:
        """Figures that do not keep their level, and members of whom nobody can say."""
        return growing(self.plan, self.spans, self.judged)

    @property
    def is_good(self) -> bool:
        """Nothing is broken, nothing grows."""
        return not self.broken and not self.growing


def judge(spans: Sequence[Span], planned: Plan, faults: Sequence[float]) -> Judged:
    """Of a member's spans those after the warm-up; `faults` in seconds from the start, as the spans are."""
    later = [span for span in spans if planned.warm_up_seconds <= span.at <= planned.seconds]

    def of(name: str, figures: Sequence[float]) -> Flat:
        points = [Point(span.at, figure) for span, figure in zip(later, figures, strict=True)]
        return flat(points, BOUNDS[name], faults)

    return Judged(
        of("memory", [span.resident_mib for span in later]),
        of("handles", [span.handles for span in later]),
        of("threads", [span.threads for span in later]),
    )


def growing(planned: Plan, spans: Mapping[str, Sequence[Span]], judged: Mapping[str, Judged]) -> list[str]:
    """Figures that do not keep their level, and members of whom nobody can say, since nobody looked."""
    last = planned.seconds * (1 - LAST_SHARE)
    unseen = [name for name in judged if spans[name][-1].at < last]
    return [
        *(words for name, each in judged.items() for words in each.broken(name)),
        *(f"{name}: was not looked at to the end" for name in unseen),
    ]


def duplicates(verdict: Verdict) -> tuple[int, int]:
    """Activities that came again, and how many could have."""
    rows = verdict.rows.values()
    return sum(row.duplicates for row in rows), sum(_most(row) for row in rows)


def _most(row: Row) -> int:
    return row.bound.repeated + row.bound.late


def report(found: Findings, **facts: object) -> dict[str, Any]:
    """For a file: what the page, the plot and whoever compares two runs need."""
    came_again, could = duplicates(found.verdict)
    return {
        **facts,
        "seconds": found.plan.seconds,
        "warm_up_seconds": found.plan.warm_up_seconds,
        "per_second": found.per_second,
        "quiet": [list(each) for each in found.plan.quiet],
        "record_bytes": round(found.record_bytes),
        "activities": found.activities,
        "duplicates": came_again,
        "duplicates_bound": could,
        "holds_left": list(found.holds_left),
        "ended_in_order": found.ended_in_order,
        "growing": found.growing,
        "strikes": [
            {"kind": each.strike.kind.value, "at": round(each.at - found.began, 1),
             "until": round(each.until - found.began, 1)}
            for each in found.struck
        ],
        "laws": as_json(found.verdict),
        **levels(found.spans, found.judged),
    }  # fmt: skip


def levels(spans: Mapping[str, Sequence[Span]], judged: Mapping[str, Judged]) -> dict[str, Any]:
    """The part of a report that tells of the members."""
    return {
        "judged": {
            name: {figure: value._asdict() for figure, value in each._asdict().items()}
            for name, each in judged.items()
        },
        "spans": {
            name: {field: [round(float(getattr(span, field)), 2) for span in each] for field in Span._fields}
            for name, each in spans.items()
        },
    }
