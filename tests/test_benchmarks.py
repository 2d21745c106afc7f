"""What a benchmark asserts it also refuses."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import figures, flame_graph, performance_page
from benchmarks.compare import Found, Plan
from benchmarks.figures import Look
from benchmarks.identity import events_of
from benchmarks.quota import Figures, Row, report
from benchmarks.rivals.mapping import Mapping, Unreadable
from benchmarks.rivals.told import Told
from benchmarks.sink import Counting
from benchmarks.systems import ROOT, SYSTEMS, command, variables
from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.outcomes import CallType
from streamer.planhat.items import encode_operation
from streamer.standins.generator import Generator
from streamer.transform import Rules, Skipped, transform
from tools import compiled_program

GOOD = Figures(Row(3, 16), 97, 31_100.0, 0.973, 0.999, 0.0, 0.0)


def test_a_quota_that_is_used_up_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """A row with a skewed backlog stands beside the others without a bar."""
    skewed = GOOD._replace(row=Row(3, 16, 0.8), used=0.36, fill=0.9)
    assert report([GOOD, skewed]) == 0
    shown = capsys.readouterr().out
    assert "36.0%" in shown
    assert shown.count("(no bar)") == 1


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"used": 0.949}, "94.9% of the quota used"),
        ({"fill": 0.93}, "mean fill 93.0%"),
        ({"refused_in_all": 1.0}, "1 calls answered 429"),
    ],
)
def test_a_bar_that_is_missed_fails_and_is_named(
    missing: dict[str, float], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which row, which bar."""
    assert report([GOOD, GOOD._replace(row=Row(1, 4), **missing)]) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("MISSED")]
    assert len(told) == 1
    assert told[0].startswith(f"MISSED: 1 replicas, 4 partitions: {words}")


RESULTS = {
    "events": 1000,
    "event_bytes": 700.0,
    "repeats": 3,
    "cores": 2,
    "python": "3.11.0",
    "floor_us": 20.0,
    "failed": {"quix": "RuntimeError"},
    "systems": {
        "streamer": {
            "events_per_second": 500.0,
            "cpu_seconds_per_million": 30.0,
            "to_floor": 1.5,
            "sink_cpu_seconds_per_million": 2.0,
            "start_cpu_seconds": 0.9,
            "peak_mib": 80.0,
            "requests": 4.0,
            "items": 990.0,
            "events_per_request": 250.0,
        }
    },
}

GROWTH = {"cores": 2, "python": "3.11.0", "axes": {}}
FLAMES = {
    "events": 1000,
    "rate": 250,
    "turns": 3,
    "head": "abc",
    "python": "3.11.0",
    "profiles": [flame_graph.profile(name, 30.0, {("run (a.py)",): 1}) for name in ("v1", "now")],
}


def test_the_page_of_performance_tells_each_system_against_the_floor() -> None:
    """And who failed, rather than leaving it out in silence."""
    told = performance_page.page(RESULTS, GROWTH, FLAMES)
    assert "| streamer | 500 | 30.0 | 1.50 | 0.9 | 80 | 4 | 250 | 2.0 |" in told
    assert "Failed: Quix Streams, bulk sink (RuntimeError)." in told
    assert 'width="380.0"' in performance_page.plot(RESULTS)


RUN = {"cpu_seconds": 0.5, "start_cpu_seconds": 0.1, "seconds": 1.0, "pace": 1000.0, "peak_mib": 80.0}
RUN |= {"requests": 4.0, "items": 990.0, "sink_cpu_seconds": 0.2, "floor_us": 25.0}


def test_a_comparison_that_is_cut_tells_what_it_found() -> None:
    """Before the first run, in the first round, in the second: rounds are those that all came through."""
    found = Found(Plan(1000, 3, frozenset(), 20.0, 900.0), ("streamer", "careful", "quix"), 700.0, 24.0, 20.0)
    assert found.results()["floor_us"] == 24.0
    assert found.results()["systems"] == {}
    found.runs["streamer"].append(RUN)
    assert found.results()["floor_us"] == 25.0
    assert "| streamer | 1,000 | 400.0 | 16.00 |" in performance_page.page(found.results(), GROWTH, FLAMES)
    found.runs["careful"].append(RUN)
    found.failed["quix"] = "RuntimeError"
    found.missed["careful"].add("drain")
    found.runs["streamer"].append(RUN | {"cpu_seconds": 0.7})
    results = found.results()
    assert results["repeats"] == 1
    assert "Cut amid a round" in performance_page.table(results)
    found.runs["careful"].append(RUN)
    assert found.results()["repeats"] == 2
    assert "Cut amid a round" not in performance_page.table(found.results())
    assert results["missed"] == {"careful": ["drain"]}
    assert "| streamer | 1,000 | 500.0 | 20.00 |" in performance_page.page(results, GROWTH, FLAMES)
    assert "Failed: Quix Streams, bulk sink (RuntimeError)." in performance_page.page(results, GROWTH, FLAMES)


_HOLDS_A_SYSTEM = """
import subprocess, sys, time
from benchmarks.systems import end, sigterm_unwinds
sigterm_unwinds()
slow = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), exit()));"
slow += "print(flush=True); time.sleep(120)"
child = subprocess.Popen([sys.executable, "-c", slow], start_new_session=True, stdout=subprocess.PIPE)
try:
    child.stdout.readline()
    print(child.pid, flush=True)
    time.sleep(120)
finally:
    print("ends it", flush=True)
    end(child)
"""


def test_a_comparison_that_is_ended_leaves_nothing_running() -> None:
    """Of SIGTERM alone it would end there and then, and what it started go on; of a second one as well."""
    with subprocess.Popen([sys.executable, "-c", _HOLDS_A_SYSTEM], cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        system = int(child.stdout.readline())
        child.send_signal(signal.SIGTERM)
        assert child.stdout.readline() == b"ends it\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(system, 0)


BESIDE = {"paced": 250.0, "p50": 0.51, "p99": 1.25, "drain_seconds": 61.0, "refused": 0.0}
BESIDE |= {"again": 12.0, "activities_again": 7.0, "restart_seconds": 46.0}


def test_what_is_measured_beside_the_backlog_has_a_table_of_its_own() -> None:
    """That nothing was measured is said; what did not come to its end is said, and its cells are empty."""
    assert performance_page.behaviour(RESULTS) == performance_page.NOTHING_BESIDE
    careful = {key: value for key, value in BESIDE.items() if key not in {"drain_seconds", "refused"}}
    results = RESULTS | {
        "latency_seconds": 20.0,
        "calls_per_minute": 200,
        "longest_drain_seconds": 900.0,
        "missed": {"careful": ["drain"]},
        "systems": {"streamer": BESIDE, "careful": careful},
    }
    told = performance_page.behaviour(results)
    assert "| streamer | 250 | 0.51 | 1.25 | 61 | 0 | 12 | 7 | 46 |" in told
    assert "| careful loop (confluent-kafka) | 250 | 0.51 | 1.25 |  |  | 12 | 7 | 46 |" in told
    assert "Drained at 200 calls a minute" in told
    assert "careful loop (confluent-kafka) did not drain within 900 s." in told
    told = performance_page.behaviour(results | {"systems": RESULTS["systems"]})
    assert told.endswith("did not drain within 900 s.\n"), "what is missed is told where nothing else is"


def test_each_system_has_a_name_on_the_page() -> None:
    """A new one without would fail after the measuring."""
    assert performance_page.SHOWN.keys() == SYSTEMS.keys()


def test_the_compiled_streamer_is_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own script runs, and nothing leads it to the checkout, which would be measured instead."""
    monkeypatch.setattr(compiled_program, "installed", lambda: Path("there/bin/streamer"))
    told = Told("localhost:9092", "events", "letters", "group", "http://127.0.0.1:1")
    python, compiled = SYSTEMS["streamer"], SYSTEMS["compiled"]

    assert command(compiled) == ["there/bin/streamer", "run"]
    assert command(python) == [sys.executable, "-m", "streamer", "run"]
    assert variables(python, told, 100).keys() - variables(compiled, told, 100).keys() == {"PYTHONPATH"}


def test_the_compiled_streamer_is_built_anew_where_a_source_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module, a schema, the pins: each changes the state; what Python itself leaves behind does not."""
    monkeypatch.setattr(compiled_program, "ROOT", tmp_path)
    states = [compiled_program.state()]
    for name in ("streamer/engine/loop.py", "schemas/track.avsc", "requirements-compile.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1", encoding="utf-8")
        states.append(compiled_program.state())
    (tmp_path / "streamer" / "loop.pyc").write_text("1", encoding="utf-8")

    assert len(set(states)) == 4
    assert compiled_program.state() == states[-1]


def test_a_quantile_is_a_value_that_was_measured() -> None:
    """p50 of an even number is the upper of the two in the middle; p99 of a hundred is the largest."""
    assert figures.quantile([3.0, 1.0, 2.0, 4.0], 0.5) == 3.0
    assert figures.quantile([float(number) for number in range(1, 101)], 0.99) == 100.0
    with pytest.raises(ValueError, match="nothing"):
        figures.quantile([], 0.5)


def test_a_figure_that_one_run_lacks_has_no_median() -> None:
    """One drain of three that did not end is no median of the other two."""
    assert figures.medians([{"a": 1.0, "b": 1.0}, {"a": 3.0}]) == {"a": 2.0}


def test_the_pace_is_that_between_the_first_commit_and_the_last() -> None:
    """Start-up is no part of it; of one commit for all of it the whole time is all there is."""
    looks = [Look(10.0, 0), Look(15.0, 0), Look(16.0, 200), Look(18.0, 900), Look(20.0, 1_000)]
    assert figures.done(looks) == (10.0, 200.0)
    assert figures.done([looks[0], looks[1], looks[4]]) == (10.0, 100.0)


def test_an_item_tells_of_all_events_that_were_made_into_it() -> None:
    """Marks stay where upserts of one enduser were made into one; an item without a key tells of none."""
    item = {"externalId": "u-1", "custom": {"eventKey": "ext:u-1#7", "Mark 7": 7, "Mark 5": 5, "plan": "pro"}}
    assert events_of(json.dumps(item).encode()) == {"ext:u-1#7", "ext:u-1#5"}
    activity = {"action": "Seat Added", "info": {"eventKey": "ext:u-1#8", "Mark 1": 1}}
    assert events_of(json.dumps(activity).encode()) == {"ext:u-1#8"}
    assert events_of(b'{"externalId":"u-1"}') == set()


def test_the_sink_knows_what_came_again_from_the_same_endpoint() -> None:
    """A group call's company and enduser may tell of one event without either being a repetition."""
    sink = Counting(notes_events=True)
    item = b'{"info":{"eventKey":"ext:u-1#8"}}'
    sink.take("activities", [item, b'{"info":{"eventKey":"ext:u-1#9"}}'], 100.0)
    sink.take("endusers", [b'{"custom":{"eventKey":"ext:u-1#8"}}'], 101.0)
    sink.take("activities", [item], 102.0)
    assert sink.events() == {"came_at": {"ext:u-1#8": 100.0, "ext:u-1#9": 100.0}, "again": {"activities": 1}}
    assert sink.counts() == {"requests": 3, "items": 4}


def test_what_is_taken_off_is_the_start_alone() -> None:
    """Medians over runs; CPU without that of start-up, events/s with its seconds."""
    run = {"seconds": 2.0, "cpu_seconds": 3.0, "start_cpu_seconds": 1.0, "peak_mib": 80.0}
    run |= {"requests": 4.0, "items": 990.0, "sink_cpu_seconds": 0.5}
    run |= {"p99": 1.0, "floor_us": 1.0}
    slow = run | {"seconds": 9.0, "cpu_seconds": 9.0, "drain_seconds": 60.0, "floor_us": 4.0}
    found = figures.summed_up([slow, run, run], 1_000_000)
    assert found["cpu_seconds_per_million"] == 2.0
    assert found["to_floor"] == 2.0, "all three were twice as dear as the floor around them"
    assert found["events_per_second"] == 500_000
    assert found["events_per_request"] == 250_000
    assert (found["p99"], found["drain_seconds"]) == (1.0, 60.0), "a drain is measured in the first round"


def test_the_mapping_of_the_rivals_says_what_that_of_the_pipeline_does() -> None:
    """Same items of every generated event that both can read; what ours refuses theirs refuses."""
    encode, decoder, mapping = Encoder(load_schemas()).encode, Decoder(load_schemas()), Mapping()
    compared: Counter[str] = Counter()
    for made in Generator(3, 6_000):
        value = made.value_bytes(encode)
        if value is None:
            continue
        try:
            decoded = decoder.decode(value)
            assert isinstance(decoded, Decoded)
            outcome = transform(parse(decoded.value), Rules())
        except InvalidEvent:
            with pytest.raises(Unreadable):
                mapping.items(value)
            compared["refused"] += 1
            continue
        ours = [] if isinstance(outcome, Skipped) else outcome.operations
        told = [(each.endpoint.value, json.loads(encode_operation(each))) for each in ours]
        assert [(endpoint, json.loads(item)) for endpoint, item in mapping.items(value)] == told
        compared[made.expectation.call] += 1
    assert compared.keys() == {*CallType, "refused"} - {CallType.UNKNOWN}
    assert min(compared.values()) > 20


def test_the_page_of_performance_is_made_from_the_results_kept() -> None:
    """Page and plots are exactly what the commands make of their results files."""
    for path, text in performance_page.made(*performance_page.read(performance_page.ROOT)).items():
        assert (performance_page.ROOT / path).read_text(encoding="utf-8") == text
