"""Looks become spans, spans are judged, and the page says what was found."""

import json
import os
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults.plant import Broken, Plant
from tests.faults.schedule import Kind, Strike
from tests.faults.strikes import Struck
from tests.faults.verdict import Row, Verdict
from tests.faults.vitals import Vitals, vitals
from tests.soak import figures
from tests.soak.findings import Findings, judge, report
from tests.soak.plan import plan
from tests.soak.run import remembered
from tests.soak.watch import UNTOLD, Look, Span, Watch, spans

PLAN = plan(1, 3_600.0, 180.0)


def look(at: float, *, name: str = "m0-1", mib: float = 100.0, cpu: float = 0.0, **told: float) -> Look:
    """A member at a moment; it answers, and nothing is in flight."""
    quiet: dict[str, float] = {"in_flight": 0, "undelivered": 0, "oldest_seconds": 0, "held": 0}
    return Look(name, at, Vitals(mib, mib / 2, 30, 20, cpu), **(quiet | told))


def steady(mib: float = 100.0, an_hour: float = 0.0, handles: float = 30.0) -> list[Span]:
    """A member's hour, by minutes."""
    return [
        Span(at, mib + an_hour * at / 3_600, 50.0, handles, 20.0, 0.1, 40.0, 60.0, 1.0, is_held=False)
        for at in (60.0 * minute + 30 for minute in range(60))
    ]


def found(**changes: Any) -> Findings:
    """A soak of which nothing is to be said."""
    calm = steady()
    struck = Struck(Strike(1, Kind.SIGTERM, 0.0, 0.0, 0.0), 1_700.0, 1_712.0, ())
    good = Findings(
        plan=PLAN,
        per_second=300.0,
        struck=[struck],
        began=1_000.0,
        spans={"m0-1": calm, "m2-1": calm[:20]},
        judged={"m0-1": judge(calm, PLAN, [700.0])},
        verdict=Verdict({"sigterm": Row(strikes=1)}, 10_000, 0, 0, 90, 90, 0, [], []),
        activities=6_000,
        record_bytes=812.4,
        holds_left=[],
        ended_in_order=4,
    )
    return good._replace(**changes)


def test_a_span_tells_medians_and_the_most() -> None:
    """What is rare but large must not hide among medians, nor one outlier stand for memory."""
    looks = [
        look(5, mib=100, cpu=1.0),
        look(15, mib=400, cpu=2.0, in_flight=70, oldest_seconds=9, held=1),
        look(25, mib=102, cpu=3.0, in_flight=10),
    ]
    (span,) = spans(looks, 30.0)["m0-1"]

    assert (span.at, span.resident_mib, span.in_flight, span.oldest_seconds) == (15.0, 102, 70, 9)
    assert span.is_held
    assert span.cpu_share == pytest.approx(0.1)


def test_cpu_is_counted_from_span_to_span() -> None:
    """What was spent between two spans belongs to the later one; spans without a look are left out."""
    first, second = spans([look(10, cpu=1), look(50, cpu=2), look(130, cpu=6)], 60.0)["m0-1"]

    assert (first.at, second.at) == (30.0, 150.0)
    assert second.cpu_share == pytest.approx(4 / 80)


def test_a_member_that_does_not_answer_tells_nothing_of_itself() -> None:
    """Stopped in its tracks, say: the kernel still tells of its memory."""
    (span,) = spans([look(5, in_flight=UNTOLD, undelivered=UNTOLD)], 60.0)["m0-1"]

    assert (span.in_flight, span.resident_mib) == (UNTOLD, 100.0)


def test_the_kernel_tells_of_a_process_that_runs() -> None:
    """Of this one: memory, and one more open file."""
    before = vitals(os.getpid())
    with open(os.devnull) as _:  # noqa: PTH123 - any file
        after = vitals(os.getpid())

    assert after.handles == before.handles + 1
    assert before.resident_mib >= before.proportional_mib > 10
    assert before.threads >= 1
    with pytest.raises(OSError, match=r"."):
        vitals(2**22)


def test_what_is_calm_is_good() -> None:
    """Nothing broken, nothing grows."""
    assert found().is_good


def test_a_leak_of_a_spared_member_is_told_with_its_figures() -> None:
    """Its warm-up is not judged: growth is counted from its end."""
    growing = found(judged={"m0-1": judge(steady(an_hour=30.0), PLAN, [700.0])})

    assert not growing.is_good
    (words,) = growing.growing
    assert words.startswith("m0-1: memory is not flat: ")
    assert words.endswith("+30.0 an hour")


def test_files_left_open_are_told() -> None:
    """Ten more after the warm-up, at a fault: no step of them is forgiven."""
    leaking = [span._replace(handles=30.0 if span.at < 2_000 else 40.0) for span in steady()]

    assert "handles" in found(judged={"m0-1": judge(leaking, PLAN, [2_000.0])}).growing[0]


def test_growth_in_the_warm_up_is_not_judged() -> None:
    """It ends after a quarter of the hour."""
    warming = [span._replace(resident_mib=min(100.0, 40 + span.at / 15)) for span in steady()]

    assert found(judged={"m0-1": judge(warming, PLAN, [])}).is_good


def test_what_comes_after_the_load_is_not_judged() -> None:
    """When it ends what is left is drained at full speed, and that may take more than the load did."""
    draining = [steady()[-1]._replace(at=3_630.0 + 60 * more, resident_mib=300.0) for more in range(30)]

    assert judge([*steady(), *draining], PLAN, []) == judge(steady(), PLAN, [])


def test_a_broken_law_and_a_hold_that_is_left_are_not_good() -> None:
    """However flat the memory."""
    lost = Verdict({}, 10_000, 1, 0, 90, 90, 0, ["1 activity lost"], [])

    assert found(verdict=lost).broken == ["1 activity lost"]
    assert found(holds_left=["m1-1"]).broken == ["m1-1 still holds at the end"]


def test_what_nobody_saw_is_not_called_flat() -> None:
    """Looks that end early would call a leak flat that came after them."""
    seen = steady()[:50]
    unseen = found(spans={"m0-1": seen}, judged={"m0-1": judge(seen, PLAN, [])})

    assert unseen.growing == ["m0-1: was not looked at to the end"]
    assert not unseen.is_good


def test_a_watch_that_fails_is_told_when_it_is_ended() -> None:
    """It is a thread: without that nobody would hear of it."""
    told = threading.Event()

    def fail(_: Sequence[Look]) -> None:
        told.set()
        raise ValueError("no such figure")

    watch = Watch(cast("Plant", SimpleNamespace(now={})), 0.001, 0.0, fail)
    watch.start()
    assert told.wait(10)
    with pytest.raises(Broken, match="the watch ended early: ValueError"):
        watch.end()


def test_what_is_remembered_is_full_when_the_warm_up_ends() -> None:
    """By the figures of a run of ten minutes; a day's are the defaults."""
    short = remembered(plan(1, 600.0, 40.0), 300.0)

    assert int(short["duplicates_window"]) <= 300 * 150 / 3
    assert int(short["unchanged_endusers"]) <= 300 * 600 / 20 / 3 / 2
    assert remembered(plan(1, 86_400.0, 180.0), 2_000.0)["duplicates_window"] == "100000"


def test_the_page_tells_what_was_found_and_what_grows() -> None:
    """A report goes through a file, as for the page that is kept."""
    told = json.loads(json.dumps(report(found(), seed=1, python="3.11.0", cores=2)))
    part = figures.soak_part(told)

    assert "10,000 records of 812 bytes" in part
    assert "| events lost | 0 | 0 |" in part
    assert "| m0-1 | 100.0 | 100.0 | +0.0 |" in part
    assert "m2-1" not in part
    growing = report(
        found(judged={"m0-1": judge(steady(an_hour=30.0), PLAN, [])}), seed=1, python="3.11.0", cores=2
    )
    assert "| NO |" in figures.soak_part(growing)
    assert "Grows: m0-1: memory" in figures.soak_part(growing)


def test_the_plot_draws_each_member_and_each_strike() -> None:
    """Those that were struck in grey."""
    drawn = figures.plot(report(found(), seed=1, python="3.11.0", cores=2))

    assert drawn.count("<polyline") == 2
    assert drawn.count("#c3cad0") == 1
    assert drawn.count("<title>sigterm</title>") == 1
