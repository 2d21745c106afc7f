"""What a benchmark asserts it also refuses."""

import json

import pytest

from benchmarks import compare, performance_page
from benchmarks.quota import Figures, Row, report
from benchmarks.rivals.mapping import Mapping, Unreadable
from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.planhat.requests import encode_operation
from streamer.standins.generator import Generator
from streamer.transform import Rules, Skipped, transform

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
            "sink_cpu_seconds_per_million": 2.0,
            "start_cpu_seconds": 0.9,
            "peak_mib": 80.0,
            "requests": 4.0,
            "items": 990.0,
            "events_per_request": 250.0,
        }
    },
}


def test_the_page_of_performance_tells_each_system_against_the_floor() -> None:
    """And who failed, rather than leaving it out in silence."""
    told = performance_page.page(RESULTS)
    assert "| streamer | 500 | 30.0 | 1.50 | 0.9 | 80 | 4 | 250 | 2.0 |" in told
    assert "Failed: Quix Streams, bulk sink (RuntimeError)." in told
    assert 'width="380.0"' in performance_page.plot(RESULTS)


def test_what_is_taken_off_is_the_start_alone() -> None:
    """Medians over runs; CPU without that of start-up, events/s with its seconds."""
    run = {"seconds": 2.0, "cpu_seconds": 3.0, "start_cpu_seconds": 1.0, "peak_mib": 80.0}
    run |= {"requests": 4.0, "items": 990.0, "sink_cpu_seconds": 0.5}
    slow = run | {"seconds": 9.0, "cpu_seconds": 9.0}
    found = compare.summed_up([run, slow, run], 1_000_000)
    assert found["cpu_seconds_per_million"] == 2.0
    assert found["events_per_second"] == 500_000
    assert found["events_per_request"] == 250_000


def test_the_mapping_of_the_rivals_is_that_of_the_pipeline() -> None:
    """Same items of every generated event that both can read; what ours refuses theirs refuses."""
    encode, decoder, mapping = Encoder(load_schemas()).encode, Decoder(load_schemas()), Mapping()
    compared = 0
    for made in Generator(3, 600):
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
            continue
        ours = [] if isinstance(outcome, Skipped) else outcome.operations
        assert mapping.items(value) == [(each.endpoint, encode_operation(each)) for each in ours]
        compared += 1
    assert compared > 500


def test_the_page_of_performance_is_made_from_the_results_kept() -> None:
    """Page and plot are exactly what the command makes of its results file."""
    results = json.loads(compare.RESULTS.read_text(encoding="utf-8"))
    for path, made in (
        (performance_page.PAGE, performance_page.page(results)),
        (performance_page.PLOT, performance_page.plot(results)),
    ):
        assert (compare.ROOT / path).read_text(encoding="utf-8") == made
