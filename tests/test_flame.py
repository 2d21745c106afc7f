"""Flame graphs: what is read of py-spy, what is left out of a picture, and a profile that is really taken."""

import itertools
import os
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import flame, flame_graph
from benchmarks.performance_page import ROOT

RUN = "run (benchmarks/profile_run.py)"
TURN = "Streamer.run_once (streamer/engine/loop.py)"
READ = "read (<made for a schema>)"
ROUNDED = 0.2
"""Of positions, in pixels: each is rounded by itself."""

FOLDED = """\
_run (<frozen runpy>:65);main (benchmarks/profile_run.py:217);configure_logs (streamer/logs/writing.py:9) 5
main (benchmarks/profile_run.py:217);run (benchmarks/profile_run.py:195);\
Streamer.run_once (streamer/engine/loop.py:125) 7
main (benchmarks/profile_run.py:217);run (benchmarks/profile_run.py:195);\
Streamer.run_once (streamer/engine/loop.py:131) 1
main (benchmarks/profile_run.py:217);run (benchmarks/profile_run.py:195);\
Streamer.run_once (streamer/engine/loop.py:125);read (<made for a schema>:3) 2
"""

paths = st.lists(st.sampled_from("abc"), max_size=5).map(lambda names: ("root", *names))
profiles = st.dictionaries(paths, st.integers(1, 50), min_size=1).map(Counter)


def test_of_what_was_seen_only_the_work_counts_and_lines_of_a_function_are_one() -> None:
    """Start-up is none of an event's cost."""
    assert flame_graph.stacks_of(FOLDED, RUN) == {(RUN, TURN): 8, (RUN, TURN, READ): 2}


@pytest.mark.parametrize(
    ("stack", "room"),
    [
        ((RUN, TURN), "engine: order, batches, answers, commits"),
        ((RUN, TURN, READ), "reads Avro"),
        ((RUN, TURN, "Record.__init__ (streamer/records.py)"), "engine: order, batches, answers, commits"),
        ((RUN, TURN, "encode (streamer/planhat/requests.py)", "dumps (json.py)"), "encodes what is sent"),
        ((RUN, TURN, "Source.poll (benchmarks/profile_run.py)"), flame_graph.REST),
        ((RUN, TURN, "to_json (streamer/transform/encoding.py)"), "encodes what is sent"),
        ((RUN, TURN, "activity (streamer/transform/activity.py)"), "maps it"),
        ((RUN, "anything (streamer/app/anything.py)"), flame_graph.REST),
    ],
)
def test_time_belongs_to_the_room_that_had_it_spent(stack: flame_graph.Stack, room: str) -> None:
    """A library's time is that of who called it."""
    assert flame_graph.room_of(stack) == room


def test_every_module_of_a_room_exists() -> None:
    """What moved would be counted among the rest."""
    for module in itertools.chain.from_iterable(room.modules for room in flame_graph.ROOMS.values()):
        found = ROOT / "streamer" / module
        assert found.is_dir() if module.endswith("/") else found.with_suffix(".py").is_file()


@given(profiles, st.floats(0, 60))
def test_what_is_too_small_for_the_picture_counts_for_its_caller(
    stacks: Counter[flame_graph.Stack], least: float
) -> None:
    """No sample is lost, none is counted for somebody who did not call, and what is left is large enough."""
    kept = flame_graph.pruned(stacks, least)
    assert kept.total() == stacks.total()
    before, after = flame_graph.totals(stacks), flame_graph.totals(kept)
    assert all(after[stack] == before[stack] for stack in after)
    assert all(samples >= least for stack, samples in after.items() if len(stack) > 1)


@given(profiles, profiles)
def test_boxes_stand_on_their_callers_side_by_side(
    first: Counter[flame_graph.Stack], last: Counter[flame_graph.Stack]
) -> None:
    """In a row none overlaps another, each lies on its caller's, and a microsecond is as wide in both."""
    found = [flame_graph.profile("v1", 40.0, first, 0), flame_graph.profile("now", 20.0, last, 0)]
    drawn = ET.fromstring(flame_graph.plot({"profiles": found}))
    boxes = [group[1].attrib for group in drawn.iter("{http://www.w3.org/2000/svg}g")]
    assert len(boxes) == len(flame_graph.totals(first)) + len(flame_graph.totals(last))
    roots = [float(box["width"]) for box in boxes if float(box["x"]) == flame_graph.LEFT]
    assert max(roots) == flame_graph.WIDTH
    assert flame_graph.WIDTH / 2 in roots
    rows: dict[str, list[tuple[float, float]]] = {}
    for box in boxes:
        rows.setdefault(box["y"], []).append((float(box["x"]), float(box["width"])))
    for row in rows.values():
        for (x, width), (following, _) in itertools.pairwise(sorted(row)):
            assert x + width <= following + ROUNDED
    for y, row in rows.items():
        below = rows.get(str(int(y) + flame_graph.ROW), [])
        roots_of_row = [(x, width) for x, width in row if width in roots and x == flame_graph.LEFT]
        for x, width in row:
            held = [at for at, wide in below if at <= x + ROUNDED and x + width <= at + wide + ROUNDED]
            assert held or (x, width) in roots_of_row


def test_a_box_tells_its_function_and_its_microseconds() -> None:
    """Half of the samples of 40 microseconds; where the pointer rests, since the name may not fit."""
    half: dict[flame_graph.Stack, int] = {(RUN, TURN): 1, (RUN, READ): 1}
    drawn = flame_graph.plot({"profiles": [flame_graph.profile("now", 40.0, half)]})
    assert f"<title>{RUN}: 40.00 µs</title>" in drawn
    assert "<title>read (&lt;made for a schema&gt;): 20.00 µs</title>" in drawn
    assert f"<title>{TURN}: 20.00 µs</title>" in drawn


def test_the_table_tells_each_room_before_and_now() -> None:
    """In microseconds of an event; what was seen too seldom has no ratio."""
    before = flame_graph.profile("v1", 40.0, {(RUN, TURN): 300, (RUN, READ): 100})
    now = flame_graph.profile("now", 20.0, {(RUN, TURN): 100, (RUN, READ): 100, (RUN,): 200})
    told = flame_graph.table(before, now)
    assert "| engine: order, batches, answers, commits | 30.0 | 5.0 | 0.17 |" in told
    assert "| reads Avro | 10.0 | 5.0 | 0.50 |" in told
    assert f"| {flame_graph.REST} | 0.0 | 10.0 |  |" in told
    assert told.endswith("| all | 40.0 | 20.0 | 0.50 |\n")


def test_a_profile_of_this_tree_is_taken() -> None:
    """By the real py-spy of the real pipeline: it sees engine and mapping, and nothing of start-up."""
    try:
        (found,) = flame.profiles({"now": ROOT}, events=30_000, rate=250, turns=1)
    except flame.Unseen as error:
        if not error.is_refused:
            raise
        why = f"py-spy: NOT RUN (it may not look at its own child): {error}"
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)(why)
    assert found["us"] > 0
    seen = {name for name, samples in found["rooms"].items() if samples}
    assert {"engine: order, batches, answers, commits", "maps it"} <= seen
    assert all(stack.startswith(RUN) for stack in found["stacks"])


def test_a_commit_that_does_not_exist_is_told(tmp_path: Path) -> None:
    """With git's own words, not as an archive that cannot be read; one that exists is laid out."""
    with pytest.raises(flame.Unseen, match="fatal: "):
        flame.tree_of("no-such-commit", tmp_path)
    flame.tree_of("HEAD", tmp_path)
    assert (tmp_path / "benchmarks" / "profile_run.py").read_text().startswith('"""The pipeline')
    assert flame.head()


def test_a_program_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a traceback of Python's."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(flame.Unseen, match="py-spy could not be started"):
        flame.seen(tmp_path, events=1, rate=1)
